// What the simulator has found, each in the one order of events in which it goes wrong: reads over a line whose answers
// are late and which tells of changes late, beside writes over another connection.
import { allowlist, createSessions, generateKeyring, type Keyring, loadKeyring } from 'countersign'
import type { Store } from 'countersign/stores/contract'
import { memoryStore } from 'countersign/stores/memory'
import { type TestClock, testClock } from 'countersign/testing'
import { beforeAll, beforeEach, expect, test } from 'vitest'
import { z } from 'zod'
import { CountersignError } from '../../src/internal/errors.ts'
import { turn } from './kit.ts'

let keyring: Keyring
beforeAll(async () => {
  keyring = await loadKeyring(generateKeyring({ signing: ['HS256'] }))
})
let clock: TestClock
beforeEach(() => {
  clock = testClock()
})

function open(store: Store) {
  return createSessions({
    strategy: allowlist({ issuer: 'https://a.test', audience: 'https://b.test', alg: 'HS256', grace: '1s' }),
    keyring,
    store: clock.on(store),
    runtime: clock.runtime,
    timeouts: { absolute: '1d' },
    data: z.object({ n: z.number() }),
  })
}

async function login(sessions: ReturnType<typeof open>) {
  const issued = await sessions.issue({ subject: 'anna', data: { n: 1 } })
  if (!issued.ok) throw new Error(issued.reason)
  return { ...issued, id: issued.session.sessionId }
}

/**
 * Another process on the store: its tracked reads are executed at once and answered when `answer` is called, and no
 * change has been told yet.
 */
function onSlowLine(store: Store) {
  const held: (() => void)[] = []
  let isHeld = true
  const changes: NonNullable<Store['sessions']['changes']> = {
    mode: 'push',
    open: (listener, lineClock) => {
      const line = { fencedMonotonicMs: lineClock.monotonicMs(), fencedWallMs: lineClock.nowMs() }
      const fence = () =>
        Object.assign(line, { fencedMonotonicMs: lineClock.monotonicMs(), fencedWallMs: lineClock.nowMs() })
      const after = async <T>(found: T) => {
        if (isHeld) await new Promise<void>((resolve) => held.push(resolve))
        fence()
        return { found, line }
      }
      return {
        read: async (id) => after(await store.sessions.read(id)),
        readRevocations: async (tag) => after(await store.revocations.read(tag)),
        status: () => ({ lines: [], warnings: [] }),
        close: async () => listener.reset(line),
      }
    },
  }
  return {
    store: { ...store, sessions: { ...store.sessions, changes } },
    /** How many reads have been executed and not answered. */
    get waiting() {
      return held.length
    },
    /** Answers them, and from here on all others at once. */
    answer() {
      isHeld = false
      for (const resolve of held.splice(0)) resolve()
    },
  }
}

test('a shared read that is older than the token is asked again before the store is said to have lost something', async () => {
  const store = memoryStore()
  const slow = onSlowLine(store)
  const [here, there] = [open(slow.store), open(store)]
  const before = await login(there)
  clock.advanceMs(2_000)
  const first = here.verify(before.accessToken)
  while (slow.waiting === 0) await turn()
  // Made by another process after that read was executed.
  const renewed = await there.refresh(before.refreshToken)
  if (!renewed.ok) throw new Error(renewed.reason)
  expect(renewed.rotation).toBe('rotated')
  const second = here.verify(renewed.accessToken)
  await turn()
  expect(slow.waiting).toBe(1)
  slow.answer()
  expect(await Promise.all([first, second])).toMatchObject([{ ok: true }, { ok: true }])
})

