// One proxy with its sample configuration, the real service behind it, and two upstreams that say what they were sent.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { WebSocketServer } from 'ws'
import { freePort } from '../../tools/test-support/free-port.ts'
import { type ProxyKind, type ProxyOptions, type ProxyProcess, startProxy } from '../../tools/test-support/proxies.ts'
import { runCommand, type ServerProcess, startServer } from '../../tools/test-support/server-process.ts'

export const PASSWORD = 'violet harbour teapot 91'
export const AUDIENCE = 'https://shop.example.com'

/** What an upstream was sent: name and value of each field, as they came. */
export interface Received {
  readonly upstream: string
  readonly method: string
  readonly url: string
  readonly fields: readonly (readonly [name: string, value: string])[]
  readonly body: string
}

const RECEIVED = 'application/received+json'

export interface Reply {
  readonly status: number
  readonly headers: ReadonlyMap<string, readonly string[]>
  readonly text: string
  /** What the upstream was sent; absent when it was not asked. */
  readonly received?: Received
}

export const header = (reply: Reply, name: string) => reply.headers.get(name)?.join(', ')
/** Of an answer that is a problem: what matters. */
export const told = (reply: Reply) => ({
  status: reply.status,
  code: JSON.parse(reply.text).code,
  cookies: reply.headers.get('set-cookie'),
})

export interface Stack {
  readonly url: string
  readonly proxy: ProxyProcess
  readonly service: ServerProcess
  /** Cookies of a login through the proxy. */
  readonly alice: string
  readonly admin: string
  /** Access tokens of the delivery `bearer`. */
  readonly bearer: string
  /** How many requests reached an upstream so far. */
  reached(): number
  /** What upstreams were asked to upgrade to, so far. */
  upgrades(): readonly string[]
  /** Sends these lines as they are. One connection each. */
  send(method: string, path: string, lines?: readonly string[], body?: string): Promise<Reply>
  login(identifier: string, delivery?: 'cookie' | 'bearer'): Promise<string>
  restart(): Promise<void>
  close(): Promise<void>
}

/** Between finding a free port and listening on it somebody else can take it: then all begins anew. */
export async function startStack(kind: ProxyKind, options: ProxyOptions = {}): Promise<Stack> {
  for (let attempt = 1; ; attempt++) {
    const undo: (() => unknown)[] = []
    try {
      return await start(kind, options, undo)
    } catch (error) {
      await undoAll(undo)
      if (attempt === 3) throw error
    }
  }
}

async function undoAll(undo: (() => unknown)[]): Promise<void> {
  for (let step = undo.pop(); step; step = undo.pop()) await step()
}

/** @param undo - Gets what undoes each step, so that nothing is left of a start that fails. */
async function start(kind: ProxyKind, options: ProxyOptions, undo: (() => unknown)[]): Promise<Stack> {
  const folder = mkdtempSync(join(tmpdir(), `countersign-forward-${kind}-`))
  undo.push(() => rmSync(folder, { recursive: true, force: true }))
  const data = join(folder, 'data')
  let count = 0
  const upgrades: string[] = []
  const [shop, admin] = await Promise.all(
    ['shop', 'admin'].map((name) =>
      startUpstream(
        name,
        () => count++,
        (to) => upgrades.push(to),
      ),
    ),
  )
  undo.push(() => {
    for (const server of [shop!, admin!]) {
      server.closeAllConnections()
      server.close()
    }
  })
  const portOf = (server: Server) => (server.address() as AddressInfo).port
  const ports = { own: await freePort(), countersign: await freePort(), shop: portOf(shop!), admin: portOf(admin!) }
  const url = `http://127.0.0.1:${ports.own}`

  const file = join(folder, 'countersign.json')
  writeFileSync(file, JSON.stringify({ upstreams: [{ name: 'shop', audience: AUDIENCE }] }))
  const flags = ['--data', data, '--config', file, '--port', `${ports.countersign}`]
  const serve = () => startServer([...flags, '--trusted-proxy', '127.0.0.1', '--public-url', url])
  let service = await serve()
  undo.push(() => service.stop())
  for (const [name, ...more] of [
    ['alice@example.com', '--role', 'user'],
    ['root@example.com', '--role', 'admin'],
  ]) {
    const { code, stderr } = await runCommand(['users', 'add', name!, ...more, '--data', data], `${PASSWORD}\n`)
    if (code !== 0) throw new Error(stderr)
  }
  const proxy = await startProxy(kind, ports, options)
  undo.push(() => proxy.stop())

  const send = (method: string, path: string, lines: readonly string[] = [], body = ''): Promise<Reply> =>
    exchange(ports.own, [
      `${method} ${path} HTTP/1.1`,
      `Host: 127.0.0.1:${ports.own}`,
      ...(lines.some((line) => /^connection:/i.test(line)) ? [] : ['Connection: close']),
      ...(body === '' || lines.some((line) => /^transfer-encoding:/i.test(line))
        ? []
        : [`Content-Length: ${Buffer.byteLength(body)}`]),
      ...lines,
      '',
      body,
    ])
  const login = async (identifier: string, delivery: 'cookie' | 'bearer' = 'cookie') => {
    const body = JSON.stringify({ identifier, password: PASSWORD, delivery })
    const reply = await send('POST', '/auth/login', ['Content-Type: application/json', `Origin: ${url}`], body)
    if (reply.status !== 200) throw new Error(`login: ${reply.status} ${reply.text}`)
    const cookies = (reply.headers.get('set-cookie') ?? []).map((cookie) => cookie.split(';')[0])
    return delivery === 'bearer' ? JSON.parse(reply.text).accessToken : cookies.join('; ')
  }
  return {
    url,
    proxy,
    get service() {
      return service
    },
    alice: await login('alice@example.com'),
    admin: await login('root@example.com'),
    bearer: await login('alice@example.com', 'bearer'),
    reached: () => count,
    upgrades: () => upgrades,
    send,
    login,
    async restart() {
      service = await serve()
    },
    close: () => undoAll(undo),
  }
}

