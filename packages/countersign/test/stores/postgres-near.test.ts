// The near cache on a real Postgres, through the public verbs: what one process does, another one has to see in time.
import { setTimeout as sleep } from 'node:timers/promises'
import { allowlist, createSessions, denylist, generateKeyring, type Keyring, loadKeyring, opaque } from 'countersign'
import type { Store } from 'countersign/stores/contract'
import { postgresStore } from 'countersign/stores/postgres'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { type PostgresServer, startPostgres } from '../../../../tools/test-support/postgres-server.ts'
import { ownServer, rawClient } from './postgres-kit.ts'

/** What `maxStale` promises. */
const STALE_MS = 1_000
const JWT = { issuer: 'https://a.test', audience: 'https://b.test' }
const STRATEGIES = { opaque: opaque(), allowlist: allowlist(JWT), denylist: denylist({ ...JWT, refresh: true }) }

let server: PostgresServer
let keyring: Keyring
beforeAll(async () => {
  server = await startPostgres()
  keyring = await loadKeyring(generateKeyring())
})
afterAll(() => server?.stop())

function open(url: string, strategy: keyof typeof STRATEGIES = 'opaque', store: Store = postgresStore({ url })) {
  const sessions = createSessions({
    strategy: STRATEGIES[strategy] as ReturnType<typeof allowlist<true>>,
    keyring,
    store,
    timeouts: { absolute: '1d' },
    roles: ['user'],
  })
  onTestFinished(() => sessions.close())
  return sessions
}
type Sessions = ReturnType<typeof open>

/** Two processes on one database, and a connection past both. */
async function setUp(strategy?: keyof typeof STRATEGIES) {
  const url = await server.createDatabase()
  const [here, there] = [open(url, strategy), open(url, strategy)]
  await here.ready()
  return { url, here, there, raw: await rawClient(url) }
}

async function login(sessions: Sessions, subject = 'user:1') {
  const issued = await sessions.issue({ subject, roles: ['user'] })
  if (!issued.ok) throw new Error(issued.reason)
  return { token: issued.accessToken, id: issued.session.sessionId }
}
const isServed = (sessions: Sessions, token: string) => sessions.verifyNow(token)?.ok === true

/** Until the token is answered from its copy. */
async function fill(sessions: Sessions, ...tokens: string[]) {
  const are = async () => {
    for (const token of tokens) if (!isServed(sessions, token)) await sessions.verify(token).catch(() => undefined)
    return tokens.every((token) => isServed(sessions, token))
  }
  await expect.poll(are, { timeout: 20_000, interval: 10 }).toBe(true)
}

/** Asks all the time, and notes the last moment at which the answer was still yes. */
function watchStale(sessions: Sessions, token: string) {
  let [lastServedMs, served, isOver] = [Number.NEGATIVE_INFINITY, 0, false]
  const done = (async () => {
    while (!isOver) {
      const atMs = performance.now()
      if (isServed(sessions, token)) {
        served++
        lastServedMs = atMs
      }
      await sleep(1)
    }
  })()
  return {
    async end() {
      isOver = true
      await done
      return { lastServedMs, served }
    },
  }
}
/** Until a poll that was sent after now has been answered. */
async function polled(sessions: Sessions, token: string) {
  const startedMs = performance.now()
  const is = () => {
    // In use, so that polls go on.
    sessions.verifyNow(token)
    return sessions.health().nearCache.lines[0]!.fenceAgeMs < performance.now() - startedMs
  }
  await expect.poll(is, { timeout: 20_000, interval: 10 }).toBe(true)
}
const END = (id: string) => `SELECT countersign.end_session('${id}', 'logout', 0, true, ${Date.now()})`

describe.each(['opaque', 'allowlist', 'denylist'] as const)('%s', (strategy) => {
  test('what another process ends is refused within a second, and hits ask nobody', async () => {
    const { here, there } = await setUp(strategy)
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
    const { here, there, raw } = await setUp()
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
    const { here, there, raw, url } = await setUp()
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
    const { here, there, raw } = await setUp()
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

describe('a server that goes away', () => {
  test('P1: after a restart nothing is served that was read before it, until it is read again', async () => {
    const own = await ownServer()
    const [here, there] = [open(own.url), open(own.url)]
    const [one, two] = [await login(there), await login(there, 'user:2')]
    await fill(here, one.token, two.token)
    const { kept } = here.health().nearCache
    await own.restart()
    await expect
      .poll(() => there.revoke(one.id, { reason: 'logout' }).then(({ durability }) => durability !== 'queued'), {
        timeout: 20_000,
      })
      .toBe(true)
    const revokedMs = performance.now()
    const watch = watchStale(here, one.token)
    await sleep(STALE_MS + 300)
    expect((await watch.end()).lastServedMs - revokedMs).toBeLessThanOrEqual(STALE_MS)
    await fill(here, two.token)
    expect(here.health().nearCache.drops.reset).toBeGreaterThanOrEqual(2)
    expect(here.health().nearCache.kept).toBeGreaterThan(kept)
  })

  test('P1: every connection is cut, again and again, and a revocation still acts within the bound', async () => {
    const { here, there, raw, url } = await setUp()
    const database = new URL(url).pathname.slice(1)
    const { token, id } = await login(there)
    await fill(here, token)
    const watch = watchStale(here, token)
    // Past the store, whose connections are cut too.
    await raw.query(END(id))
    const revokedMs = performance.now()
    for (let n = 0; n < 12; n++) {
      await raw.query(
        'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1 AND pid <> pg_backend_pid()',
        [database],
      )
      await sleep(100)
    }
    expect((await watch.end()).lastServedMs - revokedMs).toBeLessThanOrEqual(STALE_MS)
    const answer = () =>
      here.verify(token).then(
        ({ ok }) => ok,
        () => null,
      )
    await expect.poll(answer, { timeout: 20_000 }).toBe(false)
    expect(here.health().nearCache.drops.reset).toBeGreaterThan(0)
  })

  test('P1: nothing is served for longer than a second by a server that is silent', async () => {
    const own = await ownServer()
    const here = open(own.url)
    const { token } = await login(here)
    await fill(here, token)
    const watch = watchStale(here, token)
    await own.kill('SIGSTOP')
    onTestFinished(() => own.kill('SIGCONT'))
    const stoppedMs = performance.now()
    await sleep(STALE_MS + 500)
    expect((await watch.end()).lastServedMs - stoppedMs).toBeLessThanOrEqual(STALE_MS)
    expect(here.health().nearCache.isOn).toBe(false)
    await own.kill('SIGCONT')
    await fill(here, token)
  })
})

test('a user who may not read the changes goes on without copies, and others are told of what it writes', async () => {
  const { url, here, raw } = await setUp()
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
