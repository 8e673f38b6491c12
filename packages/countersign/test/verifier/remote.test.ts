import {
  allowlist,
  createRemoteVerifier,
  createSessions,
  generateKeyring,
  type Keyring,
  loadKeyring,
  opaque,
  type RemoteTrust,
  type Runtime,
} from 'countersign'
import { samples } from 'countersign/conformance'
import { memoryStore } from 'countersign/stores/memory'
import { type TestClock, testClock } from 'countersign/testing'
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type IntrospectionServer, introspectionServer } from './introspection-server.ts'
import { AUDIENCE, ISSUER } from './issuer.ts'

const { MINUTE, SECOND } = samples

let clock: TestClock
let server: IntrospectionServer
let sessions: ReturnType<typeof open>
let keyring: Keyring
let clientKey: Keyring
beforeAll(async () => {
  keyring = await loadKeyring(generateKeyring())
  clientKey = await loadKeyring(generateKeyring({ signing: ['ES256'] }))
})
beforeEach(async () => {
  clock = testClock()
  sessions = open()
  server = await introspectionServer(sessions, ISSUER, { shop: clientKey }, () => clock.nowMs())
})
afterEach(() => server.stop())

const open = () =>
  createSessions({
    strategy: allowlist({ issuer: ISSUER, audience: AUDIENCE }),
    keyring,
    timeouts: 'aal1',
    roles: ['user', 'admin'],
    store: clock.on(memoryStore({ runtime: clock.runtime })),
    runtime: clock.runtime,
  })
const issue = async (more: object = {}) => {
  const issued = await sessions.issue({ subject: 'u', roles: ['user'], amr: ['pwd'], ...more })
  if (!issued.ok) throw new Error(issued.reason)
  return issued
}
const verifierWith = (more: Partial<RemoteTrust> = {}) =>
  createRemoteVerifier({
    introspection: server.url,
    issuer: ISSUER,
    audience: AUDIENCE,
    clientId: 'shop',
    key: clientKey,
    runtime: clock.runtime,
    ...more,
  })
const hasty = (): Runtime => ({
  ...clock.runtime,
  timers: { ...clock.runtime.timers, setTimeout: (fn) => setTimeout(fn, 50) },
})

describe('a verifier that asks', () => {
  test('yields what the service knows of the token', async () => {
    const { accessToken, session } = await issue({ tenant: 't', clientId: 'web' })
    const verifier = verifierWith()
    expect(verifier.verifyNow(accessToken)).toBeUndefined()
    expect(await verifier.verify(accessToken)).toEqual({
      ok: true,
      session: {
        sessionId: session.sessionId,
        subject: 'u',
        tenant: 't',
        roles: ['user'],
        audience: [AUDIENCE],
        clientId: 'web',
        acr: 'aal1',
        amr: ['pwd'],
        authTimeMs: Math.floor(session.authTimeMs / SECOND) * SECOND,
        expiresAtMs: expect.any(Number),
      },
    })
    expect(await verifier.verify(accessToken, { roles: ['admin'] })).toMatchObject({ reason: 'forbidden' })
    expect(await verifier.verify(accessToken, { acr: 'aal2' })).toMatchObject({ reason: 'insufficient_authentication' })
    expect(await verifier.verify(accessToken, { audience: 'x' })).toMatchObject({ reason: 'claim_mismatch' })
  })

  test('works for opaque tokens too, which nobody else can read', async () => {
    const other = createSessions({
      strategy: opaque({ audience: AUDIENCE }),
      keyring,
      timeouts: 'aal1',
      store: clock.on(memoryStore({ runtime: clock.runtime })),
      runtime: clock.runtime,
    })
    const issued = await other.issue({ subject: 'o' })
    if (!issued.ok) throw new Error(issued.reason)
    const service = await introspectionServer(other, ISSUER, { shop: clientKey }, () => clock.nowMs())
    const checked = await verifierWith({ introspection: service.url }).verify(issued.accessToken)
    service.stop()
    expect(checked).toMatchObject({ ok: true, session: { subject: 'o' } })
  })

  test('says who it is with a new assertion each time, and nothing of it can be used again', async () => {
    const { accessToken } = await issue()
    const verifier = verifierWith()
    for (let n = 0; n < 3; n++) expect((await verifier.verify(accessToken)).ok).toBe(true)
    expect(new Set(server.forms.map((form) => form.get('client_assertion'))).size).toBe(3)
    const replay = await fetch(server.url, { method: 'POST', body: server.forms[0]! })
    expect(replay.status).toBe(401)
  })

  test('a refusal gives no reason, so whoever has a refresh token may try it', async () => {
    const { accessToken, session } = await issue()
    await sessions.revoke(session.sessionId, { reason: 'logout' })
    expect(await verifierWith().verify(accessToken)).toEqual({ ok: false, reason: 'unknown', remedy: 'refresh' })
  })

  test('what cannot be an access token is not sent anywhere', async () => {
    const { refreshToken } = await issue()
    const verifier = verifierWith()
    for (const token of [refreshToken, 'cs1_abc', 'a b', 'a\n', 'é', '<a>', 'x'.repeat(8_193)]) {
      expect(await verifier.verify(token)).toMatchObject({ ok: false, reason: 'malformed' })
      expect(verifier.verifyNow(token)).toMatchObject({ ok: false, reason: 'malformed' })
    }
    expect(await verifier.verify('')).toMatchObject({ reason: 'missing' })
    expect(server.forms).toHaveLength(0)
  })
})

