import { type Duration, durationMs } from '../../internal/duration.ts'
import { invalidOption } from '../../internal/errors.ts'
import { type Runtime, systemRuntime } from '../../internal/runtime.ts'
import type { PostgresConnection, PostgresPool } from './driver.ts'

/** Exactly one of `url`, `connection` and `pool` says where the database is. */
export interface PostgresStoreOptions {
  /** `postgres://user:password@host:port/database`, with the parameters of node-postgres. PostgreSQL 13 or newer. */
  readonly url?: string | undefined
  /** The same as an object, for TLS certificates and for passwords from a function. */
  readonly connection?: PostgresConnection
  /**
   * A `pg.Pool` of the application's own. It is used as it is and not closed; its size and its timeouts, such as
   * `statement_timeout`, are then the application's matter.
   */
  readonly pool?: PostgresPool
  /** Most connections that this store opens, 1 to 100. Default 10. Not with `pool`. */
  readonly poolSize?: number
  /** Longest wait for an answer, 50 ms to 60 s. Default `'2s'`. */
  readonly deadline?: Duration
  /**
   * `false` for a pooler that gives each transaction another connection (PgBouncer before 1.21 in transaction mode):
   * statements have no names, and no setting is sent with the connection. Default `true`.
   */
  readonly prepared?: boolean
  /** Schema that holds the tables and functions: 1 to 63 lower-case letters, digits and `_`. Default `countersign`. */
  readonly schema?: string
  /** Clock, random source and timers: for tests. */
  readonly runtime?: Runtime
}

export interface ResolvedPostgresOptions {
  readonly connection: (PostgresConnection & { readonly connectionString?: string }) | undefined
  readonly pool: PostgresPool | undefined
  /** For messages: never with user or password. */
  readonly place: string
  readonly poolSize: number
  readonly deadlineMs: number
  readonly prepared: boolean
  readonly schema: string
  readonly runtime: Runtime
}

const KNOWN = new Set(['url', 'connection', 'pool', 'poolSize', 'deadline', 'prepared', 'schema', 'runtime'])
const CONNECTION = new Set(['host', 'port', 'user', 'database', 'password', 'ssl'])

/** @throws CountersignError `ERR_CONFIG_INVALID` naming the option and never its value: a URL may hold a password. */
export function resolvePostgresOptions(options: PostgresStoreOptions): ResolvedPostgresOptions {
  if (typeof options !== 'object' || options === null)
    throw invalidOption('postgresStore', 'needs an object with "url"')
  for (const name of Object.keys(options))
    if (!KNOWN.has(name)) throw invalidOption(name, 'is not an option of postgresStore')
  const { url, connection, pool, poolSize = 10, deadline = '2s', prepared = true } = options
  const { schema = 'countersign', runtime = systemRuntime } = options
  const given = [url, connection, pool].filter((one) => one !== undefined).length
  if (given === 0) throw invalidOption('url', 'is required')
  if (given > 1) throw invalidOption('url', 'cannot be combined with "connection" or "pool": give one of the three')
  if (url !== undefined) checkUrl(url)
  if (connection !== undefined) checkConnection(connection)
  if (pool !== undefined) {
    if (typeof pool?.connect !== 'function') throw invalidOption('pool', 'must be a pg.Pool')
    if (options.poolSize !== undefined) throw invalidOption('poolSize', 'has no effect with "pool"')
  }
  if (!Number.isInteger(poolSize) || poolSize < 1 || poolSize > 100)
    throw invalidOption('poolSize', 'must be a whole number from 1 to 100')
  if (typeof prepared !== 'boolean') throw invalidOption('prepared', 'must be true or false')
  if (typeof schema !== 'string' || !/^[a-z_][a-z0-9_]{0,62}$/.test(schema) || schema.startsWith('pg_')) {
    throw invalidOption('schema', 'must be 1 to 63 lower-case letters, digits and underscores, and not begin with pg_')
  }
  return Object.freeze({
    connection: url === undefined ? connection : { connectionString: url },
    pool,
    place: url === undefined ? (connection?.host ?? 'the place given') : placeOf(url),
    poolSize,
    deadlineMs: durationMs(deadline, 'deadline', 50, 60_000),
    prepared,
    schema,
    runtime,
  })
}

function checkUrl(url: unknown): void {
  const isUrl = typeof url === 'string' && URL.canParse(url) && /^postgres(ql)?:$/.test(new URL(url).protocol)
  if (!isUrl) throw invalidOption('url', 'must be a URL such as postgres://user:password@host:5432/database')
}

function placeOf(url: string): string {
  const { host, searchParams } = new URL(url)
  return host || searchParams.get('host') || 'localhost'
}

function checkConnection(connection: unknown): void {
  if (typeof connection !== 'object' || connection === null) throw invalidOption('connection', 'must be an object')
  for (const name of Object.keys(connection))
    if (!CONNECTION.has(name)) throw invalidOption(`connection.${name}`, 'is not known')
}
