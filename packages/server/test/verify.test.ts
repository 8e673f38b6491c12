// `GET /verify` as proxies ask it, without a proxy. With real ones: `examples/forward-auth/`.
import { request as httpRequest } from 'node:http'
import { createVerifier } from 'countersign'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { ServerSessions } from '../src/http/kit.ts'
import { proxyCheck } from '../src/http/proxies.ts'
import { type Answer, bearer, problemIn, startApp, type TestApp } from './support.ts'

const PROXY = { trustedProxies: ['127.0.0.0/8'], upstreams: [{ name: 'shop', audience: 'https://shop.test' }] }
const ASKED = { 'x-forwarded-method': 'GET', 'x-forwarded-uri': '/orders?page=2' }
const NAVIGATION = { 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' }

let app: TestApp
/** Cookies of somebody who is logged in. */
let alice: { cookie: string }
beforeAll(async () => {
  app = await startApp({ settings: PROXY })
  alice = await cookiesOf(app, 'alice@example.com')
})
afterAll(() => app.close())

async function cookiesOf(of: TestApp, identifier: string): Promise<{ cookie: string }> {
  const client = of.client()
  await client.register(identifier)
  await client.login(identifier)
  return { cookie: client.cookie }
}

type Fields = Record<string, string | readonly string[]>

/** As a proxy asks. Not `fetch`, which has a `Sec-Fetch-Mode` of its own. */
function ask(path: string, headers: Fields = {}, method = 'GET', url = app.url): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const fields = Object.entries(headers).flatMap(([name, values]) =>
      [values].flat().flatMap((value) => [name, value]),
    )
    const outgoing = httpRequest(url + path, { method, headers: ['Host', new URL(url).host, ...fields] }, (answer) => {
      let text = ''
      answer.setEncoding('utf8').on('data', (chunk) => {
        text += chunk
      })
      answer.on('end', () => {
        const all = new Headers(
          Object.entries(answer.headersDistinct).map(([name, values]) => [name, values!.join(', ')]),
        )
        const isJson = /json/.test(all.get('content-type') ?? '') && text !== ''
        const cookies = answer.headers['set-cookie'] ?? []
        resolve({
          status: answer.statusCode!,
          headers: all,
          cookies,
          text,
          body: isJson ? JSON.parse(text) : undefined,
        })
      })
    })
    outgoing.on('error', reject).end()
  })
}

const identity = ({ headers }: { headers: Headers }) =>
  Object.fromEntries([...headers].filter(([name]) => name.startsWith('x-auth-')))

async function tokenOf(identifier: string, roles: readonly string[] = []): Promise<string> {
  const { body } = await app.client().register(identifier)
  if (roles.length > 0) await app.accounts.setRoles(body.account.subject, roles)
  return (await app.client().login(identifier, { delivery: 'bearer' })).body.accessToken
}

describe('200', () => {
  test('whose session it is, and nothing else: no body, no cookie', async () => {
    const answer = await ask('/verify', { ...ASKED, ...alice })
    const { session } = (await ask('/auth/session', alice)).body
    expect([answer.status, answer.text, answer.cookies]).toEqual([200, '', []])
    expect(identity(answer)).toEqual({
      'x-auth-subject': session.subject,
      'x-auth-session': session.id,
      'x-auth-roles': session.roles.join(','),
      'x-auth-tenant': '',
      'x-auth-assertion': '',
    })
    expect(answer.headers.get('cache-control')).toBe('no-store')
  })

  test('HEAD, and a bearer token', async () => {
    const token = await tokenOf('bearer@example.com')
    const answer = await ask('/verify', { ...ASKED, ...bearer(token) }, 'HEAD')
    expect([answer.status, identity(answer)['x-auth-subject']]).toEqual([200, expect.stringMatching(/^[\w-]{24}$/)])
  })

  test('names that do not fit into a header are percent-encoded, and no two look the same', async () => {
    const headerOf = async (subject: string, roles: string[]) => {
      const issued = await app.sessions.issue({ subject, roles, delivery: 'bearer' })
      if (!issued.ok) throw new Error(issued.reason)
      return identity(await ask('/verify', { ...ASKED, ...bearer(issued.accessToken) }))
    }
    const subject = 'zoë, 100% "sure"\r\nX-Auth-Roles: admin'
    const told = await headerOf(subject, ['user', 'admin'])
    expect(told['x-auth-subject']).toBe('zo%C3%AB%2C%20100%25%20"sure"%0D%0AX-Auth-Roles:%20admin')
    expect(decodeURIComponent(told['x-auth-subject']!)).toBe(subject)
    expect(told['x-auth-roles']).toBe('user,admin')
    expect((await headerOf('a%2Cb', []))['x-auth-subject']).toBe('a%252Cb')
    expect((await headerOf('a,b', []))['x-auth-roles']).toBe('')
  })
})

