// What an assertion says, and how long. Where it is taken and where not: `test/token-kinds/`.
import {
  allowlist,
  createSessions,
  createVerifier,
  generateKeyring,
  loadKeyring,
  opaque,
  type Principal,
} from 'countersign'
import { createSessionAssertions, type SessionAssertionsOptions } from 'countersign/oauth'
import { memoryStore } from 'countersign/stores/memory'
import { testClock } from 'countersign/testing'
import { expect, test } from 'vitest'

const issuer = 'https://auth.test'
const audience = 'https://shop.test'

async function setUp(more: Partial<SessionAssertionsOptions> = {}) {
  const clock = testClock({ startMs: 1_000_000_000_000 })
  const { runtime } = clock
  const keyring = await loadKeyring(generateKeyring({ signing: ['ES256'] }))
  const store = memoryStore({ runtime })
  const strategy = allowlist({ issuer, audience: 'https://api.test', alg: 'ES256' })
  const sessions = createSessions({ strategy, store, keyring, runtime, timeouts: { absolute: '1h' }, roles: ['user'] })
  const issued = await sessions.issue({ subject: 'ada', tenant: 'north', roles: ['user'], amr: ['pwd'] })
  if (!issued.ok) throw new Error(issued.reason)
  const assertions = createSessionAssertions({ keyring, issuer, runtime, ...more })
  return { clock, runtime, keyring, store, sessions, session: issued.session, token: issued.accessToken, assertions }
}

const claimsIn = (token: string) => JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString())

test('says of the session what an access token says, with roles, for one audience and half a minute', async () => {
  const { assertions, session, keyring, runtime } = await setUp()
  const token = assertions.issue(session, audience)
  const checked = await createVerifier({ keys: keyring, issuer, audience, runtime }).verify(token)
  expect(checked).toMatchObject({
    ok: true,
    session: {
      subject: 'ada',
      tenant: 'north',
      sessionId: session.sessionId,
      roles: ['user'],
      amr: ['pwd'],
      acr: 'aal1',
    },
  })
  const { iat, exp, jti, gen } = claimsIn(token)
  expect([exp - iat, gen]).toEqual([30, undefined])
  expect(claimsIn(assertions.issue(session, audience)).jti).not.toBe(jti)
})

test('ends with what was verified, where that ends sooner', async () => {
  const { assertions, session, clock } = await setUp({ lifetime: '60s' })
  clock.advance('9m')
  clock.advance('50s')
  const { iat, exp } = claimsIn(assertions.issue(session, audience))
  expect(exp - iat).toBe(10)
})

test('of an opaque session too', async () => {
  const { assertions, keyring, runtime } = await setUp()
  const sessions = createSessions({
    strategy: opaque({ audience: 'https://api.test' }),
    store: memoryStore({ runtime }),
    keyring,
    runtime,
    timeouts: { absolute: '1h' },
  })
  const issued = await sessions.issue({ subject: 'ada' })
  if (!issued.ok) throw new Error(issued.reason)
  const token = assertions.issue(issued.session, audience)
  const verifier = createVerifier({ keys: keyring, issuer, audience, runtime })
  expect(await verifier.verify(token)).toMatchObject({ ok: true, session: { subject: 'ada' } })
})

test.each([
  [{ lifetime: '61s' }, /"lifetime"/],
  [{ lifetime: '999ms' }, /"lifetime"/],
  [{ issuer: '' }, /"issuer" must be a non-empty string/],
  [{ alg: 'HS256' }, /"alg"/],
  [{ ttl: 5 }, /"createSessionAssertions.ttl" is not an option/],
])('%j is refused', async (options, message) => {
  await expect(setUp(options as never)).rejects.toThrow(message)
})

test('without an audience, or for a session without an id, there is none', async () => {
  const { assertions, session } = await setUp()
  const { sessionId: _, ...nameless } = session
  expect(() => assertions.issue(session, '')).toThrow(/"audience" must be one non-empty text/)
  expect(() => assertions.issue(nameless as Principal, audience)).toThrow(/"session" must have an id and a client/)
})

test('needs a key whose public half is published', async () => {
  const keyring = await loadKeyring(generateKeyring({ signing: ['HS256'] }))
  expect(() => createSessionAssertions({ keyring, issuer })).toThrow(/no active signing key for ES256/)
})
