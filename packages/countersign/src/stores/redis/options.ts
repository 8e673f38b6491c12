import { type Duration, durationMs } from '../../internal/duration.ts'
import { invalidOption } from '../../internal/errors.ts'
import { type Runtime, systemRuntime } from '../../internal/runtime.ts'
import type { NodeRedisClient } from './node-redis.ts'

export interface RedisStoreOptions {
  /**
   * `redis://user:password@host:port/db`, or `rediss://` for TLS. Needed unless `client` is given. Redis 7.0 or newer,
   * or Valkey 7.2 or newer.
   */
  readonly url?: string | undefined
  /**
   * A node-redis client of the application's own, from the same copy of the package `redis`, to send the commands with.
   * It is used as it is and not closed; the settings that keep promises in an outage are then the application's matter,
   * which `health()` says.
   */
  readonly client?: NodeRedisClient
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

export interface ResolvedRedisOptions {
  readonly url: string | undefined
  readonly client: NodeRedisClient | undefined
  /** For messages: never with user or password. */
  readonly host: string
  readonly prefix: string
  readonly deadlineMs: number
  readonly noEviction: boolean
  readonly runtime: Runtime
}

const KNOWN = new Set(['url', 'client', 'prefix', 'deadline', 'noEviction', 'runtime'])

/** @throws CountersignError `ERR_CONFIG_INVALID` naming the option and never its value: a URL may hold a password. */
export function resolveRedisOptions(options: RedisStoreOptions): ResolvedRedisOptions {
  if (typeof options !== 'object' || options === null) throw invalidOption('redisStore', 'needs an object with "url"')
  for (const name of Object.keys(options))
    if (!KNOWN.has(name)) throw invalidOption(name, 'is not an option of redisStore')
  const { url, client, prefix = 'cs', deadline = '2s', runtime = systemRuntime } = options
  if (url === undefined && client === undefined) throw invalidOption('url', 'is required')
  if (client !== undefined && typeof client?.sendCommand !== 'function')
    throw invalidOption('client', 'must be a node-redis client')
  if (typeof prefix !== 'string' || !/^[A-Za-z0-9._:-]{1,32}$/.test(prefix)) {
    throw invalidOption('prefix', 'must be 1 to 32 letters, digits, dots, dashes, underscores or colons')
  }
  const host = url === undefined ? 'the client given' : hostOf(url)
  const deadlineMs = durationMs(deadline, 'deadline', 50, 60_000)
  return Object.freeze({ url, client, host, prefix, deadlineMs, noEviction: options.noEviction === true, runtime })
}

function hostOf(url: unknown): string {
  const parsed = typeof url === 'string' && URL.canParse(url) ? new URL(url) : undefined
  if (!parsed || !['redis:', 'rediss:'].includes(parsed.protocol) || parsed.hostname === '') {
    throw invalidOption('url', 'must be a URL such as redis://host:6379, or rediss:// for TLS')
  }
  if (!/^\/?\d*$/.test(parsed.pathname))
    throw invalidOption('url', 'must have the number of a database as its path, or none')
  return parsed.port === '' ? parsed.hostname : `${parsed.hostname}:${parsed.port}`
}
