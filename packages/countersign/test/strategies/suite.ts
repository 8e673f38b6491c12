import {
  allowlist,
  createSessions,
  denylist,
  generateKeyring,
  type Jwt,
  type KeyJwk,
  type Keyring,
  type KeyringFile,
  loadKeyring,
  opaque,
  parseSessionId,
  type SessionEvent,
  stateless,
  type Timeouts,
} from 'countersign'
import type { Store } from 'countersign/stores/contract'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { DAY, type FakeClock, fakeClock, HOUR, MINUTE, SECOND } from '../support/fake-clock.ts'

type Limits = { perSubject: number; overflow: 'reject' | 'evict_oldest' | 'evict_least_recent' }

export const STRATEGIES = ['opaque', 'allowlist', 'denylist', 'stateless'] as const
export type StrategyName = (typeof STRATEGIES)[number]

const Data = z.object({ items: z.array(z.string()), theme: z.enum(['dark', 'light']).default('dark') })
const JWT: Jwt<true> = { issuer: 'https://auth.test', audience: ['https://api.test', 'https://cart.test'] }

const retiring = (key: KeyJwk): KeyJwk => ({ ...key, state: 'retiring' })

function strategyOf(name: StrategyName, more: Partial<Jwt<true>> = {}) {
  const options = { ...JWT, ...more }
  switch (name) {
    case 'opaque':
      return opaque({ audience: options.audience })
    case 'allowlist':
      return allowlist(options)
    case 'denylist':
      return denylist(options)
    case 'stateless':
      return stateless(options)
  }
}

/**
 * What every strategy promises on every store, through the public verbs. Where a strategy promises something else, the
 * case says what and why; nothing is left out in silence.
 */
