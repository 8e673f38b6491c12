import { CountersignError } from '../../internal/errors.ts'

/** The part of the `DatabaseSync` API that this store uses; `node:sqlite` and `@photostructure/sqlite` both have it. */
export interface Database {
  exec(sql: string): void
  prepare(sql: string): Statement
  close(): void
}
export interface Statement {
  run(...values: Value[]): { readonly changes: number | bigint }
  get(...values: Value[]): unknown
  all(...values: Value[]): unknown[]
}
export type Value = string | number | null

interface Driver {
  readonly DatabaseSync: new (path: string) => Database
}

/**
 * The SQLite that is there: the one built into Node where it needs no flag (from 22.13), else the optional peer.
 *
 * @throws CountersignError `ERR_CONFIG_INVALID` when there is none; the message says what to install.
 */
export async function loadDriver(): Promise<Driver> {
  const builtIn = process.getBuiltinModule('node:sqlite') as Driver | undefined
  if (builtIn) return builtIn
  try {
    return await import('@photostructure/sqlite')
  } catch (cause) {
    throw new CountersignError(
      'ERR_CONFIG_INVALID',
      'this Node has no SQLite of its own (22.13 and later do); install one: npm install @photostructure/sqlite@1.2',
      { store: 'sqlite', cause },
    )
  }
}