describe('staleness', () => {
  test('by default every check asks, and a logout is seen by the next one, also while others are under way', async () => {
    const { accessToken, session } = await issue()
    const verifier = verifierWith()
    await Promise.all(Array.from({ length: 10 }, () => verifier.verify(accessToken)))
    expect(server.answered()).toBe(10)
    const early = verifier.verify(accessToken)
    await sessions.revoke(session.sessionId, { reason: 'logout' })
    expect((await verifier.verify(accessToken)).ok).toBe(false)
    await early
  })

  test('is bounded by maxStale, and shared by checks that come together', async () => {
    const { accessToken, session } = await issue()
    const verifier = verifierWith({ maxStale: '10s' })
    const together = await Promise.all(Array.from({ length: 50 }, () => verifier.verify(accessToken)))
    expect(together.every((checked) => checked.ok)).toBe(true)
    expect(server.answered()).toBe(1)
    expect(verifier.verifyNow(accessToken)).toMatchObject({ ok: true })
    await sessions.revoke(session.sessionId, { reason: 'logout' })
    clock.advanceMs(10 * SECOND - 1)
    expect((await verifier.verify(accessToken)).ok).toBe(true)
    expect((await verifier.verify(accessToken, { fresh: true })).ok).toBe(false)
    expect(verifier.verifyNow(accessToken)).toBeUndefined()
  })

  test('counts from the question, not from the answer', async () => {
    const { accessToken } = await issue()
    const verifier = verifierWith({ maxStale: '10s' })
    let release = () => {}
    const held = new Promise<void>((resolve) => {
      release = resolve
    })
    const { instead } = server
    server.instead = async (_, response) => {
      await held
      response.setHeader('content-type', 'application/json')
      response.end(JSON.stringify({ active: true, sub: 'u', aud: AUDIENCE, exp: clock.nowMs() / 1_000 + 600 }))
    }
    const asking = verifier.verify(accessToken)
    await expect.poll(() => server.forms.length).toBe(1)
    clock.advanceMs(10 * SECOND)
    release()
    expect((await asking).ok).toBe(true)
    expect(verifier.verifyNow(accessToken)).toBeUndefined()
    server.instead = instead
  })

  test('an expired token is not served from memory', async () => {
    const { accessToken } = await issue()
    const verifier = verifierWith({ maxStale: '5m' })
    clock.advanceMs(9 * MINUTE)
    expect((await verifier.verify(accessToken)).ok).toBe(true)
    clock.advanceMs(MINUTE)
    expect(verifier.verifyNow(accessToken)).toBeUndefined()
    expect((await verifier.verify(accessToken)).ok).toBe(false)
  })

  test('refusals are not kept', async () => {
    const verifier = verifierWith({ maxStale: '1m' })
    const forged = 'a.b.c'
    for (let n = 0; n < 3; n++) expect((await verifier.verify(forged)).ok).toBe(false)
    expect(server.answered()).toBe(3)
  })

  test('no more answers are kept than allowed', async () => {
    const verifier = verifierWith({ maxStale: '1m', maxEntries: 2 })
    const tokens = await Promise.all([1, 2, 3].map(async () => (await issue()).accessToken))
    for (const token of tokens) await verifier.verify(token)
    expect(tokens.map((token) => verifier.verifyNow(token) !== undefined)).toEqual([false, true, true])
  })
})

