import { allowlist, type CountersignError, opaque, stateless } from 'countersign'
import { createAccounts } from 'countersign/accounts'
import { redisStore } from 'countersign/stores/redis'
import { createTestSessions, testClock } from 'countersign/testing'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { z } from 'zod'

const JWT = { issuer: 'https://auth.test', audience: 'https://api.test' } as const
const codeOf = (call: () => unknown): string => {
  try {
    call()
  } catch (error) {
    return (error as CountersignError).code
  }
  return 'none'
}

afterEach(() => {
  vi.unstubAllEnvs()
})

describe('testClock', () => {
  test('stands still until it is moved, and never goes back', async () => {
    const before = Date.now()
    const clock = testClock()
    expect(clock.nowMs()).toBeGreaterThanOrEqual(before)
    const startMs = clock.nowMs()
    await new Promise((resolve) => setTimeout(resolve, 5))
    expect(clock.nowMs()).toBe(startMs)
    clock.advance('90s')
    clock.advanceMs(1)
    expect([clock.nowMs(), clock.runtime.clock.nowMs(), clock.runtime.clock.monotonicMs()]).toEqual(
      Array(3).fill(startMs + 90_001),
    )
    for (const by of ['90', '-1s', 90, '', undefined]) {
      expect(codeOf(() => clock.advance(by as never))).toBe('ERR_INPUT_INVALID')
    }
    for (const ms of [-1, 0.5, Number.NaN, '1']) {
      expect(codeOf(() => clock.advanceMs(ms as never))).toBe('ERR_INPUT_INVALID')
    }
    expect(clock.nowMs()).toBe(startMs + 90_001)
  })

  test('starts where it is told to', () => {
    expect(testClock({ startMs: 5 }).nowMs()).toBe(5)
    expect(codeOf(() => testClock({ startMs: 0.5 }))).toBe('ERR_INPUT_INVALID')
  })

  test('on: the store tells this time, with everything else as it was', async () => {
    const clock = testClock({ startMs: 1_000 })
    const real = redisStore({ url: 'redis://127.0.0.1:1' })
    const store = clock.on(real)
    expect(Object.keys(store).sort()).toEqual(Object.keys(real).sort())
    expect([store.sessions, store.once]).toEqual([real.sessions, real.once])
    expect([store.lifecycle.nowMs(), store.lifecycle.name]).toEqual([1_000, 'redis'])
    expect(store.lifecycle.health()).toEqual(real.lifecycle.health())
    await store.lifecycle.close()
    await expect(real.sessions.floor()).rejects.toMatchObject({ code: 'ERR_CLOSED' })
    expect(clock.on({ sessions: real.sessions })).toEqual({ sessions: real.sessions })
  })
})

describe('createTestSessions', () => {
  test.each([
    ['opaque', opaque()],
    ['allowlist with ES256', allowlist({ ...JWT, alg: 'ES256' })],
    ['allowlist, sealed', allowlist({ ...JWT, sealed: true })],
    ['stateless without a store', stateless({ ...JWT, refresh: false })],
  ] as const)('%s: a login in one call', async (_name, strategy) => {
    const { sessions, issueFor, clock } = await createTestSessions({
      strategy: strategy as typeof strategy,
      roles: ['admin'],
    })
    const issued = await issueFor('user:01', { roles: ['admin'] })
    expect(await sessions.verify(issued.accessToken, { roles: ['admin'] })).toMatchObject({
      ok: true,
      session: { subject: 'user:01' },
    })
    clock.advance('8d')
    expect(await sessions.verify(issued.accessToken)).toMatchObject({ ok: false })
    await sessions.close()
  })

  test('the example of its documentation', async () => {
    const { sessions, clock, issueFor } = await createTestSessions({ strategy: opaque(), roles: ['admin'] })
    const { accessToken } = await issueFor('user:01', { roles: ['admin'] })
    clock.advance('34m')
    expect(await sessions.verify(accessToken)).toMatchObject({ ok: false, reason: 'expired_idle' })
    await sessions.close()
  })

  test('no call shares anything with another: the keys are new and the store is', async () => {
    const one = await createTestSessions({ strategy: allowlist(JWT) })
    const two = await createTestSessions({ strategy: allowlist(JWT) })
    const { accessToken, refreshToken } = await one.issueFor('user:01')
    expect(await two.sessions.verify(accessToken)).toMatchObject({ ok: false, reason: 'bad_signature' })
    expect(await two.sessions.refresh(refreshToken)).toMatchObject({ ok: false })
    await one.sessions.close()
    await two.sessions.close()
  })

  test('store, keyring and clock make accounts as well', async () => {
    const clock = testClock()
    const made = await createTestSessions({ strategy: opaque(), roles: ['user'], clock })
    const passwords = { argon2: { memoryKiB: 7_168, passes: 5, parallelism: 1 } }
    const { sessions, store, keyring } = made
    const accounts = createAccounts({ store, keyring, sessions, runtime: clock.runtime, passwords })
    const password = 'violet kettle orbits slowly'
    expect(await accounts.register({ identifier: 'ada@example.com', password })).toMatchObject({ ok: true })
    expect(await accounts.authenticate({ identifier: 'ada@example.com', password })).toMatchObject({
      ok: true,
      authTimeMs: clock.nowMs(),
    })
    expect(made.clock).toBe(clock)
    await sessions.close()
  })

  test('issueFor: takes tenants and data, and throws the reason of a refusal', async () => {
    const data = z.object({ items: z.array(z.string()) })
    const { sessions, issueFor } = await createTestSessions({ strategy: opaque(), data })
    const { session } = await issueFor({ subject: 'u', tenant: 'acme' }, { data: { items: ['a'] } })
    expect(session).toMatchObject({ subject: 'u', tenant: 'acme', data: { items: ['a'] } })
    await sessions.revokeAll({ subject: 'u', tenant: 'acme' }, { reason: 'banned', block: true })
    await expect(issueFor({ subject: 'u', tenant: 'acme' }, { data: { items: [] } })).rejects.toThrow(
      'issueFor was refused: blocked',
    )
    await expect(issueFor('u', { data: { items: 1 } as never })).rejects.toMatchObject({ code: 'ERR_DATA_INVALID' })
    await sessions.close()
  })

  test('what it makes itself is no option, and a misspelt one is refused', async () => {
    for (const name of ['store', 'keyring', 'runtime', 'timeout']) {
      await expect(createTestSessions({ strategy: opaque(), [name]: {} } as never)).rejects.toMatchObject({
        code: 'ERR_CONFIG_INVALID',
        message: expect.stringContaining(name),
      })
    }
    await expect(createTestSessions({} as never)).rejects.toMatchObject({ code: 'ERR_CONFIG_INVALID' })
  })
})

test('none of it works in production', async () => {
  vi.stubEnv('NODE_ENV', 'production')
  await expect(createTestSessions({ strategy: opaque() })).rejects.toMatchObject({
    code: 'ERR_CONFIG_UNSAFE',
    message: expect.stringContaining('for tests only'),
  })
  expect(codeOf(() => testClock())).toBe('ERR_CONFIG_UNSAFE')
})