describe('an assertion', () => {
  test('is good for its audience for half a minute, and is no access token here', async () => {
    const answer = await ask('/verify?upstream=shop', { ...ASKED, ...alice })
    const assertion = answer.headers.get('x-auth-assertion')!
    const options = { issuer: 'https://auth.test', keys: app.keyring, algorithms: ['ES256'] } as const
    const shop = createVerifier({ ...options, audience: 'https://shop.test' })
    const checked = await shop.verify(assertion)
    const { session } = (await ask('/auth/session', alice)).body
    expect(checked).toMatchObject({
      ok: true,
      session: { subject: session.subject, sessionId: session.id, roles: session.roles },
    })
    const claims = JSON.parse(Buffer.from(assertion.split('.')[1]!, 'base64url').toString())
    expect([claims.exp - claims.iat, claims.aud, claims.gen]).toEqual([30, 'https://shop.test', undefined])
    const other = createVerifier({ ...options, audience: 'https://api.test' })
    expect(await other.verify(assertion)).toMatchObject({ ok: false, reason: 'claim_mismatch' })
    for (const path of ['/auth/session', '/verify'])
      expect((await ask(path, { ...ASKED, ...bearer(assertion) })).status).toBe(401)
  })

  test('is there only where it is asked for, and only for what is configured', async () => {
    expect((await ask('/verify', { ...ASKED, ...alice })).headers.get('x-auth-assertion')).toBe('')
    const answer = await ask('/verify?upstream=other', { ...ASKED, ...alice })
    expect([answer.status, answer.body.detail]).toEqual([400, 'query.upstream is not configured'])
  })
})

describe('401', () => {
  test('nobody: where to log in, and the same problem in a header', async () => {
    const answer = await ask('/verify', ASKED)
    expect(problemIn(answer)).toMatchObject({ status: 401, code: 'unauthenticated', cookies: 0 })
    expect(answer.headers.get('location')).toBe('/auth/login?return_to=%2Forders%3Fpage%3D2')
    expect(answer.headers.get('www-authenticate')).toBe('Bearer realm="countersign"')
    expect(JSON.parse(answer.headers.get('x-auth-problem')!)).toEqual(answer.body)
  })

  test('whoever comes from the login is told so, or the page would send them back for ever', async () => {
    const referer = 'https://shop.test/auth/login?return_to=%2Forders'
    const answer = await ask('/verify', { ...ASKED, referer })
    expect(answer.headers.get('location')).toBe('/auth/login?return_to=%2Forders%3Fpage%3D2&again=1')
  })

  test.each([
    ['another host', '//evil.example/x'],
    ['another host by a backslash', '/\\evil.example'],
    ['dots that end in another host', '/..//evil.example'],
    ['encoded dots', '/%2e%2e//evil.example'],
    ['an address', 'https://evil.example/'],
    ['no path', 'evil'],
    ['a tab', '/\tevil'],
    ['too long', `/${'a'.repeat(2_048)}`],
  ])('a path to come back to that is %s is left out', async (_what, uri) => {
    const answer = await ask('/verify', { ...ASKED, 'x-forwarded-uri': uri })
    expect([answer.status, answer.headers.get('location')]).toEqual([401, '/auth/login'])
  })

  test('what a client did wrong is 401 too: nginx knows no 400', async () => {
    const [cookie = ''] = alice.cookie.split('; ')
    const twice = await ask('/verify', { ...ASKED, cookie: `${cookie}; ${cookie}` })
    expect(problemIn(twice)).toMatchObject({ status: 401, reason: 'duplicate_cookie', cookies: 0 })
    const both = await ask('/verify', { ...ASKED, cookie, ...bearer('x') })
    expect(problemIn(both)).toMatchObject({ status: 401, reason: 'credential_twice', cookies: 0 })
    const odd = await ask('/verify', { ...ASKED, authorization: 'Bearer' })
    expect(problemIn(odd)).toMatchObject({ status: 401, reason: 'authorization_malformed', cookies: 0 })
  })

  test('a revoked session: at once, with the reason', async () => {
    const token = await tokenOf('revoked@example.com')
    const { sessionId } = await app.sessions.explain(token)
    expect((await ask('/verify', { ...ASKED, ...bearer(token) })).status).toBe(200)
    await app.sessions.revoke(sessionId!, { reason: 'logout' })
    const answer = await ask('/verify', { ...ASKED, ...bearer(token) })
    expect(problemIn(answer)).toMatchObject({ status: 401, code: 'invalid_token', endedBy: 'logout', cookies: 0 })
  })
})

