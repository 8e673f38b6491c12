import { allowlist, createSessions, generateKeyring, loadKeyring } from 'countersign'
import { createAccounts } from 'countersign/accounts'
import { postgresStore } from 'countersign/stores/postgres'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { codeBlocks, codesOf, tableBelow } from '../../../../tools/docs/markdown.ts'
import { type PostgresServer, startPostgres } from '../../../../tools/test-support/postgres-server.ts'
import { judgeSettings } from '../../src/stores/postgres/server-check.ts'
import { readRepositoryFile } from './source-types.ts'

const page = readRepositoryFile('docs/operations.md')

describe('docs/operations.md, Postgres', () => {
  let server: PostgresServer
  beforeAll(async () => {
    server = await startPostgres()
  })
  afterAll(() => server?.stop())

  test('has a row for everything that the store warns of', () => {
    const rows = tableBelow(page, 'Postgres').map(([setting]) => codesOf(setting!)[0]!.split(' ')[0])
    const worst = { fsync: 'off', full_page_writes: 'off', statement_timeout: '0' }
    expect(judgeSettings(worst).warnings.map((warning) => warning.split(' ')[0])).toEqual(rows)
    const best = { fsync: 'on', full_page_writes: 'on', statement_timeout: '1800ms' }
    expect(judgeSettings(best)).toEqual({ warnings: [], durability: 'fsynced' })
  })

  test('grants a user everything that a service needs after the first start', async () => {
    const url = await server.createDatabase('operated')
    const owner = postgresStore({ url })
    const keyring = await loadKeyring(generateKeyring())
    const strategy = allowlist({ issuer: 'https://a', audience: 'https://b', reuse: 'strict' })
    const first = createSessions({ strategy, keyring, store: owner, timeouts: 'aal2' })
    await first.ready()
    await first.close()

    const grants = codeBlocks(page).blocks.find(({ code }) => code.startsWith('GRANT'))!.code
    await server.query('CREATE ROLE app LOGIN')
    await server.query(grants, 'operated')
    const store = postgresStore({ url: url.replace('postgres@', 'app@') })
    const sessions = createSessions({ strategy, keyring, store, timeouts: 'aal2' })
    onTestFinished(() => sessions.close())
    const passwords = { argon2: { memoryKiB: 7_168, passes: 5, parallelism: 1 } }
    const accounts = createAccounts({ store, keyring, sessions, passwords })
    await sessions.ready()
    const registered = await accounts.register({ identifier: 'ada@example.com', password: 'violet harbour teapot 91' })
    if (!registered.ok) throw new Error(registered.reason)
    const { subject } = registered.account
    const issued = await sessions.issue({ subject })
    if (!issued.ok) throw new Error(issued.reason)
    expect((await sessions.refresh(issued.refreshToken)).ok).toBe(true)
    await accounts.ban(subject)
    await sessions.revokeEveryone({ reason: 'admin' })
    await store.sessions.sweep!(store.lifecycle.nowMs(), 100)
    expect(sessions.health()).toMatchObject({ up: true, warnings: [] })
  })
})
