// The samples of this folder on the real nginx, HAProxy and Caddy.
import { Agent, request } from 'node:http'
import { createVerifier } from 'countersign'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { AUDIENCE, header, type Received, type Stack, startStack, told } from './stack.ts'

const NAVIGATE = ['Sec-Fetch-Mode: navigate', 'Sec-Fetch-Dest: document', 'Sec-Fetch-Site: none', 'Accept: text/html']
const CALL = ['Sec-Fetch-Mode: cors', 'Sec-Fetch-Site: same-origin', 'Accept: application/json']

const valuesOf = (received: Received | undefined, name: string) =>
  (received?.fields ?? []).filter(([one]) => one.toLowerCase() === name).map(([, value]) => value)
/** Every field that some program could take for one of ours. */
const identityIn = (received: Received | undefined) =>
  (received?.fields ?? [])
    .filter(([name]) => /x[^a-z0-9]*auth/i.test(name))
    .map(([name, value]) => [name.toLowerCase(), value])
describe.each(['nginx', 'haproxy', 'caddy'] as const)('%s', (kind) => {
  let stack: Stack
  let cookie: string
  beforeAll(async () => {
    stack = await startStack(kind)
    cookie = `Cookie: ${stack.alice}`
  })
  afterAll(() => stack?.close())
  const send: Stack['send'] = (...args) => stack.send(...args)

  test('anonymous: an API call is 401 with our problem and challenge, a navigation goes to the login', async () => {
    const before = stack.reached()
    const call = await send('GET', '/shop/orders?page=2', CALL)
    expect(told(call)).toEqual({ status: 401, code: 'unauthenticated', cookies: undefined })
    expect(header(call, 'content-type')).toMatch(/^application\/problem\+json/)
    expect(header(call, 'www-authenticate')).toBe('Bearer realm="countersign"')
    expect(header(call, 'cache-control')).toBe('no-store')
    const page = await send('GET', '/shop/orders?page=2', NAVIGATE)
    expect([page.status, header(page, 'location')]).toEqual([303, '/auth/login?return_to=%2Fshop%2Forders%3Fpage%3D2'])
    const old = await send('GET', '/shop/', ['Accept: text/html,*/*'])
    expect(old.status).toBe(303)
    const login = await send('GET', header(page, 'location')!)
    expect([login.status, login.text]).toEqual([200, expect.stringContaining('<form id="login"')])
    expect((await send('GET', '/auth/page.js')).status).toBe(200)
    expect(stack.reached()).toBe(before)
  })

  test('logged in: the upstream is told who it is, and gets none of our secrets but the cookies of others', async () => {
    const own = `a=1; ${stack.alice}; b=2; __host-access=x; not__Host-access=y`
    const { status, received } = await send('GET', '/shop/orders?page=2', [`Cookie: ${own}`, ...CALL])
    expect([status, received?.upstream, received?.url]).toEqual([200, 'shop', '/shop/orders?page=2'])
    expect(valuesOf(received, 'cookie')).toEqual(['a=1; b=2; __host-access=x; not__Host-access=y'])
    expect(valuesOf(received, 'x-auth-subject')).toEqual([expect.stringMatching(/^[\w-]{24}$/)])
    expect(valuesOf(received, 'x-auth-session')).toEqual([expect.stringMatching(/^[\w-]{34}$/)])
    expect(valuesOf(received, 'x-auth-roles')).toEqual(['user'])
    expect(JSON.stringify(received)).not.toContain(stack.alice.split('=')[1]!.split(';')[0])
    const admin = await send('GET', '/admin/', [`Cookie: ${stack.admin}`])
    expect([admin.status, admin.received?.upstream, valuesOf(admin.received, 'x-auth-roles')]).toEqual([
      200,
      'admin',
      ['admin'],
    ])
  })

  test.each([
    ['first', 'ACCESS; REFRESH; a=1', ['a=1']],
    ['last', 'a=1; REFRESH; ACCESS', ['a=1']],
    ['alone', 'ACCESS; REFRESH', []],
    ['without blanks', 'a=1;ACCESS;REFRESH;b=2', ['a=1;b=2', 'a=1; b=2']],
    ['with blanks around', 'a=1 ; \tACCESS ; b=2', ['a=1 ; b=2', 'a=1; b=2']],
  ])('our cookies %s', async (_where, text, allowed) => {
    const [access = '', refresh = ''] = stack.alice.split('; ')
    const { status, received } = await send('GET', '/shop/', [
      `Cookie: ${text.replace('ACCESS', access).replace('REFRESH', refresh)}`,
    ])
    expect(status).toBe(200)
    const cookies = valuesOf(received, 'cookie').filter((value) => value !== '')
    if (allowed.length === 0) expect(cookies).toEqual([])
    else expect(allowed).toContain(cookies.join('; '))
  })

  test('cookies in several fields, as HTTP/2 has them', async () => {
    const [access, refresh] = stack.alice.split('; ')
    const { status, received } = await send('GET', '/shop/', [
      'Cookie: a=1',
      `Cookie: ${access}`,
      `Cookie: ${refresh}`,
      'Cookie: b=2',
    ])
    expect(status).toBe(200)
    const cookies = valuesOf(received, 'cookie').join('; ')
    expect(cookies).not.toContain('__Host-')
    expect(cookies.split(/; */).filter((one) => one !== '')).toEqual(['a=1', 'b=2'])
  })

  test('a bearer token: taken, and not passed on; another scheme is', async () => {
    const { status, received } = await send('GET', '/shop/', [`Authorization: Bearer ${stack.bearer}`])
    expect([status, valuesOf(received, 'authorization')]).toEqual([200, []])
    expect(valuesOf(received, 'x-auth-subject')).toHaveLength(1)
    const basic = await send('GET', '/shop/', [cookie, 'Authorization: Basic eDp5'])
    expect([basic.status, valuesOf(basic.received, 'authorization')]).toEqual([200, ['Basic eDp5']])
  })

  test('an assertion that a verifier takes, with nothing but the published keys', async () => {
    const { received } = await send('GET', '/shop/', [cookie])
    const [assertion = ''] = valuesOf(received, 'x-auth-assertion')
    const keys = new URL('/.well-known/jwks.json', stack.service.url)
    const options = { issuer: stack.url, keys, algorithms: ['ES256'], privateNetwork: true } as const
    const verifier = createVerifier({ ...options, audience: AUDIENCE })
    expect(await verifier.verify(assertion)).toMatchObject({
      ok: true,
      session: { subject: valuesOf(received, 'x-auth-subject')[0], roles: ['user'] },
    })
    expect(
      valuesOf((await send('GET', '/admin/', [`Cookie: ${stack.admin}`])).received, 'x-auth-assertion').join(''),
    ).toBe('')
  })

  test('the wrong role: 403, also for a navigation', async () => {
    const before = stack.reached()
    for (const more of [CALL, NAVIGATE]) {
      const reply = await send('GET', '/admin/', [cookie, ...more])
      expect(told(reply)).toEqual({ status: 403, code: 'insufficient_scope', cookies: undefined })
      expect(header(reply, 'location')).toBeUndefined()
    }
    expect(stack.reached()).toBe(before)
  })

  test.each(['cookie', 'bearer'] as const)('revoked (%s): refused by the next request', async (delivery) => {
    const secret = await stack.login('alice@example.com', delivery)
    const lines = [delivery === 'cookie' ? `Cookie: ${secret}` : `Authorization: Bearer ${secret}`]
    expect((await send('GET', '/shop/', lines)).status).toBe(200)
    expect((await send('POST', '/auth/logout', [...lines, 'Sec-Fetch-Site: same-origin'])).status).toBe(204)
    const reply = await send('GET', '/shop/', lines)
    expect(told(reply)).toEqual({ status: 401, code: 'invalid_token', cookies: undefined })
    expect(JSON.parse(reply.text)).toMatchObject({ endedBy: 'logout', remedy: 'sign_in' })
    expect((await send('GET', '/shop/', [...lines, ...NAVIGATE])).status).toBe(303)
  })

  test('cross-site: refused before the upstream, and no form gets through', async () => {
    const before = stack.reached()
    for (const lines of [
      ['Sec-Fetch-Site: cross-site', 'Sec-Fetch-Mode: navigate', 'Origin: https://evil.example'],
      ['Sec-Fetch-Site: same-site', `Origin: ${stack.url}`],
      ['Origin: https://evil.example'],
      ['Origin: null'],
      ['Referer: https://evil.example/'],
      [],
      // Whoever says that it was a GET.
      [
        'Sec-Fetch-Site: cross-site',
        'X-Forwarded-Method: GET',
        'X-Original-Method: GET',
        'X-HTTP-Method-Override: GET',
      ],
    ]) {
      const reply = await send('POST', '/shop/', [cookie, 'Content-Type: text/plain', ...lines], 'a=b')
      expect([lines, told(reply)]).toEqual([lines, { status: 403, code: 'cross_origin', cookies: undefined }])
    }
    expect(stack.reached()).toBe(before)
    const own = await send('POST', '/shop/', [cookie, 'Sec-Fetch-Site: same-origin'], 'a=b')
    expect([own.status, own.received?.method]).toEqual([200, 'POST'])
  })

  test('a body reaches the upstream, is not sent to us, and does not upset what comes after it', async () => {
    const own = [cookie, 'Sec-Fetch-Site: same-origin']
    const chunked = `5\r\nhello\r\n0\r\n\r\n`
    for (let i = 0; i < 3; i++) {
      expect((await send('POST', '/shop/', own, 'hello')).status).toBe(200)
      expect((await send('GET', '/shop/', own)).status).toBe(200)
      const reply = await send('POST', '/shop/', [...own, 'Transfer-Encoding: chunked'], chunked)
      expect([reply.status, reply.received?.body]).toEqual([200, 'hello'])
      expect((await send('GET', '/shop/', own)).status).toBe(200)
      expect((await send('POST', '/shop/', ['Sec-Fetch-Site: cross-site', cookie], 'hello')).status).toBe(403)
    }
  })

  describe('fields that only we may set', () => {
    const SPELLINGS = [
      'X-Auth-Subject',
      'x-auth-subject',
      'X_Auth_Subject',
      'X-Auth_Subject',
      'X.Auth.Subject',
      'X_Auth-Roles',
      'X-AUTH-SESSION',
      'X-Auth-Assertion',
      'X-Auth-Tenant',
    ]

    test.each(SPELLINGS)('%s: dropped, once and twice', async (name) => {
      for (const times of [1, 2]) {
        const lines = Array.from({ length: times }, (_, i) => `${name}: mallory${i}`)
        const { status, received } = await send('GET', '/shop/', [cookie, ...lines])
        expect([status, JSON.stringify(received)]).toEqual([200, expect.not.stringContaining('mallory')])
        const names = identityIn(received)
          .filter(([, value]) => value !== '')
          .map(([one]) => one)
        expect(names.sort()).toEqual(['x-auth-assertion', 'x-auth-roles', 'x-auth-session', 'x-auth-subject'])
      }
    })

    test.each([
      ['close, X-Auth-Subject', []],
      ['X-Auth-Subject, X-Auth-Roles', []],
      ['keep-alive, X-Auth-Session', ['Keep-Alive: timeout=5']],
      ['close, Cookie, Authorization', []],
      ['close, X-Forwarded-Method, X-Forwarded-Uri', []],
      ['close, X-Forwarded-For', []],
    ])('Connection: %s takes nothing away, and is not passed on', async (value, more) => {
      const { status, received } = await send('GET', '/shop/', [
        cookie,
        `Connection: ${value}`,
        ...more,
        'X-Auth-Subject: mallory',
        'X-Last: 1',
      ])
      expect(status).toBe(200)
      expect(identityIn(received).filter(([, one]) => one !== '')).toHaveLength(4)
      expect(valuesOf(received, 'x-auth-subject')).toEqual([expect.stringMatching(/^[\w-]{24}$/)])
      expect(valuesOf(received, 'connection').join()).not.toMatch(/x-|cookie|auth/i)
    })

    test('whoever is not logged in is not told to be somebody', async () => {
      const before = stack.reached()
      const reply = await send('GET', '/shop/', ['X-Auth-Subject: mallory', 'X_Auth_Subject: mallory', ...CALL])
      expect([reply.status, stack.reached()]).toEqual([401, before])
    })

    test('where they come from is said by the proxy and not by the client', async () => {
      const { received } = await send('GET', '/shop/', [cookie, 'X-Forwarded-For: 6.6.6.6'])
      expect(valuesOf(received, 'x-forwarded-for')).toEqual(['127.0.0.1'])
    })
  })

  test('what a client did wrong is 401 and no outage: our cookie twice', async () => {
    const [access] = stack.alice.split('; ')
    const reply = await send('GET', '/shop/', [`Cookie: ${access}; ${access}`, ...CALL])
    expect(told(reply)).toEqual({ status: 401, code: 'invalid_request', cookies: undefined })
    expect(JSON.parse(reply.text).reason).toBe('duplicate_cookie')
  })

  test('/verify is not there for anybody outside', async () => {
    for (const path of ['/verify', '/verify?role=x', '/_verify', '/auth/../verify', '/auth/%2e%2e/verify', '//verify'])
      expect([path, (await send('GET', path, [cookie, 'X-Forwarded-Method: GET'])).status]).toEqual([
        path,
        expect.toBeOneOf([400, 404]),
      ])
  })

  test('a path that leads elsewhere than it looks is judged by where it leads', async () => {
    const before = stack.reached()
    for (const path of [
      '/shop/../admin/',
      '/shop/%2e%2e/admin/',
      '/shop/.%2E/admin/',
      '/shop/..%2fadmin/',
      '/shop/./../admin/',
      '/shop//../../admin/',
    ])
      expect([path, (await send('GET', path, [cookie])).status]).toEqual([path, expect.toBeOneOf([400, 403, 404])])
    expect(stack.reached()).toBe(before)
  })

  test('HEAD', async () => {
    const reply = await send('HEAD', '/shop/', [cookie])
    expect([reply.status, reply.text, reply.received?.method]).toEqual([200, '', 'HEAD'])
    expect((await send('HEAD', '/shop/')).status).toBe(401)
  })

  test('what the upstream itself refuses or breaks is passed on as it is', async () => {
    for (const status of [401, 403, 500, 503]) {
      const reply = await send('GET', `/shop/?status=${status}`, [cookie])
      expect([reply.status, reply.received?.upstream]).toEqual([status, 'shop'])
    }
  })

  test('keep-alive: refused and let through on one connection, each for itself', async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    const ports = new Set<number | undefined>()
    const get = (path: string, headers: Record<string, string>) =>
      new Promise<number>((resolve, reject) => {
        request(`${stack.url}${path}`, { agent, headers }, (answer) => {
          ports.add(answer.socket.localPort)
          answer.resume().on('end', () => resolve(answer.statusCode!))
        })
          .on('error', reject)
          .end()
      })
    const own = { cookie: stack.alice }
    const statuses: number[] = []
    for (const headers of [own, {}, own, own, {}, own])
      statuses.push(await get('/shop/', headers as Record<string, string>))
    expect(statuses).toEqual([200, 401, 200, 200, 401, 200])
    expect(ports.size).toBe(1)
    agent.destroy()
  })

  test('large fields: passed on as long as we take them, and refused by the proxy beyond, never an outage', async () => {
    const filler = (bytes: number) => `X-Filler: ${'x'.repeat(bytes)}`
    const fine = await send('GET', '/shop/', [cookie, filler(5_000)])
    expect([fine.status, valuesOf(fine.received, 'x-filler')[0]?.length]).toEqual([200, 5_000])
    const manyCookies = await send('GET', '/shop/', [`Cookie: ${stack.alice}; big=${'x'.repeat(5_000)}`])
    expect([manyCookies.status, valuesOf(manyCookies.received, 'cookie').join('')]).toEqual([
      200,
      `big=${'x'.repeat(5_000)}`,
    ])
    const before = stack.reached()
    const huge = await send('GET', '/shop/', [cookie, filler(7_000), filler(7_000), filler(7_000)])
    expect(huge.status).toBeOneOf([400, 431])
    expect(stack.reached()).toBe(before)
  })

  test('a WebSocket: with a session and from our own page only', async () => {
    const open = (headers: Record<string, string>) =>
      new Promise<{ status: number } | { said: string; headers: Record<string, string> }>((resolve, reject) => {
        const socket = new WebSocket(`${stack.url.replace('http', 'ws')}/shop/live`, { headers })
        socket.once('unexpected-response', (_request, answer) => {
          answer.resume()
          resolve({ status: answer.statusCode! })
        })
        socket.once('open', () => socket.send('hello'))
        socket.once('message', (text) => {
          socket.close()
          resolve(JSON.parse(String(text)))
        })
        socket.once('error', reject)
      })
    const live = await open({ cookie: `a=1; ${stack.alice}`, origin: stack.url })
    expect(live).toMatchObject({ said: 'hello', headers: { cookie: 'a=1', 'x-auth-roles': 'user' } })
    expect(await open({ origin: stack.url })).toEqual({ status: 401 })
    expect(await open({ cookie: stack.alice, origin: 'https://evil.example' })).toEqual({ status: 403 })
    expect(await open({ cookie: stack.alice })).toEqual({ status: 403 })
  })

  test.each([
    ['alone', ['h2c']],
    ['before a WebSocket', ['h2c', 'websocket']],
    ['after a WebSocket', ['websocket', 'h2c']],
    ['in one field with it', ['websocket, h2c']],
  ])('no other upgrade is passed on: %s', async (_where, upgrades) => {
    const { received } = await send('GET', '/shop/', [
      cookie,
      'Connection: Upgrade, HTTP2-Settings',
      ...upgrades.map((one) => `Upgrade: ${one}`),
      'HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA',
      'Sec-Fetch-Site: same-origin',
      `Origin: ${stack.url}`,
    ])
    if (upgrades.length === 1 && upgrades[0] === 'h2c') expect(received?.upstream).toBe('shop')
    expect(valuesOf(received, 'upgrade')).toEqual([])
    expect(stack.upgrades().filter((to) => to !== 'websocket')).toEqual([])
  })

  test('the auth server is down: 503 with Retry-After, no cookie touched; back again, the same cookie is good', async () => {
    const before = stack.reached()
    await stack.service.stop()
    // At the same time: HAProxy tries for three seconds.
    for (const reply of await Promise.all([CALL, NAVIGATE].map((more) => send('GET', '/shop/', [cookie, ...more])))) {
      expect(told(reply)).toEqual({ status: 503, code: 'unavailable', cookies: undefined })
      expect(header(reply, 'retry-after')).toMatch(/^[1-9]\d*$/)
      expect(header(reply, 'location')).toBeUndefined()
    }
    expect(stack.reached()).toBe(before)
    await stack.restart()
    expect((await send('GET', '/shop/', [cookie])).status).toBe(200)
  })
})

describe.each([
  ['traefik', 'traefik.yml'],
  ['envoy', 'envoy.yaml'],
])('%s', (_name, file) => {
  test.skip(`${file} [skipped: not a program of Debian, and none that a test can start here]`, () => {})
})