test('why a session ended may be any text, also in a header', async () => {
  const token = await tokenOf('text@example.com')
  const { sessionId } = await app.sessions.explain(token)
  const reason = 'gesperrt – Größe\r\nX: 1\u007f\u2028😀'
  await app.sessions.revoke(sessionId!, { reason })
  const answer = await ask('/verify', { ...ASKED, ...bearer(token) })
  expect([answer.status, answer.body.endedBy, answer.headers.get('x')]).toEqual([401, reason, null])
  expect(JSON.parse(answer.headers.get('x-auth-problem')!)).toEqual(answer.body)
})

describe('navigation=redirect', () => {
  const go = (headers: Fields) => ask('/verify?navigation=redirect', { ...ASKED, ...headers })

  test('a page that is gone to: 303 to the login; what a page asks for: 401', async () => {
    const answer = await go(NAVIGATION)
    expect([answer.status, answer.headers.get('location')]).toEqual([303, '/auth/login?return_to=%2Forders%3Fpage%3D2'])
    expect((await go({ accept: 'text/html,*/*;q=0.8' })).status).toBe(303)
    expect((await go({ 'sec-fetch-mode': 'cors', accept: 'text/html' })).status).toBe(401)
    expect((await go({ ...NAVIGATION, 'sec-fetch-dest': 'iframe' })).status).toBe(401)
    expect((await go({ accept: '*/*' })).status).toBe(401)
  })

  test('a form that was sent: the login without a way back, for that would be another request', async () => {
    const answer = await go({ ...NAVIGATION, 'x-forwarded-method': 'POST', 'sec-fetch-site': 'same-origin' })
    expect([answer.status, answer.headers.get('location')]).toEqual([303, '/auth/login'])
  })
})

describe('403', () => {
  test('a role that is missing; of several, one is enough', async () => {
    const token = await tokenOf('moderator@example.com', ['user', 'moderator'])
    const demand = (query: string) => ask(`/verify${query}`, { ...ASKED, ...bearer(token) })
    expect((await demand('?role=moderator')).status).toBe(200)
    expect((await demand('?role=admin&role=moderator')).status).toBe(200)
    const answer = await demand('?role=admin')
    expect(problemIn(answer)).toMatchObject({ status: 403, code: 'insufficient_scope', cookies: 0 })
    expect(answer.headers.get('www-authenticate')).toContain('scope="admin"')
    expect(answer.headers.get('location')).toBeNull()
  })

  test.each([
    ['another site', 'POST', { 'sec-fetch-site': 'cross-site' }, 'origin_foreign'],
    ['a sibling', 'DELETE', { 'sec-fetch-site': 'same-site' }, 'origin_foreign'],
    ['another origin', 'POST', { origin: 'https://evil.example' }, 'origin_foreign'],
    ['nowhere, with a cookie', 'PUT', {}, 'origin_unproven'],
    [
      'a WebSocket of another origin',
      'GET',
      { origin: 'https://evil.example', 'sec-fetch-mode': 'websocket' },
      'origin_foreign',
    ],
  ])('an unsafe request from %s', async (_what, method, headers, reason) => {
    const answer = await ask('/verify', { ...ASKED, ...alice, 'x-forwarded-method': method, ...headers })
    expect(problemIn(answer)).toMatchObject({ status: 403, code: 'cross_origin', reason, cookies: 0 })
  })

  test('our own origin passes, also for a WebSocket', async () => {
    for (const headers of [
      { 'x-forwarded-method': 'POST', origin: app.url },
      { 'x-forwarded-method': 'POST', 'sec-fetch-site': 'same-origin' },
      { 'x-forwarded-method': 'GET', 'sec-fetch-mode': 'websocket', origin: app.url },
    ])
      expect((await ask('/verify', { ...ASKED, ...alice, ...(headers as Fields) })).status).toBe(200)
  })

  test('a session of the delivery bearer needs no origin', async () => {
    const token = await tokenOf('program@example.com')
    const answer = await ask('/verify', { ...ASKED, 'x-forwarded-method': 'POST', ...bearer(token) })
    expect(answer.status).toBe(200)
  })
})

