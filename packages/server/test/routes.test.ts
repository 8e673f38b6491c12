// Every route, in every delivery, on every store: the same answers.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Answer, bearer, PASSWORD, startApp, type TestApp } from './support.ts'

const ISO = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/

/** A Set-Cookie with its token replaced by what kind it is. */
const shape = (cookies: readonly string[]) =>
  cookies.map((text) => text.replace(/=eyJ[\w-]+\.[\w-]+\.[\w-]+/, '=<jwt>').replace(/=cs[ro]_[\w-]+/, '=<token>'))
const members = (answer: Answer) => Object.keys(answer.body).sort().join(' ')

describe.each(['memory', 'sqlite', 'redis', 'postgres'] as const)('on %s', (store) => {
  let app: TestApp
  let count = 0
  const someone = () => `user-${++count}@example.com`
  const registered = async () => {
    const identifier = someone()
    await app.client().register(identifier)
    return identifier
  }
  beforeAll(async () => {
    app = await startApp({ store })
  })
  afterAll(() => app.close())

  test('register adds an account and opens no session', async () => {
    const identifier = someone()
    const answer = await app.client().register(identifier)
    expect(answer.status).toBe(201)
    expect(answer.body).toEqual({
      account: {
        subject: expect.stringMatching(/^[\w-]{24}$/),
        identifier,
        emailVerified: false,
        roles: [],
        createdAt: expect.stringMatching(ISO),
      },
    })
    expect(answer.cookies).toEqual([])
  })

  test('cookie: both cookies, no token in any body; who am I, refresh, log out', async () => {
    const client = app.client()
    const login = await client.login(await registered())
    expect(login.status).toBe(200)
    expect(members(login)).toBe('expiresIn session')
    expect(shape(login.cookies)).toEqual([
      '__Host-access=<jwt>; Path=/; Secure; HttpOnly; SameSite=Lax',
      '__Host-refresh=<token>; Path=/; Secure; HttpOnly; SameSite=Strict',
    ])
    expect(login.body.session).toMatchObject({
      delivery: 'cookie',
      persistent: false,
      current: true,
      acr: 'aal1',
      amr: ['pwd'],
    })
    for (const time of ['authTime', 'createdAt', 'lastSeenAt', 'expiresAt'])
      expect(login.body.session[time]).toMatch(ISO)

    const who = await client.get('/auth/session')
    expect(who.status).toBe(200)
    expect(who.body.session.id).toBe(login.body.session.id)

    app.advance(11_000)
    const refresh = await client.post('/auth/refresh')
    expect(refresh.status).toBe(200)
    expect(members(refresh)).toBe('expiresIn session')
    expect(shape(refresh.cookies)).toEqual(shape(login.cookies))
    expect(refresh.cookies).not.toEqual(login.cookies)

    const logout = await client.post('/auth/logout')
    expect([logout.status, logout.text]).toEqual([204, ''])
    expect(logout.headers.get('clear-site-data')).toBe('"cache", "cookies", "storage"')
    expect(logout.cookies).toEqual([
      '__Host-access=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0',
      '__Host-refresh=; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=0',
    ])
    for (const answer of [login, who, refresh])
      for (const secret of client.secrets) expect(answer.text).not.toContain(secret)
  })

  test('browser: the access token in the body, the refresh token as cookie', async () => {
    const client = app.client()
    const login = await client.login(await registered(), { delivery: 'browser' })
    expect(members(login)).toBe('accessToken expiresIn session')
    expect(shape(login.cookies)).toEqual(['__Host-refresh=<token>; Path=/; Secure; HttpOnly; SameSite=Strict'])
    expect((await client.get('/auth/session', bearer(login.body.accessToken))).status).toBe(200)

    app.advance(11_000)
    const refresh = await client.post('/auth/refresh')
    expect(members(refresh)).toBe('accessToken expiresIn session')
    expect(shape(refresh.cookies)).toEqual(shape(login.cookies))
    expect((await client.post('/auth/logout', undefined, bearer(refresh.body.accessToken))).cookies).toHaveLength(2)
  })

  test('bearer: both in the body, never a cookie, no word of its origin needed', async () => {
    const identifier = await registered()
    const client = app.client({ origin: '' })
    const login = await client.login(identifier, { delivery: 'bearer' })
    expect(members(login)).toBe('accessToken expiresIn refreshToken session')
    expect(login.body.expiresIn).toBeGreaterThan(590)
    expect(login.body.expiresIn).toBeLessThanOrEqual(600)

    app.advance(11_000)
    const refresh = await client.post('/auth/refresh', { refreshToken: login.body.refreshToken })
    expect(members(refresh)).toBe('accessToken expiresIn refreshToken session')
    expect(refresh.body.refreshToken).not.toBe(login.body.refreshToken)
    const logout = await client.post('/auth/logout', undefined, bearer(refresh.body.accessToken))
    expect(logout.status).toBe(204)
    for (const answer of [login, refresh, logout]) expect(answer.cookies).toEqual([])
    const after = await client.post('/auth/refresh', { refreshToken: refresh.body.refreshToken })
    expect(after.body).toMatchObject({
      status: 401,
      code: 'invalid_token',
      reason: 'ended',
      endedBy: 'logout',
      remedy: 'sign_in',
    })
  })

  test('persistent: both cookies live as long as the refresh token', async () => {
    const client = app.client()
    const login = await client.login(await registered(), { persistent: true })
    expect(shape(login.cookies).map((text) => text.replace(/\d+$/, '<seconds>'))).toEqual([
      '__Host-access=<jwt>; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=<seconds>',
      '__Host-refresh=<token>; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=<seconds>',
    ])
    for (const text of login.cookies) {
      expect(Number(/\d+$/.exec(text))).toBeGreaterThan(604_790)
      expect(Number(/\d+$/.exec(text))).toBeLessThanOrEqual(604_800)
    }
    expect(login.body.session.persistent).toBe(true)
  })

  test('a refresh within the grace gives the same token and writes no refresh cookie', async () => {
    const client = app.client()
    await client.login(await registered())
    const before = client.jar.get('__Host-refresh')
    const refresh = await client.post('/auth/refresh')
    expect(refresh.status).toBe(200)
    expect(shape(refresh.cookies)).toEqual(['__Host-access=<jwt>; Path=/; Secure; HttpOnly; SameSite=Lax'])
    expect(client.jar.get('__Host-refresh')).toBe(before)
  })

  test('parallel refreshes all get the same successor', async () => {
    const client = app.client()
    await client.login(await registered())
    app.advance(11_000)
    const tabs = await Promise.all(
      Array.from({ length: 8 }, () => app.client({ cookie: client.cookie }).post('/auth/refresh')),
    )
    expect(tabs.map((tab) => tab.status)).toEqual(Array(8).fill(200))
    const successors = new Set(tabs.flatMap((tab) => tab.cookies.filter((text) => text.startsWith('__Host-refresh'))))
    expect(successors.size).toBe(1)
  })

  test('devices: list in pages, end one, end the others, end all', async () => {
    const identifier = await registered()
    const [laptop, phone, tablet] = [app.client(), app.client(), app.client()]
    await laptop.login(identifier, { device: { id: 'laptop', label: 'Laptop', class: 'browser' } })
    const onPhone = (await phone.login(identifier, { device: { id: 'phone' } })).body.session
    await tablet.login(identifier)

    const all = await laptop.get('/auth/sessions')
    expect(members(all)).toBe('items next')
    expect(all.body.next).toBeNull()
    expect(all.body.items.map((item: any) => [item.device?.id, item.current])).toEqual([
      ['laptop', true],
      ['phone', false],
      [undefined, false],
    ])
    for (const client of [laptop, phone, tablet]) {
      for (const secret of client.secrets) expect(all.text).not.toContain(secret)
    }
    const first = await laptop.get('/auth/sessions?limit=2')
    expect(first.body.items).toHaveLength(2)
    const second = await laptop.get(`/auth/sessions?limit=2&after=${first.body.next}`)
    expect([...first.body.items, ...second.body.items]).toEqual(all.body.items)
    expect(second.body.next).toBeNull()

    const ended = await laptop.send('DELETE', `/auth/sessions/${onPhone.id}`)
    expect([ended.status, ended.text, ended.cookies]).toEqual([204, '', []])
    expect((await phone.get('/auth/session')).body).toMatchObject({ status: 401, reason: 'ended', endedBy: 'logout' })

    const others = await laptop.post('/auth/sessions/revoke-all', { keepCurrent: true })
    expect(others.status).toBe(200)
    expect(others.body).toEqual({ ended: 1, effectiveAt: expect.stringMatching(ISO), durability: expect.any(String) })
    expect((await tablet.get('/auth/session')).status).toBe(401)
    expect((await laptop.get('/auth/session')).status).toBe(200)

    const everything = await laptop.post('/auth/sessions/revoke-all')
    expect(everything.body.ended).toBe(1)
    expect(laptop.jar.size).toBe(0)
  })

  test('ending the own session by its id clears the cookies', async () => {
    const client = app.client()
    const { id } = (await client.login(await registered())).body.session
    expect((await client.send('DELETE', `/auth/sessions/${id}`)).status).toBe(204)
    expect(client.jar.size).toBe(0)
  })

  test('somebody else’s session, one that is over and one that never was: 404, and nothing happens', async () => {
    const [alice, bob] = [app.client(), app.client()]
    const other = (await alice.login(await registered())).body.session.id
    await bob.login(await registered())
    for (const id of [
      other,
      `${other.slice(0, 12)}${'A'.repeat(22)}`,
      'x',
      'a'.repeat(300),
      '%00',
      encodeURIComponent('../x'),
    ]) {
      const answer = await bob.send('DELETE', `/auth/sessions/${id}`)
      expect([id, answer.status, answer.body.code]).toEqual([id, 404, 'not_found'])
    }
    expect((await alice.get('/auth/session')).status).toBe(200)
  })

  test('reauth: a new id and a fresh authentication; the old tokens follow with the remedy refresh', async () => {
    const client = app.client()
    const login = await client.login(await registered())
    const old = client.cookie
    app.advance(11 * 60_000)
    await client.post('/auth/refresh')
    const stale = await client.post('/auth/sessions/revoke-all', { keepCurrent: true })
    expect(stale.body).toMatchObject({ status: 401, code: 'insufficient_user_authentication', remedy: 'step_up' })
    expect(stale.headers.get('www-authenticate')).toBe(
      'Bearer realm="countersign", error="insufficient_user_authentication", max_age="600"',
    )

    const reauth = await client.post('/auth/reauth', { password: PASSWORD })
    expect(reauth.status).toBe(200)
    expect(reauth.body.session.id).not.toBe(login.body.session.id)
    expect(reauth.cookies).toHaveLength(2)
    expect((await client.post('/auth/sessions/revoke-all', { keepCurrent: true })).status).toBe(200)
    const tab = await app.client({ cookie: old }).get('/auth/session')
    expect(tab.body).toMatchObject({ status: 401, reason: 'expired', remedy: 'refresh' })
    const left = await app.client({ cookie: old }).post('/auth/refresh')
    expect(left.body).toMatchObject({ status: 401, reason: 'ended', endedBy: 'replaced' })
  })

  test('password: every other session ends, the caller gets a new id in kind, the new password counts', async () => {
    const identifier = await registered()
    const [here, there] = [app.client(), app.client()]
    const login = await here.login(identifier, { delivery: 'browser' })
    await there.login(identifier)
    const token = bearer(login.body.accessToken)
    const newPassword = 'another long enough sentence'
    const changed = await here.post('/auth/password', { currentPassword: PASSWORD, newPassword }, token)
    expect(changed.status).toBe(200)
    expect(members(changed)).toBe('accessToken expiresIn session')
    expect(changed.body.session.id).not.toBe(login.body.session.id)
    expect((await there.get('/auth/session')).body).toMatchObject({ reason: 'ended', endedBy: 'password_changed' })
    expect((await here.get('/auth/session', token)).status).toBe(401)
    expect((await here.get('/auth/session', bearer(changed.body.accessToken))).status).toBe(200)
    expect((await app.client().login(identifier)).body).toMatchObject({ status: 401, code: 'bad_credentials' })
    expect((await app.client().login(identifier, { password: newPassword })).status).toBe(200)
  })

  test('roles: gained with the next refresh, lost at once', async () => {
    const client = app.client()
    const login = await client.login(await registered())
    const { subject } = login.body.session
    await app.accounts.setRoles(subject, ['admin'])
    app.advance(11_000)
    expect((await client.post('/auth/refresh')).body.session.roles).toEqual(['admin'])
    expect((await client.get('/auth/session')).body.session.roles).toEqual(['admin'])
    await app.accounts.setRoles(subject, [])
    expect((await client.get('/auth/session')).body.session.roles).toEqual([])
  })

  test('a ban ends the session and refuses the next login, saying so only with the right password', async () => {
    const identifier = await registered()
    const client = app.client()
    const { subject } = (await client.login(identifier)).body.session
    await app.accounts.ban(subject)
    expect((await client.get('/auth/session')).body).toMatchObject({ status: 401, reason: 'ended', endedBy: 'banned' })
    expect((await app.client().login(identifier)).body).toMatchObject({ status: 403, code: 'blocked', remedy: 'none' })
    expect((await app.client().login(identifier, { password: `${PASSWORD}!` })).body.code).toBe('bad_credentials')
  })

  test('a login over a session ends that one, also when it was of somebody else', async () => {
    const client = app.client()
    await client.login(await registered())
    const old = client.cookie
    await client.login(await registered())
    expect((await app.client({ cookie: old }).get('/auth/session')).body).toMatchObject({
      reason: 'ended',
      endedBy: 'logout',
    })
    expect((await client.get('/auth/session')).status).toBe(200)
  })

  test('logout with an access token that is over, by the refresh token', async () => {
    const client = app.client()
    await client.login(await registered())
    const refresh = client.jar.get('__Host-refresh')!
    app.advance(601_000)
    expect((await client.get('/auth/session')).body).toMatchObject({ reason: 'expired', remedy: 'refresh' })
    expect((await client.post('/auth/logout')).status).toBe(204)
    const again = await app.client({ cookie: `__Host-refresh=${refresh}` }).post('/auth/refresh')
    expect(again.body).toMatchObject({ reason: 'ended', endedBy: 'logout' })
  })

  test('logout twice is answered like once', async () => {
    const client = app.client()
    await client.login(await registered())
    const { cookie } = client
    expect((await app.client({ cookie }).post('/auth/logout')).status).toBe(204)
    expect((await app.client({ cookie }).post('/auth/logout')).status).toBe(204)
  })

  test('an old refresh token after its successor was used and the grace is over: reused, and the session ends', async () => {
    const client = app.client({ origin: '' })
    const login = await client.login(await registered(), { delivery: 'bearer' })
    app.advance(11_000)
    const { refreshToken } = (await client.post('/auth/refresh', { refreshToken: login.body.refreshToken })).body
    app.advance(11_000)
    const third = (await client.post('/auth/refresh', { refreshToken })).body
    app.advance(11_000)
    const reuse = await client.post('/auth/refresh', { refreshToken: login.body.refreshToken })
    expect(reuse.body).toMatchObject({ status: 401, reason: 'reused', remedy: 'sign_in' })
    expect((await client.get('/auth/session', bearer(third.accessToken))).body).toMatchObject({ reason: 'reused' })
  })

  test('well-known keys, liveness, readiness', async () => {
    const keys = await app.client().get('/.well-known/jwks.json')
    expect(keys.headers.get('content-type')).toMatch(/^application\/jwk-set\+json/)
    expect(keys.body.keys).toEqual([
      {
        kty: 'EC',
        crv: 'P-256',
        x: expect.any(String),
        y: expect.any(String),
        kid: expect.any(String),
        alg: 'ES256',
        use: 'sig',
      },
    ])
    for (const path of ['/healthz', '/readyz']) {
      const answer = await app.client().get(path)
      expect([answer.status, answer.body]).toEqual([200, { status: 'ok' }])
    }
  })
})

