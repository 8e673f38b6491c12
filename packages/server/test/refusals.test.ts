// Every way in which a route says no: one typed answer each, and never a cookie that is cleared where it must not be.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Answer, bearer, type Client, PASSWORD, startApp, type TestApp } from './support.ts'

let app: TestApp
let client: Client
let refreshToken: string
let accessToken: string
beforeAll(async () => {
  app = await startApp()
  client = app.client()
  await client.register('alice@example.com')
  await client.login('alice@example.com')
  const other = await app.client({ origin: '' }).login('alice@example.com', { delivery: 'bearer' })
  accessToken = other.body.accessToken
  refreshToken = other.body.refreshToken
})
afterAll(() => app.close())

const WITH_SESSION = [
  ['GET', '/auth/session', undefined],
  ['GET', '/auth/sessions', undefined],
  ['DELETE', `/auth/sessions/${'A'.repeat(34)}`, undefined],
  ['POST', '/auth/sessions/revoke-all', {}],
  ['POST', '/auth/email/verify/request', {}],
  ['POST', '/auth/reauth', { password: PASSWORD }],
  ['POST', '/auth/password', { currentPassword: PASSWORD, newPassword: 'another long enough sentence' }],
] as const

const said = ({ status, body }: Answer) => [status, body?.code, body?.reason, body?.remedy]
const challenge = (answer: Answer) => answer.headers.get('www-authenticate')

describe.each(WITH_SESSION)('%s %s', (method, path, body) => {
  const send = (headers: Record<string, string>) => app.client().send(method, path, body, headers)

  test('without a credential: 401, a challenge without an error', async () => {
    const answer = await send({})
    expect(said(answer)).toEqual([401, 'unauthenticated', 'missing', 'sign_in'])
    expect(challenge(answer)).toBe('Bearer realm="countersign"')
  })

  test.each([
    ['garbage', 'garbage'],
    ['three empty parts', '..'],
    ['a foreign signature', 'eyJhbGciOiJFUzI1NiIsInR5cCI6ImF0K2p3dCJ9.e30.AAAA'],
    ['a session id', 'A'.repeat(34)],
    ['an opaque token', `cso_${'A'.repeat(127)}`],
  ])('%s as token: 401 invalid_token, and no reason', async (_what, token) => {
    for (const headers of [bearer(token), { cookie: `__Host-access=${token}` }]) {
      const answer = await send(headers)
      expect(answer.body).toEqual({
        type: 'urn:countersign:problem:invalid_token',
        title: 'The token is not accepted',
        status: 401,
        code: 'invalid_token',
      })
      expect(challenge(answer)).toBe('Bearer realm="countersign", error="invalid_token"')
      expect(answer.cookies).toEqual([])
    }
  })

  test('a refresh token is not an access token', async () => {
    expect(said(await send(bearer(refreshToken)))).toEqual([401, 'invalid_token', undefined, undefined])
  })

  test('header and cookie at once: 400, even with the same token', async () => {
    const answer = await send({ ...bearer(accessToken), cookie: `__Host-access=${accessToken}` })
    expect(said(answer)).toEqual([400, 'invalid_request', 'credential_twice', 'none'])
    expect(challenge(answer)).toBe('Bearer realm="countersign", error="invalid_request"')
  })

  test('the same cookie twice: 400', async () => {
    const answer = await send({ cookie: `__Host-access=${accessToken}; __Host-access=${accessToken}` })
    expect(said(answer)).toEqual([400, 'invalid_request', 'duplicate_cookie', 'sign_in'])
    // Nobody knows which of them is ours: both are expired.
    expect(answer.cookies).toEqual([
      '__Host-access=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0',
      '__Host-refresh=; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=0',
    ])
  })

  test('a header that is not exactly one token: 400', async () => {
    for (const authorization of ['Bearer', 'Bearer a b', 'Bearer a, Bearer b']) {
      expect(said(await send({ authorization }))).toEqual([400, 'invalid_request', 'authorization_malformed', 'none'])
    }
  })

  test('a token anywhere else is not seen', async () => {
    const query = await app.client().send(method, `${path}?access_token=${accessToken}`, body)
    expect(query.status).toBe(400)
    expect(query.text).not.toContain(accessToken)
    const elsewhere = {
      'x-access-token': accessToken,
      authorization: `Token ${accessToken}`,
      cookie: `access=${accessToken}`,
    }
    expect(said(await send(elsewhere))).toEqual([401, 'unauthenticated', 'missing', 'sign_in'])
  })
})

