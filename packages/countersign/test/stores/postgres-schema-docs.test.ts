// docs/storage-schema.md against a real database: every table, column and index is described, and every example is a row
// that the store reads.
import { readFileSync } from 'node:fs'
import type { SessionId, SubjectRef } from 'countersign/stores/contract'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type PostgresServer, startPostgres } from '../../../../tools/test-support/postgres-server.ts'
import { rawClient, readyStore } from './postgres-kit.ts'

const page = readFileSync(new URL('../../../../docs/storage-schema.md', import.meta.url), 'utf8')
const section = page.split(/^## /m).find((one) => one.startsWith('Postgres\n')) ?? ''
const partOf = (table: string) =>
  section.split(/^### /m).find((one) => one.startsWith(`Postgres: \`${table}\`\n`)) ?? ''
const examplesOf = (table: string) =>
  [...partOf(table).matchAll(/^```json\n([\s\S]*?)^```/gm)].map(([, json]) => JSON.parse(json!) as object)

let server: PostgresServer
beforeAll(async () => {
  server = await startPostgres()
})
afterAll(() => server?.stop())

test('the schema page describes every table, column and index, and its examples are rows', async () => {
  const url = await server.createDatabase()
  const store = await readyStore({ url })
  const raw = await rawClient(url)
  const list = async (sql: string) => (await raw.query(sql)).rows.map((row: { name: string }) => row.name)
  const tables = await list(
    `SELECT relname AS name FROM pg_class WHERE relnamespace = 'countersign'::regnamespace AND relkind = 'r'`,
  )
  expect(tables.length).toBeGreaterThan(5)
  const overview = [...section.split(/^### /m)[0]!.matchAll(/^\| `(\w+)` \|/gm)].map(([, name]) => name)
  expect(overview.sort()).toEqual([...tables].sort())
  await raw.query('TRUNCATE countersign.meta')
  for (const table of tables) {
    const columns = await list(`SELECT attname AS name FROM pg_attribute
      WHERE attrelid = 'countersign.${table}'::regclass AND attnum > 0 ORDER BY attnum`)
    const described = [...partOf(table).matchAll(/^\| `(\w+)` \|/gm)].map(([, name]) => name)
    expect(described, table).toEqual(columns)
    const examples = examplesOf(table)
    expect(examples.length, table).toBeGreaterThan(0)
    const written = columns.filter((name) => name !== 'sweep_bucket').join()
    for (const example of examples) {
      expect(Object.keys(example), table).toEqual(columns)
      await raw.query(
        `INSERT INTO countersign.${table} (${written}) OVERRIDING SYSTEM VALUE
          SELECT ${written} FROM json_populate_record(NULL::countersign.${table}, $1)`,
        [JSON.stringify(example)],
      )
    }
    const indexes = await list(`SELECT indexrelid::regclass::text AS name FROM pg_index
      WHERE indrelid = 'countersign.${table}'::regclass AND NOT indisunique`)
    for (const name of indexes) expect(partOf(table)).toContain(`\`${name.replace('countersign.', '')}\``)
  }

  const [live, ended] = examplesOf('sessions') as { id: SessionId; tag: string; sweep_bucket: number }[]
  const buckets = await raw.query('SELECT sweep_bucket::int FROM countersign.sessions ORDER BY entered')
  expect(buckets.rows.map((row) => row.sweep_bucket)).toEqual([live!.sweep_bucket, ended!.sweep_bucket])
  expect(await store.sessions.read(live!.id)).toMatchObject({
    is: 'live',
    record: { subject: 'u_7Yc0', acr: 'aal1', data: '{"items":[]}', pendingRoles: ['user', 'admin'] },
  })
  expect(await store.sessions.read(ended!.id)).toMatchObject({ is: 'ended', tombstone: { why: 'logout' } })
  const ref: SubjectRef = { tag: live!.tag, subject: 'u_7Yc0', tenant: 'acme' }
  expect(await store.sessions.subject(ref, 0)).toEqual({ epoch: 1795353720000, blocked: false, live: 1 })
  expect(await store.revocations.read(ref.tag)).toMatchObject({
    sids: new Map([[ended!.id, 'logout']]),
    jtis: new Set(['jti-1']),
  })
  expect(await store.accounts.bySubject(ref)).toMatchObject({ identifier: 'ada@example.com', tenant: 'acme' })
})