describe('opaque', () => {
  let app: TestApp
  beforeAll(async () => {
    app = await startApp({ strategy: 'opaque' })
    await app.client().register('opaque@example.com')
  })
  afterAll(() => app.close())

  test('cookie: one cookie, and no refresh', async () => {
    const client = app.client()
    const login = await client.login('opaque@example.com')
    expect(shape(login.cookies)).toEqual(['__Host-access=<token>; Path=/; Secure; HttpOnly; SameSite=Lax'])
    expect((await client.get('/auth/session')).status).toBe(200)
    const refresh = await client.post('/auth/refresh')
    expect(refresh.body).toMatchObject({ status: 501, code: 'not_supported' })
    expect((await client.post('/auth/reauth', { password: PASSWORD })).cookies).toHaveLength(1)
    expect((await client.post('/auth/logout')).status).toBe(204)
    expect((await client.get('/auth/session')).body).toMatchObject({ status: 401, code: 'unauthenticated' })
  })

  test('bearer: the token in the body, a refused one needs a new login', async () => {
    const client = app.client({ origin: '' })
    const login = await client.login('opaque@example.com', { delivery: 'bearer' })
    expect(members(login)).toBe('accessToken expiresIn session')
    const token = bearer(login.body.accessToken)
    expect((await client.get('/auth/session', token)).status).toBe(200)
    expect((await client.post('/auth/logout', undefined, token)).status).toBe(204)
    expect((await client.get('/auth/session', token)).body).toMatchObject({ reason: 'ended', remedy: 'sign_in' })
  })

  test('browser is refused: there is no refresh token to put into a cookie', async () => {
    const answer = await app.client().login('opaque@example.com', { delivery: 'browser' })
    expect(answer.body).toMatchObject({ status: 400, code: 'invalid_request' })
  })

  test('persistent: the cookie lives a week', async () => {
    const login = await app.client().login('opaque@example.com', { persistent: true })
    expect(Number(/Max-Age=(\d+)$/.exec(login.cookies[0]!)![1])).toBeGreaterThanOrEqual(604_790)
  })
})

test('with one session per account and overflow reject, the second login is 409', async () => {
  const app = await startApp({ limits: { perSubject: 1, overflow: 'reject' } })
  await app.client().register('one@example.com')
  const first = app.client()
  await first.login('one@example.com')
  expect((await app.client().login('one@example.com')).body).toMatchObject({
    status: 409,
    code: 'session_limit',
    reason: 'limit',
  })
  // The browser that has the session may log in again: its former session makes room.
  expect((await first.login('one@example.com')).status).toBe(200)
  await app.close()
})
