import { type Duration, durationMs } from '../../internal/duration.ts'
import { invalidOption } from '../../internal/errors.ts'
import { type Runtime, systemRuntime } from '../../internal/runtime.ts'
import type { RedisTls } from './endpoint.ts'
import type { IoredisClient } from './ioredis.ts'
import type { NodeRedisClient } from './node-redis.ts'
import { type RedisTarget, resolveTarget } from './targets.ts'

/** Exactly one of `url`, `nodes`, `sentinels` and `client` says where the data is. */
export interface RedisStoreOptions {
  /**
   * One server: `redis://user:password@host:port/db`, or `rediss://` for TLS. Redis 7.0 or newer, or Valkey 7.2 or newer.
   */
  readonly url?: string | undefined
  /**
   * A cluster: URLs of some of its nodes, by which the others are found. All with the same user, password and scheme,
   * because these are used for the other nodes too. Two or three are enough.
   */
  readonly nodes?: readonly string[] | undefined
  /** A primary that sentinels watch. */
  readonly sentinels?: RedisSentinels | undefined
  /**
   * A client of the application's own to send the commands with: of node-redis for a single server (from the same copy of
   * the package `redis`), or of ioredis, `Redis` or `Cluster`. It is used as it is and not closed; the settings that keep
   * promises in an outage are then the application's matter, which `health()` says.
   */
  readonly client?: NodeRedisClient | IoredisClient
  /** Certificates for `rediss://` and `sentinels.tls`: an authority of one's own, or a certificate to log in with. */
  readonly tls?: RedisTls | undefined
  /**
   * Where nodes are reached whose own address works only inside their network: `host:port` that a node of a cluster
   * announces, or that sentinels name, → `host:port` to use. Only with `nodes` and `sentinels`.
   */
  readonly nodeAddressMap?: Readonly<Record<string, string>> | undefined
  /** What all keys start with: 1 to 32 letters, digits, `.`, `_`, `-` and `:`. Default `cs`. */
  readonly prefix?: string
  /**
   * States that the server never evicts, where `maxmemory-policy` cannot be read. Default `false`; a setting that can
   * be read and evicts is warned of all the same.
   */
  readonly noEviction?: boolean
  /** Longest wait for an answer, 50 ms to 60 s. Default `'2s'`. */
  readonly deadline?: Duration
  /** Clock, random source and timers: for tests. */
  readonly runtime?: Runtime
}

export interface RedisSentinels {
  /** What the sentinels call the primary. */
  readonly name: string
  /** URLs of the sentinels, with their own user and password: `redis://host:26379`, or `rediss://` for TLS. Name all. */
  readonly nodes: readonly string[]
  /** For the primary and whoever takes its place. */
  readonly username?: string | undefined
  /** For the primary and whoever takes its place. */
  readonly password?: string | undefined
  /** Number of the database. Default 0. */
  readonly database?: number | undefined
  /** True for TLS to the primary and whoever takes its place. Default `false`. */
  readonly tls?: boolean | undefined
}

export interface ResolvedRedisOptions {
  readonly target: RedisTarget
  readonly nodeAddressMap: Readonly<Record<string, string>>
  readonly prefix: string
  readonly deadlineMs: number
  readonly noEviction: boolean
  readonly runtime: Runtime
}

const KNOWN = new Set(
  ['url', 'nodes', 'sentinels', 'client', 'tls', 'nodeAddressMap'].concat([
    'prefix',
    'deadline',
    'noEviction',
    'runtime',
  ]),
)

/** @throws CountersignError `ERR_CONFIG_INVALID` naming the option and never its value: a URL may hold a password. */
export function resolveRedisOptions(options: RedisStoreOptions): ResolvedRedisOptions {
  if (typeof options !== 'object' || options === null) throw invalidOption('redisStore', 'needs an object with "url"')
  for (const name of Object.keys(options))
    if (!KNOWN.has(name)) throw invalidOption(name, 'is not an option of redisStore')
  const { prefix = 'cs', deadline = '2s', runtime = systemRuntime, nodeAddressMap = {} } = options
  const target = resolveTarget(options)
  if (typeof prefix !== 'string' || !/^[A-Za-z0-9._:-]{1,32}$/.test(prefix)) {
    throw invalidOption('prefix', 'must be 1 to 32 letters, digits, dots, dashes, underscores or colons')
  }
  const deadlineMs = durationMs(deadline, 'deadline', 50, 60_000)
  return Object.freeze({
    target,
    nodeAddressMap,
    prefix,
    deadlineMs,
    noEviction: options.noEviction === true,
    runtime,
  })
}
