// Starts the example as its comment says, twice on one file, and sees the sockets of one close by a logout at the other.
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { get, type IncomingMessage } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, onTestFinished, test, vi } from 'vitest'
import { WebSocket } from 'ws'

const SOON = { timeout: 60_000, interval: 10 }
const file = fileURLToPath(new URL('./sockets.ts', import.meta.url))

function start(data: string): Promise<{ origin: string; child: ChildProcess; exited: Promise<number | null> }> {
  const child = spawn(process.execPath, ['--import', 'tsx', file], { env: { ...process.env, PORT: '0', DATA: data } })
  const exited = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)))
  onTestFinished(() => {
    child.kill('SIGKILL')
    return exited.then(() => undefined)
  })
  let text = ''
  return new Promise((resolve, reject) => {
    child.stderr.on('data', (chunk) => {
      text += chunk
    })
    child.stdout.on('data', (chunk) => {
      text += chunk
      const origin = /listening on (\S+)/.exec(text)?.[1]
      if (origin) resolve({ origin, child, exited })
    })
    exited.then((code) => reject(new Error(`it ended with ${code}: ${text}`)))
  })
}

const post = (origin: string, path: string, cookie = '') =>
  fetch(origin + path, { method: 'POST', headers: { origin, ...(cookie && { cookie }) } })

async function connect(origin: string, cookie: string | undefined, protocols: string[] = []) {
  const headers = { origin, ...(cookie && { cookie }) }
  const socket = new WebSocket(`${origin.replace('http', 'ws')}/chat`, protocols, { headers })
  onTestFinished(() => socket.terminate())
  const client = { socket, lines: [] as string[], closed: '' }
  socket.on('message', (data) => client.lines.push(String(data)))
  socket.once('close', (code, reason) => {
    client.closed = `${code} ${reason}`
  })
  await new Promise((resolve, reject) => {
    socket.once('open', resolve)
    socket.once('error', reject)
  })
  return client
}

test('a logout at one process closes what is open at the other', async () => {
  const data = mkdtempSync(join(tmpdir(), 'countersign-example-'))
  onTestFinished(() => rmSync(data, { recursive: true, force: true }))
  const one = await start(data)
  const two = await start(data)

  const page = await fetch(one.origin)
  expect(await page.text()).toContain('page.js')
  expect(await (await fetch(`${one.origin}/page.js`)).text()).toContain("new WebSocket('/chat')")

  const login = await post(one.origin, '/login')
  expect(login.status).toBe(200)
  const cookie = login.headers
    .getSetCookie()
    .map((line) => line.split(';')[0])
    .join('; ')
  await expect(connect(one.origin, undefined)).rejects.toThrow('401')
  expect((await fetch(`${one.origin}/ticket`, { method: 'POST', headers: { cookie } })).status).toBe(403)

  const { ticket } = (await (await post(one.origin, '/ticket', cookie)).json()) as { ticket: string }
  const here = await connect(one.origin, cookie)
  const byTicket = await connect(one.origin, undefined, ['countersign', `countersign.ticket.${ticket}`])
  const there = await connect(two.origin, cookie)
  here.socket.send('hello')
  await vi.waitFor(() => expect(byTicket.lines).toEqual(['ada: hello']), SOON)
  const events = await new Promise<IncomingMessage>((resolve, reject) => {
    get(`${two.origin}/online`, { headers: { cookie, 'sec-fetch-site': 'same-origin' } }, resolve).once('error', reject)
  })
  let text = ''
  events.on('data', (chunk) => {
    text += chunk
  })
  await vi.waitFor(() => expect(text).toContain('event: online\ndata: {"sockets":1}'), SOON)

  expect((await post(one.origin, '/logout-everywhere', cookie)).status).toBe(200)
  await vi.waitFor(() => {
    expect([here, byTicket, there].map(({ closed }) => closed)).toEqual(Array(3).fill('4401 logout'))
    expect(text).toContain('event: session-over\ndata: {"reason":"logout"')
  }, SOON)
  await expect(connect(two.origin, cookie)).rejects.toThrow('401')

  // It says good-bye.
  const again = await post(two.origin, '/login')
  const late = await connect(two.origin, again.headers.getSetCookie()[0]!.split(';')[0])
  two.child.kill('SIGTERM')
  await vi.waitFor(() => expect(late.closed).toBe('1001 shutdown'), SOON)
  expect(await two.exited).toBe(0)
})
