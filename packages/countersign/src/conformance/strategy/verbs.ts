import { ok, rejects } from 'node:assert/strict'
import { parseSessionId } from '../../tokens/session-id.ts'
import { equals, eventually, matches } from '../checks.ts'
import { MINUTE, SECOND } from '../store/samples.ts'
import type { Declare, Traits } from './bench.ts'

/** Logging in, being checked, and being logged out. */
export function verbCases({ name, readsRecord, renews, atOnce }: Traits, test: Declare): void {
  test('issues a session that verifies, with what was said of it', async (t) => {
    const issued = await t.login({ device: { id: 'd1', label: 'Phone', class: 'mobile' }, amr: ['pwd'] })
    const checked = await t.sessions.verify(issued.accessToken)
    if (!checked.ok) throw new Error(checked.reason)
    matches(checked.session, { subject: t.subject, roles: ['user'], amr: ['pwd'], acr: 'aal1' })
    equals(checked.session.sessionId, issued.session.sessionId)
    equals(parseSessionId(checked.session.sessionId), issued.session.sessionId)
    ok(Object.isFrozen(checked.session))
    equals(t.seen('session_created').length, 1)
    if (readsRecord) {
      equals(checked.session.data, { items: [], theme: 'dark' })
      equals(checked.session.device, { id: 'd1', label: 'Phone', class: 'mobile' })
    }
    equals('refreshToken' in issued && issued.refreshToken !== undefined, renews)
  })

  test('verifyNow answers without waiting, where there is nothing to wait for', async (t) => {
    const issued = await t.login()
    equals(t.sessions.verifyNow(''), undefined)
    const now = () => t.sessions.verifyNow(issued.accessToken)?.ok
    if (!atOnce) return equals(now(), true)
    // The record has to be asked for first.
    equals(now(), undefined)
    equals(await t.refusalOf(issued.accessToken), 'accepted')
    if (!t.tellsOfChanges) return equals(now(), undefined)
    // A line over a network opens beside the first check.
    await eventually(async () => (await t.refusalOf(issued.accessToken)) === 'accepted' && now() === true)
    const { sessionId } = issued.session
    matches(t.sessions.verifyNow(issued.accessToken, { roles: ['user'] }), {
      ok: true,
      session: { subject: t.subject },
    })
    equals(t.sessions.verifyNow(issued.accessToken, { fresh: true }), undefined)
    // What the call demands is judged by the call, and told as every refusal is.
    const told = t.seen('session_refused').length
    matches(t.sessions.verifyNow(issued.accessToken, { roles: ['admin'] }), { reason: 'forbidden' })
    matches(t.sessions.verifyNow(issued.accessToken, { acr: 'aal2' }), { remedy: 'step_up' })
    matches(t.seen('session_refused').slice(told), [
      { subject: t.subject, sessionId, reason: 'forbidden' },
      { subject: t.subject, reason: 'insufficient_authentication' },
    ])
    await t.sessions.revoke(sessionId, { reason: 'logout' })
    equals(now(), undefined)
  })

  test('refuses what was not issued: garbage, a changed token, a token of the other kind', async (t) => {
    const issued = await t.login()
    equals(await t.refusalOf(''), 'missing')
    equals(await t.refusalOf('x'.repeat(50)), 'malformed')
    const { accessToken } = issued
    const middle = Math.floor(accessToken.length / 2)
    const flipped = `${accessToken.slice(0, middle)}${accessToken[middle] === 'A' ? 'B' : 'A'}${accessToken.slice(middle + 1)}`
    ok(['malformed', 'bad_signature'].includes(await t.refusalOf(flipped)))
    equals(await t.refusalOf(accessToken), 'accepted')
    if (renews) {
      equals(await t.refusalOf(issued.refreshToken), 'malformed')
      matches(await t.sessions.refresh(accessToken), { ok: false, reason: 'malformed' })
    }
  })

  test('a logout is a logout, and every later use says why', async (t) => {
    const issued = await t.login()
    const ended = await t.sessions.revoke(issued.session.sessionId, { reason: 'logout' })
    equals(ended.ended, 1)
    equals(await t.devices(), [])
    if (atOnce) {
      matches(await t.sessions.verify(issued.accessToken), {
        ok: false,
        reason: 'ended',
        endedBy: 'logout',
      })
      equals(ended.effectiveAtMs, t.clock.nowMs())
    } else {
      // Promise 2: in `stateless` at `exp`, and the answer of the call says so.
      equals(await t.refusalOf(issued.accessToken), 'accepted')
      equals(ended.effectiveAtMs, t.clock.nowMs() + 10 * MINUTE)
      t.clock.advanceMs(ended.effectiveAtMs! - t.clock.nowMs())
      equals(await t.refusalOf(issued.accessToken), 'expired')
    }
    if (renews) {
      matches(await t.sessions.refresh(issued.refreshToken), {
        ok: false,
        reason: 'ended',
        endedBy: 'logout',
      })
    }
    equals((await t.sessions.revoke(issued.session.sessionId, { reason: 'logout' })).ended, 0)
    matches(await t.sessions.get(issued.session.sessionId), { ok: false, reason: 'ended' })
    matches(await t.sessions.update(issued.session.sessionId, (data) => data), { ok: false })
  })

  test('logs out everywhere, or everywhere else, and lets the next login in', async (t) => {
    const [one, two, three] = [await t.login(), await t.login(), await t.login()]
    equals((await t.devices()).length, 3)
    const others = await t.sessions.revokeAll(t.subject, { reason: 'admin', except: two.session.sessionId })
    equals(others.ended, 2)
    equals(await t.devices(), [two.session.sessionId])
    if (atOnce) {
      equals(await t.refusalOf(one.accessToken), 'ended')
      equals(await t.refusalOf(three.accessToken), 'ended')
    }
    const kept = renews ? await t.sessions.refresh(two.refreshToken) : two
    equals(kept.ok && (await t.refusalOf(kept.accessToken)), 'accepted')
    equals((await t.sessions.revokeAll(t.subject, { reason: 'admin' })).ended, 1)
    if (atOnce && kept.ok) equals(await t.refusalOf(kept.accessToken), 'ended')
    const again = await t.login()
    equals(await t.refusalOf(again.accessToken), 'accepted')
  })

  test('a ban blocks, ends and moves the epoch; unbanning lets in again', async (t) => {
    const before = await t.login()
    const epoch = await t.sessions.epoch(t.subject)
    await t.sessions.revokeAll(t.subject, { reason: 'banned', block: true })
    if (atOnce) matches(await t.sessions.verify(before.accessToken), { reason: 'ended', endedBy: 'banned' })
    matches(await t.sessions.issue({ subject: t.subject, data: { items: [] } }), { ok: false, reason: 'blocked' })
    await t.sessions.revokeAll(t.subject, { reason: 'admin', block: false })
    // A login whose password was checked before the ban stays out, also after the unban.
    matches(await t.sessions.issue({ subject: t.subject, data: { items: [] }, ifEpoch: epoch }), {
      ok: false,
      reason: 'stale_epoch',
    })
    const now = await t.sessions.epoch(t.subject)
    ok(now > epoch)
    ok((await t.sessions.issue({ subject: t.subject, data: { items: [] }, ifEpoch: now })).ok)
  })

  test('ends everybody at once, one second later at most', async (t) => {
    const mine = await t.login()
    const theirs = await t.sessions.issue({ subject: `${t.subject}-other`, data: { items: [] } })
    if (!theirs.ok) throw new Error(theirs.reason)
    const ended = await t.sessions.revokeEveryone({ reason: 'admin' })
    t.clock.advanceMs(SECOND)
    if (atOnce) {
      ok(ended.effectiveAtMs! - t.clock.nowMs() <= 0)
      matches(await t.sessions.verify(mine.accessToken), { reason: 'ended', endedBy: 'admin' })
      equals(await t.refusalOf(theirs.accessToken), 'ended')
    }
    if (renews) matches(await t.sessions.refresh(mine.refreshToken), { ok: false, reason: 'ended' })
    equals(await t.devices(), [])
    const next = await t.login()
    equals(await t.refusalOf(next.accessToken), 'accepted')
  })

  test('a role that is lost is lost at once; one that is gained comes with fresh secrets', async (t) => {
    const issued = await t.login({ roles: ['user', 'moderator'] })
    const demoted = await t.sessions.setRoles(t.subject, ['user'])
    equals(demoted.ended, 1)
    const afterLoss = await t.refusalOf(issued.accessToken, { roles: ['moderator'] })
    // `denylist` refuses the older token, whose roles are stale; `stateless` keeps it until it expires.
    equals(
      afterLoss,
      { opaque: 'forbidden', allowlist: 'forbidden', denylist: 'superseded', stateless: 'accepted' }[name],
    )
    await t.sessions.setRoles(t.subject, ['user', 'admin'])
    if (readsRecord) equals(await t.refusalOf(issued.accessToken, { roles: ['admin'] }), 'forbidden')
    t.clock.advanceMs(11 * SECOND)
    if (renews) {
      const next = await t.sessions.refresh(issued.refreshToken)
      if (!next.ok) throw new Error(next.reason)
      equals(next.session.roles, ['user', 'admin'])
      equals(next.session.sessionId, issued.session.sessionId)
      equals(await t.refusalOf(next.accessToken, { roles: ['admin'] }), 'accepted')
      if (atOnce) matches(await t.sessions.verify(issued.accessToken), { reason: 'superseded', remedy: 'refresh' })
    } else {
      const next = await t.login({ roles: ['user', 'admin'] })
      equals(await t.refusalOf(next.accessToken, { roles: ['admin'] }), 'accepted')
    }
  })

  test('a step-up gives a new id and new secrets; the old ones say that they were replaced', async (t) => {
    const issued = await t.login()
    await t.sessions.setRoles(t.subject, ['user', 'admin'])
    t.clock.advanceMs(MINUTE)
    const up = await t.sessions.stepUp(issued.session.sessionId, { acr: 'aal2', amr: ['pwd', 'otp'] })
    if (!up.ok) throw new Error(up.reason)
    ok(up.session.sessionId !== issued.session.sessionId)
    matches(up.session, {
      acr: 'aal2',
      roles: ['user', 'admin'],
      createdAtMs: issued.session.createdAtMs,
    })
    ok(up.accessToken !== issued.accessToken)
    equals(await t.refusalOf(up.accessToken, { acr: 'aal2', maxAge: '5m', roles: ['admin'] }), 'accepted')
    if (atOnce) {
      matches(await t.sessions.verify(issued.accessToken), {
        reason: 'ended',
        endedBy: 'replaced',
        remedy: renews ? 'refresh' : 'sign_in',
      })
    }
    // Revoking the id that was replaced ends the one that took over.
    equals((await t.sessions.revoke(issued.session.sessionId, { reason: 'logout' })).ended, 1)
    if (atOnce) matches(await t.sessions.verify(up.accessToken), { reason: 'ended', endedBy: 'logout' })
    matches(await t.sessions.stepUp(issued.session.sessionId, { acr: 'aal2', amr: [] }), { ok: false })
  })

  test('asks for more proof where the call demands it', async (t) => {
    const issued = await t.login()
    matches(await t.sessions.verify(issued.accessToken, { acr: 'aal2' }), {
      reason: 'insufficient_authentication',
      remedy: 'step_up',
    })
    equals(await t.refusalOf(issued.accessToken, { maxAge: '5m' }), 'accepted')
    t.clock.advanceMs(6 * MINUTE)
    equals(await t.refusalOf(issued.accessToken, { maxAge: '5m' }), 'insufficient_authentication')
    equals(await t.refusalOf(issued.accessToken, { roles: ['admin'] }), 'forbidden')
    equals(await t.refusalOf(issued.accessToken, { roles: ['admin', 'user'] }), 'accepted')
    equals(await t.refusalOf(issued.accessToken, { audience: 'https://cart.test' }), 'accepted')
    equals(await t.refusalOf(issued.accessToken, { audience: 'https://other.test' }), 'claim_mismatch')
  })

  test('an audience that was narrowed at issue stays narrow', async (t) => {
    const issued = await t.login({ audience: 'https://cart.test' })
    equals(await t.refusalOf(issued.accessToken, { audience: 'https://cart.test' }), 'accepted')
    equals(await t.refusalOf(issued.accessToken, { audience: 'https://api.test' }), 'claim_mismatch')
    await rejects(t.login({ audience: 'https://other.test' }), { code: 'ERR_INPUT_INVALID' })
    if (renews) {
      t.clock.advanceMs(11 * SECOND)
      matches(await t.sessions.refresh(issued.refreshToken, { audience: 'https://api.test' }), {
        reason: 'claim_mismatch',
      })
    }
  })
}
