import { ok } from 'node:assert/strict'
import type { SessionId } from '../../session/ids.ts'
import type { LimitRule } from '../../stores/contract.ts'
import { equals, eventually, matches } from '../checks.ts'
import { DAY, MINUTE } from '../store/samples.ts'
import type { Declare, Traits, Try } from './bench.ts'

/** Timeouts and limits. */
export function lifetimeCases({ readsRecord, renews }: Traits, test: Declare): void {
  test('idle: refused between 1.0 and 1.1 of the window, and use extends it', async (t) => {
    const issued = await t.login()
    const { sessionId } = issued.session
    const isLive = async () => (await t.sessions.get(sessionId)).ok
    let { accessToken } = issued
    let refreshToken: string | undefined = renews ? issued.refreshToken : undefined
    const renew = async () => {
      if (refreshToken === undefined) return
      const next = await t.sessions.refresh(refreshToken)
      if (!next.ok) throw new Error(next.reason)
      accessToken = next.accessToken
      refreshToken = next.refreshToken
    }
    if (readsRecord) {
      for (let minutes = 0; minutes < 60; minutes += 5) {
        t.clock.advanceMs(5 * MINUTE)
        await renew()
        equals(await t.refusalOf(accessToken), 'accepted')
        await useNoted(t, sessionId)
      }
    } else {
      // `denylist` and `stateless` see activity only at refresh, which therefore extends the window.
      t.clock.advanceMs(29 * MINUTE)
      await renew()
    }
    t.clock.advanceMs(30 * MINUTE)
    ok(await isLive())
    t.clock.advanceMs(3 * MINUTE + 1)
    matches(await t.sessions.get(sessionId), { ok: false, reason: 'expired_idle' })
    if (!renews) equals(await t.refusalOf(accessToken), 'expired_idle')
    if (refreshToken !== undefined) matches(await t.sessions.refresh(refreshToken), { reason: 'expired_idle' })
  })

  test('absolute: nothing moves it', async (t) => {
    t.use({ timeouts: { absolute: '2h' } })
    const issued = await t.login()
    let { accessToken } = issued
    let refreshToken: string | undefined = renews ? issued.refreshToken : undefined
    for (let minutes = 0; minutes < 115; minutes += 5) {
      t.clock.advanceMs(5 * MINUTE)
      if (refreshToken !== undefined) {
        const next = await t.sessions.refresh(refreshToken)
        if (!next.ok) throw new Error(next.reason)
        accessToken = next.accessToken
        refreshToken = next.refreshToken
      }
      equals(await t.refusalOf(accessToken), 'accepted')
    }
    t.clock.advanceMs(5 * MINUTE)
    // A token in seconds may end up to a second before the record does.
    ok(['expired_absolute', 'expired'].includes(await t.refusalOf(accessToken)))
    if (refreshToken !== undefined) matches(await t.sessions.refresh(refreshToken), { reason: 'expired_absolute' })
  })

  test('a persistent session is idle for as long as its refresh token', async (t) => {
    t.use({ timeouts: { absolute: '30d', idle: '30m' } })
    const issued = await t.login({ persistent: true })
    t.clock.advanceMs(6 * DAY)
    if (renews) ok((await t.sessions.refresh(issued.refreshToken)).ok)
    else equals(await t.refusalOf(issued.accessToken), 'accepted')
    ok((await t.sessions.get(issued.session.sessionId)).ok)
  })

  test('the device limit holds: reject, oldest, least recent', async (t) => {
    const limits = (overflow: LimitRule['overflow']) => ({ limits: { perSubject: 2, overflow } })
    t.use(limits('reject'))
    await t.login()
    await t.login()
    matches(await t.sessions.issue({ subject: t.subject, data: { items: [] } }), { ok: false, reason: 'limit' })
    equals((await t.devices()).length, 2)

    t.use(limits('evict_oldest'))
    t.clock.advanceMs(1)
    const third = await t.login()
    const left = await t.devices()
    equals(left.length, 2)
    equals(left.at(-1), third.session.sessionId)
    matches(t.seen('session_ended'), [{ endedBy: 'limit' }])
  })
}

/** A use is noted in the background, after `verify` has answered: waits until the record tells it. */
async function useNoted(t: Try, id: SessionId): Promise<void> {
  await eventually(async () => {
    const found = await t.sessions.get(id)
    return found.ok && found.session.lastSeenAtMs === t.clock.nowMs()
  })
}
