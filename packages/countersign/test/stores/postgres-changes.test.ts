// The table of changes: what is written into it, what a poll costs, and what the sweep may take away.
import { samples } from 'countersign/conformance'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type PostgresServer, startPostgres } from '../../../../tools/test-support/postgres-server.ts'
import { statementsFor } from '../../src/stores/postgres/statements.ts'
import { rawClient, readyStore } from './postgres-kit.ts'

const { created, subjectRef, T } = samples
const MINUTE = 60_000

let server: PostgresServer
beforeAll(async () => {
  server = await startPostgres()
})
afterAll(() => server?.stop())

async function setUp() {
  const url = await server.createDatabase()
  const store = await readyStore({ url })
  const raw = await rawClient(url)
  const count = async () => Number((await raw.query('SELECT count(*) FROM countersign.changes')).rows[0].count)
  return { url, store, raw, count }
}

test('one row for each statement that changed something, however many sessions it was', async () => {
  const { store, raw, count } = await setUp()
  const ref = subjectRef()
  for (let n = 0; n < 20; n++) await created(store, ref, { stamped: true })
  await raw.query('TRUNCATE countersign.changes')
  await store.sessions.endSubject(ref, 'admin', {}, T)
  const { rows } = await raw.query(
    'SELECT kind, max(cardinality(keys)) AS most FROM countersign.changes GROUP BY kind ORDER BY kind',
  )
  expect(rows).toEqual([
    { kind: 'revocations', most: 1 },
    { kind: 'session', most: 20 },
  ])
  const before = await count()
  expect(before).toBeLessThan(6)
  // Nothing to change, nothing to tell.
  await store.sessions.touch('x'.repeat(34) as Parameters<typeof store.sessions.touch>[0], { idleAtMs: T }, T)
  expect(await count()).toBe(before)
})

test('the sweep takes away what is older than the mark before the last, and never what was committed since', async () => {
  const { url, store, raw, count } = await setUp()
  const marks = async () => Number((await raw.query('SELECT marks FROM countersign.meta')).rows[0].marks)
  const tell = 'INSERT INTO countersign.changes VALUES (pg_current_xact_id(), $1, $2)'
  const late = await rawClient(url)
  await late.query('BEGIN')
  await late.query(tell, ['session', ['late']])
  await raw.query(tell, ['session', ['early']])
  expect(await store.sessions.sweep!(T, 100)).toBe(0)
  expect(await marks()).toBe(1)
  await store.sessions.sweep!(T + MINUTE - 1, 100)
  expect([await marks(), await count()]).toEqual([1, 1])
  // Its number is lower than that of the mark, and it is not in it.
  await late.query('COMMIT')
  await store.sessions.sweep!(T + MINUTE, 100)
  expect(await marks()).toBe(2)
  expect((await raw.query('SELECT keys FROM countersign.changes')).rows).toEqual([{ keys: ['late'] }])
  await store.sessions.sweep!(T + 2 * MINUTE, 100)
  expect([await marks(), await count()]).toEqual([3, 0])
})

test('of many it takes a hundred times its limit at once', async () => {
  const { store, raw, count } = await setUp()
  await raw.query(
    `INSERT INTO countersign.changes SELECT pg_current_xact_id(), 'session', '{x}' FROM generate_series(1, 250)`,
  )
  await store.sessions.sweep!(T, 1)
  await store.sessions.sweep!(T + MINUTE, 1)
  expect(await count()).toBe(150)
  await store.sessions.sweep!(T + MINUTE, 1)
  await store.sessions.sweep!(T + MINUTE, 1)
  expect(await count()).toBe(0)
})

test('a poll reads what is new by the index, however much there is and however long another transaction is open', async () => {
  const { url, raw } = await setUp()
  const other = await rawClient(url)
  await other.query('BEGIN')
  await other.query('SELECT pg_current_xact_id()')
  // As if they were of transactions of long ago.
  await raw.query(`INSERT INTO countersign.changes
    SELECT (3 + n % 600)::text::xid8, 'session', '{x}' FROM generate_series(1, 50000) AS n`)
  await raw.query('ANALYZE countersign.changes')
  const { rows } = await raw.query('SELECT pg_current_snapshot()::text AS s')
  await raw.query(`INSERT INTO countersign.changes VALUES (pg_current_xact_id(), 'session', '{new}')`)
  const { text } = statementsFor('countersign').readChanges
  expect((await raw.query(text, [rows[0].s])).rows[0].changes).toEqual([['session', ['new']]])
  // As the server plans it once it has seen it often, for any snapshot.
  await raw.query('SET plan_cache_mode = force_generic_plan')
  await raw.query(`PREPARE poll AS ${text}`)
  const plan = await raw.query(`EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) EXECUTE poll ('${rows[0].s}')`)
  const written = JSON.stringify(plan.rows[0]['QUERY PLAN'])
  expect(written).toContain('changes_by_xid')
  const { Plan } = plan.rows[0]['QUERY PLAN'][0]
  expect(Plan['Shared Hit Blocks'] + Plan['Shared Read Blocks']).toBeLessThan(60)
  await other.query('ROLLBACK')
  // It was open when the snapshot was taken; nothing that it wrote was kept.
  expect((await raw.query(text, [rows[0].s])).rows[0].changes).toEqual([['session', ['new']]])
})
