// The adapter for socket.io with its real client, over polling and WebSocket.
import { request } from 'node:http'
import { guardSocketIo, SESSION_EVENTS, type SocketIoOptions } from 'countersign/socket.io'
import { Server, type ServerOptions, type Socket } from 'socket.io'
import { type Socket as Client, io as connectIo } from 'socket.io-client'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { bearer, connectWs, cookie, listen, type OpenOptions, ORIGIN, openProcess, SOON } from './kit.ts'

const BROWSER = { origin: ORIGIN }
const POLLING = '/socket.io/?EIO=4&transport=polling'

interface Serve {
  readonly open?: OpenOptions
  readonly guard?: Partial<SocketIoOptions<any>>
  readonly server?: Partial<ServerOptions>
}

async function serve({ open = {}, guard = {}, server: options = {} }: Serve = {}) {
  const process = await openProcess(open)
  const { url, server, port } = await listen()
  const io = new Server(server, options)
  onTestFinished(() => void io.close())
  const before = io.of('/before')
  const guarded = guardSocketIo(io, { live: process.live, origins: [ORIGIN], tickets: process.tickets, ...guard })
  const sockets: Socket[] = []
  const heard: string[] = []
  const left: string[] = []
  const onConnection = (socket: Socket) => {
    sockets.push(socket)
    socket.on('disconnect', (reason) => left.push(reason))
    socket.on('say', (text, answer) => {
      heard.push(text)
      answer?.(`${guarded.connectionOf(socket).session.subject} said ${text}`)
    })
  }
  for (const namespace of [io, before, io.of('/after'), io.of(/^\/room-\d+$/)]) namespace.on('connection', onConnection)
  return { ...process, url, port, io, guarded, sockets, heard, left }
}

/** A client that is there until the test ends, with what it is told. */
function client(url: string, options: object) {
  const socket = connectIo(url, { reconnectionDelay: 20, reconnectionDelayMax: 50, forceNew: true, ...options })
  onTestFinished(() => void socket.disconnect())
  const told: unknown[] = []
  for (const name of Object.values(SESSION_EVENTS)) socket.on(name, (payload) => told.push([name, payload]))
  socket.on('disconnect', (reason) => told.push(['disconnect', reason]))
  return { socket, told }
}

const connected = (socket: Client) =>
  new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve)
    socket.once('connect_error', reject)
  })
const refusal = (socket: Client) =>
  new Promise<any>((resolve, reject) => {
    socket.once('connect', () => reject(new Error('was let in')))
    socket.once('connect_error', resolve)
  })

describe.each(['polling', 'websocket'] as const)('%s', (transport) => {
  const transports = [transport]

  test('a session gets in, works, hears of its roles, and is out when it ends', async () => {
    const app = await serve()
    const { accessToken, id } = await app.login()
    const one = client(app.url, { transports, extraHeaders: { ...BROWSER, ...cookie(accessToken) } })
    const two = client(app.url, { transports, extraHeaders: bearer((await app.login('user:2')).accessToken) })
    await Promise.all([connected(one.socket), connected(two.socket)])
    expect(await one.socket.emitWithAck('say', 'hello')).toBe('user:1 said hello')
    await app.sessions.setRoles('user:1', ['user'])
    await vi.waitFor(() => expect(one.told).toEqual([[SESSION_EVENTS.changed, { roles: ['user'] }]]), SOON)
    expect(app.guarded.connectionOf(app.sockets[0]!).session.roles).toBeDefined()
    await app.sessions.revoke(id, { reason: 'logout' })
    const over = { reason: 'logout', remedy: 'sign_in', reconnect: false }
    await vi.waitFor(
      () =>
        expect(one.told.slice(1)).toEqual([
          [SESSION_EVENTS.over, over],
          ['disconnect', 'io server disconnect'],
        ]),
      SOON,
    )
    // It does not come back by itself.
    expect(one.socket.active).toBe(false)
    expect(two.socket.connected).toBe(true)
    expect(two.told).toEqual([])
    expect(app.live.size).toBe(1)
  })

  test('after a step-up and a shutdown clients come back by themselves', async () => {
    const app = await serve()
    let { accessToken, id } = await app.login()
    const one = client(app.url, {
      transports,
      auth: (give: (auth: object) => void) => {
        void app.sessions
          .verify(accessToken)
          .then((checked) => (checked.ok ? app.tickets.issue(checked.session) : { ticket: 'none' }))
          .then(give)
      },
      extraHeaders: BROWSER,
    })
    await connected(one.socket)
    const next = await app.sessions.stepUp(id, { acr: 'aal2', amr: ['otp'] })
    if (!next.ok) throw new Error(next.reason)
    accessToken = next.accessToken
    await connected(one.socket)
    expect(one.told[0]).toEqual([SESSION_EVENTS.over, { reason: 'replaced', remedy: 'refresh', reconnect: true }])
    // The application tidies up as ever.
    await vi.waitFor(() => expect(app.left).toHaveLength(1), SOON)
    expect(await one.socket.emitWithAck('say', 'again')).toBe('user:1 said again')
    await app.live.close()
    await vi.waitFor(() => expect(one.told.map((each: any) => each[1].reason)).toContain('shutdown'), SOON)
    expect(one.socket.active).toBe(true)
  })
})

