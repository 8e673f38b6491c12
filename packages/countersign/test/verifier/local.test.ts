import {
  allowlist,
  createSessions,
  createVerifier,
  denylist,
  generateKeyring,
  type Keyring,
  loadKeyring,
  type SessionId,
  stateless,
  type Trust,
} from 'countersign'
import { samples } from 'countersign/conformance'
import type { Store } from 'countersign/stores/contract'
import { memoryStore } from 'countersign/stores/memory'
import { type TestClock, testClock } from 'countersign/testing'
import { beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { signJws } from '../../src/tokens/jws.ts'
import { keysOf, loadKeyring as loadPrivately } from '../../src/tokens/keyring.ts'
import { AUDIENCE, claimsAt, ISSUER } from './issuer.ts'

const { MINUTE, SECOND } = samples

const file = generateKeyring({ signing: ['HS256', 'ES256', 'Ed25519'] })
let keyring: Keyring
let signWith: ReturnType<typeof keysOf>['signWith']
let clock: TestClock
beforeAll(async () => {
  keyring = await loadKeyring(file)
  signWith = keysOf(await loadPrivately(file)).signWith
})
beforeEach(() => {
  clock = testClock()
})

const verifierWith = (more: Partial<Trust> = {}) =>
  createVerifier({ issuer: ISSUER, audience: AUDIENCE, keys: keyring, runtime: clock.runtime, ...more })
/** The verdict on RFC 9068's claims with these changes; `undefined` takes one out. */
const verdict = (change: object, more: Partial<Trust> = {}) => {
  const claims = JSON.parse(JSON.stringify({ ...claimsAt(clock.nowMs()), ...change })) as never
  const checked = verifierWith(more).verifyNow(signJws(claims, 'at+jwt', signWith('ES256')!))!
  return checked.ok ? 'accepted' : checked.reason
}
const seconds = () => Math.floor(clock.nowMs() / 1_000)

describe('a verifier with a keyring', () => {
  test.each(['HS256', 'ES256', 'Ed25519'] as const)(
    'accepts tokens of every JWT strategy, signed with %s',
    async (alg) => {
      const options = { issuer: ISSUER, audience: [AUDIENCE, 'https://other.test'], alg }
      const store = clock.on(memoryStore({ runtime: clock.runtime }))
      for (const strategy of [stateless(options), denylist(options), allowlist(options)]) {
        const sessions = createSessions({
          strategy,
          keyring,
          timeouts: 'aal1',
          roles: ['user'],
          store,
          runtime: clock.runtime,
        })
        const issued = await sessions.issue({
          subject: 'u',
          tenant: 't',
          roles: ['user'],
          amr: ['pwd'],
          clientId: 'app',
        })
        if (!issued.ok) throw new Error(issued.reason)
        const checked = verifierWith().verifyNow(issued.accessToken)
        expect(checked).toEqual(await verifierWith().verify(issued.accessToken))
        expect(checked).toMatchObject({
          ok: true,
          session: {
            sessionId: issued.session.sessionId,
            subject: 'u',
            tenant: 't',
            roles: strategy.name === 'allowlist' ? [] : ['user'],
            audience: [AUDIENCE, 'https://other.test'],
            clientId: 'app',
            authTimeMs: Math.floor(clock.nowMs() / 1_000) * 1_000,
            acr: 'aal1',
            amr: ['pwd'],
            expiresAtMs: issued.accessExpiresAtMs,
          },
        })
      }
    },
  )

  test('demands only what RFC 9068 demands; such a principal has no session id and is never fresh', () => {
    const token = signJws(claimsAt(clock.nowMs()), 'at+jwt', signWith('HS256')!)
    const checked = verifierWith().verifyNow(token)
    expect(checked).toMatchObject({ ok: true, session: { subject: 'alice', roles: [], amr: [], acr: '' } })
    expect(checked?.ok && 'sessionId' in checked.session).toBe(false)
    for (const demand of [{ maxAge: '400d' }, { acr: 'aal1' }] as const) {
      expect(verifierWith().verifyNow(token, demand)).toMatchObject({
        ok: false,
        reason: 'insufficient_authentication',
      })
    }
    expect(verifierWith().verifyNow(token, { roles: ['user'] })).toMatchObject({ ok: false, reason: 'forbidden' })
    expect(verifierWith().verifyNow(token, { audience: 'https://other.test' })).toMatchObject({
      reason: 'claim_mismatch',
    })
    for (const claim of Object.keys(claimsAt(0))) expect(verdict({ [claim]: undefined }), claim).toBe('claim_mismatch')
  })

  test('what it gives is frozen all the way', () => {
    const token = signJws({ ...claimsAt(clock.nowMs()), roles: ['a'], amr: ['pwd'] }, 'at+jwt', signWith('HS256')!)
    const checked = verifierWith().verifyNow(token)
    if (!checked?.ok) throw new Error('refused')
    const { session } = checked
    for (const value of [session, session.roles, session.audience, session.amr])
      expect(Object.isFrozen(value)).toBe(true)
  })

  test('times: refused on or after exp + leeway, accepted on or after nbf − leeway, iat not in the future', () => {
    clock.advanceMs(1_000 - (clock.nowMs() % 1_000))
    const now = seconds()
    const aged = (ageSeconds: number) => ({ iat: now - 300, exp: now - ageSeconds })
    expect(verdict(aged(-1), { leeway: '0s' })).toBe('accepted')
    expect(verdict(aged(0), { leeway: '0s' })).toBe('expired')
    expect(verdict(aged(4))).toBe('accepted')
    expect(verdict(aged(5))).toBe('expired')
    expect(verdict(aged(299), { leeway: '300s' })).toBe('accepted')
    expect(verdict({ iat: now - 1, exp: now + 0.5 }, { leeway: '0s' })).toBe('accepted')
    for (const claim of ['nbf', 'iat']) {
      expect(verdict({ [claim]: now + 5 }), claim).toBe('accepted')
      expect(verdict({ [claim]: now + 6 }), claim).toBe('not_yet_valid')
      expect(verdict({ [claim]: now + 1 }, { leeway: '0s' }), claim).toBe('not_yet_valid')
    }
    expect(verdict({ exp: now + 86_400 })).toBe('accepted')
    expect(verdict({ exp: now + 86_401 })).toBe('claim_mismatch')
    expect(verdict({ exp: now + 61 }, { maxLifetime: '60s' })).toBe('claim_mismatch')
  })

  test('claims of the wrong type, of another kind of token, and bound to a key are refused', () => {
    for (const change of [
      { sub: { $ne: null } },
      { sub: '' },
      { aud: [] },
      { aud: [AUDIENCE, 1] },
      { aud: `${AUDIENCE}/` },
      { iss: [ISSUER] },
      { exp: '9999999999' },
      { nbf: null },
      { jti: 1 },
      { jti: 'x'.repeat(129) },
      { client_id: 1 },
      { sid: 1 },
      { auth_time: '1' },
      { gen: 0.5 },
      { tenant: '' },
      { act: 'admin' },
      { act: { sub: 1 } },
      { act: null },
      { acr: 1 },
      { amr: 'pwd' },
      { roles: 'admin' },
      { roles: [['admin']] },
      { events: {} },
      { cnf: { jkt: 'x' } },
    ]) {
      expect(verdict(change), JSON.stringify(change)).toBe('claim_mismatch')
    }
    expect(verdict({ act: { sub: 'support' }, sid: 'an id of their own' })).toBe('accepted')
  })

  test('who acts for the subject is told, and a session id that is not one of ours is not', () => {
    const claims = { ...claimsAt(clock.nowMs()), act: { sub: 'support' }, sid: 'theirs' }
    const checked = verifierWith().verifyNow(signJws(claims, 'at+jwt', signWith('HS256')!))
    expect(checked).toMatchObject({ ok: true, session: { actor: 'support' } })
    expect(checked?.ok && checked.session.sessionId).toBeUndefined()
  })

  test('roles that the service does not know are left out', () => {
    const token = signJws({ ...claimsAt(clock.nowMs()), roles: ['root', 'user'] }, 'at+jwt', signWith('HS256')!)
    const verifier = verifierWith({ roles: ['user', 'admin'] })
    expect(verifier.verifyNow(token)).toMatchObject({ ok: true, session: { roles: ['user'] } })
    expect(verifier.verifyNow(token, { roles: ['root'] })).toMatchObject({ reason: 'forbidden' })
  })

  test('only the algorithms that were asked for', () => {
    const token = (alg: 'HS256' | 'ES256') => signJws(claimsAt(clock.nowMs()), 'at+jwt', signWith(alg)!)
    const verifier = verifierWith({ algorithms: ['ES256'] })
    expect(verifier.verifyNow(token('ES256'))?.ok).toBe(true)
    expect(verifier.verifyNow(token('HS256'))).toMatchObject({ ok: false, reason: 'bad_signature' })
  })

  test('nothing is refused as missing but nothing', () => {
    for (const token of ['', undefined, null, 1, {}]) {
      expect(verifierWith().verifyNow(token as never)).toMatchObject({ ok: false, reason: 'missing' })
    }
    expect(verifierWith({ maxTokenBytes: 256 }).verifyNow('x'.repeat(257))).toMatchObject({ reason: 'malformed' })
  })

  test.each<[string, object, string]>([
    ['no issuer', { issuer: '' }, 'issuer'],
    ['no audience', { audience: undefined }, 'audience'],
    ['several audiences', { audience: ['a', 'b'] }, 'audience'],
    ['a keyring of somebody else', { keys: { kids: [] } }, 'keyring'],
    ['an empty list of algorithms', { algorithms: [] }, 'algorithms'],
    ['none', { algorithms: ['none'] }, 'algorithms'],
    ['RS256 with a keyring', { algorithms: ['RS256'] }, 'algorithms'],
    ['HS256 with an address', { algorithms: ['HS256'], keys: new URL('https://x.test') }, 'algorithms'],
    ['a negative leeway', { leeway: '-1s' }, 'leeway'],
    ['a leeway that is no number', { leeway: 'NaNs' }, 'leeway'],
    ['a leeway without a unit', { leeway: 5 }, 'leeway'],
    ['a leeway over 300 s', { leeway: '301s' }, 'leeway'],
    ['no lifetime at all', { maxLifetime: '0s' }, 'maxLifetime'],
    ['an endless lifetime', { maxLifetime: Number.POSITIVE_INFINITY }, 'maxLifetime'],
    ['no size limit', { maxTokenBytes: Number.POSITIVE_INFINITY }, 'maxTokenBytes'],
    ['sealed tokens by address', { sealed: true, keys: new URL('https://x.test') }, 'sealed'],
    ['data without records', { data: z.object({}) }, 'data'],
    ['records that are none', { records: {} }, 'records'],
    ['a misspelt option', { audiance: 'x' }, 'audiance'],
  ])('refuses %s', (_, change, named) => {
    expect(() => verifierWith(change as never)).toThrow(
      expect.objectContaining({ code: 'ERR_CONFIG_INVALID', message: expect.stringContaining(`"`) }),
    )
    expect(() => verifierWith(change as never)).toThrow(new RegExp(named))
  })

  test('needs a key that it may use', async () => {
    const only = await loadKeyring(generateKeyring({ signing: ['HS256'] }))
    expect(() => verifierWith({ keys: only, algorithms: ['ES256'] })).toThrow(
      expect.objectContaining({ code: 'ERR_KEY_NOT_FOUND' }),
    )
  })
})

describe('a verifier with the records', () => {
  const Data = z.object({ items: z.array(z.string()) })
  const options = { issuer: ISSUER, audience: AUDIENCE } as const
  let store: Store
  const open = () =>
    createSessions({
      strategy: allowlist(options),
      keyring,
      timeouts: { absolute: '7d', idle: '30m' },
      roles: ['user', 'admin'],
      data: Data,
      store,
      runtime: clock.runtime,
    })
  const verifier = (more: Partial<Trust> = {}) =>
    createVerifier({
      issuer: ISSUER,
      audience: AUDIENCE,
      keys: keyring,
      records: store,
      data: Data,
      runtime: clock.runtime,
      ...more,
    })
  const issue = async () => {
    const issued = await open().issue({ subject: 'u', roles: ['user', 'admin'], data: { items: ['a'] } })
    if (!issued.ok) throw new Error(issued.reason)
    return issued
  }
  beforeEach(() => {
    store = clock.on(memoryStore({ runtime: clock.runtime }))
  })

  test('says the same as allowlist says, at every turn of a session', async () => {
    const { accessToken, refreshToken, session } = await issue()
    const same = async (token: string) => {
      const ours = await verifier().verify(token)
      // The first of the two may have noted the use, which the second then sees.
      const settled = ours.ok && { lastSeenAtMs: expect.any(Number), expiresAtMs: expect.any(Number) }
      expect(await open().verify(token)).toEqual(ours.ok ? { ...ours, session: { ...ours.session, ...settled } } : ours)
      return ours.ok ? 'accepted' : `${ours.reason} ${ours.endedBy ?? ''}`
    }
    expect(await same(accessToken)).toBe('accepted')
    expect(await verifier().verify(accessToken)).toMatchObject({
      session: { data: { items: ['a'] }, roles: ['user', 'admin'] },
    })
    await open().update(session.sessionId, () => ({ items: ['b'] }))
    expect(await verifier().verify(accessToken)).toMatchObject({ session: { data: { items: ['b'] } } })
    await open().setRoles('u', ['user'])
    expect(await verifier().verify(accessToken)).toMatchObject({ session: { roles: ['user'] } })
    await open().setRoles('u', ['user', 'admin'])
    clock.advanceMs(11 * SECOND)
    const next = await open().refresh(refreshToken)
    if (!next.ok) throw new Error(next.reason)
    expect(await same(accessToken)).toBe('superseded ')
    expect(await same(next.accessToken)).toBe('accepted')
    await open().revoke(session.sessionId, { reason: 'logout' })
    expect(await same(next.accessToken)).toBe('ended logout')
  })

  test('revoking everybody, the absolute timeout and a session that the store does not know', async () => {
    const { accessToken } = await issue()
    await open().revokeEveryone({ reason: 'admin' })
    clock.advanceMs(2 * SECOND)
    expect(await verifier().verify(accessToken)).toMatchObject({ reason: 'ended', endedBy: 'admin' })
    const later = await issue()
    const elsewhere = verifier({ records: memoryStore({ runtime: clock.runtime }) } as never)
    expect(await elsewhere.verify(later.accessToken)).toMatchObject({ reason: 'unknown' })
  })

  test('using it keeps the session from becoming idle, and confirms the generation', async () => {
    const { accessToken, refreshToken, session } = await issue()
    for (let minute = 0; minute < 9; minute++) {
      clock.advanceMs(MINUTE)
      expect((await verifier().verify(accessToken)).ok).toBe(true)
    }
    const found = await store.sessions.read(session.sessionId)
    expect(found.is === 'live' && clock.nowMs() - found.record.lastSeenAtMs).toBeLessThan(5 * MINUTE)
    expect(found.is === 'live' && found.record.idleAtMs - found.record.lastSeenAtMs).toBeCloseTo(33 * MINUTE, -2)
    const next = await open().refresh(refreshToken)
    if (!next.ok) throw new Error(next.reason)
    await verifier().verify(next.accessToken)
    const after = await store.sessions.read(session.sessionId)
    expect(after.is === 'live' && after.record.confirmedAtMs).toBeGreaterThan(0)
  })

  test('a token without a session of ours is refused, and a forged one costs no store call', async () => {
    let reads = 0
    const read = (id: SessionId) => {
      reads++
      return store.sessions.read(id)
    }
    const counting = { ...store.sessions, read }
    const counted = createVerifier({ ...options, keys: keyring, records: counting, runtime: clock.runtime })
    const bare = signJws(claimsAt(clock.nowMs()), 'at+jwt', signWith('ES256')!)
    expect(await counted.verify(bare)).toMatchObject({ ok: false, reason: 'claim_mismatch' })
    const { accessToken } = await issue()
    expect(await counted.verify(`${accessToken.slice(0, -4)}AAAA`)).toMatchObject({ reason: 'bad_signature' })
    expect(reads).toBe(0)
    expect(counted.verifyNow(accessToken)).toBeUndefined()
    expect((await counted.verify(accessToken)).ok).toBe(true)
    expect(reads).toBe(1)
  })

  test('an outage is a fault, neither a yes nor a no', async () => {
    const { accessToken } = await issue()
    await store.lifecycle.close()
    await expect(verifier().verify(accessToken)).rejects.toMatchObject({ code: expect.stringMatching(/^ERR_/) })
  })

  test('a store with a lifecycle needs the keyring, whose fingerprint it compares', async () => {
    expect(() => verifier({ keys: new URL('https://issuer.test/jwks') })).toThrow(/"records"/)
    await issue()
    const other = await loadKeyring({ ...generateKeyring(), signing: file.signing })
    const { accessToken } = await issue()
    await expect(verifier({ keys: other }).verify(accessToken)).rejects.toMatchObject({
      code: 'ERR_STORE_MISCONFIGURED',
    })
  })
})
