import { ok, rejects } from 'node:assert/strict'
import { isDeepStrictEqual } from 'node:util'
import { equals, matches } from '../checks.ts'
import type { Declare, Traits } from './bench.ts'

/** What an application keeps with a session, and what it can see of sessions. */
export function recordCases({ renews, atOnce }: Traits, test: Declare): void {
  test('updates land, also 20 at once, and a repeated operation only once', async (t) => {
    const issued = await t.login()
    const { sessionId } = issued.session
    const add = (item: string, operationId?: string) =>
      t.sessions.update(
        sessionId,
        (data) => ({ ...data, items: [...data.items, item] }),
        operationId ? { operationId } : {},
      )
    const results = await Promise.all(Array.from({ length: 20 }, (_, n) => add(`item-${n}`)))
    ok(results.every((result) => result.ok))
    await add('once', 'op-1')
    await add('once', 'op-1')
    const now = await t.sessions.get(sessionId)
    if (!now.ok) throw new Error(now.reason)
    equals(now.session.data.items.length, 21)
    equals(now.session.version, 22)
  })

  test('data that does not fit is refused, and nothing is lost', async (t) => {
    const issued = await t.login()
    const { sessionId } = issued.session
    await rejects(t.login({ data: { items: 'no' } }), { code: 'ERR_DATA_INVALID' })
    await rejects(t.login({ data: { items: ['x'.repeat(70_000)] } }), {
      code: 'ERR_DATA_TOO_LARGE',
    })
    await rejects(
      t.sessions.update(sessionId, () => ({ items: 3 }) as never),
      {
        code: 'ERR_DATA_INVALID',
      },
    )
    const kept = await t.sessions.get(sessionId)
    equals(kept.ok && kept.session.data, { items: [], theme: 'dark' })
  })

  test('lists devices, oldest first, and never a token', async (t) => {
    const issued: Array<Awaited<ReturnType<typeof t.login>>> = []
    for (let n = 0; n < 3; n++) {
      issued.push(await t.login({ device: { id: `d${n}` }, context: { ip: '192.0.2.1', userAgent: 'Test' } }))
      t.clock.advanceMs(1)
    }
    const listed = []
    for await (const session of t.sessions.list(t.subject)) listed.push(session)
    equals(
      listed.map((session) => session.device.id),
      ['d0', 'd1', 'd2'],
    )
    equals(listed[0]!.origin, { ip: '192.0.2.1', userAgent: 'Test' })
    const text = JSON.stringify(listed)
    for (const one of issued) {
      ok(!text.includes(one.accessToken))
      if (renews) ok(!text.includes(one.refreshToken))
    }
  })

  test('explains tokens and ids without using them', async (t) => {
    const issued = await t.login()
    matches(await t.sessions.explain(issued.accessToken), { accepted: true, subject: t.subject })
    matches(await t.sessions.explain(issued.session.sessionId), { kind: 'session_id', accepted: true })
    matches(await t.sessions.explain('nonsense'), { kind: 'unrecognised', accepted: false })
    if (renews) matches(await t.sessions.explain(issued.refreshToken), { kind: 'refresh_token', accepted: true })
    await t.sessions.revoke(issued.session.sessionId, { reason: 'logout' })
    matches(await t.sessions.explain(issued.session.sessionId), {
      accepted: false,
      refusal: { endedBy: 'logout' },
    })
    const told = JSON.stringify(await t.sessions.explain(issued.accessToken))
    ok(!told.includes(issued.accessToken))
    equals(t.seen('session_refused'), [])
  })

  test('watches sessions end, in whatever process', async (t) => {
    const [one, two, three] = [await t.login(), await t.login(), await t.login()]
    const stop = new AbortController()
    const other = await t.elsewhere()
    const ends: Array<{ id: string; endedBy: string }> = []
    const watching = (async () => {
      const ids = [one, two, three].map((issued) => issued.session.sessionId)
      for await (const end of t.sessions.watch(ids, stop.signal)) {
        ends.push(end)
        if (ends.length === 2) stop.abort()
      }
    })()
    await other.revoke(two.session.sessionId, { reason: 'logout' })
    await t.sessions.stepUp(three.session.sessionId, { acr: 'aal2', amr: ['otp'] })
    await watching
    ok(ends.some((one) => isDeepStrictEqual(one, { id: two.session.sessionId, endedBy: 'logout' })))
    ok(ends.some((one) => isDeepStrictEqual(one, { id: three.session.sessionId, endedBy: 'replaced' })))
  })

  test('tenants are worlds apart', async (t) => {
    const a = await t.login({ tenant: 'a' })
    const b = await t.login({ tenant: 'b' })
    await t.login()
    equals((await t.sessions.revokeAll({ subject: t.subject, tenant: 'a' }, { reason: 'admin' })).ended, 1)
    if (atOnce) equals(await t.refusalOf(a.accessToken), 'ended')
    equals(await t.refusalOf(b.accessToken), 'accepted')
    equals((await t.devices()).length, 1)
  })
}