test('each request that opens a connection is answered with why it is refused', async () => {
  const app = await serve({ guard: { tickets: undefined as never, roles: ['admin'] } })
  const { accessToken } = await app.login()
  const user = await app.login('user:2', ['user'])
  const token = cookie(accessToken)
  const cases: [Record<string, string>, number, object][] = [
    [BROWSER, 401, { code: 'unauthenticated' }],
    [{ ...BROWSER, ...cookie(user.accessToken) }, 403, { code: 'insufficient_scope' }],
    [{ ...token, origin: 'https://evil.example' }, 403, { reason: 'origin_foreign' }],
    [token, 403, { reason: 'origin_unproven' }],
  ]
  for (const [headers, status, body] of cases) {
    expect(await poll(app.url + POLLING, headers)).toMatchObject({ status, body })
    const upgrade = app.url + POLLING.replace('polling', 'websocket')
    expect(await connectWs(upgrade, headers)).toMatchObject({ ok: false, status, body })
  }
  // To engine.io these open a connection too.
  for (const more of ['&sid=', '&sid=x&sid='])
    expect(await poll(app.url + POLLING + more, BROWSER)).toMatchObject({ status: 401 })
  // Where a page asks by `fetch`, its own origin goes without the header.
  expect(await poll(app.url + POLLING, { ...token, 'sec-fetch-site': 'cross-site' })).toMatchObject({ status: 403 })
  expect(await poll(app.url + POLLING, { ...token, 'sec-fetch-site': 'same-origin' })).toMatchObject({ status: 200 })
  await app.live.close()
  const late = client(app.url, { transports: ['websocket'], extraHeaders: bearer(accessToken) })
  expect((await refusal(late.socket)).data).toMatchObject({ status: 503 })
})

test('tickets: good once, refused with the reason, and nobody gets in without', async () => {
  const app = await serve()
  const { session, id } = await app.login()
  const { ticket } = await app.tickets.issue(session)
  const first = client(app.url, { auth: { ticket }, extraHeaders: BROWSER })
  await connected(first.socket)
  expect(await first.socket.emitWithAck('say', 'x')).toBe('user:1 said x')
  const again = client(app.url, { auth: { ticket }, extraHeaders: BROWSER, reconnection: false })
  expect(await refusal(again.socket)).toMatchObject({ message: 'invalid_token', data: { status: 401 } })
  const without = client(app.url, { extraHeaders: BROWSER, reconnection: false })
  expect(await refusal(without.socket)).toMatchObject({ message: 'unauthenticated', data: { status: 401 } })
  const forged = client(app.url, { auth: { ticket: { $ne: 1 } }, extraHeaders: BROWSER, reconnection: false })
  expect(await refusal(forged.socket)).toMatchObject({ message: 'unauthenticated' })
  const late = await app.tickets.issue(session)
  await app.sessions.revoke(id, { reason: 'banned' })
  const ended = client(app.url, { auth: { ticket: late.ticket }, extraHeaders: BROWSER, reconnection: false })
  expect(await refusal(ended.socket)).toMatchObject({ data: { endedBy: 'banned' } })
  await vi.waitFor(() => expect(app.live.size).toBe(0), SOON)
})

