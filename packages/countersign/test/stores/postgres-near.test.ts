// The near cache on a real Postgres, through the public verbs: what one process does, another one has to see in time.
import { setTimeout as sleep } from 'node:timers/promises'
import type { Store } from 'countersign/stores/contract'
import { postgresStore } from 'countersign/stores/postgres'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type PostgresServer, startPostgres } from '../../../../tools/test-support/postgres-server.ts'
import { rawClient } from './postgres-kit.ts'
import { END, fill, login, open, polled, STALE_MS, setUp, watchStale } from './postgres-near-kit.ts'

let server: PostgresServer
beforeAll(async () => {
  server = await startPostgres()
})
afterAll(() => server?.stop())

describe.each(['opaque', 'allowlist', 'denylist'] as const)('%s', (strategy) => {
  test('what another process ends is refused within a second, and hits ask nobody', async () => {
    const { here, there } = await setUp(server, strategy)
    const [one, two] = [await login(there), await login(there, 'user:2')]
    await fill(here, one.token, two.token)
    const { misses } = here.health().nearCache
    for (let n = 0; n < 1_000; n++) expect((await here.verify(one.token)).ok).toBe(true)
    expect(here.health().nearCache).toMatchObject({ isOn: true, mode: 'poll', warnings: [] })
    // The word of the logins themselves may come meanwhile.
    expect(here.health().nearCache.misses - misses).toBeLessThanOrEqual(2)

    const watch = watchStale(here, one.token)
    await there.revoke(one.id, { reason: 'logout' })
    const revokedMs = performance.now()
    await expect.poll(() => here.verifyNow(one.token), { interval: 1, timeout: 20_000 }).toBeUndefined()
    expect(await here.verify(one.token)).toMatchObject({ ok: false, reason: 'ended', endedBy: 'logout' })
    await sleep(STALE_MS + 200)
    expect((await watch.end()).lastServedMs - revokedMs).toBeLessThanOrEqual(STALE_MS)
    // Nobody else's copy was dropped.
    expect(here.health().nearCache.drops.reset).toBe(0)

    await there.revokeAll('user:2', { reason: 'admin' })
    await expect.poll(async () => (await here.verify(two.token)).ok, { timeout: 20_000 }).toBe(false)
  })
})

