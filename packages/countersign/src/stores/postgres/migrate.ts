import { createHash } from 'node:crypto'
import { toBase64url } from '../../internal/bytes.ts'
import type { Runtime } from '../../internal/runtime.ts'
import { judgeSchema, schemaProblem } from '../shared/schema-version.ts'
import { type PgClient, type Row, types } from './driver.ts'
import { misconfiguredFault } from './faults.ts'
import { migrations } from './migrations.generated.ts'
import { inSchema, READ_SCHEMA } from './statements.ts'

/** How long a start waits for other processes that migrate, and for its own migrations. */
export const MIGRATE_WITHIN_MS = 60_000

/**
 * Whether a database is up to date, by the row of the statement `readSchema`.
 *
 * @throws CountersignError `ERR_STORE_MISCONFIGURED` when a newer release has changed what this one depends on.
 */
export function isUpToDate(row: Row | undefined): boolean {
  const version = { applied: Number(row?.applied), readableFrom: Number(row?.readable_from) }
  const verdict = judgeSchema(version, migrations.length)
  if (verdict === 'refused') {
    const why = schemaProblem(version, migrations.length)
    throw misconfiguredFault(`has data of a newer release of Countersign (${why})`)
  }
  return verdict === 'current'
}

/**
 * Applies what is missing, each migration once, all in one transaction. Several processes may start at the same time:
 * the lock belongs to the transaction, so it also holds behind a pooler, and the others then find nothing left to do.
 */
export async function migrate(client: PgClient, schema: string, runtime: Runtime): Promise<void> {
  const run = async (sql: string) => (await client.query(inSchema(sql, schema))).rows
  const lock = createHash('sha256').update(`countersign migrations ${schema}`).digest().readBigInt64BE()
  await run('BEGIN ISOLATION LEVEL READ COMMITTED')
  await run(`SET LOCAL statement_timeout = ${MIGRATE_WITHIN_MS}`)
  // Also where the user's default is to do without: a schema that was used must not go with a crash.
  await run('SET LOCAL synchronous_commit = on')
  await run(`SELECT pg_advisory_xact_lock(${lock})`)
  const [found] = await run(`SELECT to_regnamespace('"${schema}"')::text AS name`)
  if (found?.name == null) await run(`CREATE SCHEMA "${schema}"`)
  await run(`CREATE TABLE IF NOT EXISTS countersign.migrations (
    id integer PRIMARY KEY, name text NOT NULL, applied_at_ms bigint NOT NULL, readable_from integer NOT NULL)`)
  // With parsers of our own: the application may have put others into its pool.
  const read = { text: inSchema(`SELECT ${READ_SCHEMA}`, schema), values: [], types }
  const [last] = (await client.query(read)).rows
  if (!isUpToDate(last)) {
    const atMs = Math.floor(runtime.clock.nowMs())
    for (const { id, name, readableFrom, sql } of migrations.slice(Number(last?.applied))) {
      await run(sql)
      await run(`INSERT INTO countersign.migrations (id, name, applied_at_ms, readable_from)
        VALUES (${id}, '${name}', ${atMs}, ${readableFrom})`)
    }
  }
  await run('COMMIT')
}

/** For the first start: says later whether the store is still the one that it was. */
export function newMarker(runtime: Runtime): string {
  return toBase64url(runtime.random(12))
}