describe('no answer is a fault, never a grant', () => {
  test.each<[string, IntrospectionServer['instead'], string]>([
    ['503', (_, response) => response.writeHead(503).end(), 'ERR_STORE_UNAVAILABLE'],
    ['401', (_, response) => response.writeHead(401).end('{"active":true}'), 'ERR_STORE_UNAVAILABLE'],
    ['a redirect', (_, response) => response.writeHead(307, { location: '/' }).end(), 'ERR_STORE_UNAVAILABLE'],
    ['no JSON', (_, response) => json(response).end('yes'), 'ERR_STORE_UNAVAILABLE'],
    ['another content type', (_, response) => response.end('{"active":true}'), 'ERR_STORE_UNAVAILABLE'],
    ['active as text', (_, response) => json(response).end('{"active":"true"}'), 'ERR_STORE_UNAVAILABLE'],
    ['active twice', (_, response) => json(response).end('{"active":false,"active":true}'), 'ERR_STORE_UNAVAILABLE'],
    ['a list', (_, response) => json(response).end('[{"active":true}]'), 'ERR_STORE_UNAVAILABLE'],
    [
      'too much',
      (_, response) => json(response).end(`{"active":true,"x":"${'x'.repeat(70_000)}"}`),
      'ERR_STORE_UNAVAILABLE',
    ],
    ['a broken connection', (_, response) => response.destroy(), 'ERR_STORE_UNAVAILABLE'],
    ['silence', () => undefined, 'ERR_STORE_TIMEOUT'],
  ])('%s', async (_, listener, code) => {
    const { accessToken } = await issue()
    server.instead = listener
    const verifier = verifierWith(code === 'ERR_STORE_TIMEOUT' ? { runtime: hasty() } : {})
    const error = await verifier.verify(accessToken).catch((thrown) => thrown)
    expect(error).toMatchObject({ name: 'CountersignError', code, store: 'introspection' })
    expect(JSON.stringify([error.message, String(error.cause)])).not.toContain(accessToken)
    server.instead = undefined
    expect((await verifierWith().verify(accessToken)).ok).toBe(true)
  })

  test('an old answer does not stand in for one that does not come', async () => {
    const { accessToken } = await issue()
    const verifier = verifierWith({ maxStale: '10s' })
    await verifier.verify(accessToken)
    server.stop()
    expect((await verifier.verify(accessToken)).ok).toBe(true)
    clock.advanceMs(10 * SECOND)
    await expect(verifier.verify(accessToken)).rejects.toMatchObject({ code: 'ERR_STORE_UNAVAILABLE' })
  })

  test('a client that the service does not know', async () => {
    const stranger = await loadKeyring(generateKeyring({ signing: ['Ed25519'] }))
    const { accessToken } = await issue()
    await expect(verifierWith({ key: stranger }).verify(accessToken)).rejects.toMatchObject({
      code: 'ERR_STORE_UNAVAILABLE',
    })
  })

  test('whoever gives up waiting gets their own reason, and the others get the answer', async () => {
    const { accessToken } = await issue()
    const verifier = verifierWith({ maxStale: '10s' })
    const controller = new AbortController()
    const gone = verifier.verify(accessToken, { signal: controller.signal })
    const staying = verifier.verify(accessToken)
    controller.abort(new Error('no longer wanted'))
    await expect(gone).rejects.toThrow('no longer wanted')
    expect((await staying).ok).toBe(true)
    expect(server.answered()).toBe(1)
  })
})

describe('an active token that is not for us', () => {
  test.each<[string, object]>([
    ['another issuer', { iss: 'https://other.test' }],
    ['another audience', { aud: ['https://other.test'] }],
    ['no audience', { aud: undefined }],
    ['no subject', { sub: undefined }],
    ['no end', { exp: undefined }],
    ['bound to a key', { cnf: { jkt: 'x' } }],
    ['of another type', { token_type: 'DPoP' }],
    ['a security event', { events: {} }],
    ['roles that are no list', { roles: 'admin' }],
  ])('%s', async (_, more) => {
    const { accessToken } = await issue()
    server.more = more
    expect(await verifierWith().verify(accessToken)).toMatchObject({ ok: false, reason: 'claim_mismatch' })
  })
})

test.each<[string, object, string]>([
  ['no URL', { introspection: 'https://x.test' }, 'introspection'],
  ['plain HTTP', { introspection: new URL('http://auth.test/introspect') }, 'introspection'],
  ['no issuer', { issuer: '' }, 'issuer'],
  ['no audience', { audience: '' }, 'audience'],
  ['no client', { clientId: undefined }, 'clientId'],
  ['a bound over five minutes', { maxStale: '6m' }, 'maxStale'],
  ['no bound', { maxStale: Number.POSITIVE_INFINITY }, 'maxStale'],
  ['entries without end', { maxEntries: Number.POSITIVE_INFINITY }, 'maxEntries'],
  ['no deadline', { deadline: '0s' }, 'deadline'],
  ['a misspelt option', { maxstale: '1s' }, 'maxstale'],
])('refuses %s', (_, change, named) => {
  const make = () => verifierWith(change as never)
  expect(make).toThrow(expect.objectContaining({ code: 'ERR_CONFIG_INVALID' }))
  expect(make).toThrow(new RegExp(named))
})

test('needs an asymmetric key', async () => {
  const key = await loadKeyring(generateKeyring({ signing: ['HS256'] }))
  expect(() => verifierWith({ key })).toThrow(expect.objectContaining({ code: 'ERR_KEY_NOT_FOUND' }))
})

function json(response: Parameters<NonNullable<IntrospectionServer['instead']>>[1]) {
  return response.setHeader('content-type', 'application/json')
}
