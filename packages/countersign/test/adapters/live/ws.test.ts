// The adapter for `ws` with real sockets: who gets in, what ends a connection, and that nothing comes through after that.
import { createConnection, type Socket } from 'node:net'
import { COOKIE_NAMES } from 'countersign/http'
import type { LiveConnection } from 'countersign/live'
import { memoryStore } from 'countersign/stores/memory'
import { guardUpgrades, SOCKET_PROTOCOL, TICKET_PROTOCOL } from 'countersign/ws'
import { expect, onTestFinished, test, vi } from 'vitest'
import { type WebSocket, WebSocketServer } from 'ws'
import { bearer, connectWs, cookie, listen, type OpenOptions, ORIGIN, openProcess, SOON } from './kit.ts'

const BROWSER = { origin: ORIGIN }

/** A server that echoes, and notes what it is told. */
async function serve(open: OpenOptions = {}, demands: object = {}) {
  const process = await openProcess(open)
  const { url, server, port } = await listen()
  const wss = new WebSocketServer({ noServer: true, path: '/live' })
  onTestFinished(() => wss.close())
  const heard: string[] = []
  const connections: LiveConnection<any>[] = []
  const sockets: WebSocket[] = []
  const offered: unknown[] = []
  server.on(
    'upgrade',
    guardUpgrades(wss, {
      live: process.live,
      origins: [ORIGIN],
      tickets: process.tickets,
      onConnection(socket, connection, request) {
        connections.push(connection)
        sockets.push(socket)
        offered.push(request.headers['sec-websocket-protocol'], ...request.rawHeaders)
        socket.on('message', (data) => {
          heard.push(String(data))
          socket.send(`echo ${data}`)
        })
      },
      onChanged: (socket, session) => socket.send(JSON.stringify({ roles: session.roles })),
      ...demands,
    }),
  )
  return { ...process, url: `${url}/live`, port, wss, heard, connections, sockets, offered }
}

async function connected(...args: Parameters<typeof connectWs>) {
  const client = await connectWs(...args)
  if (!client.ok) throw new Error(`refused: ${client.status} ${JSON.stringify(client.body)}`)
  return client
}

test('a cookie, a bearer header and a ticket open a socket; it works, and knows its session', async () => {
  const app = await serve()
  const { accessToken, session } = await app.login()
  const { ticket } = await app.tickets.issue(session)
  const clients = [
    await connected(app.url, { ...BROWSER, ...cookie(accessToken) }),
    await connected(app.url, bearer(accessToken)),
    await connected(app.url, BROWSER, [SOCKET_PROTOCOL, TICKET_PROTOCOL + ticket]),
  ]
  expect(clients[2]!.socket.protocol).toBe(SOCKET_PROTOCOL)
  // Nobody behind the adapter sees the ticket.
  expect(JSON.stringify(app.offered)).not.toContain(ticket)
  for (const client of clients) client.socket.send('hello')
  await vi.waitFor(
    () => expect(clients.map(({ messages }) => messages)).toEqual([['echo hello'], ['echo hello'], ['echo hello']]),
    SOON,
  )
  expect(app.connections.map(({ session }) => [session.subject, session.roles])).toEqual(
    clients.map(() => ['user:1', ['user', 'admin']]),
  )
  expect(app.live.size).toBe(3)
  for (const { socket } of clients) socket.close()
  await vi.waitFor(() => expect(app.live.size).toBe(0), SOON)
})

