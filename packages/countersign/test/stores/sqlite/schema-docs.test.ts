// docs/storage-schema.md against a real file: every table, column and index is described, every example decodes.
import { readFileSync } from 'node:fs'
import { sqliteStore } from 'countersign/stores/sqlite'
import { expect, onTestFinished, test } from 'vitest'
import { decodeAccount, decodeRecord, decodeRevocations, decodeTombstone } from '../../../src/stores/sqlite/codec.ts'
import { freshFile, query } from './support.ts'

const page = readFileSync(new URL('../../../../../docs/storage-schema.md', import.meta.url), 'utf8')
const section = page.split(/^## /m).find((one) => one.startsWith('SQLite\n')) ?? ''
const partOf = (table: string) => section.split(/^### /m).find((one) => one.startsWith(`SQLite: \`${table}\`\n`)) ?? ''

test('the schema page describes every table, column and index, and its examples are rows', async () => {
  const file = freshFile()
  const store = sqliteStore({ file })
  onTestFinished(() => store.lifecycle.close())
  await store.lifecycle.ready('fingerprint')

  const tables = await query(file, "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
  expect(tables.length).toBeGreaterThan(5)
  for (const { name: table } of tables as { name: string }[]) {
    const part = partOf(table)
    const columns = (await query(file, `SELECT name FROM pragma_table_info('${table}')`)).map(({ name }) => name)
    const described = [...part.matchAll(/^\| `(\w+)` \|/gm)].map(([, name]) => name)
    expect(described, table).toEqual(columns)
    const examples = [...part.matchAll(/^```json\n([\s\S]*?)^```/gm)].map(([, json]) => JSON.parse(json!) as object)
    expect(examples.length, table).toBeGreaterThan(0)
    for (const example of examples) expect(Object.keys(example), table).toEqual(columns)

    const indexes = await query(file, `SELECT name FROM pragma_index_list('${table}') WHERE origin = 'c'`)
    for (const { name } of indexes) expect(part).toContain(`\`${name}\``)
  }
})

test('the bodies of the examples decode', () => {
  const bodies = (table: string) =>
    [...partOf(table).matchAll(/"body": ("\[.*\]")$/gm)].map(([, text]) => JSON.parse(text!))
  const [live, ended] = bodies('sessions')
  expect(decodeRecord(live)).toMatchObject({ stamped: true, pendingRoles: ['user', 'admin'] })
  expect(decodeTombstone(ended)).toMatchObject({ why: 'logout' })
  expect(decodeRevocations(bodies('revocations')[0]).sids.size).toBe(1)
  expect(decodeAccount(bodies('accounts')[0])).toMatchObject({ identifier: 'ada@example.com' })
})
