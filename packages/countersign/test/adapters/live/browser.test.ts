/// <reference lib="dom" />
/**
 * A real browser and three origins: our own, a same-site one (another port) and a cross-site one (`localhost` against
 * `127.0.0.1`), whose pages get our cookies sent along, also without the help of `SameSite`.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingHttpHeaders } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { COOKIE_NAMES, setCookie } from 'countersign/http'
import { eventStreams } from 'countersign/sse'
import { guardUpgrades } from 'countersign/ws'
import { type BrowserContext, chromium, type Page } from 'playwright-core'
import { expect, onTestFinished, test, vi } from 'vitest'
import { WebSocketServer } from 'ws'
import { listen, openProcess, SOON } from './kit.ts'

const CHROMIUM = {
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-component-update'],
}

/** With a profile of its own: a window without one keeps cookies from pages of others by itself. */
async function browse(): Promise<BrowserContext> {
  const profile = mkdtempSync(join(tmpdir(), 'countersign-browser-'))
  mkdirSync(join(profile, 'Default'))
  const preferences = { profile: { block_third_party_cookies: false, cookie_controls_mode: 0 } }
  writeFileSync(join(profile, 'Default', 'Preferences'), JSON.stringify(preferences))
  const context = await chromium.launchPersistentContext(profile, CHROMIUM)
  onTestFinished(async () => {
    await context.close()
    rmSync(profile, { recursive: true, force: true })
  })
  return context
}

async function serve() {
  const app = await openProcess()
  const { server, url, port } = await listen()
  const wss = new WebSocketServer({ noServer: true })
  onTestFinished(() => wss.close())
  /** What browsers sent along: a refusal shows something only if our cookie was there. */
  const came: { origin: string | undefined; cookie: boolean }[] = []
  const note = (headers: IncomingHttpHeaders) =>
    came.push({ origin: headers.origin, cookie: headers.cookie?.includes(COOKIE_NAMES.access) === true })
  const { live, tickets } = app
  const guarded = guardUpgrades(wss, {
    live,
    tickets,
    origins: [url],
    onConnection: (socket) => socket.on('message', (text) => socket.send(`echo ${text}`)),
  })
  server.on('upgrade', (request, socket, head) => {
    note(request.headers)
    guarded(request, socket, head)
  })
  const events = eventStreams({ live, origins: [url] })
  server.on('request', async (request, response) => {
    if (request.url !== '/events') return response.setHeader('content-type', 'text/html').end('<p>ours</p>')
    note(request.headers)
    const stream = await events.open(request, response)
    stream?.send({ event: 'hello', data: stream.session.subject })
  })
  const foreign = await listen(
    createServer((_request, response) => response.setHeader('content-type', 'text/html').end('<p>foreign</p>')),
  )
  const context = await browse()
  const origins = { own: url, sameSite: foreign.url, crossSite: `http://localhost:${foreign.port}` }
  return { ...app, came, context, origins, ws: `ws://127.0.0.1:${port}/`, sse: `${url}/events` }
}

/** The access cookie as our server sets it, or without the help of `SameSite`. */
async function logIn(context: BrowserContext, url: string, accessToken: string, sameSite?: 'None') {
  const [pair = ''] = setCookie('access', accessToken).split(';')
  const at = pair.indexOf('=')
  await context.addCookies([
    {
      name: pair.slice(0, at),
      value: pair.slice(at + 1),
      url: url.replace('http:', 'https:'),
      secure: true,
      httpOnly: true,
      sameSite: sameSite ?? 'Lax',
    },
  ])
}

async function open(context: BrowserContext, url: string): Promise<Page> {
  const page = await context.newPage()
  await page.goto(url)
  return page
}