function startUpstream(name: string, asked: () => void, upgraded: (to: string) => void): Promise<Server> {
  const server = createServer({ maxHeaderSize: 65_536 }, (request, response) => {
    asked()
    const { method, url, rawHeaders } = request
    const fields = rawHeaders.flatMap((text, i) => (i % 2 === 0 ? [[text, rawHeaders[i + 1]!]] : []))
    let body = ''
    request.setEncoding('utf8').on('data', (text) => {
      body += text
    })
    request.on('end', () => {
      const told = JSON.stringify({ upstream: name, method, url, fields, body })
      if (method === 'HEAD') response.setHeader('x-received', Buffer.from(told).toString('base64'))
      const failing = /[?&]status=(\d+)/.exec(url!)?.[1]
      response.writeHead(failing === undefined ? 200 : Number(failing), { 'content-type': RECEIVED })
      response.end(told)
    })
  })
  server.on('upgrade', ({ rawHeaders }) => {
    upgraded(rawHeaders.filter((_, i) => i % 2 === 1 && /^upgrade$/i.test(rawHeaders[i - 1]!)).join())
  })
  const sockets = new WebSocketServer({ server })
  sockets.on('connection', (socket, { headers }) => {
    asked()
    socket.on('message', (text) => socket.send(JSON.stringify({ said: String(text), headers })))
  })
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server)))
}

/** One request and its answer, byte by byte: no client would send some of these. */
function exchange(port: number, lines: readonly string[]): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    const socket = connect(port, '127.0.0.1', () => socket.write(lines.join('\r\n')))
    socket.setTimeout(60_000, () => socket.destroy(new Error('no answer')))
    socket.on('data', (chunk) => {
      chunks.push(chunk)
      if (isWhole(Buffer.concat(chunks).toString('latin1'), lines[0]!)) done()
    })
    // A proxy that refuses early may reset the connection once it has answered.
    socket.on('error', (error) => (chunks.length > 0 ? done() : reject(error)))
    socket.on('end', done)
    function done() {
      socket.destroy()
      resolve(read(Buffer.concat(chunks).toString('latin1')))
    }
  })
}

/** So that a connection which is kept open is not waited for. */
function isWhole(answer: string, requestLine: string): boolean {
  const end = answer.indexOf('\r\n\r\n')
  if (end < 0) return false
  const head = answer.slice(0, end)
  if (requestLine.startsWith('HEAD ') || / (204|304) /.test(head.slice(0, 16))) return true
  const length = /^content-length: (\d+)/im.exec(head)?.[1]
  if (length !== undefined) return answer.length - end - 4 >= Number(length)
  return /^transfer-encoding: chunked/im.test(head) && answer.endsWith('\r\n0\r\n\r\n')
}

function read(answer: string): Reply {
  const [head = '', ...rest] = answer.split('\r\n\r\n')
  const [first = '', ...lines] = head.split('\r\n')
  const headers = new Map<string, string[]>()
  for (const line of lines) {
    const name = line.slice(0, line.indexOf(':')).toLowerCase()
    headers.set(name, [...(headers.get(name) ?? []), line.slice(line.indexOf(':') + 1).trim()])
  }
  const body = rest.join('\r\n\r\n')
  const text = headers.get('transfer-encoding')?.includes('chunked') ? unchunk(body) : body
  const inHead = headers.get('x-received')?.[0]
  const told = inHead ? Buffer.from(inHead, 'base64').toString() : text
  const isTold = headers.get('content-type')?.[0] === RECEIVED
  return { status: Number(first.split(' ')[1]), headers, text, ...(isTold && { received: JSON.parse(told) }) }
}

function unchunk(body: string): string {
  let text = ''
  for (let at = 0; ; ) {
    const end = body.indexOf('\r\n', at)
    const size = Number.parseInt(body.slice(at, end), 16)
    if (!(size > 0)) return text
    text += body.slice(end + 2, end + 2 + size)
    at = end + 2 + size + 2
  }
}