describe('an authentication older than 10 minutes', () => {
  test.each([
    ['DELETE', `/auth/sessions/${'A'.repeat(34)}`, undefined],
    ['POST', '/auth/sessions/revoke-all', {}],
    ['POST', '/auth/password', { currentPassword: PASSWORD, newPassword: 'another long enough sentence' }],
  ])('%s %s needs a newer one, and a refresh is none', async (method, path, body) => {
    const own = app.client()
    await own.login('alice@example.com')
    app.advance(10 * 60_000 + 1_000)
    await own.post('/auth/refresh')
    const answer = await own.send(method, path, body)
    expect(said(answer)).toEqual([401, 'insufficient_user_authentication', 'insufficient_authentication', 'step_up'])
    expect(challenge(answer)).toBe(
      'Bearer realm="countersign", error="insufficient_user_authentication", max_age="600"',
    )
    expect(answer.cookies).toEqual([])
    expect((await own.get('/auth/session')).status).toBe(200)
    expect((await own.post('/auth/logout')).status).toBe(204)
  })
})

describe('login', () => {
  test('unknown account, wrong password and an impossible identifier look the same', async () => {
    const answers = [
      await app.client().login('nobody@example.com'),
      await app.client().login('alice@example.com', { password: 'a wrong but long password' }),
      await app.client().login('alice@example.com', { password: 'x' }),
      await app.client().login('alice@example.com', { password: 'x'.repeat(4_000) }),
      await app.client().login('\u0000'),
      await app.client().login('x'.repeat(2_000)),
    ]
    const seen = answers.map((answer) => [answer.text, challenge(answer), answer.cookies.length])
    expect(new Set(seen.map((one) => JSON.stringify(one))).size).toBe(1)
    expect(said(answers[0]!)).toEqual([401, 'bad_credentials', 'bad_credentials', 'sign_in'])
  })

  test('a failed login leaves the session of this browser alone', async () => {
    const own = app.client()
    await own.login('alice@example.com')
    expect((await own.login('alice@example.com', { password: 'a wrong but long password' })).cookies).toEqual([])
    expect((await own.get('/auth/session')).status).toBe(200)
  })

  test('neither garbage in the cookies nor two of a kind stop a login, which is what helps', async () => {
    const own = app.client({ cookie: '__Host-access=garbage; __Host-refresh=garbage' })
    expect((await own.login('alice@example.com')).status).toBe(200)
    const twice = app.client({ cookie: '__Host-refresh=a; __Host-refresh=b' })
    const login = await twice.login('alice@example.com')
    expect([login.status, login.cookies.length]).toEqual([200, 2])
  })

  test.each([
    ['once: the whole login is tried again', 1, [200, undefined, undefined, undefined], 2],
    ['again and again: 409 after the second try', 9, [409, 'login_overtaken', 'stale_epoch', 'sign_in'], 2],
  ])('the epoch moves during the login, %s', async (_what, times, expected, tries) => {
    let left = times
    let logins = 0
    const moving = await startApp({
      around: (sessions) => ({
        ...sessions,
        async issue(options) {
          logins++
          if (left-- > 0) await sessions.setRoles(options.subject, [])
          return sessions.issue(options)
        },
      }),
    })
    await moving.client().register('alice@example.com')
    expect(said(await moving.client().login('alice@example.com'))).toEqual(expected)
    expect(logins).toBe(tries)
    await moving.close()
  })
})

describe('register', () => {
  test.each([
    ['taken', 'ALICE@example.com', PASSWORD, 409, 'identifier_taken'],
    ['not an identifier', ' \t ', PASSWORD, 422, 'identifier_invalid'],
    ['too short', 'bob@example.com', 'x'.repeat(14), 422, 'password_too_short'],
    ['too long', 'bob@example.com', 'x'.repeat(1_025), 422, 'password_too_long'],
    ['easy to guess', 'bob@example.com', 'passwordpassword', 422, 'password_refused'],
  ])('%s', async (_what, identifier, password, status, code) => {
    const answer = await app.client().register(identifier, password)
    expect(said(answer)).toEqual([status, code, code, 'none'])
    if (code === 'password_too_short') expect(answer.body.detail).toBe('it needs at least 15 characters')
    if (code === 'password_too_long') expect(answer.body.detail).toBe('the limit is 1024 bytes')
  })
})

describe('reauth and password', () => {
  test('a wrong password changes nothing', async () => {
    const own = app.client()
    await own.login('alice@example.com')
    const wrong = 'a wrong but long password'
    expect(said(await own.post('/auth/reauth', { password: wrong }))[1]).toBe('bad_credentials')
    const change = { currentPassword: wrong, newPassword: 'another long enough sentence' }
    expect(said(await own.post('/auth/password', change))[1]).toBe('bad_credentials')
    const tooShort = await own.post('/auth/password', { currentPassword: PASSWORD, newPassword: 'short' })
    expect(said(tooShort)).toEqual([422, 'password_too_short', 'password_too_short', 'none'])
    expect(tooShort.cookies).toEqual([])
    expect((await own.get('/auth/session')).status).toBe(200)
  })
})