describe('transactions that overlap', () => {
  test('one that began before many others and commits after them is told when it commits', async () => {
    const { here, there, raw } = await setUp(server)
    const [late, other] = [await login(there), await login(there, 'user:2')]
    await raw.query('BEGIN')
    await raw.query(END(late.id))
    // Later transactions commit, and polls go past them; the copy is read while the first one is open.
    await fill(here, late.token, other.token)
    for (let n = 0; n < 3; n++) {
      await there.revoke((await login(there, `user:${n}x`)).id, { reason: 'logout' })
      await polled(here, late.token)
    }
    await fill(here, late.token)
    const watch = watchStale(here, late.token)
    await raw.query('COMMIT')
    const committedMs = performance.now()
    await sleep(STALE_MS + 300)
    const { lastServedMs, served } = await watch.end()
    expect(served).toBeGreaterThan(0)
    expect(lastServedMs - committedMs).toBeLessThanOrEqual(STALE_MS)
    expect(await here.verify(late.token)).toMatchObject({ ok: false, reason: 'ended' })
    await fill(here, other.token)
    expect(here.health().nearCache.drops.reset).toBe(0)
  })

  test('one that stays open holds up nothing, and no poll reads more for it', async () => {
    const { here, there, raw, url } = await setUp(server)
    const [one, kept] = [await login(there), await login(there, 'user:2')]
    await fill(here, one.token, kept.token)
    await raw.query('BEGIN')
    await raw.query('SELECT pg_current_xact_id()')
    const busy = await rawClient(url)
    // More than a poll can tell, but for each poll only what is new.
    for (let n = 0; n < 4; n++) {
      await busy.query(`INSERT INTO countersign.changes (xid, kind, keys)
        SELECT pg_current_xact_id(), 'session', ARRAY['nobody'] FROM generate_series(1, 2000)`)
      await polled(here, kept.token)
    }
    const watch = watchStale(here, one.token)
    await there.revoke(one.id, { reason: 'logout' })
    const revokedMs = performance.now()
    await sleep(STALE_MS + 300)
    expect((await watch.end()).lastServedMs - revokedMs).toBeLessThanOrEqual(STALE_MS)
    await fill(here, kept.token)
    expect(here.health().nearCache.drops.reset).toBe(0)
    await raw.query('ROLLBACK')
  })

  test('more than can be told voids everything, and copies come back', async () => {
    const { here, there, raw } = await setUp(server)
    const { token } = await login(there)
    await fill(here, token)
    await raw.query(`INSERT INTO countersign.changes (xid, kind, keys)
      SELECT pg_current_xact_id(), 'session', ARRAY['nobody'] FROM generate_series(1, 6000)`)
    const keepAsking = watchStale(here, token)
    await expect.poll(() => here.health().nearCache.drops.reset, { timeout: 20_000 }).toBeGreaterThan(0)
    await keepAsking.end()
    await fill(here, token)
  })

  test('what a read brought from before a change is not kept, when the change was told while it was under way', async () => {
    const url = await server.createDatabase()
    const store = postgresStore({ url })
    let hold: Promise<void> | undefined
    let isHeld = false
    const changes: Store['sessions']['changes'] = {
      mode: 'poll',
      open(listener, clock) {
        const feed = store.sessions.changes!.open(listener, clock)
        return {
          read: async (id) => {
            const tracked = await feed.read(id)
            if (hold) isHeld = true
            await hold
            return tracked
          },
          readRevocations: (tag) => feed.readRevocations(tag),
          status: () => feed.status(),
          close: () => feed.close(),
        }
      },
    }
    const here = open(url, 'opaque', { ...store, sessions: { ...store.sessions, changes } })
    const there = open(url)
    const [one, two] = [await login(there), await login(there, 'user:2')]
    await fill(here, two.token)
    let letGo = () => {}
    hold = new Promise((resolve) => {
      letGo = resolve
    })
    const before = here.verify(one.token)
    await expect.poll(() => isHeld).toBe(true)
    await there.revoke(one.id, { reason: 'logout' })
    // Told and past: no later poll tells it again.
    for (let n = 0; n < 3; n++) await polled(here, two.token)
    letGo()
    hold = undefined
    // It came before the revocation; what it was told is not kept.
    expect((await before).ok).toBe(true)
    expect(here.verifyNow(one.token)).toBeUndefined()
    expect((await here.verify(one.token)).ok).toBe(false)
  })
})

test('a user who may not read the changes goes on without copies, and others are told of what it writes', async () => {
  const { url, here, raw } = await setUp(server)
  const database = new URL(url).pathname.slice(1)
  await raw.query(`CREATE ROLE app_${database} LOGIN PASSWORD 'app'; GRANT USAGE ON SCHEMA countersign TO app_${database};
    GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA countersign TO app_${database};
    REVOKE ALL ON countersign.changes FROM app_${database}`)
  const limited = new URL(url)
  limited.username = `app_${database}`
  limited.password = 'app'
  const there = open(limited.href)
  const { token, id } = await login(there)
  await fill(here, token)
  for (let n = 0; n < 5; n++) expect((await there.verify(token)).ok).toBe(true)
  await expect
    .poll(() => there.health().nearCache.warnings, { timeout: 20_000 })
    .toEqual([expect.stringContaining('may not do')])
  expect(there.verifyNow(token)).toBeUndefined()
  await there.revoke(id, { reason: 'logout' })
  await expect.poll(() => here.verifyNow(token), { timeout: 20_000 }).toBeUndefined()
  expect((await here.verify(token)).ok).toBe(false)
})