test('an update that is told to be done only when it is asked for again drops the copy from before it', async () => {
  const store = memoryStore()
  const slow = onSlowLine(store)
  slow.answer()
  // The first write is still on its way when its deadline is over.
  let arrive: (() => Promise<unknown>) | undefined
  const update: Store['sessions']['update'] = (...args) => {
    if (arrive) return store.sessions.update(...args)
    arrive = () => store.sessions.update(...args)
    return Promise.reject(new CountersignError('ERR_STORE_TIMEOUT', 'no answer', { store: 'test' }))
  }
  const sessions = open({ ...slow.store, sessions: { ...slow.store.sessions, update } })
  const { id, accessToken } = await login(sessions)
  const change = () => sessions.update(id, ({ n }) => ({ n: n + 1 }), { operationId: 'once' })
  await expect(change()).rejects.toMatchObject({ code: 'ERR_STORE_TIMEOUT' })
  // Not executed yet, so a check reads the old data and keeps it.
  expect(await sessions.verify(accessToken)).toMatchObject({ ok: true, session: { data: { n: 1 } } })
  expect(sessions.verifyNow(accessToken)).toMatchObject({ session: { data: { n: 1 } } })
  await arrive!()
  expect(await change()).toMatchObject({ ok: true, session: { data: { n: 2 } } })
  const seen = sessions.verifyNow(accessToken) ?? (await sessions.verify(accessToken))
  expect(seen).toMatchObject({ ok: true, session: { data: { n: 2 } } })
})

test('what was read beside a write of this process is not served once the write has been acknowledged', async () => {
  const store = memoryStore()
  const slow = onSlowLine(store)
  const end: Store['sessions']['end'] = async (...args) => {
    await turn()
    const reading = sessions.verify(accessToken)
    while (slow.waiting === 0) await turn()
    // The read was executed before the write is, and answered while it is under way.
    slow.answer()
    expect(await reading).toMatchObject({ ok: true })
    return store.sessions.end(...args)
  }
  const sessions = open({ ...slow.store, sessions: { ...slow.store.sessions, end } })
  const { id, accessToken } = await login(sessions)
  await sessions.revoke(id, { reason: 'logout' })
  expect(sessions.verifyNow(accessToken)).toBeUndefined()
  expect(await sessions.verify(accessToken)).toMatchObject({ ok: false, reason: 'ended' })
})

test('nor is a read joined that was sent while the write was under way', async () => {
  const store = memoryStore()
  const slow = onSlowLine(store)
  let reading: Promise<unknown> | undefined
  const end: Store['sessions']['end'] = async (...args) => {
    reading = sessions.verify(accessToken)
    while (slow.waiting === 0) await turn()
    return store.sessions.end(...args)
  }
  const sessions = open({ ...slow.store, sessions: { ...slow.store.sessions, end } })
  const { id, accessToken } = await login(sessions)
  await sessions.revoke(id, { reason: 'logout' })
  const after = sessions.verify(accessToken)
  await turn()
  slow.answer()
  // Asked before the acknowledgement, and answered with what was there.
  expect(await reading).toMatchObject({ ok: true })
  expect(await after).toMatchObject({ ok: false, reason: 'ended' })
  expect(sessions.verifyNow(accessToken)).toBeUndefined()
})

test('no copy is served while a write of this process is under way, whose answer may be lost', async () => {
  const store = memoryStore()
  const slow = onSlowLine(store)
  slow.answer()
  let lose: () => void = () => {}
  const end: Store['sessions']['end'] = (...args) =>
    new Promise((_, reject) => {
      lose = () => reject(new CountersignError('ERR_STORE_TIMEOUT', 'no answer', { store: 'test' }))
      void store.sessions.end(...args)
    })
  const sessions = open({ ...slow.store, sessions: { ...slow.store.sessions, end } })
  const { id, accessToken } = await login(sessions)
  await sessions.verify(accessToken)
  expect(sessions.verifyNow(accessToken)?.ok).toBe(true)
  const revoking = sessions.revoke(id, { reason: 'logout', whenAway: 'throw' })
  await turn()
  expect(sessions.verifyNow(accessToken)).toBeUndefined()
  lose()
  await expect(revoking).rejects.toMatchObject({ code: 'ERR_STORE_TIMEOUT' })
  expect(sessions.verifyNow(accessToken)).toBeUndefined()
})