describe('refresh', () => {
  test.each([
    ['nothing', undefined, {}, [401, 'unauthenticated', 'missing', 'sign_in']],
    ['garbage in the body', { refreshToken: 'garbage' }, {}, [401, 'invalid_token', undefined, undefined]],
    [
      'garbage in the cookie',
      undefined,
      { cookie: '__Host-refresh=garbage' },
      [401, 'invalid_token', undefined, undefined],
    ],
    ['a forged MAC', { refreshToken: `csr_AQ${'A'.repeat(125)}` }, {}, [401, 'invalid_token', undefined, undefined]],
    ['quotes in the cookie', undefined, { cookie: '__Host-refresh="x"' }, [401, 'invalid_token', undefined, undefined]],
    [
      'cookie and body at once',
      { refreshToken: 'a' },
      { cookie: '__Host-refresh=a' },
      [400, 'invalid_request', 'credential_twice', 'none'],
    ],
    [
      'two cookies',
      undefined,
      { cookie: '__Host-refresh=a; __Host-refresh=b' },
      [400, 'invalid_request', 'duplicate_cookie', 'sign_in'],
    ],
  ])('%s', async (_what, body, headers, expected) => {
    const answer = await app.client().post('/auth/refresh', body, headers as Record<string, string>)
    expect(said(answer)).toEqual(expected)
    expect(answer.cookies).toHaveLength(expected[2] === 'duplicate_cookie' ? 2 : 0)
  })

  test('an access token is not a refresh token', async () => {
    expect(said(await app.client().post('/auth/refresh', { refreshToken: accessToken }))[0]).toBe(401)
  })

  test('a refused refresh never clears a cookie: the session may live in the other tab', async () => {
    const own = app.client()
    await own.login('alice@example.com')
    await app.sessions.revokeAll((await own.get('/auth/session')).body.session.subject, { reason: 'admin' })
    const answer = await own.post('/auth/refresh')
    expect(said(answer)).toEqual([401, 'invalid_token', 'ended', 'sign_in'])
    expect([answer.cookies.length, own.jar.size]).toEqual([0, 2])
  })

  test('a token of the delivery cookie does not work for a program that says nothing of its origin', async () => {
    const own = app.client()
    await own.login('alice@example.com')
    const token = own.jar.get('__Host-refresh')
    const program = app.client({ origin: '' })
    const answer = await program.post('/auth/refresh', { refreshToken: token })
    expect(said(answer)).toEqual([403, 'cross_origin', 'origin_unproven', 'none'])
    expect(program.secrets).toEqual([])
    expect((await own.post('/auth/refresh')).status).toBe(200)
  })
})

describe('logout', () => {
  test.each([
    ['nothing', {}, [401, 'unauthenticated', 'missing', 'sign_in'], 0],
    ['garbage in the header', { authorization: 'Bearer garbage' }, [401, 'invalid_token', undefined, undefined], 0],
    ['a session id as token', bearer('A'.repeat(34)), [401, 'invalid_token', undefined, undefined], 0],
    [
      'garbage in the cookies',
      { cookie: '__Host-access=x; __Host-refresh=y' },
      [401, 'invalid_token', undefined, undefined],
      2,
    ],
    [
      'two cookies',
      { cookie: '__Host-access=x; __Host-access=y' },
      [400, 'invalid_request', 'duplicate_cookie', 'sign_in'],
      2,
    ],
  ])('%s', async (_what, headers, expected, cleared) => {
    const answer = await app.client().post('/auth/logout', undefined, headers as Record<string, string>)
    expect(said(answer)).toEqual(expected)
    expect(answer.cookies.filter((text) => text.endsWith('Max-Age=0'))).toHaveLength(cleared)
  })

  test('refresh token as access token and the reverse end nothing', async () => {
    const own = app.client({ origin: '' })
    const { body } = await own.login('alice@example.com', { delivery: 'bearer' })
    expect((await own.post('/auth/logout', undefined, bearer(body.refreshToken))).status).toBe(401)
    expect((await own.post('/auth/logout', { refreshToken: body.accessToken })).status).toBe(401)
    expect((await own.get('/auth/session', bearer(body.accessToken))).status).toBe(200)
    expect((await own.post('/auth/logout', { refreshToken: body.refreshToken })).status).toBe(204)
  })

  test('one good credential is enough', async () => {
    const own = app.client()
    await own.login('alice@example.com')
    const cookie = `__Host-access=garbage; __Host-refresh=${own.jar.get('__Host-refresh')}`
    expect((await app.client({ cookie }).post('/auth/logout')).status).toBe(204)
    expect((await own.get('/auth/session')).body).toMatchObject({ reason: 'ended', endedBy: 'logout' })
  })
})

test('a session that was idle too long is refused with its reason, and so is its refresh', async () => {
  const own = app.client()
  await own.login('alice@example.com')
  app.advance(34 * 60_000)
  expect(said(await own.post('/auth/refresh'))).toEqual([401, 'invalid_token', 'expired_idle', 'sign_in'])
})
