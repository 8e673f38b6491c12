// Checks that are answered from memory, through the public verbs, on the store that lives in memory as well.
import { allowlist, createSessions, denylist, generateKeyring, type Keyring, loadKeyring, opaque } from 'countersign'
import { samples } from 'countersign/conformance'
import type { Store } from 'countersign/stores/contract'
import { memoryStore } from 'countersign/stores/memory'
import { type TestClock, testClock } from 'countersign/testing'
import { beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { countCryptoCalls } from '../properties/crypto-calls.ts'

const { MINUTE } = samples
const JWT = { issuer: 'https://a.test', audience: 'https://b.test' }
const STRATEGIES = { opaque: opaque(), allowlist: allowlist(JWT), denylist: denylist(JWT) }

let keyring: Keyring
beforeAll(async () => {
  keyring = await loadKeyring(generateKeyring())
})
let clock: TestClock
beforeEach(() => {
  clock = testClock()
})

function open(store: Store, more: { strategy?: keyof typeof STRATEGIES; nearCache?: false; idle?: '5s' } = {}) {
  return createSessions({
    strategy: STRATEGIES[more.strategy ?? 'allowlist'] as ReturnType<typeof allowlist<true>>,
    keyring,
    store: clock.on(store),
    runtime: clock.runtime,
    timeouts: more.idle ? { absolute: '1d', idle: more.idle } : { absolute: '1d' },
    data: z.object({ items: z.array(z.string()) }),
    ...(more.nearCache === false && { nearCache: false as const }),
  })
}
async function login(sessions: ReturnType<typeof open>) {
  const issued = await sessions.issue({ subject: 'user:1', data: { items: ['a'] } })
  if (!issued.ok) throw new Error(issued.reason)
  return issued
}

describe('an answer from memory', () => {
  test('is one frozen object, made once', async () => {
    const sessions = open(memoryStore())
    const { accessToken } = await login(sessions)
    const asked = await sessions.verify(accessToken)
    const now = sessions.verifyNow(accessToken)
    expect(now).toEqual(asked)
    expect(sessions.verifyNow(accessToken)).toBe(now)
    expect(await sessions.verify(accessToken)).toBe(now)
    if (!now?.ok) throw new Error('refused')
    for (const part of [now, now.session, now.session.roles, now.session.data, now.session.data.items]) {
      expect(Object.isFrozen(part)).toBe(true)
    }
    await sessions.close()
  })

  test('notes a use once per tenth of the idle window, and goes on', async () => {
    const store = memoryStore()
    const touched: number[] = []
    const counting: Store = {
      ...store,
      sessions: {
        ...store.sessions,
        touch: (id, seen, nowMs) => {
          touched.push(nowMs)
          return store.sessions.touch(id, seen, nowMs)
        },
      },
    }
    const sessions = open(counting, { strategy: 'opaque', idle: '5s' })
    const { accessToken } = await login(sessions)
    await sessions.verify(accessToken)
    const startedMs = clock.nowMs()
    for (let ms = 0; ms < 10_000; ms += 100) {
      clock.advanceMs(100)
      expect((sessions.verifyNow(accessToken) ?? (await sessions.verify(accessToken))).ok).toBe(true)
      await new Promise((resolve) => setImmediate(resolve))
    }
    const apart = touched.map((atMs, at) => atMs - (touched[at - 1] ?? startedMs))
    expect(Math.min(...apart)).toBeGreaterThan(500)
    expect(Math.max(...apart)).toBeLessThanOrEqual(700)
    expect(sessions.health().nearCache.hits).toBeGreaterThan(60)
    await sessions.close()
  })

  test('is not given when the sessions are closed', async () => {
    const store = memoryStore()
    const sessions = open({ ...store, lifecycle: { ...store.lifecycle, close: async () => {} } })
    const { accessToken } = await login(sessions)
    await sessions.verify(accessToken)
    expect(sessions.verifyNow(accessToken)?.ok).toBe(true)
    await sessions.close()
    expect(sessions.verifyNow(accessToken)).toBeUndefined()
    await expect(sessions.verify(accessToken)).rejects.toMatchObject({ code: 'ERR_CLOSED' })
  })

  test('is not given any more once a fresh answer of the store was no, however late the word of it comes', async () => {
    const store = memoryStore()
    // A line that loses what it should tell, which no fence would notice.
    const deaf: Store = {
      ...store,
      sessions: {
        ...store.sessions,
        changes: {
          mode: 'push',
          open: (listener, lineClock) =>
            store.sessions.changes!.open(
              {
                sessionChanged: () => undefined,
                revocationsChanged: () => undefined,
                reset: (line) => listener.reset(line),
                floorRead: () => undefined,
                uses: () => 0,
              },
              lineClock,
            ),
        },
      },
    }
    for (const strategy of ['opaque', 'allowlist', 'denylist'] as const) {
      const [here, there] = [open(deaf, { strategy }), open(store, { strategy })]
      const { accessToken, session } = await login(there)
      await here.verify(accessToken)
      await there.revoke(session.sessionId, { reason: 'logout' })
      expect(here.verifyNow(accessToken)?.ok).toBe(true)
      expect(await here.verify(accessToken, { fresh: true })).toMatchObject({ ok: false, reason: 'ended' })
      expect(here.verifyNow(accessToken)).toBeUndefined()
      expect(await here.verify(accessToken)).toMatchObject({ ok: false, reason: 'ended' })
      // And at the latest after 30 s, fences or not.
      const other = await login(there)
      await here.verify(other.accessToken)
      await there.revoke(other.session.sessionId, { reason: 'logout' })
      clock.advanceMs(30_001)
      expect(await here.verify(other.accessToken)).toMatchObject({ ok: false, reason: 'ended' })
    }
    await store.lifecycle.close()
  })
})

describe('what a signature proved', () => {
  test.each(['opaque', 'allowlist', 'denylist'] as const)(
    '%s: is not proved again, with or without copies',
    async (strategy) => {
      const calls = countCryptoCalls()
      try {
        for (const nearCache of [undefined, false] as const) {
          const sessions = open(memoryStore(), { strategy, ...(nearCache === false && { nearCache }) })
          const { accessToken } = await login(sessions)
          calls.reset()
          expect((await sessions.verify(accessToken)).ok).toBe(true)
          const once = calls.signatures
          expect(once).toBeGreaterThan(0)
          expect((await sessions.verify(accessToken, { fresh: true })).ok).toBe(true)
          expect((await sessions.verify(accessToken)).ok).toBe(true)
          expect(calls.signatures).toBe(once)
          // A forged one is looked at each time, and never remembered.
          const { entries } = sessions.health().nearCache
          const forged = `${accessToken.slice(0, -4)}AAAA`
          calls.reset()
          for (let n = 1; n <= 3; n++) {
            expect((await sessions.verify(forged)).ok).toBe(false)
            expect(calls.signatures).toBe(n * once)
          }
          expect(sessions.health().nearCache.entries).toBe(entries)
          await sessions.close()
        }
      } finally {
        calls.stop()
      }
    },
  )

  test('is of use until the token is over, and not a moment longer', async () => {
    const sessions = open(memoryStore())
    const { accessToken, accessExpiresAtMs } = await login(sessions)
    await sessions.verify(accessToken)
    clock.advanceMs(9 * MINUTE)
    expect((await sessions.verify(accessToken)).ok).toBe(true)
    expect(sessions.verifyNow(accessToken)?.ok).toBe(true)
    clock.advanceMs(accessExpiresAtMs - clock.nowMs() - 1)
    expect((await sessions.verify(accessToken)).ok).toBe(true)
    clock.advanceMs(1)
    expect(sessions.verifyNow(accessToken)).toBeUndefined()
    expect(await sessions.verify(accessToken)).toMatchObject({ ok: false, reason: 'expired', remedy: 'refresh' })
    await sessions.close()
  })
})