test('who is not let in is told why before anything is upgraded', async () => {
  const app = await serve({}, { roles: ['admin'] })
  const good = await app.login()
  const user = await app.login('user:2', ['user'])
  const over = await app.login('user:3')
  await app.sessions.revoke(over.id, { reason: 'banned' })
  const token = cookie(good.accessToken)
  const twice = { cookie: `${token.cookie}; ${COOKIE_NAMES.access}=x` }
  const cases: [object, string[], number, object][] = [
    [{ ...BROWSER }, [], 401, { code: 'unauthenticated' }],
    [{ ...BROWSER, ...cookie(`${good.accessToken.slice(0, -6)}AAAAAA`) }, [], 401, { code: 'invalid_token' }],
    [{ ...BROWSER, ...cookie(over.accessToken) }, [], 401, { endedBy: 'banned', remedy: 'sign_in' }],
    [{ ...BROWSER, ...cookie(user.accessToken) }, [], 403, { code: 'insufficient_scope' }],
    [{ ...BROWSER, ...twice }, [], 400, { reason: 'duplicate_cookie' }],
    [{ ...BROWSER, ...token, ...bearer(good.accessToken) }, [], 400, { reason: 'credential_twice' }],
    [BROWSER, [SOCKET_PROTOCOL, `${TICKET_PROTOCOL}cs1_x`], 401, { code: 'invalid_token' }],
    [BROWSER, [`${TICKET_PROTOCOL}a`, `${TICKET_PROTOCOL}b`], 400, { reason: 'credential_twice' }],
    // Pages of others, which a browser helps with our cookies.
    [{ ...token, origin: 'https://evil.example' }, [], 403, { reason: 'origin_foreign' }],
    [{ ...token, origin: 'https://www.app.example.com' }, [], 403, { reason: 'origin_foreign' }],
    [{ ...token, origin: `${ORIGIN}.evil.example` }, [], 403, { reason: 'origin_foreign' }],
    [{ ...token, origin: 'http://app.example.com' }, [], 403, { reason: 'origin_foreign' }],
    [{ ...token, origin: `${ORIGIN}:444` }, [], 403, { reason: 'origin_foreign' }],
    [{ ...token, origin: 'null' }, [], 403, { reason: 'origin_foreign' }],
    [{ ...token, origin: '' }, [], 403, { reason: 'origin_foreign' }],
    [{ ...bearer(good.accessToken), origin: 'https://evil.example' }, [], 403, { reason: 'origin_foreign' }],
    // Fetch Metadata of a page of ours would not help it.
    [{ ...token, 'sec-fetch-site': 'same-origin' }, [], 403, { reason: 'origin_unproven' }],
    [token, [], 403, { reason: 'origin_unproven' }],
  ]
  for (const [headers, protocols, status, body] of cases) {
    const refused = await connectWs(app.url, headers as Record<string, string>, protocols)
    expect(refused, JSON.stringify({ headers, protocols })).toMatchObject({ ok: false, status, body })
  }
  expect(await connectWs(app.url.replace('/live', '/other'), { ...BROWSER, ...token })).toMatchObject({ status: 404 })
  expect(app.connections).toEqual([])
  expect(app.live.size).toBe(0)
  await connected(app.url, { ...BROWSER, ...token })
})

test('two Origin headers are refused', async () => {
  const app = await serve()
  const { accessToken } = await app.login()
  const raw = await handshake(app.port, [
    `Origin: ${ORIGIN}`,
    'Origin: https://evil.example',
    `Cookie: ${cookie(accessToken).cookie}`,
  ])
  expect(raw).toMatch(/^HTTP\/1\.1 403 Forbidden\r\n/)
  expect(raw).toMatch(/content-type: application\/problem\+json/)
  expect(raw).toMatch(/connection: close/)
})

test('a ticket is good once, for half a minute, for one endpoint and for a live session', async () => {
  const clock = { offsetMs: 0 }
  const app = await serve({ runtime: movable(clock) })
  const { session, id } = await app.login()
  const offer = (ticket: string) => connectWs(app.url, BROWSER, [SOCKET_PROTOCOL, TICKET_PROTOCOL + ticket])
  const { ticket, expiresAtMs } = await app.tickets.issue(session)
  expect(expiresAtMs - Date.now()).toBeLessThanOrEqual(30_000)
  const answers = await Promise.all([offer(ticket), offer(ticket), offer(ticket)])
  expect(answers.filter(({ ok }) => ok)).toHaveLength(1)
  expect(answers.filter((one) => !one.ok && one.status === 401)).toHaveLength(2)

  await expect(app.tickets.issue(session, { lifetime: '31s' })).rejects.toMatchObject({ code: 'ERR_INPUT_INVALID' })
  const old = await app.tickets.issue(session)
  clock.offsetMs += 30_001
  expect(await offer(old.ticket)).toMatchObject({ status: 401 })
  const other = await app.tickets.issue(session, { for: 'admin' })
  expect(await offer(other.ticket)).toMatchObject({ status: 401 })
  const late = await app.tickets.issue(session)
  await app.sessions.revoke(id, { reason: 'logout' })
  expect(await offer(late.ticket)).toMatchObject({ status: 401, body: { endedBy: 'logout' } })
})

test('each end has its code and its reason', async () => {
  const app = await serve({}, { roles: ['user'] })
  const open = async (subject: string) => {
    const issued = await app.login(subject, ['user'])
    return { ...issued, client: await connected(app.url, { ...BROWSER, ...cookie(issued.accessToken) }) }
  }
  const logout = await open('logout')
  await app.sessions.revoke(logout.id, { reason: 'logout' })
  expect(await logout.client.closed).toEqual({ code: 4401, reason: 'logout' })
  const ban = await open('ban')
  await app.sessions.revokeAll('ban', { reason: 'banned', block: true })
  expect(await ban.client.closed).toEqual({ code: 4401, reason: 'banned' })
  const long = await open('long')
  await app.sessions.revoke(long.id, { reason: '€'.repeat(64) })
  expect(await long.client.closed).toEqual({ code: 4401, reason: 'ended' })
  const demoted = await open('demoted')
  await app.sessions.setRoles('demoted', [])
  expect(await demoted.client.closed).toEqual({ code: 4403, reason: 'forbidden' })
  const stepped = await open('stepped')
  const next = await app.sessions.stepUp(stepped.id, { acr: 'aal2', amr: ['otp'] })
  expect(await stepped.client.closed).toEqual({ code: 4409, reason: 'replaced' })
  if (next.ok) await connected(app.url, { ...BROWSER, ...cookie(next.accessToken) })
  const shut = await open('shut')
  await app.live.close()
  expect(await shut.client.closed).toEqual({ code: 1001, reason: 'shutdown' })
  expect(await connectWs(app.url, { ...BROWSER, ...cookie(shut.accessToken) })).toMatchObject({ status: 503 })
  expect(app.live.health()).toEqual({
    open: 0,
    ended: { ended: 3, forbidden: 1, replaced: 1, unavailable: 0, shutdown: 2 },
  })
})

