// What nobody should send. Each thing gets one typed answer, and the server is alive afterwards.
import { connect } from 'node:net'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { type Client, PASSWORD, problemIn, startApp, type TestApp } from './support.ts'

const PROBLEM = 'application/problem+json; charset=utf-8'
const invalid = (detail: string) => ({ status: 400, type: PROBLEM, code: 'invalid_request', detail, cookies: 0 })

let app: TestApp
let client: Client
beforeAll(async () => {
  app = await startApp()
  client = app.client()
  await client.register('alice@example.com')
  await client.login('alice@example.com')
})
afterAll(() => app.close())
afterEach(async () => {
  expect((await client.get('/auth/session')).status).toBe(200)
})

const login = { identifier: 'alice@example.com', password: PASSWORD }

describe('bodies', () => {
  test.each([
    ['no body', undefined, "body must have required property 'identifier'"],
    ['not JSON', '{"identifier":', 'the body is not JSON'],
    ['two values', '{} {}', 'the body is not JSON'],
    ['a byte order mark', '\ufeff{}', 'the body is not JSON'],
    ['null', 'null', 'body must be object'],
    ['an array', '[]', 'body must be object'],
    ['a text', '"x"', 'body must be object'],
    ['deep JSON', `${'['.repeat(8_000)}${']'.repeat(8_000)}`, 'body must be object'],
    ['a deep member', { ...login, device: { id: 'x', label: { a: { b: {} } } } }, 'body.device.label must be string'],
    ['a number as password', { ...login, password: 123_456_789_012_345 }, 'body.password must be string'],
    ['an object as identifier', { ...login, identifier: { $ne: null } }, 'body.identifier must be string'],
    ['a text as truth', { ...login, persistent: 'true' }, 'body.persistent must be boolean'],
    ['an unknown member', { ...login, admin: true }, 'body has no member "admin"'],
    ['an unknown member that is no name', { ...login, '<script>': 1 }, 'body has a member that does not exist'],
    ['__proto__', `{"identifier":"a","password":"b","__proto__":{"admin":true}}`, 'body has no member "__proto__"'],
    ['constructor', { ...login, constructor: { prototype: {} } }, 'body has no member "constructor"'],
    ['an unknown member of the device', { ...login, device: { id: 'x', os: 'y' } }, 'body.device has no member "os"'],
    ['an empty device id', { ...login, device: { id: '' } }, 'body.device.id must NOT have fewer than 1 characters'],
    [
      'a long device id',
      { ...login, device: { id: 'x'.repeat(129) } },
      'body.device.id must NOT have more than 128 characters',
    ],
    ['a number too large for a number', `{"identifier":1e999,"password":"x"}`, 'body.identifier must be string'],
  ])('%s', async (_what, body, detail) => {
    expect(problemIn(await app.client().post('/auth/login', body))).toEqual(invalid(detail))
  })

  test('an unknown delivery', async () => {
    const answer = await app.client().post('/auth/login', { ...login, delivery: 'carrier pigeon' })
    expect([answer.status, answer.body.code]).toEqual([400, 'invalid_request'])
    expect(answer.body.detail).toMatch(/^body\.delivery /)
    expect(answer.text).not.toContain('pigeon')
  })

  test('not UTF-8', async () => {
    const body = Buffer.concat([
      Buffer.from('{"identifier":"'),
      Buffer.from([0xff, 0xfe]),
      Buffer.from('","password":"x"}'),
    ])
    const headers = { 'content-type': 'application/json', origin: app.url }
    const response = await fetch(`${app.url}/auth/login`, { method: 'POST', headers, body })
    expect([response.status, ((await response.json()) as any).detail]).toEqual([400, 'the body is not UTF-8'])
  })

  test.each([
    ['exactly the limit is read', 16_384, 400, 'invalid_request'],
    ['one byte more is not', 16_385, 413, 'body_too_large'],
    ['1 MB', 1_048_576, 413, 'body_too_large'],
  ])('%s', async (_what, bytes, status, code) => {
    const answer = await app.client().post('/auth/login', '['.padEnd(bytes, ' '))
    expect([answer.status, answer.body.code]).toEqual([status, code])
    if (status === 413) expect(answer.body.detail).toBe('the limit is 16384 bytes')
  })

  test('1 MB in pieces, without saying how much', async () => {
    const body = new ReadableStream({
      start(controller) {
        for (let i = 0; i < 64; i++) controller.enqueue(new Uint8Array(16_384).fill(32))
        controller.close()
      },
    })
    const headers = { 'content-type': 'application/json', origin: app.url }
    const sent = fetch(`${app.url}/auth/login`, { method: 'POST', headers, body, duplex: 'half' } as RequestInit)
    // The server answers and closes while the body still comes: fetch reports either.
    const status = await sent.then((response) => response.status).catch(() => 'closed')
    expect([413, 'closed']).toContain(status)
  })

  test.each(['text/plain', 'application/xml', 'application/json-seq', 'x', ''])(
    'content type %j: 415',
    async (type) => {
      const headers = type === '' ? { 'content-type': 'application/octet-stream' } : { 'content-type': type }
      const answer = await app.client().send('POST', '/auth/login', JSON.stringify(login), headers)
      expect(problemIn(answer)).toEqual({
        status: 415,
        type: PROBLEM,
        code: 'unsupported_media_type',
        detail: 'Content-Type must be application/json',
        cookies: 0,
      })
    },
  )

  test('JSON with a charset and with an empty body is fine', async () => {
    const headers = { 'content-type': 'application/json; charset=utf-8' }
    expect((await app.client().send('POST', '/auth/login', JSON.stringify(login), headers)).status).toBe(200)
    expect((await client.send('POST', '/auth/refresh', undefined, { 'content-type': 'application/json' })).status).toBe(
      200,
    )
  })

  test.each([
    ['/auth/register', {}],
    ['/auth/reauth', {}],
    ['/auth/password', { currentPassword: 'x' }],
    ['/auth/refresh', { refreshToken: 1 }],
    ['/auth/refresh', { refreshToken: 'x', more: 1 }],
    ['/auth/logout', { everywhere: true }],
    ['/auth/sessions/revoke-all', { keepCurrent: 'yes' }],
    ['/auth/sessions/revoke-all', { keepCurrent: 1 }],
    ['/auth/sessions/revoke-all', { keep: true }],
  ])('%s %j: 400', async (path, body) => {
    const answer = await app.client({ cookie: client.cookie }).post(path, body)
    expect([answer.status, answer.body.code, answer.cookies.length]).toEqual([400, 'invalid_request', 0])
  })
})

