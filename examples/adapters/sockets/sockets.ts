// A chat whose sockets end with their sessions: `npx tsx examples/adapters/sockets/sockets.ts`, then open the address that it
// prints in two windows. Log in, send something, and log out everywhere in one window: the other one is closed as well.
//
// Sessions are in one SQLite file, so start it twice (`PORT=3001 …`) and see that a logout at one process closes the sockets
// of the other.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { join } from 'node:path'
import { allowlist, createSessions, generateKeyring, loadKeyring } from 'countersign'
import { checkOrigin, expireCookie, findCredentials, problemOf, problemOfFault, setCookie } from 'countersign/http'
import { factsOf, liveConnections, socketTickets } from 'countersign/live'
import { eventStreams } from 'countersign/sse'
import { sqliteStore } from 'countersign/stores/sqlite'
import { guardUpgrades } from 'countersign/ws'
import { WebSocketServer } from 'ws'

const folder = process.env.DATA ?? 'countersign-data/sockets'
const port = Number(process.env.PORT ?? 3000)
mkdirSync(folder, { recursive: true })
const keys = join(folder, 'keys.json')
if (!existsSync(keys)) writeFileSync(keys, JSON.stringify(generateKeyring()), { mode: 0o600, flag: 'wx' })

const keyring = await loadKeyring(JSON.parse(readFileSync(keys, 'utf8')))
const store = sqliteStore({ file: join(folder, 'sessions.db') })
const sessions = createSessions({
  strategy: allowlist({ issuer: 'https://chat.example.com', audience: 'https://chat.example.com' }),
  store,
  keyring,
  timeouts: { idle: '30m', absolute: '1d' },
})
await sessions.ready()

const server = createServer()
await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
const address = server.address()
const origin = `http://127.0.0.1:${typeof address === 'object' && address ? address.port : port}`

// One for the process, whatever kinds of connections there are.
const live = liveConnections({ sessions, outage: { closeAfter: '5m' } })
const tickets = socketTickets({ store, keyring })

// A WebSocket for the chat. Nobody gets this far without a session, from another page, or with one that has ended.
const wss = new WebSocketServer({ noServer: true, path: '/chat', maxPayload: 4_096 })
server.on(
  'upgrade',
  guardUpgrades(wss, {
    live,
    tickets,
    origins: [origin],
    onConnection(socket, connection) {
      socket.on('message', (text) => {
        const line = `${connection.session.subject}: ${text}`
        for (const one of wss.clients) one.send(line)
      })
    },
    onChanged: (socket, session) => socket.send(`your roles are now: ${session.roles.join(', ') || 'none'}`),
  }),
)

// Server-sent events for who is there.
const events = eventStreams({ live, origins: [origin] })
async function online(request: IncomingMessage, response: ServerResponse) {
  const stream = await events.open(request, response)
  if (!stream) return // refused, and answered
  const tick = setInterval(() => stream.send({ event: 'online', data: { sockets: wss.clients.size } }), 1_000)
  await stream.closed
  clearInterval(tick)
}

async function handle(request: IncomingMessage, response: ServerResponse) {
  const answer = (status: number, body: unknown, headers: Record<string, string | string[]> = {}) => {
    response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store', ...headers })
    response.end(JSON.stringify(body))
  }
  const route = `${request.method} ${new URL(request.url ?? '/', origin).pathname}`
  if (route === 'GET /') return response.writeHead(200, PAGE_HEADERS).end(PAGE)
  if (route === 'GET /page.js') return response.writeHead(200, { 'content-type': 'text/javascript' }).end(SCRIPT)
  if (route === 'GET /online') return online(request, response)

  const facts = factsOf(request)
  const proof = checkOrigin(facts, { origins: [origin], ourCookies: true, bearer: false })
  if (!proof.ok) return refuse(problemOf(proof))
  if (route === 'POST /login') {
    // This stands for your own login. It believes everybody.
    const issued = await sessions.issue({ subject: 'ada', device: { id: 'example', class: 'browser' } })
    if (!issued.ok) return refuse(problemOf(issued))
    const cookies = [setCookie('access', issued.accessToken), setCookie('refresh', issued.refreshToken)]
    return answer(200, { subject: 'ada' }, { 'set-cookie': cookies })
  }
  const found = findCredentials(facts)
  if (!found.ok) return refuse(problemOf(found))
  const checked = await sessions.verify(found.access?.token ?? '')
  if (!checked.ok) return refuse(problemOf(checked))
  if (route === 'POST /ticket') return answer(200, await tickets.issue(checked.session))
  if (route === 'POST /logout-everywhere') {
    await sessions.revokeAll(checked.session.subject, { reason: 'logout' })
    return answer(200, {}, { 'set-cookie': [expireCookie('access'), expireCookie('refresh')] })
  }
  answer(404, {})

  function refuse({ status, headers, body }: ReturnType<typeof problemOf>) {
    answer(status, body, { ...headers })
  }
}
server.on('request', (request, response) => {
  handle(request, response).catch((fault) => {
    const { status, headers, body } = problemOfFault(fault)
    if (!response.headersSent) response.writeHead(status, headers)
    response.end(JSON.stringify(body))
  })
})

// Clients are told to come back, instead of finding out.
async function stop() {
  server.close()
  await live.close()
  await sessions.close()
}
process.once('SIGTERM', stop)
process.once('SIGINT', stop)
console.log(`listening on ${origin}`)

const PAGE_HEADERS = {
  'content-type': 'text/html; charset=utf-8',
  'content-security-policy': "default-src 'none'; script-src 'self'; connect-src 'self'; frame-ancestors 'none'",
  'referrer-policy': 'no-referrer',
}
const PAGE = `<!doctype html><title>Sockets that end with their session</title>
<button id=login>Log in</button> <button id=out>Log out everywhere</button>
<form id=say><input id=text aria-label="Message"> <button>Send</button></form><pre id=log></pre><script src=/page.js></script>`
const SCRIPT = `
const log = (line) => { document.getElementById('log').append(line + '\\n') }
let socket
function connect() {
  socket = new WebSocket('/chat')
  socket.onopen = () => log('connected')
  socket.onmessage = ({ data }) => log(data)
  socket.onclose = ({ code, reason }) => {
    log('closed: ' + code + ' ' + reason)
    // 4401: log in. 4409: the session has a new id, and the cookie is there already. 1001, 1013: later.
    if (code === 4409) connect()
    else if (code === 1001 || code === 1013) setTimeout(connect, 1_000 + 4_000 * Math.random())
  }
}
const post = (path) => fetch(path, { method: 'POST' })
document.getElementById('login').onclick = async () => { if ((await post('/login')).ok) connect() }
document.getElementById('out').onclick = () => post('/logout-everywhere')
document.getElementById('say').onsubmit = (event) => {
  event.preventDefault()
  socket?.send(document.getElementById('text').value)
}
`
