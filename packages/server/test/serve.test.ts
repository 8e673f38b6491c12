// `countersign serve` as a process: start, limits of what it may listen on, signals, two processes on one file.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { request as httpRequest } from 'node:http'
import { request } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { startPostgres } from '../../../tools/test-support/postgres-server.ts'
import { startRedis } from '../../../tools/test-support/redis-server.ts'
import { run, serve } from './process.ts'
import { bearer, Client, PASSWORD, startApp } from './support.ts'

/** A server stops within 13 s whatever happens; on a busy machine its timers are late. */
const STOPS_WITHIN_MS = 60_000

const cwd = mkdtempSync(join(tmpdir(), 'countersign-serve-'))
afterAll(() => rmSync(cwd, { recursive: true, force: true }))

/** A login of which the server has read the head and waits for the body: it said `100 Continue`. */
function loginUnderWay(url: string): Promise<{ finish(): Promise<number> }> {
  const body = JSON.stringify({ identifier: 'alice@example.com', password: PASSWORD })
  const headers = {
    origin: url,
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
    expect: '100-continue',
  }
  return new Promise((resolve, reject) => {
    const outgoing = httpRequest(`${url}/auth/login`, { method: 'POST', headers })
    const status = new Promise<number>((answered, failed) => {
      outgoing.on('response', (response) => {
        response.resume()
        answered(response.statusCode!)
      })
      outgoing.on('error', failed)
    })
    outgoing.on('error', reject)
    outgoing.on('continue', () =>
      resolve({
        finish() {
          outgoing.end(body)
          return status
        },
      }),
    )
    outgoing.flushHeaders()
  })
}

test('sessions survive a restart, and SIGTERM under load loses no answer', async () => {
  const first = await serve([], { cwd })
  const client = new Client(first.url)
  await client.register('alice@example.com')
  const { accessToken } = (
    await new Client(first.url, { origin: '' }).login('alice@example.com', { delivery: 'bearer' })
  ).body

  let stopped = false
  const outcomes: (number | string)[] = []
  const caller = async () => {
    while (!stopped) {
      const one = await new Client(first.url)
        .get('/auth/session', bearer(accessToken))
        .catch((error) => error.cause?.code ?? 'closed')
      outcomes.push(typeof one === 'string' ? one : one.status)
      if (typeof one === 'string') return
    }
  }
  const callers = Array.from({ length: 8 }, caller)
  const logins = await Promise.all(Array.from({ length: 4 }, () => loginUnderWay(first.url)))
  const stop = first.stop()
  // Soon nobody new is let in any more, and whoever was inside is answered.
  await expect
    .poll(() => new Client(first.url).get('/healthz').then(String, () => 'closed'), { timeout: STOPS_WITHIN_MS })
    .toBe('closed')
  expect(await Promise.all(logins.map((login) => login.finish()))).toEqual([200, 200, 200, 200])
  const { code, ms } = await stop
  stopped = true
  await Promise.all(callers)
  expect(code).toBe(0)
  expect(ms).toBeLessThan(STOPS_WITHIN_MS)
  const answered = outcomes.filter((one) => typeof one === 'number')
  expect(answered.length).toBeGreaterThan(8)
  expect(new Set(answered)).toEqual(new Set([200]))
  // Whoever came too late was not let in, which is not an answer lost on the way.
  for (const one of outcomes)
    if (typeof one === 'string') expect(['ECONNREFUSED', 'ECONNRESET', 'UND_ERR_SOCKET', 'closed']).toContain(one)
  const events = first
    .stderr()
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line).event)
  expect(events).toContain('keys_made')
  expect(events.slice(-1)).toEqual(['stopped'])

  const second = await serve([], { cwd })
  expect((await new Client(second.url).get('/auth/session', bearer(accessToken))).status).toBe(200)
  expect((await second.stop('SIGINT')).code).toBe(0)
})

test('a connection that says nothing does not keep the server', async () => {
  const server = await serve(['--store', 'memory'], { cwd })
  const { connect } = await import('node:net')
  const socket = connect(Number(new URL(server.url).port), '127.0.0.1')
  await new Promise((resolve) => socket.once('connect', resolve))
  socket.write('POST /auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{')
  socket.on('error', () => undefined)
  await new Promise((resolve) => setTimeout(resolve, 100))
  const { code, ms } = await server.stop()
  socket.destroy()
  expect(code).toBe(0)
  expect(ms).toBeLessThan(STOPS_WITHIN_MS)
})

test.each([
  ['Redis', startRedis],
  ['PostgreSQL', startPostgres],
])('%s that freezes: 503 within its deadline, and no reason not to stop', async (_name, start) => {
  const store = await start()
  try {
    await run(['keys', 'generate', '--out', 'keys.json'], { cwd })
    const server = await serve(['--store', store.url, '--keys', 'keys.json'], { cwd })
    const client = new Client(server.url)
    await client.register('alice@example.com')
    await client.login('alice@example.com')
    await store.kill('SIGSTOP')
    const answer = await client.get('/auth/session')
    expect([answer.status, answer.body.code, answer.cookies]).toEqual([503, 'unavailable', []])
    expect((await client.get('/readyz')).status).toBe(503)
    expect((await server.stop()).code).toBe(0)
  } finally {
    await store.stop()
  }
})