describe('queries and paths', () => {
  test.each([
    'limit=0',
    'limit=-1',
    'limit=1e3',
    'limit=1001',
    'limit=',
    'limit=1&limit=2',
    'limit[]=1',
    'page=1',
    'after=',
    'after=x',
    'after=%00',
  ])('/auth/sessions?%s: 400', async (query) => {
    const answer = await client.get(`/auth/sessions?${query}`)
    expect([answer.status, answer.body.code]).toEqual([400, 'invalid_request'])
  })

  test.each([
    '/nope',
    '/auth',
    '/auth/',
    '/auth/login/',
    '//auth/login',
    '/AUTH/LOGIN',
    '/.well-known/',
    '/../etc/passwd',
    '/auth/sessions/a/b',
  ])('%s: 404', async (path) => {
    const answer = await client.get(path)
    expect(problemIn(answer)).toEqual({ status: 404, type: PROBLEM, code: 'not_found', cookies: 0 })
  })

  test.each(['/%', '/auth/sessions/%zz', '/auth/%c0%ae'])('%s is no path', async (path) => {
    const answer = await client.get(path)
    expect([400, 404]).toContain(answer.status)
    expect(answer.headers.get('content-type')).toBe(PROBLEM)
    expect(answer.headers.get('x-content-type-options')).toBe('nosniff')
  })
})

describe('what is hardly HTTP', () => {
  const raw = (text: string) =>
    new Promise<string>((resolve) => {
      const socket = connect(Number(new URL(app.url).port), '127.0.0.1', () => socket.write(text))
      let all = ''
      socket.on('data', (chunk) => {
        all += chunk
      })
      socket.on('error', () => undefined)
      socket.on('close', () => resolve(all))
      setTimeout(() => socket.destroy(), 30_000).unref()
    })

  test.each([
    ['not a request', 'hello\r\n\r\n', '400'],
    ['a control character in a field', 'GET / HTTP/1.1\r\nHost: x\r\nX: a\x01b\r\nConnection: close\r\n\r\n', '400'],
    ['two lengths', 'POST /auth/login HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n', '400'],
    [
      'length and chunks',
      'POST /auth/login HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
      '400',
    ],
    ['no host', 'GET / HTTP/1.1\r\n\r\n', '400'],
    ['a head of 20 kB', `GET / HTTP/1.1\r\nHost: x\r\nX: ${'a'.repeat(20_000)}\r\n\r\n`, '431'],
    [
      'cookies of 20 kB',
      `GET /auth/session HTTP/1.1\r\nHost: x\r\nCookie: __Host-access=${'a'.repeat(20_000)}\r\n\r\n`,
      '431',
    ],
    ['a path of 20 kB', `GET /${'a'.repeat(20_000)} HTTP/1.1\r\nHost: x\r\n\r\n`, '431'],
  ])('%s', async (what, text, status) => {
    const answer = await raw(text)
    expect(answer).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `))
    // Node itself answers a request without Host, before anybody is asked.
    if (what === 'no host') return
    expect(answer).toMatch(/content-type: application\/problem\+json/i)
    expect(answer).toMatch(/x-content-type-options: nosniff/i)
    if (status === '431') expect(answer).toContain('the limit is 16384 bytes')
  })

  test('tokens at the edge of what a head can hold are refused as tokens', async () => {
    for (const token of ['a'.repeat(12_000), `${'a.'.repeat(5_000)}`, `cso_${'A'.repeat(10_000)}`]) {
      const answer = await app.client().get('/auth/session', { authorization: `Bearer ${token}` })
      expect([answer.status, answer.body.code]).toEqual([401, 'invalid_token'])
    }
  })
})

describe('injection', () => {
  test('text of the client’s making stays what it is', async () => {
    const label = '<img src=x onerror=alert(1)>"\'\u2028'
    const own = app.client({ 'user-agent': 'Mozilla "x" <b>' })
    await own.login('alice@example.com', { device: { id: '../../x', label } })
    const { items } = (await own.get('/auth/sessions')).body
    expect(items.at(-1)).toMatchObject({ device: { id: '../../x', label }, userAgent: 'Mozilla "x" <b>' })
  })

  test('line ends in a body never become header lines', async () => {
    const evil = 'x\r\nSet-Cookie: evil=1\r\n\r\n'
    for (const answer of [
      await app.client().login(evil, { device: { id: evil, label: evil } }),
      await app.client().register(evil),
      await client.post('/auth/refresh', { refreshToken: evil }, { cookie: '__Secure-x=1' }),
      await client.send('DELETE', `/auth/sessions/${encodeURIComponent(evil)}`),
    ]) {
      expect(answer.headers.get('set-cookie') ?? '').not.toContain('evil')
      expect(answer.text).not.toContain('evil=1')
      expect(answer.status).toBeGreaterThanOrEqual(400)
    }
  })
})
