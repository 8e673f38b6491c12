export type { PostgresConnection, PostgresPool, PostgresPoolClient } from './driver.ts'
export type { PostgresStoreOptions } from './options.ts'
export { postgresStore } from './postgres-store.ts'