test('the command line acts on the sessions of a running server', async () => {
  const server = await serve([], { cwd })
  const client = new Client(server.url)
  await client.register('bob@example.com')
  await client.login('bob@example.com')
  await run(['users', 'role', 'bob@example.com', 'admin'], { cwd })
  const list = JSON.parse((await run(['sessions', 'list', 'bob@example.com', '--json'], { cwd })).stdout)
  expect(list.items).toHaveLength(1)
  for (const secret of client.secrets) expect(JSON.stringify(list)).not.toContain(secret)
  expect((await run(['sessions', 'revoke', list.items[0].id, '--reason', 'lost phone'], { cwd })).code).toBe(0)
  expect((await client.get('/auth/session')).body).toMatchObject({ reason: 'ended', endedBy: 'lost phone' })
  await client.login('bob@example.com')
  expect((await client.get('/auth/session')).body.session.roles).toEqual(['admin'])
  await run(['users', 'ban', 'bob@example.com'], { cwd })
  expect((await client.get('/auth/session')).body).toMatchObject({ reason: 'ended', endedBy: 'banned' })
  expect((await client.login('bob@example.com')).body.code).toBe('blocked')
  await server.stop()
})

test('a port that is taken is one clear line', async () => {
  const server = await serve(['--store', 'memory'], { cwd })
  const { code, stderr } = await run(
    ['serve', '--store', 'memory', '--log-level', 'silent', '--port', new URL(server.url).port],
    { cwd },
  )
  expect([code, stderr]).toEqual([1, 'countersign: listen: EADDRINUSE\n'])
  await server.stop()
})

test('HTTPS with a certificate: HSTS, its own origin, and no answer over plain HTTP', async () => {
  const [cert, key] = [join(cwd, 'cert.pem'), join(cwd, 'key.pem')]
  const subject = ['-subj', '/CN=localhost', '-days', '2']
  execFileSync(
    'openssl',
    [
      'req',
      '-x509',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:P-256',
      '-nodes',
      '-keyout',
      key,
      '-out',
      cert,
      ...subject,
    ],
    { stdio: 'ignore' },
  )
  const server = await serve(['--store', 'memory', '--tls-cert', cert, '--tls-key', key], { cwd })
  expect(server.url).toMatch(/^https:/)
  const answer = await new Promise<any>((resolve, reject) => {
    const headers = { origin: server.url, 'content-type': 'application/json' }
    const outgoing = request(
      `${server.url}/auth/register`,
      { method: 'POST', rejectUnauthorized: false, headers },
      (response) => {
        response.resume()
        resolve(response)
      },
    )
    outgoing.on('error', reject)
    outgoing.end(JSON.stringify({ identifier: 'x@example.com', password: PASSWORD }))
  })
  expect(answer.statusCode).toBe(201)
  expect(answer.headers['strict-transport-security']).toBe('max-age=31536000; includeSubDomains')
  const plain = await fetch(server.url.replace('https', 'http'))
    .then((response) => response.status)
    .catch(() => 'closed')
  expect([400, 'closed']).toContain(plain)
  await server.stop()

  const missing = await run(['serve', '--tls-cert', 'nowhere.pem', '--tls-key', key, '--store', 'memory'], { cwd })
  expect([missing.code, missing.stderr]).toEqual([1, 'countersign: open nowhere.pem: ENOENT\n'])
})

test('X-Forwarded-For is believed only from a listed proxy, and then only its last untrusted hop', async () => {
  const header = {
    'x-forwarded-for': '6.6.6.6, 203.0.113.7',
    'x-forwarded-proto': 'https',
    'x-forwarded-host': 'evil.example',
  }
  for (const [trustedProxies, ip] of [
    [[], '127.0.0.1'],
    [['10.0.0.0/8'], '127.0.0.1'],
    [['127.0.0.1'], '203.0.113.7'],
    [['127.0.0.0/8', '203.0.113.0/24'], '6.6.6.6'],
  ] as const) {
    const app = await startApp({ settings: { trustedProxies } })
    await app.client().register('alice@example.com')
    const login = await app.client(header).login('alice@example.com')
    expect(login.body.session.ip).toBe(ip)
    await app.close()
  }
})

test('a public URL is the only origin there is', async () => {
  const server = await serve(['--store', 'memory', '--public-url', 'https://auth.example.com'], { cwd })
  const register = (origin: string) => new Client(server.url, { origin }).register(`${origin.length}@example.com`)
  expect((await register('https://auth.example.com')).status).toBe(201)
  expect((await register(server.url)).status).toBe(403)
  expect((await new Client(server.url).get('/healthz')).headers.get('strict-transport-security')).not.toBeNull()
  await server.stop()
})
