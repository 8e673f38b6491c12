import { type Duration, durationMs } from '../../internal/duration.ts'
import { invalidOption } from '../../internal/errors.ts'
import { type Runtime, systemRuntime } from '../../internal/runtime.ts'
import type { RedisTls } from './endpoint.ts'
import type { IoredisClient } from './ioredis.ts'
import type { NodeRedisClient } from './node-redis.ts'
import { MAX_WITHIN_MS } from './replica-wait.ts'
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
  /** What a revocation waits for, and a write that asks for `durable: 'replicated'`. Nothing where there are no replicas. */
  readonly durable?: RedisDurability
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

export interface RedisDurability {
  /**
   * How many replicas must have a write for the answer to be `replicated`: 0 to 100, or `all` that are connected at that
   * moment. 0 does not wait. Default `'all'`: with fewer, a failover to one that lacks the write undoes it. The answer
   * says how many have it, and is never an error for want of them.
   */
  readonly replicas?: number | 'all'
  /** Longest wait for them, 50 ms to 10 s. Default `'0.5s'`. */
  readonly within?: Duration
  /**
   * Waits for the disk of the primary as well, with `WAITAOF`: of use with `appendfsync everysec` on Redis 7.2, Valkey 7.2
   * or newer, where the answer then is `fsynced` when the sync came within `within`. Elsewhere it changes nothing.
   * Default `false`, because every revocation then waits for the next sync.
   */
  readonly fsync?: boolean
}

export interface ResolvedRedisOptions {
  readonly target: RedisTarget
  readonly nodeAddressMap: Readonly<Record<string, string>>
  readonly prefix: string
  readonly deadlineMs: number
  readonly noEviction: boolean
  readonly durable: { readonly replicas: number | 'all'; readonly withinMs: number; readonly fsync: boolean }
  readonly runtime: Runtime
}

const KNOWN = new Set(
  ['url', 'nodes', 'sentinels', 'client', 'tls', 'nodeAddressMap'].concat([
    'prefix',
    'deadline',
    'noEviction',
    'durable',
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
    durable: resolveDurability(options.durable ?? {}),
    noEviction: options.noEviction === true,
    runtime,
  })
}

function resolveDurability(options: RedisDurability): ResolvedRedisOptions['durable'] {
  if (typeof options !== 'object' || options === null) throw invalidOption('durable', 'must be an object')
  const { replicas = 'all', within = '0.5s', fsync = false, ...unknown } = options
  const [stray] = Object.keys(unknown)
  if (stray !== undefined) throw invalidOption(`durable.${stray}`, 'is not an option of redisStore')
  if (replicas !== 'all' && !(Number.isInteger(replicas) && replicas >= 0 && replicas <= 100))
    throw invalidOption('durable.replicas', "must be a whole number from 0 to 100, or 'all'")
  if (typeof fsync !== 'boolean') throw invalidOption('durable.fsync', 'must be true or false')
  return { replicas, withinMs: durationMs(within, 'durable.within', 50, MAX_WITHIN_MS), fsync }
}