test('every namespace is guarded: those before, after and by pattern', async () => {
  const app = await serve()
  const { accessToken, id } = await app.login()
  const names = ['/', '/before', '/after', '/room-7']
  for (const name of names) {
    const stranger = client(app.url + name, { extraHeaders: BROWSER, reconnection: false })
    expect(await refusal(stranger.socket), name).toMatchObject({ message: 'unauthenticated' })
  }
  const headers = { ...BROWSER, ...cookie(accessToken) }
  const mine = names.map((name) => client(app.url + name, { extraHeaders: headers }))
  await Promise.all(mine.map(({ socket }) => connected(socket)))
  expect(app.live.size).toBe(4)
  mine[1]!.socket.disconnect()
  await vi.waitFor(() => expect(app.live.size).toBe(3), SOON)
  await app.sessions.revoke(id, { reason: 'logout' })
  await vi.waitFor(() => expect(mine.some(({ socket }) => socket.connected)).toBe(false), SOON)
  expect(app.live.size).toBe(0)
})

test('a socket that another middleware refuses, or an application never had, leaves nothing behind', async () => {
  const app = await serve()
  app.io.use((_socket, next) => next(new Error('full')))
  const { accessToken } = await app.login()
  const one = client(app.url, { extraHeaders: { ...BROWSER, ...cookie(accessToken) }, reconnection: false })
  expect((await refusal(one.socket)).message).toBe('full')
  expect(app.live.size).toBe(1)
  // Its transport is still open, until one side has enough.
  one.socket.disconnect()
  await vi.waitFor(() => expect(app.live.size).toBe(0), SOON)
  expect(() => app.guarded.connectionOf({} as Socket)).toThrow(expect.objectContaining({ code: 'ERR_INPUT_INVALID' }))
})

test.each(['logout', 'replaced'])('a client that ignores the end is cut off, and not heard: %s', async (why) => {
  const app = await serve({ open: { live: { closeGrace: '0.2s' } } })
  const { accessToken, id } = await app.login()
  const one = client(app.url, {
    transports: ['websocket'],
    extraHeaders: { ...BROWSER, ...cookie(accessToken) },
    reconnection: false,
  })
  await connected(one.socket)
  const conn = app.sockets[0]!.conn
  // Holds the transport as one whose client does not read.
  vi.spyOn(conn.transport, 'close').mockImplementation(() => {})
  app.sockets[0]!.onAny((event) => app.heard.push(event))
  if (why === 'logout') await app.sessions.revoke(id, { reason: 'logout' })
  else await app.sessions.stepUp(id, { acr: 'aal2', amr: ['otp'] })
  await vi.waitFor(() => expect(app.guarded.connectionOf(app.sockets[0]!).isOpen).toBe(false), SOON)
  ;(one.socket.io.engine as any).write('42["say","after"]')
  await new Promise((resolve) => setTimeout(resolve, 100))
  expect(app.heard).toEqual([])
})

test('recovered connections that skip the check are refused at start', async () => {
  const { live } = await openProcess()
  const { server } = await listen()
  const unsafe = new Server(server, { connectionStateRecovery: {} })
  expect(() => guardSocketIo(unsafe, { live, origins: [ORIGIN] })).toThrow(
    expect.objectContaining({ code: 'ERR_CONFIG_UNSAFE' }),
  )
  const detached = new Server()
  expect(() => guardSocketIo(detached, { live, origins: [ORIGIN] })).toThrow(
    expect.objectContaining({ code: 'ERR_CONFIG_INVALID', message: expect.stringContaining('"io"') }),
  )
})

test('with recovery a kicked client stays out', async () => {
  const app = await serve({ server: { connectionStateRecovery: { skipMiddlewares: false } } })
  const { accessToken, id } = await app.login()
  const one = client(app.url, {
    transports: ['websocket'],
    extraHeaders: { ...BROWSER, ...cookie(accessToken) },
  })
  await connected(one.socket)
  await app.sessions.revoke(id, { reason: 'logout' })
  await vi.waitFor(() => expect(one.socket.connected).toBe(false), SOON)
  const error = refusal(one.socket)
  one.socket.connect()
  await error
  expect(app.live.size).toBe(0)
})

function poll(url: string, headers: Record<string, string>): Promise<{ status: number; body: any }> {
  return new Promise((resolve, reject) => {
    request(url, { headers, agent: false }, (response) => {
      let text = ''
      response.on('data', (chunk) => {
        text += chunk
      })
      response.on('end', () => {
        resolve({ status: response.statusCode!, body: text.startsWith('{') ? JSON.parse(text) : text })
      })
    })
      .once('error', reject)
      .end()
  })
}
