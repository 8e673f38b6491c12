import { ok } from 'node:assert/strict'
import { generateKeyring } from '../../tokens/generate-keyring.ts'
import type { KeyJwk } from '../../tokens/key-material.ts'
import { loadKeyring } from '../../tokens/keyring.ts'
import { equals, matches } from '../checks.ts'
import { HOUR, SECOND } from '../store/samples.ts'
import type { Declare, Traits } from './bench.ts'

const retiring = (key: KeyJwk): KeyJwk => ({ ...key, state: 'retiring' })

/** What a refresh token is good for, once and again. */
export function refreshCases({ atOnce }: Traits, test: Declare): void {
  test('rotates once per grace; tabs and lost answers get the same successor', async (t) => {
    const issued = await t.login()
    const early = await t.sessions.refresh(issued.refreshToken)
    matches(early, { ok: true, rotation: 'current', refreshToken: issued.refreshToken })
    t.clock.advanceMs(11 * SECOND)
    const answers = await Promise.all(Array.from({ length: 16 }, () => t.sessions.refresh(issued.refreshToken)))
    const tokens = new Set(answers.map((answer) => (answer.ok ? answer.refreshToken : answer.reason)))
    equals(tokens.size, 1)
    equals(answers.filter((answer) => answer.ok && answer.rotation === 'rotated').length, 1)
    equals(answers.filter((answer) => answer.ok && answer.rotation === 'replayed').length, 15)
    equals(t.seen('refresh_replayed').length, 15)
    t.clock.advanceMs(HOUR / 4)
    const late = await t.sessions.refresh(issued.refreshToken)
    matches(late, { ok: true, rotation: 'replayed', refreshToken: [...tokens][0] })
  })

  test('an old token after its successor was used ends the session', async (t) => {
    const issued = await t.login()
    t.clock.advanceMs(11 * SECOND)
    const second = await t.sessions.refresh(issued.refreshToken)
    if (!second.ok) throw new Error(second.reason)
    t.clock.advanceMs(11 * SECOND)
    const third = await t.sessions.refresh(second.refreshToken)
    if (!third.ok) throw new Error(third.reason)
    matches(await t.sessions.refresh(issued.refreshToken), {
      ok: false,
      reason: 'reused',
      endedBy: 'reused',
    })
    equals(t.seen('refresh_reused').length, 1)
    matches(await t.sessions.refresh(third.refreshToken), { ok: false, reason: 'reused' })
    if (atOnce) equals(await t.refusalOf(third.accessToken), 'reused')
  })

  test('repeats beyond the limit demand a step-up and change nothing', async (t) => {
    const issued = await t.login()
    t.clock.advanceMs(11 * SECOND)
    await t.sessions.refresh(issued.refreshToken)
    t.clock.advanceMs(11 * SECOND)
    for (let n = 0; n < 5; n++) ok((await t.sessions.refresh(issued.refreshToken)).ok)
    matches(await t.sessions.refresh(issued.refreshToken), {
      ok: false,
      reason: 'insufficient_authentication',
      remedy: 'step_up',
    })
    ok((await t.sessions.get(issued.session.sessionId)).ok)
  })

  test('a repeat derives with the rotation key that the record names, not with the newest', async (t) => {
    const issued = await t.login()
    t.clock.advanceMs(11 * SECOND)
    const first = await t.sessions.refresh(issued.refreshToken)
    if (!first.ok) throw new Error(first.reason)
    const spare = generateKeyring()
    const next = await loadKeyring({
      ...t.keyringFile,
      mac: [...t.keyringFile.mac.map(retiring), { ...spare.mac[0]!, number: 2 }],
      rotation: [...t.keyringFile.rotation.map(retiring), { ...spare.rotation[0]!, number: 2 }],
    })
    t.use({ keyring: next })
    matches(await t.sessions.refresh(issued.refreshToken), {
      ok: true,
      rotation: 'replayed',
      refreshToken: first.refreshToken,
    })
    t.clock.advanceMs(11 * SECOND)
    matches(await t.sessions.refresh(first.refreshToken), { ok: true, rotation: 'rotated' })
  })

  test('the current token from elsewhere is exchanged, and told', async (t) => {
    const issued = await t.login({ context: { ip: '192.0.2.1' } })
    await t.sessions.refresh(issued.refreshToken, { context: { ip: '192.0.2.1' } })
    equals(t.seen('refresh_replayed'), [])
    await t.sessions.refresh(issued.refreshToken, { context: { ip: '198.51.100.7' } })
    matches(t.seen('refresh_replayed'), [{ firstOrigin: { ip: '192.0.2.1' }, context: { ip: '198.51.100.7' } }])
  })

  test('strict: to the letter of ASVS 10.4.5', async (t) => {
    t.use({ jwt: { reuse: 'strict' } })
    const issued = await t.login()
    const next = await t.sessions.refresh(issued.refreshToken)
    matches(next, { ok: true, rotation: 'rotated' })
    matches(await t.sessions.refresh(issued.refreshToken), { ok: false, reason: 'reused' })
  })

  test('a wrong secret under a right id has no side effect', async (t) => {
    const issued = await t.login()
    const forged = `csr_${issued.refreshToken.slice(4, -10)}AAAAAAAAAA`
    matches(await t.sessions.refresh(forged), { ok: false })
    ok((await t.sessions.refresh(issued.refreshToken)).ok)
    ok((await t.sessions.get(issued.session.sessionId)).ok)
  })

  test('the refresh token has a lifetime of its own', async (t) => {
    t.use({ jwt: { refreshLifetime: '1h' }, timeouts: { absolute: '7d' } })
    const issued = await t.login()
    t.clock.advanceMs(HOUR)
    matches(await t.sessions.refresh(issued.refreshToken), {
      ok: false,
      reason: 'expired',
      remedy: 'sign_in',
    })
  })
}