test('other roles are delivered; a rotation ends nothing, nor does the end of the access token', async () => {
  const clock = { offsetMs: 0 }
  const app = await serve({ runtime: movable(clock) })
  const issued = await app.login()
  const client = await connected(app.url, { ...BROWSER, ...cookie(issued.accessToken) })
  clock.offsetMs += 3_600_000
  expect(await app.sessions.verify(issued.accessToken)).toMatchObject({ reason: 'expired' })
  const rotated = await app.sessions.refresh(issued.refreshToken)
  expect(rotated).toMatchObject({ ok: true, rotation: 'rotated' })
  await app.sessions.setRoles('user:1', ['user'])
  await vi.waitFor(() => expect(client.messages).toEqual(['{"roles":["user"]}']), SOON)
  expect(app.connections[0]!.session.roles).toEqual(['user'])
  expect(app.connections[0]!.isOpen).toBe(true)
  client.socket.send('still here')
  await vi.waitFor(() => expect(client.messages).toContain('echo still here'), SOON)
})

test('a client that ignores the close frame is not heard any more, and cut off after the grace', async () => {
  const app = await serve({ live: { closeGrace: '0.3s' } })
  const { accessToken, id } = await app.login()
  const raw = await rawWebSocket(app.port, accessToken)
  raw.say('before')
  await vi.waitFor(() => expect(app.heard).toEqual(['before']), SOON)
  const gone = new Promise((resolve) => raw.socket.once('close', resolve))
  await app.sessions.revoke(id, { reason: 'logout' })
  await vi.waitFor(() => expect(app.connections[0]!.isOpen).toBe(false), SOON)
  // A listener that comes late hears nothing either.
  app.sockets[0]!.on('message', () => app.heard.push('late'))
  const talking = setInterval(() => raw.say('after'), 5)
  await gone
  clearInterval(talking)
  expect(app.heard).toEqual(['before'])
})

test('clients that do not read hold nobody up', async () => {
  const app = await serve({ live: { closeGrace: '0.5s' } })
  const slow = await Promise.all(
    Array.from({ length: 5 }, async () => {
      const issued = await app.login('slow')
      const raw = await rawWebSocket(app.port, issued.accessToken)
      raw.socket.pause()
      return raw
    }),
  )
  const stuck = 'x'.repeat(1_000_000)
  for (const socket of app.sockets) for (let n = 0; n < 30; n++) socket.send(stuck)
  const quick = await app.login('slow')
  const client = await connected(app.url, { ...BROWSER, ...cookie(quick.accessToken) })
  const bystander = await app.login('bystander')
  const other = await connected(app.url, { ...BROWSER, ...cookie(bystander.accessToken) })
  expect(app.live.size).toBe(7)
  const startedMs = performance.now()
  await app.sessions.revokeAll('slow', { reason: 'logout' })
  expect(await client.closed).toEqual({ code: 4401, reason: 'logout' })
  // Without a grace of its own, `ws` would wait for each of them for 30 s.
  expect(performance.now() - startedMs).toBeLessThan(20_000)
  // Those that take nothing are cut off.
  await vi.waitFor(() => expect(app.sockets.filter((one) => one.readyState === one.CLOSED)).toHaveLength(6), SOON)
  other.socket.send('x')
  await vi.waitFor(() => expect(other.messages).toEqual(['echo x']), SOON)
  for (const raw of slow) raw.socket.destroy()
})

