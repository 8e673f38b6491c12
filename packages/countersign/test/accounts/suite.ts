import type { Account, Store } from 'countersign/stores/contract'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import {
  accountsOf,
  argon2,
  blockedIn,
  gate,
  identifier,
  isLive,
  type Kit,
  kitOn,
  loggedIn,
  login,
  newcomer,
  OTHER_PASSWORD,
  PASSWORD,
  type Role,
  recorded,
} from './kit.ts'

/** What accounts promise on every store, with real sessions and real hashes. */
export function accountsSuite(
  storeName: string,
  openServer: () => Promise<{ open(): Promise<Store>; stop(): Promise<void> }>,
): void {
  let server: Awaited<ReturnType<typeof openServer>>
  let kit: Kit
  beforeAll(async () => {
    server = await openServer()
    kit = await kitOn(await server.open())
    await kit.accounts.ready()
  })
  afterAll(async () => {
    await kit?.sessions.close()
    await server?.stop()
  })
  beforeEach(() => {
    kit.events.length = 0
  })
  afterEach(() => {
    vi.restoreAllMocks()
  })

  /** The account as the store has it. */
  const stored = async (subject: string): Promise<Account> => {
    const ref = await kit.store.accounts.subjectOf({ identifier: (await kit.accounts.get(subject))!.identifier })
    return (await kit.store.accounts.bySubject(ref!))!
  }
  /** Another process whose next call of `verb` to the sessions fails before it arrives. */
  const dying = (verb: 'revokeAll' | 'setRoles') => {
    let died = false
    const sessions = {
      ...kit.sessions,
      [verb]: (...input: never[]) => {
        if (died) return (kit.sessions[verb] as Function)(...input)
        died = true
        return Promise.reject(new Error('the process died here'))
      },
    }
    return accountsOf(kit, { sessions })
  }
  /** Another process whose next call of `verb` to the sessions waits before it sets off. */
  const slow = (verb: 'revokeAll' | 'setRoles') => {
    const { open, opened } = gate()
    const { open: arrive, opened: arrived } = gate()
    let first = true
    const sessions = {
      ...kit.sessions,
      [verb]: async (...input: never[]) => {
        if (first) {
          first = false
          arrive()
          await opened
        }
        return (kit.sessions[verb] as Function)(...input)
      },
    }
    return { accounts: accountsOf(kit, { sessions }), arrived, open }
  }
  /** Keeps the next login inside its hash. */
  const holdNextHash = () => {
    const { open, opened } = gate()
    const { open: arrive, opened: arrived } = gate()
    const real = argon2.verify
    vi.spyOn(argon2, 'verify').mockImplementationOnce(async (...input) => {
      arrive()
      await opened
      return real(...input)
    })
    return { open, arrived }
  }
  const eventsOf = (type: string) => kit.events.filter((event) => event.type === type)

  describe(`accounts on ${storeName}`, () => {
    test('somebody registers, logs in and gets a session with the roles of the account', async () => {
      const name = identifier()
      const done = await kit.accounts.register({ identifier: name, password: PASSWORD, roles: ['user', 'editor'] })
      if (!done.ok) return expect.fail(done.reason)
      expect(done.account).toMatchObject({ identifier: name, roles: ['user', 'editor'], blocked: null })
      expect(done.account.subject).toMatch(/^[A-Za-z0-9_-]{24}$/)

      const who = await kit.accounts.authenticate({ identifier: name, password: PASSWORD })
      expect(who).toMatchObject({ ok: true, subject: done.account.subject, acr: 'aal1', amr: ['pwd'] })
      const issued = await loggedIn(kit, name)
      expect(issued.session).toMatchObject({ subject: done.account.subject, roles: ['user', 'editor'], amr: ['pwd'] })
      expect(await kit.accounts.find(name)).toEqual(done.account)
      expect(await kit.accounts.get(done.account.subject)).toEqual(done.account)
      expect(kit.events.map((event) => event.type)).toEqual(['registered', 'authenticated', 'authenticated'])
    })

    test('subjects are never the same and have nothing to do with the identifier', async () => {
      const all = await Promise.all(Array.from({ length: 8 }, () => newcomer(kit)))
      expect(new Set(all.map((account) => account.subject)).size).toBe(8)
    })

    test('an identifier is found in every form that is the same, on every path', async () => {
      const mark = identifier()
      const done = await kit.accounts.register({ identifier: `  Zoë.${mark}\t`, password: PASSWORD })
      if (!done.ok) return expect.fail(done.reason)
      for (const form of [`zoë.${mark}`, `ZOE\u0308.${mark.toUpperCase()} `, `ｚｏë.${mark}`]) {
        expect((await kit.accounts.find(form))?.subject).toBe(done.account.subject)
        expect(await login(kit, form)).toMatchObject({ ok: true })
        expect(await kit.accounts.register({ identifier: form, password: PASSWORD })).toEqual({
          ok: false,
          reason: 'identifier_taken',
        })
      }
      expect(await kit.accounts.find(`zoe.${mark}`)).toBeNull()
    })

    test('of ten registrations of one identifier at once, one wins, and it is the one that can log in', async () => {
      const name = identifier()
      const passwords = Array.from({ length: 10 }, (_, i) => `${PASSWORD} number ${i}`)
      const answers = await Promise.all(
        passwords.map((password) => kit.accounts.register({ identifier: name, password })),
      )
      expect(answers.filter((answer) => answer.ok)).toHaveLength(1)
      expect(answers.filter((answer) => !answer.ok && answer.reason === 'identifier_taken')).toHaveLength(9)
      const winner = answers.findIndex((answer) => answer.ok)
      for (const [i, password] of passwords.entries()) {
        expect((await kit.accounts.authenticate({ identifier: name, password })).ok).toBe(i === winner)
      }
    })

    test('tenants have nothing to do with each other', async () => {
      const name = identifier()
      const other = `${OTHER_PASSWORD} b`
      const a = await kit.accounts.register({ identifier: name, tenant: 'a', password: PASSWORD })
      const b = await kit.accounts.register({ identifier: name, tenant: 'b', password: other })
      if (!a.ok || !b.ok) return expect.fail('register')
      expect(await kit.accounts.authenticate({ identifier: name, tenant: 'a', password: PASSWORD })).toMatchObject({
        ok: true,
        subject: a.account.subject,
        tenant: 'a',
      })
      const refused = { ok: false, reason: 'bad_credentials' }
      expect(await kit.accounts.authenticate({ identifier: name, tenant: 'b', password: PASSWORD })).toEqual(refused)
      expect(await kit.accounts.authenticate({ identifier: name, password: PASSWORD })).toEqual(refused)
      await kit.accounts.ban({ subject: a.account.subject, tenant: 'a' })
      expect(await kit.accounts.authenticate({ identifier: name, tenant: 'b', password: other })).toMatchObject({
        ok: true,
        tenant: 'b',
      })
    })

    test('a login asks three things, and exactly as much for somebody who does not exist', async () => {
      const calls: string[] = []
      const accounts = accountsOf(kit, {
        accounts: recorded(kit.store.accounts, 'accounts', calls),
        sessions: recorded({ ...kit.sessions }, 'sessions', calls),
      })
      const { identifier: name } = await newcomer(kit)
      const verify = vi.spyOn(argon2, 'verify')
      const hash = vi.spyOn(argon2, 'hash')
      const attempt = async (who: string, password: string) => {
        calls.length = 0
        verify.mockClear()
        hash.mockClear()
        const answer = await accounts.authenticate({ identifier: who, password })
        const cost = verify.mock.calls.map(([phc]) => /m=\d+,t=\d+,p=\d+/.exec(String(phc))![0])
        return { answer, calls: [...calls], cost, newHashes: hash.mock.calls.length }
      }

      const right = await attempt(name, PASSWORD)
      expect(right.answer.ok).toBe(true)
      expect(right.calls).toEqual(['accounts.subjectOf', 'sessions.epoch', 'accounts.bySubject'])
      const wrong = await attempt(name, OTHER_PASSWORD)
      const unknown = await attempt(identifier(), PASSWORD)
      for (const other of [wrong, unknown]) {
        expect(other).toEqual({
          answer: { ok: false, reason: 'bad_credentials' },
          calls: right.calls,
          cost: ['m=7168,t=5,p=1'],
          newHashes: 0,
        })
      }
      expect(right.cost).toEqual(unknown.cost)
    })

    test('a ban ends the sessions, refuses logins, and is told only to who knows the password', async () => {
      const { identifier: name, subject } = await newcomer(kit)
      const { session } = await loggedIn(kit, name)
      const done = await kit.accounts.ban(subject, { reason: 'spam' })
      expect(done).toMatchObject({ ok: true, account: { blocked: 'spam' }, ended: { ended: 1 } })
      expect(await kit.sessions.get(session.sessionId)).toMatchObject({ ok: false, reason: 'ended', endedBy: 'banned' })
      expect(await login(kit, name)).toEqual({ ok: false, reason: 'blocked' })
      expect(await login(kit, name, OTHER_PASSWORD)).toEqual({ ok: false, reason: 'bad_credentials' })
      expect(await kit.accounts.confirm({ subject, password: PASSWORD })).toEqual({ ok: false, reason: 'blocked' })
      expect(await kit.sessions.issue({ subject })).toMatchObject({ ok: false, reason: 'blocked' })
      expect(await kit.accounts.changePassword({ subject, current: PASSWORD, next: OTHER_PASSWORD })).toEqual({
        ok: false,
        reason: 'blocked',
      })

      expect(await kit.accounts.unban(subject)).toMatchObject({ ok: true, account: { blocked: null } })
      const again = await loggedIn(kit, name)
      // Unbanning somebody who is not banned ends nothing.
      expect(await kit.accounts.unban(subject)).toMatchObject({ ok: true, ended: undefined })
      expect(await isLive(kit, again.session.sessionId)).toBe(true)
      expect(eventsOf('banned')).toMatchObject([{ subject, reason: 'spam', ended: 1 }])
      expect(eventsOf('unbanned')).toHaveLength(1)
    })

    test('verbs on an account that does not exist say so', async () => {
      const refused = { ok: false, reason: 'unknown_account' }
      expect(await kit.accounts.ban('nobody')).toEqual(refused)
      expect(await kit.accounts.unban('nobody')).toEqual(refused)
      expect(await kit.accounts.setRoles('nobody', ['user'])).toEqual(refused)
      expect(await kit.accounts.get('nobody')).toBeNull()
      expect(await kit.accounts.find('nobody')).toBeNull()
      expect(await kit.accounts.find('\u0000')).toBeNull()
      const denied = { ok: false, reason: 'bad_credentials' }
      expect(await kit.accounts.confirm({ subject: 'nobody', password: PASSWORD })).toEqual(denied)
      const change = { subject: 'nobody', current: PASSWORD, next: OTHER_PASSWORD }
      expect(await kit.accounts.changePassword(change)).toEqual(denied)
    })

    test('roles that are lost are gone from live sessions at once', async () => {
      const { identifier: name, subject } = await newcomer(kit, { roles: ['user', 'admin'] })
      const { session } = await loggedIn(kit, name)
      const done = await kit.accounts.setRoles(subject, ['user'])
      expect(done).toMatchObject({ ok: true, account: { roles: ['user'] }, ended: { ended: 1 } })
      expect(await kit.sessions.get(session.sessionId)).toMatchObject({ ok: true, session: { roles: ['user'] } })
      expect((await loggedIn(kit, name)).session.roles).toEqual(['user'])
      expect(eventsOf('roles_changed')).toMatchObject([{ subject, roles: ['user'], before: ['user', 'admin'] }])
      await expect(kit.accounts.setRoles(subject, ['root' as Role])).rejects.toMatchObject({
        code: 'ERR_INPUT_INVALID',
      })
    })

    test('a password change ends every other session and gives the own one a new id', async () => {
      const { identifier: name, subject, passwordChangedAtMs } = await newcomer(kit)
      const own = (await loggedIn(kit, name)).session.sessionId
      const other = (await loggedIn(kit, name)).session.sessionId

      const renew = () => kit.sessions.stepUp(own, { acr: 'aal1', amr: ['pwd'] })
      const wrong = { subject, current: OTHER_PASSWORD, next: `${OTHER_PASSWORD} 2`, renew }
      expect(await kit.accounts.changePassword(wrong)).toEqual({ ok: false, reason: 'bad_credentials' })
      expect(eventsOf('password_change_failed')).toMatchObject([{ subject, reason: 'bad_credentials' }])
      expect(eventsOf('authentication_failed')).toMatchObject([{ subject, reason: 'wrong_password', again: true }])
      expect(await isLive(kit, other)).toBe(true)

      const right = { subject, current: PASSWORD, next: OTHER_PASSWORD, renew }
      const changed = await kit.accounts.changePassword(right)
      if (!changed.ok) return expect.fail(changed.reason)
      expect(changed.ended.ended).toBe(1)
      expect(changed.account.passwordChangedAtMs).toBeGreaterThanOrEqual(passwordChangedAtMs)
      expect(await kit.sessions.get(other)).toMatchObject({ reason: 'ended', endedBy: 'password_changed' })
      const stepped = changed.renewed
      if (!stepped?.ok) return expect.fail(stepped?.reason)
      expect(stepped.session.sessionId).not.toBe(own)
      expect(await isLive(kit, own)).toBe(false)
      expect(await isLive(kit, stepped.session.sessionId)).toBe(true)

      expect(await login(kit, name)).toEqual({ ok: false, reason: 'bad_credentials' })
      expect(await login(kit, name, OTHER_PASSWORD)).toMatchObject({ ok: true })
      expect((await stored(subject)).unsettled).toBeNull()
    })

    test('a session that was replaced meanwhile is not spared: who replaced it may be the reason for the change', async () => {
      const { identifier: name, subject } = await newcomer(kit)
      const own = (await loggedIn(kit, name)).session.sessionId
      const thief = await kit.sessions.stepUp(own, { acr: 'aal1', amr: ['pwd'] })
      if (!thief.ok) return expect.fail(thief.reason)
      const changed = await kit.accounts.changePassword({
        subject,
        current: PASSWORD,
        next: OTHER_PASSWORD,
        renew: () => kit.sessions.stepUp(own, { acr: 'aal1', amr: ['pwd'] }),
      })
      expect(changed).toMatchObject({ ok: true, renewed: { ok: false, reason: 'ended', endedBy: 'replaced' } })
      expect(await isLive(kit, thief.session.sessionId)).toBe(false)
      const ifEpoch = changed.ok ? changed.ended.epoch! : -1
      expect(await kit.sessions.issue({ subject, ifEpoch })).toMatchObject({ ok: true })
    })

    test('a renewal that gets no answer spares nothing', async () => {
      const { identifier: name, subject } = await newcomer(kit)
      const own = (await loggedIn(kit, name)).session.sessionId
      const renew = () => Promise.reject(new Error('no answer'))
      await expect(
        kit.accounts.changePassword({ subject, current: PASSWORD, next: OTHER_PASSWORD, renew }),
      ).rejects.toThrow('no answer')
      expect(await isLive(kit, own)).toBe(false)
      expect(await login(kit, name, OTHER_PASSWORD)).toMatchObject({ ok: true })
    })

    test('a confirmed password steps a session up', async () => {
      const { identifier: name, subject } = await newcomer(kit)
      const { session } = await loggedIn(kit, name)
      expect(await kit.accounts.confirm({ subject, password: OTHER_PASSWORD })).toEqual({
        ok: false,
        reason: 'bad_credentials',
      })
      const confirmed = await kit.accounts.confirm({ subject, password: PASSWORD })
      if (!confirmed.ok) return expect.fail(confirmed.reason)
      expect(await kit.sessions.stepUp(session.sessionId, confirmed)).toMatchObject({ ok: true })
      expect(eventsOf('authenticated')).toMatchObject([{ again: false }, { again: true, subject }])
    })

    test.each([
      ['a ban', 'blocked', (subject: string) => kit.accounts.ban(subject)],
      ['a ban and an unban', 'stale_epoch', (s: string) => kit.accounts.ban(s).then(() => kit.accounts.unban(s))],
      ['a role change', 'stale_epoch', (subject: string) => kit.accounts.setRoles(subject, [])],
      [
        'a password change',
        'stale_epoch',
        (subject: string) => kit.accounts.changePassword({ subject, current: PASSWORD, next: OTHER_PASSWORD }),
      ],
    ])('a login that hangs in its hash does not overtake %s', async (_, reason, act) => {
      const { identifier: name, subject } = await newcomer(kit, { roles: ['user'] })
      const held = holdNextHash()
      const late = login(kit, name)
      await held.arrived
      expect(await act(subject)).toMatchObject({ ok: true })
      held.open()
      expect(await late).toMatchObject({ ok: false, reason })
    })

    describe('a process that dies between the account and the sessions', () => {
      test('password change: the next login ends the sessions first, and gets in', async () => {
        const { identifier: name, subject } = await newcomer(kit)
        const old = (await loggedIn(kit, name)).session.sessionId
        const change = { subject, current: PASSWORD, next: OTHER_PASSWORD }
        await expect(dying('revokeAll').changePassword(change)).rejects.toThrow('died')
        expect(await isLive(kit, old)).toBe(true)
        expect((await stored(subject)).unsettled).toBe('password_changed')

        const fresh = await loggedIn(kit, name, OTHER_PASSWORD)
        expect(await isLive(kit, old)).toBe(false)
        expect(await isLive(kit, fresh.session.sessionId)).toBe(true)
        expect((await stored(subject)).unsettled).toBeNull()
        expect(eventsOf('change_finished')).toMatchObject([{ subject, change: 'password_changed' }])
        await loggedIn(kit, name, OTHER_PASSWORD)
        expect(await isLive(kit, fresh.session.sessionId)).toBe(true)
      })

      test('ban: a wrong password is enough to finish it', async () => {
        const { identifier: name, subject } = await newcomer(kit)
        const old = (await loggedIn(kit, name)).session.sessionId
        await expect(dying('revokeAll').ban(subject)).rejects.toThrow('died')
        expect(await isLive(kit, old)).toBe(true)
        expect(await login(kit, name, OTHER_PASSWORD)).toMatchObject({ ok: false, reason: 'bad_credentials' })
        expect(await isLive(kit, old)).toBe(false)
        expect(await blockedIn(kit, subject)).toEqual({ account: true, gate: true })
      })

      test('unban: the next login gets in', async () => {
        const { identifier: name, subject } = await newcomer(kit)
        await kit.accounts.ban(subject)
        await expect(dying('revokeAll').unban(subject)).rejects.toThrow('died')
        expect(await kit.sessions.issue({ subject })).toMatchObject({ ok: false, reason: 'blocked' })
        expect(await login(kit, name)).toMatchObject({ ok: true })
        expect(await blockedIn(kit, subject)).toEqual({ account: false, gate: false })
      })

      test('roles: the next login takes them from the live sessions', async () => {
        const { identifier: name, subject } = await newcomer(kit, { roles: ['user', 'admin'] })
        const { session } = await loggedIn(kit, name)
        await expect(dying('setRoles').setRoles(subject, ['user'])).rejects.toThrow('died')
        expect(await kit.sessions.get(session.sessionId)).toMatchObject({ session: { roles: ['user', 'admin'] } })
        expect(await login(kit, name)).toMatchObject({ ok: true, session: { roles: ['user'] } })
        expect(await kit.sessions.get(session.sessionId)).toMatchObject({ session: { roles: ['user'] } })
      })

      test.each([
        ['confirm', (subject: string) => kit.accounts.confirm({ subject, password: OTHER_PASSWORD })],
        ['setRoles', (subject: string) => kit.accounts.setRoles(subject, [])],
        ['unban', (subject: string) => kit.accounts.unban(subject)],
        ['ban', (subject: string) => kit.accounts.ban(subject)],
        [
          'changePassword',
          (subject: string) => kit.accounts.changePassword({ subject, current: OTHER_PASSWORD, next: PASSWORD }),
        ],
      ])('%s finishes an open password change', async (_, act) => {
        const { identifier: name, subject } = await newcomer(kit)
        const old = (await loggedIn(kit, name)).session.sessionId
        const change = { subject, current: PASSWORD, next: OTHER_PASSWORD }
        await expect(dying('revokeAll').changePassword(change)).rejects.toThrow('died')
        expect(await act(subject)).toMatchObject({ ok: true })
        expect(await isLive(kit, old)).toBe(false)
        expect((await stored(subject)).unsettled).toBeNull()
      })

      test('as long as the sessions cannot be told, nobody gets in', async () => {
        const { identifier: name, subject } = await newcomer(kit)
        const change = { subject, current: PASSWORD, next: OTHER_PASSWORD }
        await expect(dying('revokeAll').changePassword(change)).rejects.toThrow('died')
        const down = dying('revokeAll').authenticate({ identifier: name, password: OTHER_PASSWORD })
        await expect(down).rejects.toThrow('died')
        expect((await stored(subject)).unsettled).toBe('password_changed')
        expect(await login(kit, name, OTHER_PASSWORD)).toMatchObject({ ok: true })
      })
    })

    describe('changes at the same time', () => {
      test('a ban during a password change keeps both', async () => {
        const { identifier: name, subject } = await newcomer(kit)
        const held = holdNextHash()
        const changing = kit.accounts.changePassword({ subject, current: PASSWORD, next: OTHER_PASSWORD })
        await held.arrived
        await kit.accounts.ban(subject, { reason: 'stolen' })
        held.open()
        expect(await changing).toMatchObject({ ok: true, account: { blocked: 'stolen' } })
        expect(await blockedIn(kit, subject)).toEqual({ account: true, gate: true })
        expect(await login(kit, name, PASSWORD)).toMatchObject({ reason: 'bad_credentials' })
        expect(await login(kit, name, OTHER_PASSWORD)).toMatchObject({ reason: 'blocked' })
      })

      test('of two password changes that know the same password, one wins', async () => {
        const { identifier: name, subject } = await newcomer(kit)
        const nexts = [`${OTHER_PASSWORD} 1`, `${OTHER_PASSWORD} 2`]
        const answers = await Promise.all(
          nexts.map((next) => kit.accounts.changePassword({ subject, current: PASSWORD, next })),
        )
        expect(answers.map((answer) => answer.ok).sort()).toEqual([false, true])
        const winner = nexts[answers.findIndex((answer) => answer.ok)]!
        expect(await login(kit, name, winner)).toMatchObject({ ok: true })
      })

      test('a ban that is slow to reach the sessions does not undo the unban that came after', async () => {
        const { subject } = await newcomer(kit)
        const late = slow('revokeAll')
        const banning = late.accounts.ban(subject)
        await late.arrived
        expect(await kit.accounts.unban(subject)).toMatchObject({ ok: true })
        late.open()
        await banning
        expect(await blockedIn(kit, subject)).toEqual({ account: false, gate: false })
      })

      test('an unban that is slow to reach the sessions does not undo the ban that came after', async () => {
        const { subject } = await newcomer(kit)
        await kit.accounts.ban(subject)
        const late = slow('revokeAll')
        const unbanning = late.accounts.unban(subject)
        await late.arrived
        await kit.accounts.ban(subject)
        late.open()
        await unbanning
        expect(await blockedIn(kit, subject)).toEqual({ account: true, gate: true })
      })

      test('roles that are slow to reach the sessions do not undo later ones', async () => {
        const { identifier: name, subject } = await newcomer(kit, { roles: ['user', 'editor'] })
        const { session } = await loggedIn(kit, name)
        const late = slow('setRoles')
        const first = late.accounts.setRoles(subject, ['user', 'editor', 'admin'])
        await late.arrived
        await kit.accounts.setRoles(subject, ['user'])
        late.open()
        await first
        expect((await kit.accounts.get(subject))?.roles).toEqual(['user'])
        const found = await kit.store.sessions.read(session.sessionId)
        expect(found).toMatchObject({ is: 'live', record: { roles: ['user'], pendingRoles: null } })
      })

      test('whatever the order, the account and the sessions agree in the end', async () => {
        for (let round = 0; round < 8; round++) {
          const { identifier: name, subject } = await newcomer(kit, { roles: ['user'] })
          const { session } = await loggedIn(kit, name)
          const sets: Role[][] = [['user'], ['user', 'admin'], [], ['editor'], ['user', 'editor']]
          const answers = await Promise.all(sets.map((roles) => kit.accounts.setRoles(subject, roles)))
          expect(answers.every((answer) => answer.ok)).toBe(true)
          const { roles } = (await kit.accounts.get(subject))!
          const found = await kit.store.sessions.read(session.sessionId)
          if (found.is !== 'live') return expect.fail(found.is)
          expect([...(found.record.pendingRoles ?? found.record.roles)].sort()).toEqual([...roles].sort())

          const acts = [() => kit.accounts.ban(subject), () => kit.accounts.unban(subject)]
          const both = await Promise.all([...acts, ...acts, ...acts].map((act) => act()))
          expect(both.every((answer) => answer.ok)).toBe(true)
          const said = await blockedIn(kit, subject)
          expect(said.gate).toBe(said.account)
          expect((await stored(subject)).unsettled).toBeNull()
        }
      })
    })

    describe('hashes', () => {
      test('a login replaces a hash that is cheaper than new ones, once', async () => {
        const { identifier: name, subject } = await newcomer(kit)
        const before = await stored(subject)
        expect(before.passwordHash).toMatch(/^\$argon2id\$v=19\$m=7168,t=5,p=1\$/)
        const costlier = accountsOf(kit, { passwords: { argon2: { memoryKiB: 9_216, passes: 4 } } })
        const types: string[] = []
        costlier.events.on('*', (event) => types.push(event.type))

        const hash = vi.spyOn(argon2, 'hash')
        expect(await login(kit, name, OTHER_PASSWORD, costlier)).toMatchObject({ ok: false })
        expect(hash).not.toHaveBeenCalled()
        expect(await stored(subject)).toEqual(before)
        expect(await login(kit, name, PASSWORD, costlier)).toMatchObject({ ok: true })
        const after = await stored(subject)
        expect(after.passwordHash).toMatch(/^\$argon2id\$v=19\$m=9216,t=4,p=1\$/)
        expect(after).toEqual({ ...before, passwordHash: after.passwordHash, version: before.version + 1 })
        expect(await login(kit, name, PASSWORD, costlier)).toMatchObject({ ok: true })
        // The cheaper process leaves the better hash alone.
        expect(await login(kit, name)).toMatchObject({ ok: true })
        expect(await stored(subject)).toEqual(after)
        expect(types).toEqual(['authentication_failed', 'hash_upgraded', 'authenticated', 'authenticated'])
      })

      test('a new hash never overwrites a ban that came in between', async () => {
        const { identifier: name, subject } = await newcomer(kit)
        const costlier = accountsOf(kit, { passwords: { argon2: { memoryKiB: 9_216, passes: 4 } } })
        const held = holdNextHash()
        const late = login(kit, name, PASSWORD, costlier)
        await held.arrived
        await kit.accounts.ban(subject)
        held.open()
        expect(await late).toMatchObject({ ok: false, reason: 'blocked' })
        expect((await stored(subject)).blocked).toBe('banned')
        expect((await stored(subject)).passwordHash).toContain('m=7168,t=5')
      })

      test.each([
        ['empty', ''],
        ['the password itself', PASSWORD],
        [
          'of another algorithm',
          '$argon2i$v=19$m=7168,t=5,p=1$QCMdGGLeZinhcqqLmg52fg$OhqBgCvw5ZVrmZFSK7ewuRZmI0p84cajo7UM1wWQ7Iw',
        ],
        ['without its end', '$argon2id$v=19$m=7168,t=5,p=1$QCMdGGLeZinhcqqLmg52fg$'],
        [
          'asking for more memory than there is',
          '$argon2id$v=19$m=99999999,t=5,p=1$QCMdGGLeZinhcqqLmg52fg$OhqBgCvw5ZVrmZFSK7ewuRZmI0p84cajo7UM1wWQ7Iw',
        ],
        [
          'of impossible base64',
          '$argon2id$v=19$m=7168,t=5,p=1$QCMdGGLeZinhcqqLmg52fg$OhqBgCvw5ZVrmZFSK7ewuRZmI0p84cajo7UM1wWQ7',
        ],
      ])('a stored hash that is %s is a fault and never a login', async (_, passwordHash) => {
        const { identifier: name, subject } = await newcomer(kit)
        const account = await stored(subject)
        await kit.store.accounts.replace({ ...account, passwordHash, version: account.version + 1 }, account.version)
        const wanted = expect.objectContaining({ code: 'ERR_STORE_CORRUPT' })
        await expect(kit.accounts.authenticate({ identifier: name, password: PASSWORD })).rejects.toEqual(wanted)
        await expect(kit.accounts.confirm({ subject, password: PASSWORD })).rejects.toEqual(wanted)
        const change = { subject, current: PASSWORD, next: OTHER_PASSWORD }
        await expect(kit.accounts.changePassword(change)).rejects.toEqual(wanted)
      })

      test('no password and no hash occurs in any event, answer or error', async () => {
        const canary = 'cAnAry-gavotte-ossify-73'
        const next = 'cAnAry-umbrage-quillon-9'
        const name = identifier()
        const seen: unknown[] = []
        const keep = <T>(call: Promise<T>) =>
          call.then(
            (answer) => void seen.push(answer),
            (error) => void seen.push([error, error.stack, error.cause, error.cause?.stack, { ...error }]),
          )
        await keep(kit.accounts.register({ identifier: name, password: canary, roles: ['user'] }))
        const { subject } = (await kit.accounts.find(name))!
        await keep(kit.accounts.register({ identifier: name, password: canary }))
        await keep(kit.accounts.register({ identifier: name, password: 'cAnAry' }))
        await keep(kit.accounts.register({ identifier: identifier(), password: `${canary}${'x'.repeat(1_100)}` }))
        await keep(kit.accounts.authenticate({ identifier: name, password: canary }))
        await keep(kit.accounts.authenticate({ identifier: name, password: next }))
        await keep(kit.accounts.authenticate({ identifier: canary, password: next }))
        await keep(kit.accounts.confirm({ subject, password: canary }))
        await keep(kit.accounts.changePassword({ subject, current: next, next: canary }))
        await keep(dying('revokeAll').changePassword({ subject, current: canary, next }))
        await keep(kit.accounts.setRoles(subject, ['admin']))
        await keep(kit.accounts.ban(subject))
        await keep(kit.accounts.get(subject))
        const account = await stored(subject)
        const broken = `${account.passwordHash}!`
        await kit.store.accounts.replace(
          { ...account, passwordHash: broken, version: account.version + 1 },
          account.version,
        )
        await keep(kit.accounts.authenticate({ identifier: name, password: next }))
        expect(seen).toHaveLength(14)

        const text = JSON.stringify([seen, kit.events], (_key, value) =>
          value instanceof Error ? String(value) : value,
        )
        expect(text).toContain(subject)
        expect(text).toContain('ERR_STORE_CORRUPT')
        expect(text).not.toMatch(/cAnAry|argon2id\$|\$v=19/i)
        // The identifier is personal data: in views, never in events.
        const events = JSON.stringify(kit.events)
        expect(events).not.toContain(name)
        const hashes = kit.events.flatMap((event) => (event.subject === subject ? [event.identifierHash] : []))
        expect(new Set(hashes.filter(Boolean)).size).toBe(1)
      })
    })
  })
}
