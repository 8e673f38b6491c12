import { CountersignError } from '../../internal/errors.ts'

/** One statement as node-postgres takes it. A `name` makes it a prepared statement of its connection. */
export interface PgQuery {
  readonly text: string
  readonly values: readonly unknown[]
  readonly name?: string
  readonly types: { getTypeParser(oid: number): (text: string) => unknown }
}
export type Row = Readonly<Record<string, unknown>>

/** The part of a node-postgres client that is used. */
export interface PgClient {
  query(query: PgQuery | string): Promise<{ readonly rows: Row[] }>
  on(event: 'error' | 'end', listener: (error?: unknown) => void): unknown
}

/** A client that this store opened itself. */
export interface OwnedPgClient extends PgClient {
  connect(): Promise<unknown>
  end(): Promise<unknown>
  /** The socket, which has to be closed at once when the other side does not answer. `pg-pool` does the same. */
  readonly connection?: { readonly stream?: { destroy(): void } }
}

/** A client of the application's pool. */
export interface PostgresPoolClient extends PgClient {
  /** `true` closes the connection instead of giving it to the next one. */
  release(destroy?: boolean): void
  off(event: 'error', listener: () => void): unknown
}

/** The part of a `pg.Pool` that is used. */
export interface PostgresPool {
  connect(): Promise<PostgresPoolClient>
}

/** What `new pg.Client()` takes, for what a URL cannot say: TLS certificates, a password from a function. */
export interface PostgresConnection {
  readonly host?: string
  readonly port?: number
  readonly user?: string
  readonly database?: string
  /** A function is asked at each new connection, for tokens that expire. */
  readonly password?: string | (() => string | Promise<string>)
  /** `true`, or the options of `tls.connect`. */
  readonly ssl?: boolean | object
}

export type ClientConfig = PostgresConnection & {
  readonly connectionString?: string
  readonly application_name: string
  readonly keepAlive: boolean
  readonly statement_timeout?: number
}

/** Makes clients by the package `pg`, the optional peer. Fails with what to install when it is not there. */
export async function loadDriver(): Promise<(config: ClientConfig) => OwnedPgClient> {
  let pg: typeof import('pg')
  try {
    pg = await import('pg')
  } catch (cause) {
    throw new CountersignError('ERR_CONFIG_INVALID', 'postgresStore needs the package "pg": npm install pg@8', {
      store: 'postgres',
      cause,
    })
  }
  const { Client } = pg.default ?? pg
  return (config) => new Client(config as ConstructorParameters<typeof Client>[0]) as unknown as OwnedPgClient
}

const INT8 = 20
const INT4 = 23
const INT2 = 21
const BOOL = 16
const BYTEA = 17
const FLOAT8 = 701
const JSON_TEXT = 114

/**
 * How column values are read. Given with each query, so that an application that has changed the parsers of `pg` for its
 * own use (64-bit integers as BigInt, say) changes nothing here.
 */
export const types = {
  getTypeParser(oid: number): (text: string) => unknown {
    switch (oid) {
      case INT8:
      case INT4:
      case INT2:
      case FLOAT8:
        return Number
      case BOOL:
        return (text) => text === 't'
      case BYTEA:
        return (text) => Buffer.from(text.slice(2), 'hex') // \x, the only output format since Postgres 9.0
      case JSON_TEXT:
        return (text) => JSON.parse(text) as unknown
      default:
        return String
    }
  },
}