export function strategySuite(
  storeName: string,
  openServer: () => Promise<{ open(): Promise<Store>; stop(): Promise<void> }>,
): void {
  let server: Awaited<ReturnType<typeof openServer>>
  let keyring: Keyring
  let file: KeyringFile
  beforeAll(async () => {
    server = await openServer()
    file = generateKeyring()
    keyring = await loadKeyring(file)
  })
  afterAll(() => server?.stop())

  describe.each(STRATEGIES)(`%s on ${storeName}`, (name) => {
    const readsRecord = name === 'opaque' || name === 'allowlist'
    const renews = name !== 'opaque'
    const atOnce = name !== 'stateless'
    let clock: FakeClock
    let sessions: ReturnType<typeof make>
    let events: SessionEvent[]
    let subject: string
    let count = 0
    const opened: Array<{ close(): Promise<void> }> = []

    function make(
      store: Store,
      more: Partial<Jwt<true>> = {},
      rest: { limits?: Limits; timeouts?: Timeouts; keyring?: Keyring } = {},
    ) {
      const made = createSessions({
        strategy: strategyOf(name, more) as ReturnType<typeof allowlist<true>>,
        keyring: rest.keyring ?? keyring,
        store: clock.on(store),
        runtime: clock.runtime,
        timeouts: rest.timeouts ?? { absolute: '7d', idle: '30m' },
        ...(rest.limits && { limits: rest.limits }),
        data: Data,
        roles: ['user', 'moderator', 'admin'],
      })
      made.events.on('*', (event) => events.push(event))
      opened.push(made)
      return made
    }
    const seen = (type: SessionEvent['type']) => events.filter((event) => event.type === type)

    beforeEach(async () => {
      clock = fakeClock()
      events = []
      subject = `user-${name}-${++count}`
      sessions = make(await server.open())
    })
    afterEach(async () => {
      for (const one of opened.splice(0)) await one.close()
    })

    const login = async (more: object = {}) => {
      const issued = await sessions.issue({ subject, roles: ['user'], data: { items: [] }, ...more })
      if (!issued.ok) throw new Error(`login refused: ${issued.reason}`)
      return issued
    }
    const refusalOf = async (token: string, options = {}) => {
      const checked = await sessions.verify(token, options)
      return checked.ok ? 'accepted' : checked.reason
    }
    const devices = async () => {
      const ids: string[] = []
      for await (const session of sessions.list(subject)) ids.push(session.sessionId)
      return ids
    }

    test('issues a session that verifies, with what was said of it', async () => {
      const issued = await login({ device: { id: 'd1', label: 'Phone', class: 'mobile' }, amr: ['pwd'] })
      const checked = await sessions.verify(issued.accessToken)
      if (!checked.ok) throw new Error(checked.reason)
      expect(checked.session).toMatchObject({ subject, roles: ['user'], amr: ['pwd'], acr: 'aal1' })
      expect(checked.session.sessionId).toBe(issued.session.sessionId)
      expect(parseSessionId(checked.session.sessionId)).toBe(issued.session.sessionId)
      expect(Object.isFrozen(checked.session)).toBe(true)
      expect(seen('session_created')).toHaveLength(1)
      if (readsRecord) {
        expect(checked.session.data).toEqual({ items: [], theme: 'dark' })
        expect(checked.session.device).toEqual({ id: 'd1', label: 'Phone', class: 'mobile' })
      }
      expect('refreshToken' in issued && issued.refreshToken !== undefined).toBe(renews)
    })

    test('refuses what was not issued: garbage, a changed token, a token of the other kind', async () => {
      const issued = await login()
      expect(await refusalOf('')).toBe('missing')
      expect(await refusalOf('x'.repeat(50))).toBe('malformed')
      const { accessToken } = issued
      const middle = Math.floor(accessToken.length / 2)
      const flipped = `${accessToken.slice(0, middle)}${accessToken[middle] === 'A' ? 'B' : 'A'}${accessToken.slice(middle + 1)}`
      expect(['malformed', 'bad_signature']).toContain(await refusalOf(flipped))
      expect(await refusalOf(accessToken)).toBe('accepted')
      if (renews) {
        expect(await refusalOf(issued.refreshToken)).toBe('malformed')
        expect(await sessions.refresh(accessToken)).toMatchObject({ ok: false, reason: 'malformed' })
      }
    })

    test('a logout is a logout, and every later use says why', async () => {
      const issued = await login()
      const ended = await sessions.revoke(issued.session.sessionId, { reason: 'logout' })
      expect(ended.ended).toBe(1)
      expect(await devices()).toEqual([])
      if (atOnce) {
        expect(await sessions.verify(issued.accessToken)).toMatchObject({
          ok: false,
          reason: 'ended',
          endedBy: 'logout',
        })
        expect(ended.effectiveAtMs).toBe(clock.nowMs())
      } else {
        // Promise 2: in `stateless` at `exp`, and the answer of the call says so.
        expect(await refusalOf(issued.accessToken)).toBe('accepted')
        expect(ended.effectiveAtMs).toBe(clock.nowMs() + 10 * MINUTE)
        clock.advance(ended.effectiveAtMs! - clock.nowMs())
        expect(await refusalOf(issued.accessToken)).toBe('expired')
      }
      if (renews) {
        expect(await sessions.refresh(issued.refreshToken)).toMatchObject({
          ok: false,
          reason: 'ended',
          endedBy: 'logout',
        })
      }
      expect((await sessions.revoke(issued.session.sessionId, { reason: 'logout' })).ended).toBe(0)
      expect(await sessions.get(issued.session.sessionId)).toMatchObject({ ok: false, reason: 'ended' })
      await expect(sessions.update(issued.session.sessionId, (data) => data)).resolves.toMatchObject({ ok: false })
    })

    test('logs out everywhere, or everywhere else, and lets the next login in', async () => {
      const [one, two, three] = [await login(), await login(), await login()]
      expect(await devices()).toHaveLength(3)
      const others = await sessions.revokeAll(subject, { reason: 'admin', except: two.session.sessionId })
      expect(others.ended).toBe(2)
      expect(await devices()).toEqual([two.session.sessionId])
      if (atOnce) {
        expect(await refusalOf(one.accessToken)).toBe('ended')
        expect(await refusalOf(three.accessToken)).toBe('ended')
      }
      const kept = renews ? await sessions.refresh(two.refreshToken) : two
      expect(kept.ok && (await refusalOf(kept.accessToken))).toBe('accepted')
      expect((await sessions.revokeAll(subject, { reason: 'admin' })).ended).toBe(1)
      if (atOnce && kept.ok) expect(await refusalOf(kept.accessToken)).toBe('ended')
      const again = await login()
      expect(await refusalOf(again.accessToken)).toBe('accepted')
    })

    test('a ban blocks, ends and moves the epoch; unbanning lets in again', async () => {
      const before = await login()
      const epoch = await sessions.epoch(subject)
      await sessions.revokeAll(subject, { reason: 'banned', block: true })
      if (atOnce)
        expect(await sessions.verify(before.accessToken)).toMatchObject({ reason: 'ended', endedBy: 'banned' })
      expect(await sessions.issue({ subject, data: { items: [] } })).toMatchObject({ ok: false, reason: 'blocked' })
      await sessions.revokeAll(subject, { reason: 'admin', block: false })
      // A login whose password was checked before the ban stays out, also after the unban.
      expect(await sessions.issue({ subject, data: { items: [] }, ifEpoch: epoch })).toMatchObject({
        ok: false,
        reason: 'stale_epoch',
      })
      const now = await sessions.epoch(subject)
      expect(now).toBeGreaterThan(epoch)
      expect((await sessions.issue({ subject, data: { items: [] }, ifEpoch: now })).ok).toBe(true)
    })

    test('ends everybody at once, one second later at most', async () => {
      const mine = await login()
      const theirs = await sessions.issue({ subject: `${subject}-other`, data: { items: [] } })
      if (!theirs.ok) throw new Error(theirs.reason)
      const ended = await sessions.revokeEveryone({ reason: 'admin' })
      clock.advance(SECOND)
      if (atOnce) {
        expect(ended.effectiveAtMs! - clock.nowMs()).toBeLessThanOrEqual(0)
        expect(await sessions.verify(mine.accessToken)).toMatchObject({ reason: 'ended', endedBy: 'admin' })
        expect(await refusalOf(theirs.accessToken)).toBe('ended')
      }
      if (renews) expect(await sessions.refresh(mine.refreshToken)).toMatchObject({ ok: false, reason: 'ended' })
      expect(await devices()).toEqual([])
      const next = await login()
      expect(await refusalOf(next.accessToken)).toBe('accepted')
    })

    test('a role that is lost is lost at once; one that is gained comes with fresh secrets', async () => {
      const issued = await login({ roles: ['user', 'moderator'] })
      const demoted = await sessions.setRoles(subject, ['user'])
      expect(demoted.ended).toBe(1)
      const afterLoss = await refusalOf(issued.accessToken, { roles: ['moderator'] })
      // `denylist` refuses the older token, whose roles are stale; `stateless` keeps it until it expires.
      expect(afterLoss).toBe(
        { opaque: 'forbidden', allowlist: 'forbidden', denylist: 'superseded', stateless: 'accepted' }[name],
      )
      await sessions.setRoles(subject, ['user', 'admin'])
      if (readsRecord) expect(await refusalOf(issued.accessToken, { roles: ['admin'] })).toBe('forbidden')
      clock.advance(11 * SECOND)
      if (renews) {
        const next = await sessions.refresh(issued.refreshToken)
        if (!next.ok) throw new Error(next.reason)
        expect(next.session.roles).toEqual(['user', 'admin'])
        expect(next.session.sessionId).toBe(issued.session.sessionId)
        expect(await refusalOf(next.accessToken, { roles: ['admin'] })).toBe('accepted')
        if (atOnce)
          expect(await sessions.verify(issued.accessToken)).toMatchObject({ reason: 'superseded', remedy: 'refresh' })
      } else {
        const next = await login({ roles: ['user', 'admin'] })
        expect(await refusalOf(next.accessToken, { roles: ['admin'] })).toBe('accepted')
      }
    })

    test('a step-up gives a new id and new secrets; the old ones say that they were replaced', async () => {
      const issued = await login()
      await sessions.setRoles(subject, ['user', 'admin'])
      clock.advance(MINUTE)
      const up = await sessions.stepUp(issued.session.sessionId, { acr: 'aal2', amr: ['pwd', 'otp'] })
      if (!up.ok) throw new Error(up.reason)
      expect(up.session.sessionId).not.toBe(issued.session.sessionId)
      expect(up.session).toMatchObject({
        acr: 'aal2',
        roles: ['user', 'admin'],
        createdAtMs: issued.session.createdAtMs,
      })
      expect(up.accessToken).not.toBe(issued.accessToken)
      expect(await refusalOf(up.accessToken, { acr: 'aal2', maxAge: '5m', roles: ['admin'] })).toBe('accepted')
      if (atOnce) {
        expect(await sessions.verify(issued.accessToken)).toMatchObject({
          reason: 'ended',
          endedBy: 'replaced',
          remedy: renews ? 'refresh' : 'sign_in',
        })
      }
      // Revoking the id that was replaced ends the one that took over.
      expect((await sessions.revoke(issued.session.sessionId, { reason: 'logout' })).ended).toBe(1)
      if (atOnce) expect(await sessions.verify(up.accessToken)).toMatchObject({ reason: 'ended', endedBy: 'logout' })
      expect(await sessions.stepUp(issued.session.sessionId, { acr: 'aal2', amr: [] })).toMatchObject({ ok: false })
    })

    test('asks for more proof where the call demands it', async () => {
      const issued = await login()
      expect(await sessions.verify(issued.accessToken, { acr: 'aal2' })).toMatchObject({
        reason: 'insufficient_authentication',
        remedy: 'step_up',
      })
      expect(await refusalOf(issued.accessToken, { maxAge: '5m' })).toBe('accepted')
      clock.advance(6 * MINUTE)
      expect(await refusalOf(issued.accessToken, { maxAge: '5m' })).toBe('insufficient_authentication')
      expect(await refusalOf(issued.accessToken, { roles: ['admin'] })).toBe('forbidden')
      expect(await refusalOf(issued.accessToken, { roles: ['admin', 'user'] })).toBe('accepted')
      expect(await refusalOf(issued.accessToken, { audience: 'https://cart.test' })).toBe('accepted')
      expect(await refusalOf(issued.accessToken, { audience: 'https://other.test' })).toBe('claim_mismatch')
    })

    test('an audience that was narrowed at issue stays narrow', async () => {
      const issued = await login({ audience: 'https://cart.test' })
      expect(await refusalOf(issued.accessToken, { audience: 'https://cart.test' })).toBe('accepted')
      expect(await refusalOf(issued.accessToken, { audience: 'https://api.test' })).toBe('claim_mismatch')
      await expect(login({ audience: 'https://other.test' })).rejects.toMatchObject({ code: 'ERR_INPUT_INVALID' })
      if (renews) {
        clock.advance(11 * SECOND)
        expect(await sessions.refresh(issued.refreshToken, { audience: 'https://api.test' })).toMatchObject({
          reason: 'claim_mismatch',
        })
      }
    })

    test('idle: refused between 1.0 and 1.1 of the window, and use extends it', async () => {
      if (!renews || readsRecord) {
        const issued = await login()
        const keepUsing = async () => {
          for (let minutes = 0; minutes < 60; minutes += 5) {
            clock.advance(5 * MINUTE)
            const token = renews ? await refreshed(issued) : issued.accessToken
            expect(await refusalOf(token)).toBe('accepted')
            await settle()
          }
        }
        await keepUsing()
        const token = renews ? await refreshed(issued) : issued.accessToken
        clock.advance(30 * MINUTE)
        if (!renews) expect(await refusalOf(token)).toBe('accepted')
        await settle()
        clock.advance(33 * MINUTE + 1)
        if (!renews) expect(await refusalOf(token)).toBe('expired_idle')
        expect(await sessions.get(issued.session.sessionId)).toMatchObject({ ok: false, reason: 'expired_idle' })
      } else {
        // `denylist` and `stateless` see activity only at refresh, which therefore extends the window.
        const issued = await login()
        clock.advance(29 * MINUTE)
        const next = await sessions.refresh(issued.refreshToken)
        expect(next.ok).toBe(true)
        clock.advance(29 * MINUTE)
        expect((await sessions.get(issued.session.sessionId)).ok).toBe(true)
        clock.advance(5 * MINUTE)
        expect(await sessions.get(issued.session.sessionId)).toMatchObject({ reason: 'expired_idle' })
        if (next.ok) expect(await sessions.refresh(next.refreshToken)).toMatchObject({ reason: 'expired_idle' })
      }
    })

    /** Background touches are under way when `verify` answers; another read on the same store comes after them. */
    async function settle() {
      await new Promise((resolve) => setTimeout(resolve, 15))
      await sessions.epoch(subject)
    }
    const newest = new Map<string, string>()
    async function refreshed(issued: { session: { sessionId: string }; refreshToken?: string; accessToken: string }) {
      const id = issued.session.sessionId
      const next = await sessions.refresh(newest.get(id) ?? issued.refreshToken!)
      if (!next.ok) throw new Error(next.reason)
      newest.set(id, next.refreshToken)
      return next.accessToken
    }

    test('absolute: nothing moves it', async () => {
      sessions = make(await server.open(), {}, { timeouts: { absolute: '2h' } })
      const issued = await login()
      let { accessToken } = issued
      let refreshToken: string | undefined = renews ? issued.refreshToken : undefined
      for (let minutes = 0; minutes < 115; minutes += 5) {
        clock.advance(5 * MINUTE)
        if (refreshToken !== undefined) {
          const next = await sessions.refresh(refreshToken)
          if (!next.ok) throw new Error(next.reason)
          accessToken = next.accessToken
          refreshToken = next.refreshToken
        }
        expect(await refusalOf(accessToken)).toBe('accepted')
      }
      clock.advance(5 * MINUTE)
      // A token in seconds may end up to a second before the record does.
      expect(['expired_absolute', 'expired']).toContain(await refusalOf(accessToken))
      if (refreshToken !== undefined)
        expect(await sessions.refresh(refreshToken)).toMatchObject({ reason: 'expired_absolute' })
    })

    test('a persistent session is idle for as long as its refresh token', async () => {
      sessions = make(await server.open(), {}, { timeouts: { absolute: '30d', idle: '30m' } })
      const issued = await login({ persistent: true })
      clock.advance(6 * DAY)
      if (renews) expect((await sessions.refresh(issued.refreshToken)).ok).toBe(true)
      else expect(await refusalOf(issued.accessToken)).toBe('accepted')
      expect((await sessions.get(issued.session.sessionId)).ok).toBe(true)
    })

    test('the device limit holds: reject, oldest, least recent', async () => {
      const limits = (overflow: Limits['overflow']) => ({ limits: { perSubject: 2, overflow } })
      sessions = make(await server.open(), {}, limits('reject'))
      await login()
      await login()
      expect(await sessions.issue({ subject, data: { items: [] } })).toMatchObject({ ok: false, reason: 'limit' })
      expect(await devices()).toHaveLength(2)

      sessions = make(await server.open(), {}, limits('evict_oldest'))
      clock.advance(1)
      const third = await login()
      const left = await devices()
      expect(left).toHaveLength(2)
      expect(left.at(-1)).toBe(third.session.sessionId)
      expect(seen('session_ended')).toMatchObject([{ endedBy: 'limit' }])
    })

    test('updates land, also 20 at once, and a repeated operation only once', async () => {
      const issued = await login()
      const { sessionId } = issued.session
      const add = (item: string, operationId?: string) =>
        sessions.update(
          sessionId,
          (data) => ({ ...data, items: [...data.items, item] }),
          operationId ? { operationId } : {},
        )
      const results = await Promise.all(Array.from({ length: 20 }, (_, n) => add(`item-${n}`)))
      expect(results.every((result) => result.ok)).toBe(true)
      await add('once', 'op-1')
      await add('once', 'op-1')
      const now = await sessions.get(sessionId)
      if (!now.ok) throw new Error(now.reason)
      expect(now.session.data.items).toHaveLength(21)
      expect(now.session.version).toBe(22)
    })

    test('data that does not fit is refused, and nothing is lost', async () => {
      const issued = await login()
      const { sessionId } = issued.session
      await expect(login({ data: { items: 'no' } })).rejects.toMatchObject({ code: 'ERR_DATA_INVALID' })
      await expect(login({ data: { items: ['x'.repeat(70_000)] } })).rejects.toMatchObject({
        code: 'ERR_DATA_TOO_LARGE',
      })
      await expect(sessions.update(sessionId, () => ({ items: 3 }) as never)).rejects.toMatchObject({
        code: 'ERR_DATA_INVALID',
      })
      const kept = await sessions.get(sessionId)
      expect(kept.ok && kept.session.data).toEqual({ items: [], theme: 'dark' })
    })

    test('lists devices, oldest first, and never a token', async () => {
      const issued: Array<Awaited<ReturnType<typeof login>>> = []
      for (let n = 0; n < 3; n++) {
        issued.push(await login({ device: { id: `d${n}` }, context: { ip: '192.0.2.1', userAgent: 'Test' } }))
        clock.advance(1)
      }
      const listed = []
      for await (const session of sessions.list(subject)) listed.push(session)
      expect(listed.map((session) => session.device.id)).toEqual(['d0', 'd1', 'd2'])
      expect(listed[0]!.origin).toEqual({ ip: '192.0.2.1', userAgent: 'Test' })
      const text = JSON.stringify(listed)
      for (const one of issued) {
        expect(text).not.toContain(one.accessToken)
        if (renews) expect(text).not.toContain(one.refreshToken)
      }
    })

    test('explains tokens and ids without using them', async () => {
      const issued = await login()
      expect(await sessions.explain(issued.accessToken)).toMatchObject({ accepted: true, subject })
      expect(await sessions.explain(issued.session.sessionId)).toMatchObject({ kind: 'session_id', accepted: true })
      expect(await sessions.explain('nonsense')).toMatchObject({ kind: 'unrecognised', accepted: false })
      if (renews)
        expect(await sessions.explain(issued.refreshToken)).toMatchObject({ kind: 'refresh_token', accepted: true })
      await sessions.revoke(issued.session.sessionId, { reason: 'logout' })
      expect(await sessions.explain(issued.session.sessionId)).toMatchObject({
        accepted: false,
        refusal: { endedBy: 'logout' },
      })
      const told = JSON.stringify(await sessions.explain(issued.accessToken))
      expect(told).not.toContain(issued.accessToken)
      expect(seen('session_refused')).toEqual([])
    })

    test('watches sessions end, in whatever process', async () => {
      const [one, two, three] = [await login(), await login(), await login()]
      const stop = new AbortController()
      const other = make(await server.open())
      const ends: Array<{ id: string; endedBy: string }> = []
      const watching = (async () => {
        const ids = [one, two, three].map((issued) => issued.session.sessionId)
        for await (const end of sessions.watch(ids, stop.signal)) {
          ends.push(end)
          if (ends.length === 2) stop.abort()
        }
      })()
      await other.revoke(two.session.sessionId, { reason: 'logout' })
      await sessions.stepUp(three.session.sessionId, { acr: 'aal2', amr: ['otp'] })
      await watching
      expect(ends).toContainEqual({ id: two.session.sessionId, endedBy: 'logout' })
      expect(ends).toContainEqual({ id: three.session.sessionId, endedBy: 'replaced' })
    })

    test('tenants are worlds apart', async () => {
      const a = await login({ tenant: 'a' })
      const b = await login({ tenant: 'b' })
      await login()
      expect((await sessions.revokeAll({ subject, tenant: 'a' }, { reason: 'admin' })).ended).toBe(1)
      if (atOnce) expect(await refusalOf(a.accessToken)).toBe('ended')
      expect(await refusalOf(b.accessToken)).toBe('accepted')
      expect(await devices()).toHaveLength(1)
    })

    describe.skipIf(!renews)('refresh [skipped: opaque slides instead, there is no refresh token]', () => {
      test('rotates once per grace; tabs and lost answers get the same successor', async () => {
        const issued = await login()
        const early = await sessions.refresh(issued.refreshToken)
        expect(early).toMatchObject({ ok: true, rotation: 'current', refreshToken: issued.refreshToken })
        clock.advance(11 * SECOND)
        const answers = await Promise.all(Array.from({ length: 16 }, () => sessions.refresh(issued.refreshToken)))
        const tokens = new Set(answers.map((answer) => (answer.ok ? answer.refreshToken : answer.reason)))
        expect(tokens.size).toBe(1)
        expect(answers.filter((answer) => answer.ok && answer.rotation === 'rotated')).toHaveLength(1)
        expect(answers.filter((answer) => answer.ok && answer.rotation === 'replayed')).toHaveLength(15)
        expect(seen('refresh_replayed')).toHaveLength(15)
        clock.advance(HOUR / 4)
        const late = await sessions.refresh(issued.refreshToken)
        expect(late).toMatchObject({ ok: true, rotation: 'replayed', refreshToken: [...tokens][0] })
      })

      test('an old token after its successor was used ends the session', async () => {
        const issued = await login()
        clock.advance(11 * SECOND)
        const second = await sessions.refresh(issued.refreshToken)
        if (!second.ok) throw new Error(second.reason)
        clock.advance(11 * SECOND)
        const third = await sessions.refresh(second.refreshToken)
        if (!third.ok) throw new Error(third.reason)
        expect(await sessions.refresh(issued.refreshToken)).toMatchObject({
          ok: false,
          reason: 'reused',
          endedBy: 'reused',
        })
        expect(seen('refresh_reused')).toHaveLength(1)
        expect(await sessions.refresh(third.refreshToken)).toMatchObject({ ok: false, reason: 'reused' })
        if (atOnce) expect(await refusalOf(third.accessToken)).toBe('reused')
      })

      test('repeats beyond the limit demand a step-up and change nothing', async () => {
        const issued = await login()
        clock.advance(11 * SECOND)
        await sessions.refresh(issued.refreshToken)
        clock.advance(11 * SECOND)
        for (let n = 0; n < 5; n++) expect((await sessions.refresh(issued.refreshToken)).ok).toBe(true)
        expect(await sessions.refresh(issued.refreshToken)).toMatchObject({
          ok: false,
          reason: 'insufficient_authentication',
          remedy: 'step_up',
        })
        expect((await sessions.get(issued.session.sessionId)).ok).toBe(true)
      })

      test('a repeat derives with the rotation key that the record names, not with the newest', async () => {
        const issued = await login()
        clock.advance(11 * SECOND)
        const first = await sessions.refresh(issued.refreshToken)
        if (!first.ok) throw new Error(first.reason)
        const spare = generateKeyring()
        const next = await loadKeyring({
          ...file,
          mac: [...file.mac.map(retiring), { ...spare.mac[0]!, number: 2 }],
          rotation: [...file.rotation.map(retiring), { ...spare.rotation[0]!, number: 2 }],
        })
        sessions = make(await server.open(), {}, { keyring: next })
        expect(await sessions.refresh(issued.refreshToken)).toMatchObject({
          ok: true,
          rotation: 'replayed',
          refreshToken: first.refreshToken,
        })
        clock.advance(11 * SECOND)
        expect(await sessions.refresh(first.refreshToken)).toMatchObject({ ok: true, rotation: 'rotated' })
      })

      test('the current token from elsewhere is exchanged, and told', async () => {
        const issued = await login({ context: { ip: '192.0.2.1' } })
        await sessions.refresh(issued.refreshToken, { context: { ip: '192.0.2.1' } })
        expect(seen('refresh_replayed')).toEqual([])
        await sessions.refresh(issued.refreshToken, { context: { ip: '198.51.100.7' } })
        expect(seen('refresh_replayed')).toMatchObject([
          { firstOrigin: { ip: '192.0.2.1' }, context: { ip: '198.51.100.7' } },
        ])
      })

      test('strict: to the letter of ASVS 10.4.5', async () => {
        sessions = make(await server.open(), { reuse: 'strict' })
        const issued = await login()
        const next = await sessions.refresh(issued.refreshToken)
        expect(next).toMatchObject({ ok: true, rotation: 'rotated' })
        expect(await sessions.refresh(issued.refreshToken)).toMatchObject({ ok: false, reason: 'reused' })
      })

      test('a wrong secret under a right id has no side effect', async () => {
        const issued = await login()
        const forged = `csr_${issued.refreshToken.slice(4, -10)}AAAAAAAAAA`
        expect(await sessions.refresh(forged)).toMatchObject({ ok: false })
        expect((await sessions.refresh(issued.refreshToken)).ok).toBe(true)
        expect((await sessions.get(issued.session.sessionId)).ok).toBe(true)
      })

      test('the refresh token has a lifetime of its own', async () => {
        sessions = make(await server.open(), { refreshLifetime: '1h' }, { timeouts: { absolute: '7d' } })
        const issued = await login()
        clock.advance(HOUR)
        expect(await sessions.refresh(issued.refreshToken)).toMatchObject({
          ok: false,
          reason: 'expired',
          remedy: 'sign_in',
        })
      })
    })
  })
}
