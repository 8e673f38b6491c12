// Outages of Postgres, whose calls would each wait for their deadline; and SQLite, which has none.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { postgresStore } from 'countersign/stores/postgres'
import { sqliteStore } from 'countersign/stores/sqlite'
import { afterEach, expect, test } from 'vitest'
import { startPostgres } from '../../../../tools/test-support/postgres-server.ts'
import { loadDriver } from '../../src/stores/sqlite/driver.ts'
import { ask, cleanUpAll, later, login, open, until } from './kit.ts'

afterEach(cleanUpAll)

test('Postgres that stands still is not waited for, and used again as soon as it goes on', async () => {
  const server = await startPostgres()
  later(() => server.stop())
  const { sessions: here, events } = open(postgresStore({ url: server.url, deadline: '1s' }))
  const { accessToken, session } = await login(here)
  expect((await ask(here, accessToken)).said).toBe('ok')
  await server.kill('SIGSTOP')
  later(() => server.kill('SIGCONT'))
  await until(async () => {
    await Promise.all(Array.from({ length: 20 }, () => ask(here, accessToken, {})))
    return here.health().outage.breaker.opened
  }, 1)
  // Of a thousand calls in a row nearly all fail at once; each waited for a second before.
  const startedMs = performance.now()
  const before = here.health().outage.breaker.refused
  for (let n = 0; n < 1_000; n++) expect((await ask(here, accessToken, {})).said).toMatch(/^ERR_STORE_/)
  expect(here.health().outage.breaker.refused - before).toBeGreaterThan(900)
  expect(performance.now() - startedMs).toBeLessThan(100_000)
  expect((await ask(here, accessToken)).said).toBe('degraded')
  expect(await here.revokeAll('anna', { reason: 'admin' })).toMatchObject({ durability: 'queued' })
  expect((await ask(here, accessToken)).said).not.toBe('degraded')
  await server.kill('SIGCONT')
  await until(async () => (await ask(here, accessToken)).said, 'ended')
  await until(async () => here.health().queued, 0)
  expect(await here.get(session.sessionId)).toMatchObject({ ok: false, reason: 'ended' })
  const types = events.map(({ type }) => type)
  for (const type of ['store_silent', 'store_back']) expect(types).toContain(type)
})

test('SQLite whose write lock somebody else holds goes on answering checks', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-outage-'))
  later(() => rmSync(folder, { recursive: true, force: true }))
  const file = join(folder, 'sessions.db')
  const { sessions } = open(sqliteStore({ file, busyDeadline: '0.2s' }))
  const { accessToken } = await login(sessions)
  const { DatabaseSync } = await loadDriver()
  const other = new DatabaseSync(file)
  later(() => other.close())
  other.exec('BEGIN IMMEDIATE')
  // For longer, and with more faults in a row, than makes an outage.
  for (let n = 0; n < 8; n++) {
    await expect(sessions.issue({ subject: 'berta' })).rejects.toMatchObject({
      code: 'ERR_STORE_TIMEOUT',
      answered: true,
    })
  }
  expect((await ask(sessions, accessToken)).said).toBe('ok')
  expect(sessions.health().outage.breaker).toMatchObject({ state: 'closed', opened: 0 })
  other.exec('ROLLBACK')
  await login(sessions, 'berta')
})
