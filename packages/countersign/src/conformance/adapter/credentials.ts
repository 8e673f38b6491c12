import { match, ok } from 'node:assert/strict'
import { COOKIE_NAMES } from '../../http/cookie-options.ts'
import { equals, matches } from '../checks.ts'
import { type AppBench, bearer, cookieIn, cookies } from './bench.ts'
import type { Answer } from './client.ts'

/** How credentials are handed out, and where they are read from. */
export function credentialCases({ test }: AppBench): void {
  test('cookie: login sets host-only cookies that no script reads, and puts no token in the body', async (app) => {
    const answer = await app.line().send('POST', '/login', {
      headers: [['Origin', app.origin]],
      json: { subject: app.subject(), roles: ['user'], delivery: 'cookie' },
    })
    equals(answer.status, 200)
    const uses = [['access', 'Lax'] as const, ['refresh', 'Strict'] as const].slice(0, app.renews ? 2 : 1)
    equals(answer.setCookies.length, uses.length)
    for (const [use, sameSite] of uses) {
      const value = cookieIn(answer, use)
      ok(value, `login sets the ${use} cookie`)
      ok(!answer.text.includes(value), `the ${use} token is in the body as well`)
      const set = answer.setCookies.find((one) => one.startsWith(`${COOKIE_NAMES[use]}=`))!
      const attributes = set.split(';').slice(1)
      const has = attributes.map((one) => one.trim().toLowerCase()).sort()
      equals(has, ['httponly', 'path=/', `samesite=${sameSite.toLowerCase()}`, 'secure'])
    }
    notCached(answer)
  })

  test('cookie: the access cookie says who it is', async (app) => {
    const tokens = await app.login(['user'])
    const answer = await app.line().send('GET', '/me', { headers: [cookies(tokens)] })
    equals(answer.status, 200)
    equals(answer.body, { subject: tokens.subject, sessionId: tokens.sessionId, roles: ['user'] })
    equals(answer.setCookies, [])
    notCached(answer)
  })

  test('bearer: login gives both tokens in the body and no cookie, and the header says who it is', async (app) => {
    const line = app.line()
    const json = { subject: app.subject(), roles: ['user'], delivery: 'bearer' }
    const login = await line.send('POST', '/login', { json })
    equals(login.status, 200)
    equals(login.setCookies, [])
    notCached(login)
    const answer = await line.send('GET', '/me', { headers: [bearer(login.body.accessToken)] })
    equals(answer.status, 200)
    matches(answer.body, { subject: json.subject, roles: ['user'] })
    for (const scheme of ['bearer', 'BEARER']) {
      const headers = [['Authorization', `${scheme} ${login.body.accessToken}`]] as const
      equals((await line.send('GET', '/me', { headers })).status, 200)
    }
  })

  test('without credentials: 401, and a challenge that names no error', async (app) => {
    const answer = await app.line().send('GET', '/me')
    matches(answer, { status: 401, body: { code: 'unauthenticated' }, setCookies: [] })
    match(answer.header('www-authenticate') ?? '', /^Bearer realm="[^"]*"$/)
    // A credential of another scheme is somebody else's business.
    const other = await app.line().send('GET', '/me', { headers: [['Authorization', 'Basic dTpw']] })
    matches(other, { status: 401, body: { code: 'unauthenticated' } })
  })

  test('two cookies of one name: 400, in whatever order, both are expired, and the next login works', async (app) => {
    const [mine, theirs] = [await app.login(), await app.login()]
    const line = app.line()
    const one = (token: string) => `${COOKIE_NAMES.access}=${token}`
    for (const [first, second] of [
      [mine, theirs],
      [theirs, mine],
      [mine, mine],
    ] as const) {
      for (const headers of [
        [['Cookie', `${one(first.access)}; ${one(second.access)}`]],
        [
          ['Cookie', one(first.access)],
          ['Cookie', one(second.access)],
        ],
      ] as const) {
        const answer = await line.send('GET', '/me', { headers })
        matches(answer, { status: 400, body: { code: 'invalid_request', reason: 'duplicate_cookie' } })
        expired(answer)
      }
    }
    equals(await app.stateOf(mine), 'live')
    // Also where something keeps the browser from expiring them: a login is what puts it right.
    const login = await line.send('POST', '/login', {
      headers: [
        ['Cookie', `${one(mine.access)}; ${one(theirs.access)}`],
        ['Origin', app.origin],
      ],
      json: { subject: app.subject(), roles: ['user'], delivery: 'cookie' },
    })
    equals(login.status, 200)
    const access = cookieIn(login, 'access')!
    equals((await line.send('GET', '/me', { headers: [cookies({ access })] })).status, 200)
    // Whoever they were, a login over a session ends it.
    equals([await app.stateOf(mine), await app.stateOf(theirs)], ['logout', 'logout'])
  })

  test(
    'two refresh cookies: 400, and both are expired',
    async (app) => {
      const [mine, theirs] = [await app.login(), await app.login()]
      const refresh = `${COOKIE_NAMES.refresh}=${mine.refresh}; ${COOKIE_NAMES.refresh}=${theirs.refresh}`
      const headers = [['Cookie', refresh] as const, ['Origin', app.origin] as const]
      const answer = await app.line().send('POST', '/refresh', { headers })
      matches(answer, { status: 400, body: { reason: 'duplicate_cookie' } })
      expired(answer)
      equals(await app.stateOf(mine), 'live')
    },
    'refresh',
  )

  test('a cookie and a header at once: 400, never the one or the other', async (app) => {
    const tokens = await app.login()
    const answer = await app.line().send('GET', '/me', { headers: [cookies(tokens), bearer(tokens.access)] })
    matches(answer, { status: 400, body: { code: 'invalid_request', reason: 'credential_twice' } })
  })

  test('Authorization twice, or not one token: 400', async (app) => {
    const [mine, theirs] = [await app.program(), await app.program()]
    const line = app.line()
    // HTTP/2 libraries do not send these.
    const odd = [[bearer('')], [bearer(mine.access), bearer(theirs.access)], [bearer(mine.access), bearer(mine.access)]]
    for (const headers of [...(app.run.protocol === 'http1' ? odd : []), [bearer(`${mine.access} ${theirs.access}`)]]) {
      const answer = await line.send('GET', '/me', { headers })
      matches(answer, { status: 400, body: { code: 'invalid_request', reason: 'authorization_malformed' } })
    }
  })

  test('a token anywhere else is no credential: query, body, other headers, other cookies', async (app) => {
    const { access } = await app.program()
    const line = app.line()
    for (const path of [`/me?access_token=${access}`, `/me?token=${access}`]) {
      matches(await line.send('GET', path), { status: 401, body: { code: 'unauthenticated' } })
    }
    for (const header of ['X-Access-Token', 'Proxy-Authorization']) {
      const answer = await line.send('GET', '/me', { headers: [[header, `Bearer ${access}`]] })
      matches(answer, { status: 401, body: { code: 'unauthenticated' } })
    }
    for (const name of [
      'access',
      COOKIE_NAMES.access.toLowerCase(),
      COOKIE_NAMES.access.replace('__Host-', '__Secure-'),
    ]) {
      const answer = await line.send('GET', '/me', { headers: [['Cookie', `${name}=${access}`]] })
      matches(answer, { status: 401, body: { code: 'unauthenticated' } })
    }
  })
}

function expired(answer: Answer): void {
  equals([cookieIn(answer, 'access'), cookieIn(answer, 'refresh')], ['', ''])
  for (const set of answer.setCookies) ok(/; *max-age=0(;|$)/i.test(set), 'a cookie is removed with Max-Age=0')
}

/** An answer with credentials, or about whoever holds them, is nobody else's (RFC 9111 section 5.2.2.5). */
export function notCached(answer: Answer): void {
  match(answer.header('cache-control') ?? '(no Cache-Control)', /\bno-store\b/)
}