/** Opens a socket in the page, says something, and keeps what happens in `window.told`. */
const socketIn = (page: Page, url: string, protocols: string[] = []) =>
  page.evaluate(
    ([to, offered]) =>
      new Promise<string>((resolve) => {
        const told: string[] = []
        Object.assign(window, { told })
        const socket = new WebSocket(to, offered)
        socket.onopen = () => socket.send('hello')
        socket.onmessage = ({ data }) => {
          told.push(data)
          resolve(data)
        }
        socket.onclose = ({ code, reason }) => {
          told.push(`${code} ${reason}`)
          resolve(`${code} ${reason}`)
        }
      }),
    [url, protocols] as const,
  )
const toldIn = (page: Page) => page.evaluate(() => (window as any).told as string[])

test('a page of ours: cookie, ticket, server-sent events, and out at logout', async () => {
  const { login, tickets, sessions, context, origins, ws, sse } = await serve()
  const { accessToken, id, session } = await login()
  const page = await open(context, origins.own)
  expect(await socketIn(page, ws)).toBe('1006 ')
  const { ticket } = await tickets.issue(session)
  expect(await socketIn(page, ws, ['countersign', `countersign.ticket.${ticket}`])).toBe('echo hello')

  await logIn(context, origins.own, accessToken)
  const two = await open(context, origins.own)
  expect(await socketIn(two, ws)).toBe('echo hello')
  await two.evaluate((url) => {
    const streamed: string[] = []
    Object.assign(window, { streamed })
    const source = new EventSource(url)
    for (const name of ['hello', 'session-changed', 'session-over'])
      source.addEventListener(name, ({ data }) => streamed.push(`${name} ${data}`))
    source.onerror = () => streamed.push(`error ${source.readyState}`)
  }, sse)
  const streamed = () => two.evaluate(() => (window as any).streamed as string[])
  await vi.waitFor(async () => expect(await streamed()).toEqual(['hello user:1']), SOON)
  await sessions.setRoles('user:1', ['user'])
  await vi.waitFor(async () => expect(await streamed()).toContain('session-changed {"roles":["user"]}'), SOON)

  await sessions.revoke(id, { reason: 'logout' })
  await vi.waitFor(async () => expect(await toldIn(page)).toEqual(['echo hello', '4401 logout']), SOON)
  await vi.waitFor(async () => expect(await toldIn(two)).toEqual(['echo hello', '4401 logout']), SOON)
  // Told, cut off, back once by itself, and refused for good: 2 is CLOSED.
  await vi.waitFor(async () => expect((await streamed()).at(-1)).toBe('error 2'), SOON)
  expect((await streamed()).some((line) => line.startsWith('session-over {"reason":"logout"'))).toBe(true)
})

test.each(['Lax', 'None'] as const)('pages of others get nowhere with our cookie (SameSite=%s)', async (sameSite) => {
  const { login, context, came, origins, ws, sse, live } = await serve()
  await logIn(context, origins.own, (await login()).accessToken, sameSite === 'None' ? 'None' : undefined)
  expect(await socketIn(await open(context, origins.own), ws)).toBe('echo hello')
  expect(live.size).toBe(1)
  for (const origin of [origins.sameSite, origins.crossSite]) {
    came.length = 0
    const page = await open(context, origin)
    expect(await socketIn(page, ws)).toBe('1006 ')
    const read = await page.evaluate(
      (url) =>
        new Promise((resolve) => {
          const source = new EventSource(url, { withCredentials: true })
          source.onopen = () => resolve('open')
          source.onerror = () => resolve(source.readyState)
        }),
      sse,
    )
    expect(read).toBe(2)
    // A form, an image and a frame of theirs carry no `Origin`.
    await page.evaluate(async (url) => {
      const image = new Image()
      const frame = document.createElement('iframe')
      await Promise.all(
        [image, frame].map(
          (one) =>
            new Promise((resolve) => {
              one.onload = resolve
              one.onerror = resolve
              one.src = url
              document.body.append(one)
            }),
        ),
      )
    }, sse)
    // Only a refusal of what had our cookie shows that it is refused for where it came from.
    const mustCome = sameSite === 'None' || origin === origins.sameSite
    expect(came.some(({ cookie }) => cookie)).toBe(mustCome)
    expect(came).toHaveLength(4)
    expect(live.size).toBe(1)
  }
})
