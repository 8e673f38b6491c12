// Password reset and e-mail verification on every store: OWASP Forgot Password, ASVS 6.4.3, 6.5.1, 7.4.3.
import { type AccountEvent, createAccounts } from 'countersign/accounts'
import { createOneTime, type OneTimeEvent } from 'countersign/one-time'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { EVERY_STORE, holdsSecret, type OpenedStore } from '../support/every-store.ts'
import {
  CHEAP,
  identifier,
  isLive,
  type Kit,
  kitOn,
  loggedIn,
  login,
  newcomer,
  OTHER_PASSWORD,
  PASSWORD,
  ROLES,
  recorded,
} from './kit.ts'

const THIRD_PASSWORD = 'vellum-thwart-lozenge-41'
const invalid = { ok: false, reason: 'link_invalid' }

describe.each(EVERY_STORE)('recovery on $name', ({ open }) => {
  let opened: OpenedStore
  let kit: Kit
  let accounts: ReturnType<typeof recoveryOn>
  let oneTime: ReturnType<typeof createOneTime>
  const events: (AccountEvent | OneTimeEvent)[] = []
  const calls: string[] = []
  const recoveryOn = () =>
    createAccounts({
      store: { ...kit.store, accounts: recorded(kit.store.accounts, 'accounts', calls) },
      keyring: kit.keyring,
      sessions: recorded({ ...kit.sessions }, 'sessions', calls),
      roles: ROLES,
      passwords: { argon2: CHEAP },
      oneTime,
    })
  beforeAll(async () => {
    opened = await open()
    kit = await kitOn(opened.store)
    oneTime = createOneTime({
      store: { ...kit.store, once: recorded(kit.store.once, 'once', calls) },
      keyring: kit.keyring,
    })
    accounts = recoveryOn()
    accounts.events.on('*', (event) => events.push(event))
    oneTime.events.on('*', (event) => events.push(event))
    await accounts.ready()
  })
  afterAll(async () => {
    await kit?.sessions.close()
    await opened?.dispose()
  })
  beforeEach(() => {
    events.length = 0
    calls.length = 0
  })

  /** The tokens of the deliveries asked for so far. */
  const delivered = () =>
    events.flatMap((event) => (event.type === 'one_time_requested' ? [oneTime.tokenFor(event.id)] : []))
  const linkFor = async (name: string) => {
    await accounts.requestPasswordReset({ identifier: name })
    return delivered().at(-1)!
  }

  test('a reset sets the password, ends every session, opens none, and says so', async () => {
    const { identifier: name, subject } = await newcomer(kit)
    const before = [await loggedIn(kit, name), await loggedIn(kit, name)]
    const token = await linkFor(name)
    calls.length = 0
    const done = await accounts.resetPassword({ token, next: OTHER_PASSWORD, context: { ip: '192.0.2.9' } })
    expect(done).toMatchObject({ ok: true, account: { subject, identifier: name }, ended: { ended: 2 } })
    expect(Object.keys(done).sort()).toEqual(['account', 'ended', 'ok'])
    expect(calls).toEqual([
      'once.look',
      'accounts.bySubject',
      'once.take',
      'accounts.replace',
      'sessions.revokeAll',
      'accounts.replace',
    ])
    for (const { session } of before) expect(await isLive(kit, session.sessionId)).toBe(false)
    expect(await login(kit, name)).toEqual({ ok: false, reason: 'bad_credentials' })
    expect((await login(kit, name, OTHER_PASSWORD)).ok).toBe(true)
    expect(events.map(({ type }) => type)).toEqual([
      'one_time_requested',
      'password_reset_requested',
      'one_time_redeemed',
      'password_reset',
    ])
    expect(events.at(-1)).toMatchObject({ subject, ended: 2, context: { ip: '192.0.2.9' } })
    expect(await accounts.resetPassword({ token, next: THIRD_PASSWORD })).toEqual(invalid)
    expect((await login(kit, name, OTHER_PASSWORD)).ok).toBe(true)
  })

  test('known and unknown identifiers cost the same calls, and look the same', async () => {
    const { identifier: name } = await newcomer(kit)
    calls.length = 0
    expect(await accounts.requestPasswordReset({ identifier: name })).toBeUndefined()
    const known = [...calls]
    expect(known).toEqual(['accounts.subjectOf', 'accounts.bySubject', 'once.put'])
    calls.length = 0
    expect(await accounts.requestPasswordReset({ identifier: identifier() })).toBeUndefined()
    expect(calls).toEqual(known)
    expect(events.filter(({ type }) => type === 'one_time_requested')).toHaveLength(1)
    expect(
      events.filter(({ type }) => type === 'password_reset_requested').map(({ subject }) => subject !== undefined),
    ).toEqual([true, false])
    expect(await accounts.requestPasswordReset({ identifier: '\u202e' })).toBeUndefined()
  })

  test('a second link kills the first', async () => {
    const { identifier: name } = await newcomer(kit)
    const first = await linkFor(name)
    const second = await linkFor(name)
    expect(await accounts.resetPassword({ token: first, next: OTHER_PASSWORD })).toEqual(invalid)
    expect((await accounts.resetPassword({ token: second, next: OTHER_PASSWORD })).ok).toBe(true)
  })

  test('a password that is refused does not use the link up', async () => {
    const { identifier: name } = await newcomer(kit)
    const token = await linkFor(name)
    for (const [next, reason] of [
      ['short', 'password_too_short'],
      ['x'.repeat(1_025), 'password_too_long'],
      ['password password', 'password_refused'],
      [`${name.split('@')[0]}!!`.padEnd(15, '!'), 'password_refused'],
    ] as const) {
      expect(await accounts.resetPassword({ token, next })).toEqual({ ok: false, reason })
    }
    expect((await accounts.resetPassword({ token, next: OTHER_PASSWORD })).ok).toBe(true)
  })

  test('a password change or a ban kills the link, a change of roles does not', async () => {
    const changed = await newcomer(kit)
    const afterChange = await linkFor(changed.identifier)
    await kit.accounts.changePassword({ subject: changed.subject, current: PASSWORD, next: OTHER_PASSWORD })
    expect(await accounts.resetPassword({ token: afterChange, next: THIRD_PASSWORD })).toEqual(invalid)

    const banned = await newcomer(kit)
    const afterBan = await linkFor(banned.identifier)
    await kit.accounts.ban(banned.subject)
    expect(await accounts.resetPassword({ token: afterBan, next: THIRD_PASSWORD })).toEqual(invalid)
    // One that was made after the ban changes the password, and lifts nothing.
    expect((await accounts.resetPassword({ token: await linkFor(banned.identifier), next: THIRD_PASSWORD })).ok).toBe(
      true,
    )
    expect(await login(kit, banned.identifier, THIRD_PASSWORD)).toEqual({ ok: false, reason: 'blocked' })

    const promoted = await newcomer(kit)
    const afterRoles = await linkFor(promoted.identifier)
    await kit.accounts.setRoles(promoted.subject, ['editor'])
    expect(await accounts.resetPassword({ token: afterRoles, next: THIRD_PASSWORD })).toMatchObject({
      ok: true,
      account: { roles: ['editor'] },
    })
  })

  test('of parallel resets with one link exactly one password is set', async () => {
    const { identifier: name } = await newcomer(kit)
    const token = await linkFor(name)
    const words = ['gantry', 'cobble', 'fescue', 'tallow'].map((word) => `${word}-${THIRD_PASSWORD}`)
    const answers = await Promise.all(words.map((next) => accounts.resetPassword({ token, next })))
    expect(answers.filter(({ ok }) => ok)).toHaveLength(1)
    for (const [i, next] of words.entries()) expect((await login(kit, name, next)).ok).toBe(answers[i]!.ok)
  })

  test('a login that is under way with the old password gets no session', async () => {
    const { identifier: name } = await newcomer(kit)
    const token = await linkFor(name)
    const authenticated = await kit.accounts.authenticate({ identifier: name, password: PASSWORD })
    if (!authenticated.ok) throw new Error('unreachable')
    expect((await accounts.resetPassword({ token, next: OTHER_PASSWORD })).ok).toBe(true)
    const { ok: _, epoch, ...who } = authenticated
    expect(await kit.sessions.issue({ ...who, ifEpoch: epoch })).toMatchObject({ ok: false, reason: 'stale_epoch' })
  })

  test('a change of roles during the reset is kept', async () => {
    const { identifier: name, subject } = await newcomer(kit)
    const token = await linkFor(name)
    let meddled = false
    const store = {
      ...kit.store,
      accounts: new Proxy(kit.store.accounts, {
        get: (target, verb) =>
          verb === 'replace' && !meddled
            ? async (...input: Parameters<typeof target.replace>) => {
                meddled = true
                await kit.accounts.setRoles(subject, ['admin'])
                return target.replace(...input)
              }
            : Reflect.get(target, verb).bind(target),
      }),
    }
    const { keyring, sessions } = kit
    const meddling = createAccounts({ store, keyring, sessions, roles: ROLES, passwords: { argon2: CHEAP }, oneTime })
    expect(await meddling.resetPassword({ token, next: OTHER_PASSWORD })).toMatchObject({
      ok: true,
      account: { roles: ['admin'] },
    })
    expect((await login(kit, name, OTHER_PASSWORD)).ok).toBe(true)
  })

  test('an address is verified by its link, once, and asked for no more', async () => {
    const { subject, emailVerifiedAtMs } = await newcomer(kit)
    expect(emailVerifiedAtMs).toBeNull()
    expect(await accounts.requestEmailVerification({ subject })).toMatchObject({ ok: true })
    const [token] = delivered()
    expect(await accounts.resetPassword({ token: token!, next: OTHER_PASSWORD })).toEqual(invalid)
    // Not used up by being tried where it does not belong.
    const done = await accounts.verifyEmail({ token: token! })
    expect(done).toMatchObject({ ok: true, account: { subject, emailVerifiedAtMs: expect.any(Number) } })
    expect(await accounts.get(subject)).toEqual((done as { account: unknown }).account)
    expect(events.at(-1)).toMatchObject({ type: 'email_verified', subject })
    expect(await accounts.verifyEmail({ token: token! })).toEqual(invalid)
    events.length = 0
    expect(await accounts.requestEmailVerification({ subject })).toMatchObject({ ok: true })
    expect(events).toEqual([])
  })

  test('no link for a name that is no address, nor for nobody', async () => {
    const named = await kit.accounts.register({ identifier: `name-${identifier().slice(0, 12)}`, password: PASSWORD })
    if (!named.ok) throw new Error(named.reason)
    const request = accounts.requestEmailVerification({ subject: named.account.subject })
    expect(await request).toEqual({ ok: false, reason: 'not_an_address' })
    expect(await accounts.requestEmailVerification({ subject: 'nobody' })).toEqual({
      ok: false,
      reason: 'unknown_account',
    })
    expect(events).toEqual([])
  })

  test('garbage and foreign tokens are refused alike', async () => {
    for (const token of [
      '',
      'x',
      `cs1_${'A'.repeat(111)}`,
      (await loggedIn(kit, (await newcomer(kit)).identifier)).accessToken,
    ]) {
      expect(await accounts.resetPassword({ token, next: OTHER_PASSWORD })).toEqual(invalid)
      expect(await accounts.verifyEmail({ token })).toEqual(invalid)
    }
  })

  test('without one-time tokens there is no recovery', () => {
    expect(Object.keys(kit.accounts)).not.toContain('resetPassword')
    expect(Object.keys(accounts)).toContain('resetPassword')
  })

  test('no link is at rest or in an event', async () => {
    const { identifier: name } = await newcomer(kit)
    const token = await linkFor(name)
    const secret = Buffer.from(token.slice(4), 'base64url').subarray(19, 51)
    for (const bytes of [...(await opened.atRest()), Buffer.from(JSON.stringify(events))]) {
      expect(holdsSecret(bytes, secret)).toBe(false)
    }
    expect(JSON.stringify(events)).not.toContain(name)
  })
})