describe('what a proxy says', () => {
  test('the method must be there, and be one', async () => {
    const status = async (fields: Fields) => (await ask('/verify', { ...alice, ...fields })).status
    expect(await status({ 'X-Forwarded-Method': 'GET' })).toBe(200)
    expect(await status({ 'X-Original-Method': 'GET' })).toBe(200)
    expect(await status({})).toBe(400)
    expect(await status({ 'X-Forwarded-Method': '' })).toBe(400)
    expect(await status({ 'X-Forwarded-Method': 'POST', 'X-Original-Method': 'GET' })).toBe(400)
    expect(await status({ 'X-Forwarded-Method': ['POST', 'GET'] })).toBe(400)
  })

  test('any method may ask, with whatever body is named, as Envoy does', async () => {
    for (const method of ['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']) {
      const fields = { 'X-Forwarded-Method': method, 'Sec-Fetch-Site': 'same-origin', 'Content-Type': 'text/plain' }
      const answer = await ask('/verify', { ...alice, ...fields, 'Content-Length': '0' }, method)
      expect([method, answer.status]).toEqual([method, 200])
    }
  })

  test('nobody but a listed proxy may say it, whatever X-Forwarded-For says', async () => {
    const closed = await startApp({ settings: { ...PROXY, trustedProxies: ['10.0.0.0/8', '::2'] } })
    const answer = await ask('/verify', { ...ASKED, 'x-forwarded-for': '10.0.0.1' }, 'GET', closed.url)
    expect(problemIn(answer)).toMatchObject({ status: 403, code: 'proxy_not_listed', cookies: 0 })
    expect(answer.headers.get('location')).toBeNull()
    expect(closed.logged.join('')).toContain('"event":"proxy_not_listed"')
    await closed.close()
  })

  test('a demand that nobody knows is refused', async () => {
    for (const query of ['?roles=admin', '?token=x', '?role=a,b', '?role=', '?navigation=yes'])
      expect([query, (await ask(`/verify${query}`, { ...ASKED, ...alice })).status]).toEqual([query, 400])
  })
})

test('it counts as use of the session; a refusal for the role does not', async () => {
  const own = await startApp({ settings: PROXY })
  const fields = { ...ASKED, ...(await cookiesOf(own, 'idle@example.com')) }
  const { session } = (await ask('/auth/session', fields, 'GET', own.url)).body
  const seen = async () => {
    const found = await own.sessions.get(session.id)
    return found.ok ? found.session.lastSeenAtMs : 0
  }
  const before = await seen()
  own.advance(4 * 60_000)
  expect((await ask('/verify?role=admin', fields, 'GET', own.url)).status).toBe(403)
  expect(await seen()).toBe(before)
  expect((await ask('/verify', fields, 'GET', own.url)).status).toBe(200)
  await expect.poll(seen).toBeGreaterThan(before)
  await own.close()
})

test('the store is asked once, and not at all where the near cache knows the session', async () => {
  let asked = 0
  const around = (sessions: ServerSessions): ServerSessions => ({
    ...sessions,
    verify: ((...args: Parameters<ServerSessions['verify']>) => {
      asked++
      return sessions.verify(...args)
    }) as ServerSessions['verify'],
  })
  const own = await startApp({ store: 'sqlite', settings: PROXY, around })
  const fields = { ...ASKED, ...(await cookiesOf(own, 'near@example.com')) }
  const verify = async () => (await ask('/verify', fields, 'GET', own.url)).status
  expect([await verify(), asked]).toEqual([200, 1])
  for (let i = 0; i < 5; i++) expect(await verify()).toBe(200)
  expect(asked).toBeLessThan(3)
  await own.close()
})

test.each([
  ['10.1.2.3', true],
  ['::ffff:10.1.2.3', true],
  ['::FFFF:10.1.2.3', true],
  ['11.1.2.3', false],
  ['::ffff:11.1.2.3', false],
  ['127.0.0.1', true],
  ['127.0.0.2', false],
  ['fd00::1', true],
  ['fe00::1', false],
  ['', false],
  ['unknown', false],
  [undefined, false],
])('a peer %s is a listed proxy: %s', (address, expected) => {
  expect(proxyCheck(['10.0.0.0/8', '127.0.0.1', 'fd00::/8'])(address)).toBe(expected)
  expect(proxyCheck([])(address)).toBe(false)
})

test('a store that is away: 503 with Retry-After, and no cookie', async () => {
  const redis = await startApp({ store: 'redis', settings: PROXY })
  const cookies = await cookiesOf(redis, 'alice@example.com')
  const verify = () => ask('/verify', { ...ASKED, ...cookies }, 'GET', redis.url)
  expect((await verify()).status).toBe(200)
  await redis.stopStore()
  await expect.poll(async () => (await verify()).status, { timeout: 60_000 }).toBe(503)
  const answer = await verify()
  expect(problemIn(answer)).toMatchObject({ status: 503, code: 'unavailable', cookies: 0 })
  expect(answer.headers.get('retry-after')).toMatch(/^[1-9]\d*$/)
  expect(answer.headers.get('location')).toBeNull()
  await redis.close()
})
