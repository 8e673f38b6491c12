// What `verify` says without the store, through the public verbs, with a store that can be taken away.
import {
  allowlist,
  CountersignError,
  createSessions,
  type Duration,
  denylist,
  generateKeyring,
  type Keyring,
  loadKeyring,
  opaque,
  retireKey,
  rotateKeyring,
  type SessionEvent,
} from 'countersign'
import type { Store } from 'countersign/stores/contract'
import { memoryStore } from 'countersign/stores/memory'
import { type TestClock, testClock } from 'countersign/testing'
import { beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { z } from 'zod'

const JWT = { issuer: 'https://a.test', audience: ['https://b.test', 'https://c.test'], accessLifetime: '5m' } as const
const STRATEGIES = { opaque: opaque({ audience: JWT.audience }), allowlist: allowlist(JWT), denylist: denylist(JWT) }
type Name = keyof typeof STRATEGIES
const NAMES = Object.keys(STRATEGIES) as Name[]

let keyring: Keyring
beforeAll(async () => {
  keyring = await loadKeyring(generateKeyring())
})
let clock: TestClock
beforeEach(() => {
  clock = testClock()
})

/** A store of which nothing is heard while it is away. It does not tell of changes, so nothing is answered from a copy. */
function losable(inner: Store) {
  const state: { away: Error | undefined; takesWrites: boolean } = { away: undefined, takesWrites: true }
  const guard = <T extends object>(part: T): T =>
    new Proxy(part, {
      get(target, name) {
        const value = Reflect.get(target, name)
        if (typeof value !== 'function') return name === 'changes' ? undefined : value
        return (...args: unknown[]) => {
          if (state.away) return Promise.reject(state.away)
          if (!state.takesWrites && name !== 'read' && name !== 'floor') return Promise.reject(FULL)
          return (value as (...args: unknown[]) => unknown).apply(target, args)
        }
      },
    })
  const store = { ...inner, sessions: guard(inner.sessions), revocations: guard(inner.revocations) } as Store
  const go = (code: 'ERR_STORE_UNAVAILABLE' | 'ERR_STORE_TIMEOUT' = 'ERR_STORE_TIMEOUT') => {
    state.away = new CountersignError(code, 'no answer', { store: 'test' })
  }
  const come = () => {
    state.away = undefined
  }
  const fail = (error: Error) => {
    state.away = error
  }
  const fill = () => {
    state.takesWrites = false
  }
  return { store, go, come, fail, fill }
}
const FULL = new CountersignError('ERR_STORE_UNAVAILABLE', 'no room', { answered: true })

function open(store: Store, { strategy = 'allowlist' as Name, idle = undefined as Duration | undefined } = {}) {
  return createSessions({
    strategy: STRATEGIES[strategy] as ReturnType<typeof allowlist<true>>,
    keyring,
    store: clock.on(store),
    runtime: clock.runtime,
    timeouts: idle ? { absolute: '1d', idle } : { absolute: '1d' },
    data: z.object({ n: z.number() }),
    roles: ['user', 'admin'],
  })
}
type Sessions = ReturnType<typeof open>

const WITHIN = { outage: { verifiedWithin: '30s' } } as const

async function login(sessions: Sessions, subject = 'anna') {
  const issued = await sessions.issue({ subject, roles: ['admin'], data: { n: 1 } })
  if (!issued.ok) throw new Error(issued.reason)
  return issued
}

/** Two processes on one store, of which the first can lose it; a session that the first has verified. */
async function setUp(options: Parameters<typeof open>[1] = {}) {
  const inner = memoryStore()
  const { store, go, come, fail, fill } = losable(inner)
  const [here, there] = [open(store, options), open(inner, options)]
  const events: SessionEvent[] = []
  here.events.on('*', (event) => void events.push(event))
  const issued = await login(here)
  expect(await here.verify(issued.accessToken, WITHIN)).toMatchObject({ ok: true, session: { roles: ['admin'] } })
  const check = (more: object = {}) => here.verify(issued.accessToken, { ...WITHIN, ...more })
  return {
    here,
    there,
    go,
    come,
    fail,
    fill,
    issued,
    token: issued.accessToken,
    id: issued.session.sessionId,
    check,
    events,
  }
}

const FAULT = { code: 'ERR_STORE_TIMEOUT' }

describe.each(NAMES)('%s, while the store is away', (strategy) => {
  test('a session that was verified a moment ago is served, as degraded, until the time is over', async () => {
    const { check, go, come, id } = await setUp({ strategy })
    go()
    const answer = await check()
    expect(answer).toEqual({
      ok: true,
      degraded: true,
      session: {
        sessionId: id,
        subject: 'anna',
        audience: JWT.audience,
        clientId: 'web',
        expiresAtMs: expect.any(Number),
      },
    })
    expect(Object.isFrozen(answer) && Object.isFrozen((answer as { session: object }).session)).toBe(true)
    clock.advanceMs(30_000)
    expect(await check()).toMatchObject({ degraded: true })
    clock.advanceMs(1)
    await expect(check()).rejects.toMatchObject(FAULT)
    come()
    expect(await check()).toMatchObject({ ok: true, session: { roles: ['admin'] } })
  })

  test('nothing is served without being asked for, and nothing that was never verified here', async () => {
    const { here, there, token, go } = await setUp({ strategy })
    const other = await login(there, 'berta')
    const own = await login(here, 'carla')
    go()
    await expect(here.verify(token)).rejects.toMatchObject(FAULT)
    await expect(here.verify(token, {})).rejects.toMatchObject(FAULT)
    for (const { accessToken } of [other, own])
      await expect(here.verify(accessToken, WITHIN)).rejects.toMatchObject(FAULT)
    expect(here.verifyNow(token, WITHIN as object)).toBeUndefined()
    expect(here.health().outage).toMatchObject({ degraded: 0, remembered: 1 })
  })

  test.each([{ roles: ['admin'] }, { roles: [] }, { acr: 'aal1' }, { maxAge: '1h' }, { fresh: true }])(
    'what asks for %j gets the fault',
    async (demand) => {
      const { check, go } = await setUp({ strategy })
      go('ERR_STORE_UNAVAILABLE')
      await expect(check(demand)).rejects.toMatchObject({ code: 'ERR_STORE_UNAVAILABLE' })
      expect(await check()).toMatchObject({ degraded: true })
    },
  )

  test('the token is checked as ever', async () => {
    const { here, check, token, go } = await setUp({ strategy })
    go()
    const forged = token.slice(0, -10) + (token.at(-10) === 'A' ? 'B' : 'A') + token.slice(-9)
    expect(await here.verify(forged, WITHIN)).toMatchObject({ ok: false, reason: 'bad_signature' })
    expect(await here.verify('', WITHIN)).toMatchObject({ ok: false, reason: 'missing' })
    expect(await here.verify('x', WITHIN)).toMatchObject({ ok: false, reason: 'malformed' })
    expect(await check({ audience: 'https://c.test' })).toMatchObject({ degraded: true })
    expect(await check({ audience: 'https://d.test' })).toMatchObject({ ok: false, reason: 'claim_mismatch' })
    await expect(check({ signal: AbortSignal.abort(new Error('gone')) })).rejects.toThrow('gone')
  })

  const ends: Record<string, (kit: Awaited<ReturnType<typeof setUp>>) => Promise<unknown>> = {
    revoke: ({ here, id }) => here.revoke(id, { reason: 'logout' }),
    revokeAll: ({ here }) => here.revokeAll('anna', { reason: 'banned' }),
    revokeEveryone: ({ here }) => here.revokeEveryone({ reason: 'admin' }),
    setRoles: ({ here }) => here.setRoles('anna', []),
  }
  test.each(Object.keys(ends))('%s by this process before it is heeded', async (verb) => {
    const kit = await setUp({ strategy })
    await ends[verb]!(kit)
    kit.go()
    await expect(kit.check()).rejects.toMatchObject(FAULT)
  })

  test.each(Object.keys(ends))('%s by this process meanwhile waits, and is heeded', async (verb) => {
    const kit = await setUp({ strategy })
    kit.go()
    expect(await kit.check()).toMatchObject({ degraded: true })
    expect(await ends[verb]!(kit)).toMatchObject({ durability: 'queued' })
    const answer = await kit.check().catch((error: CountersignError) => error)
    expect(answer).not.toMatchObject({ ok: true })
    kit.come()
    await expect.poll(() => kit.here.health().queued, { timeout: 10_000 }).toBe(0)
    if (verb === 'setRoles') return
    clock.advanceMs(1_001)
    expect(await kit.check()).toMatchObject({
      ok: false,
      reason: strategy === 'denylist' ? expect.any(String) : 'ended',
    })
  })

  test('what this process has seen end is not served', async () => {
    const { here, there, id, token, check, go } = await setUp({ strategy })
    await there.revoke(id, { reason: 'logout' })
    expect(await here.verify(token)).toMatchObject({ ok: false })
    go()
    await expect(check()).rejects.toMatchObject(FAULT)
  })
})

test('a revocation under way when the session was confirmed is heeded', async () => {
  const inner = memoryStore()
  const { store, go } = losable(inner)
  let hold: Promise<void> | undefined
  const slow: Store = {
    ...store,
    sessions: new Proxy(store.sessions, {
      get: (target, name) =>
        name === 'read'
          ? async (id: never) => {
              const found = await target.read(id)
              await hold
              return found
            }
          : Reflect.get(target, name),
    }),
  }
  const sessions = open(slow)
  const { accessToken, session } = await login(sessions)
  await sessions.verify(accessToken, WITHIN)
  let release!: () => void
  hold = new Promise((resolve) => (release = resolve))
  const checked = sessions.verify(accessToken, WITHIN)
  await new Promise((resolve) => setImmediate(resolve))
  await sessions.revoke(session.sessionId, { reason: 'logout' })
  release()
  // It was read before it was revoked, and asked before.
  expect(await checked).toMatchObject({ ok: true })
  go()
  await expect(sessions.verify(accessToken, WITHIN)).rejects.toMatchObject(FAULT)
})

test('a floor that was told is heeded, however old', async () => {
  const { here, there, token, check, go } = await setUp()
  await there.revokeEveryone({ reason: 'admin' })
  clock.advanceMs(1_500)
  const next = await login(here, 'berta')
  expect(await here.verify(next.accessToken, WITHIN)).toMatchObject({ ok: true })
  go()
  expect(await here.verify(next.accessToken, WITHIN)).toMatchObject({ degraded: true })
  await expect(check()).rejects.toMatchObject(FAULT)
  await expect(here.verify(token)).rejects.toMatchObject(FAULT)
})

test('what waits for a store that takes no writes is heeded, also by what is verified after it', async () => {
  const { here, check, fill, go } = await setUp()
  fill()
  expect(await here.revokeEveryone({ reason: 'admin' })).toMatchObject({ durability: 'queued' })
  // It takes effect a second later; until then the store says yes.
  expect(await check()).toMatchObject({ ok: true, session: { roles: ['admin'] } })
  expect(here.health().outage.remembered).toBe(1)
  go()
  await expect(check()).rejects.toMatchObject(FAULT)
})

test('the deadlines of session and token go on', async () => {
  for (const [options, ms] of [
    // Coarse touches: refused between 1.0 and 1.1 of it.
    [{ idle: '20s' }, 22_000],
    [{}, 300_000],
  ] as const) {
    const { here, token, go } = await setUp(options)
    const check = () => here.verify(token, { outage: { verifiedWithin: '5m' } })
    go()
    clock.advanceMs(ms - 2_000)
    expect(await check()).toMatchObject({ degraded: true })
    clock.advanceMs(2_001)
    if (ms === 300_000) expect(await check()).toMatchObject({ ok: false, reason: 'expired' })
    else await expect(check()).rejects.toMatchObject(FAULT)
  }
})

test('a key that is taken away takes its tokens along', async () => {
  const file = generateKeyring({ signing: ['HS256'] })
  keyring = await loadKeyring(file)
  const { check, go } = await setUp()
  go()
  expect(await check()).toMatchObject({ degraded: true })
  const rotated = rotateKeyring(file, 'signing').file
  await keyring.reload(rotated)
  expect(await check()).toMatchObject({ degraded: true })
  await keyring.reload(retireKey(rotated, file.signing[0]!.kid)!.file)
  expect(await check()).toMatchObject({ ok: false, reason: 'bad_signature' })
})

test('a mistake or a corrupt record is no outage', async () => {
  const { here, token, fail } = await setUp()
  for (const error of [new TypeError('a mistake'), new CountersignError('ERR_STORE_CORRUPT', 'x')]) {
    fail(error)
    await expect(here.verify(token, WITHIN)).rejects.toBe(error)
  }
})

test('it is told once a minute for each token, and counted each time', async () => {
  const { check, go, events, id, here } = await setUp()
  go()
  for (let n = 0; n < 50; n++) await check({ context: { requestId: `r${n}` } })
  const told = events.filter(({ type }) => type === 'served_degraded')
  expect(told).toEqual([
    {
      type: 'served_degraded',
      at: expect.any(String),
      sessionId: id,
      subject: 'anna',
      code: 'ERR_STORE_TIMEOUT',
      ageMs: 0,
      context: { requestId: 'r0' },
    },
  ])
  expect(here.health().outage).toMatchObject({ degraded: 50, remembered: 1 })
})

test.each([
  [{}, 'outage.verifiedWithin'],
  [{ verifiedWithin: 30 }, 'outage.verifiedWithin'],
  [{ verifiedWithin: '0.5s' }, 'at least 1s'],
  [{ verifiedWithin: '6m' }, 'at most 5m'],
  [{ verifiedWithin: '30s', forEver: true }, 'not an option'],
  ['closed', 'must be an object'],
  [null, 'must be an object'],
])('outage: %j is refused, with or without an outage', async (outage, message) => {
  const { here, token } = await setUp()
  await expect(here.verify(token, { outage } as never)).rejects.toMatchObject({
    code: 'ERR_INPUT_INVALID',
    message: expect.stringContaining(message),
  })
})

describe('a store that stays silent', () => {
  test('is not waited for: calls fail at once, revocations wait, and all of it is told and undone when it is back', async () => {
    const { here, go, come, check, events, id } = await setUp()
    go()
    for (let n = 0; n < 10; n++) {
      await here.verify('cso_', {}).catch(() => undefined)
      await here.get(id).catch(() => undefined)
      clock.advanceMs(200)
    }
    expect(here.health().outage.breaker.opened).toBe(1)
    const fault = (await here.get(id).catch((error: unknown) => error)) as CountersignError
    expect(fault).toMatchObject({ code: 'ERR_STORE_UNAVAILABLE', store: 'memory', retryable: true })
    expect(fault.retryAfterMs).toBeLessThanOrEqual(250)
    // Those that still know something go on, and at once.
    expect(await check()).toMatchObject({ degraded: true })
    expect(await here.revoke(id, { reason: 'logout' })).toMatchObject({ durability: 'queued' })
    come()
    clock.advanceMs(250)
    await expect.poll(() => here.health().queued, { timeout: 10_000 }).toBe(0)
    expect(await check()).toMatchObject({ ok: false, reason: 'ended' })
    const types = events.map(({ type }) => type)
    expect(types.filter((type) => type === 'store_silent')).toHaveLength(1)
    expect(types.filter((type) => type === 'store_back')).toHaveLength(1)
    expect(here.health().outage.breaker.state).toBe('closed')
  })
})