test('a client that leaves while it is being checked leaves nothing behind', async () => {
  const memory = memoryStore()
  let isHeld = false
  let held = 0
  let release = () => {}
  const released = new Promise<void>((resolve) => {
    release = resolve
  })
  // Tells of no changes, so that every question comes here.
  const sessions = new Proxy(memory.sessions, {
    get(target, name) {
      if (name === 'changes') return undefined
      const method = Reflect.get(target, name)
      if (name !== 'read' || !isHeld) return typeof method === 'function' ? method.bind(target) : method
      return async (...args: Parameters<typeof target.read>) => {
        held++
        await released
        return target.read(...args)
      }
    },
  })
  const app = await serve({ store: { ...memory, sessions } })
  const { accessToken } = await app.login()
  isHeld = true
  const socket = createConnection(app.port, '127.0.0.1')
  socket.on('error', () => undefined)
  socket.write(requestText([`Origin: ${ORIGIN}`, `Cookie: ${cookie(accessToken).cookie}`]))
  await vi.waitFor(() => expect(held).toBeGreaterThan(0), SOON)
  const accepted = new Promise<Socket>((resolve) => app.wss.once('connection', (one: any) => resolve(one)))
  socket.resetAndDestroy()
  await vi.waitFor(() => expect(socket.destroyed).toBe(true), SOON)
  release()
  // Whether the server of `ws` got to see it or not.
  await Promise.race([accepted, new Promise((resolve) => setTimeout(resolve, 200))])
  await vi.waitFor(() => expect(app.live.size).toBe(0), SOON)
  expect(await connectWs(app.url, { ...BROWSER, ...cookie(accessToken) })).toMatchObject({ ok: true })
  expect(app.live.size).toBe(1)
})

test('an application that throws is told as by ws, and nothing but frames is sent', async () => {
  const app = await serve(
    {},
    {
      onConnection() {
        throw new Error('full')
      },
    },
  )
  const errors: unknown[] = []
  app.wss.on('error', (error) => errors.push(error))
  const { accessToken } = await app.login()
  const client = await connected(app.url, { ...BROWSER, ...cookie(accessToken) })
  expect(await client.closed).toEqual({ code: 1011, reason: '' })
  expect(errors).toEqual([expect.objectContaining({ message: 'full' })])
  await vi.waitFor(() => expect(app.live.size).toBe(0), SOON)
})

test('options: what is missing or wrong is named', async () => {
  const { live } = await openProcess()
  const wss = new WebSocketServer({ noServer: true })
  const onConnection = () => {}
  const bad: [object, string][] = [
    [{ origins: [ORIGIN], onConnection }, '"live"'],
    [{ live, onConnection }, '"origins"'],
    [{ live, origins: [`${ORIGIN}/x`], onConnection }, '"origins"'],
    [{ live, origins: ['*'], onConnection }, '"origins"'],
    [{ live, origins: [], onConnection, cookies: { access: 'sid' } }, '"cookies.access"'],
    [{ live, origins: [], onConnection, orign: 1 }, 'orign'],
  ]
  for (const [options, name] of bad)
    expect(() => guardUpgrades(wss, options as never), name).toThrow(
      expect.objectContaining({ code: 'ERR_CONFIG_INVALID', message: expect.stringContaining(name) }),
    )
  wss.close()
})

/** The real clock, that can be set forward. */
function movable(by: { offsetMs: number }) {
  return {
    clock: { nowMs: () => Date.now() + by.offsetMs, monotonicMs: () => performance.now() + by.offsetMs },
    random: (bytes: number) => crypto.getRandomValues(new Uint8Array(bytes)),
    timers: {
      setTimeout: (fn: () => void, ms: number, background?: 'background') =>
        background ? setTimeout(fn, ms).unref() : setTimeout(fn, ms),
      clearTimeout: (timer: unknown) => clearTimeout(timer as NodeJS.Timeout),
    },
  }
}

function requestText(headers: readonly string[]): string {
  const lines = ['GET /live HTTP/1.1', 'Host: localhost', 'Upgrade: websocket', 'Connection: Upgrade']
  const ws = ['Sec-WebSocket-Version: 13', 'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==']
  return `${[...lines, ...ws, ...headers].join('\r\n')}\r\n\r\n`
}

/** What the server answers to a handshake with exactly these headers, until it hangs up. */
function handshake(port: number, headers: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = createConnection(port, '127.0.0.1', () => socket.write(requestText(headers)))
    let text = ''
    socket.on('data', (chunk) => {
      text += chunk
    })
    socket.once('close', () => resolve(text))
    socket.once('error', reject)
  })
}

/** A client without manners: it knows the handshake and text frames, and nothing of closing. */
async function rawWebSocket(port: number, accessToken: string) {
  const socket: Socket = createConnection(port, '127.0.0.1')
  socket.on('error', () => undefined)
  onTestFinished(() => void socket.destroy())
  socket.write(requestText([`Origin: ${ORIGIN}`, `Cookie: ${cookie(accessToken).cookie}`]))
  await new Promise((resolve) => socket.once('data', resolve))
  return {
    socket,
    say(text: string) {
      // Masked with zeros, which changes nothing.
      if (!socket.destroyed)
        socket.write(Buffer.concat([Buffer.of(0x81, 0x80 | text.length, 0, 0, 0, 0), Buffer.from(text)]))
    },
  }
}
