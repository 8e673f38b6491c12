// Server-sent events over real HTTP, by Node's response and as a Web stream.
import { createServer, get, type IncomingMessage, type ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import { type EventStream, eventStreams, type SseOptions } from 'countersign/sse'
import { describe, expect, test, vi } from 'vitest'
import { bearer, cookie, listen, type OpenOptions, ORIGIN, openProcess, SOON } from './kit.ts'

/** As an `EventSource` of a page of our own origin sends it. */
const BROWSER = { 'sec-fetch-site': 'same-origin' }

const KINDS = ['node', 'web'] as const

async function serve(kind: (typeof KINDS)[number], open: OpenOptions = {}, more: Partial<SseOptions<any>> = {}) {
  const process = await openProcess(open)
  const events = eventStreams({ live: process.live, origins: [ORIGIN], ...more })
  const streams: EventStream<any>[] = []
  const node = async (request: IncomingMessage, response: ServerResponse) => {
    const stream = await events.open(request, response)
    if (stream) streams.push(stream)
  }
  const web = async (request: IncomingMessage, response: ServerResponse) => {
    const headers = Object.entries(request.headers).map(([name, value]) => [name, String(value)] as [string, string])
    const answer = await events.respond(new Request(`http://localhost${request.url}`, { headers }))
    if (answer.stream) streams.push(answer.stream)
    response.writeHead(answer.response.status, Object.fromEntries(answer.response.headers))
    const body = Readable.fromWeb(answer.response.body as never)
    response.once('close', () => body.destroy())
    body.on('error', () => response.destroy()).pipe(response)
  }
  const { url } = await listen(createServer(kind === 'node' ? node : web))
  return { ...process, url, streams }
}

/** Reads a stream as it comes. */
async function connect(url: string, headers: Record<string, string>) {
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    get(url, { headers }, resolve).once('error', reject)
  })
  const client = { response, text: '', hasEnded: false }
  response.on('data', (chunk) => {
    client.text += chunk
  })
  response.on('error', () => undefined)
  response.once('close', () => {
    client.hasEnded = true
  })
  return client
}

describe.each(KINDS)('%s', (kind) => {
  test('events arrive as they were sent, and the answer is kept by nobody', async () => {
    const app = await serve(kind)
    const { accessToken } = await app.login()
    const client = await connect(app.url, { ...BROWSER, ...cookie(accessToken) })
    expect(client.response.statusCode).toBe(200)
    expect(client.response.headers).toMatchObject({
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store, no-transform',
      'x-content-type-options': 'nosniff',
      'cross-origin-resource-policy': 'same-origin',
    })
    const [stream] = app.streams
    expect(stream!.session.subject).toBe('user:1')
    expect(stream!.send({ event: 'price', id: '7', data: { eur: 3 } })).toBe(true)
    expect(stream!.send({ data: 'two\r\nlines\nand\rthree' })).toBe(true)
    const expected =
      ': open\n\nevent: price\nid: 7\ndata: {"eur":3}\n\ndata: two\ndata: lines\ndata: and\ndata: three\n\n'
    await vi.waitFor(() => expect(client.text).toBe(expected), SOON)
    for (const bad of [{ event: 'a\nb', data: 1 }, { id: 'a\rb', data: 1 }, { data: undefined }])
      expect(() => stream!.send(bad)).toThrow(expect.objectContaining({ code: 'ERR_INPUT_INVALID' }))
    client.response.destroy()
    await stream!.closed
    expect(app.live.size).toBe(0)
    expect(stream!.send({ data: 1 })).toBe(false)
  })

  test('roles are delivered, and the end comes with its reason', async () => {
    const app = await serve(kind)
    const { accessToken, id } = await app.login()
    const client = await connect(app.url, { ...BROWSER, ...cookie(accessToken) })
    const other = await connect(app.url, bearer((await app.login('user:2')).accessToken))
    await app.sessions.update(id, () => ({ n: 1 }))
    await app.sessions.setRoles('user:1', ['user'])
    await vi.waitFor(() => expect(client.text).toContain('event: session-changed\ndata: {"roles":["user"]}\n\n'), SOON)
    await app.sessions.revoke(id, { reason: 'logout' })
    await vi.waitFor(() => expect(client.hasEnded).toBe(true), SOON)
    const last = 'event: session-over\ndata: {"reason":"logout","remedy":"sign_in","reconnect":false}\n\n'
    expect(client.text.endsWith(last)).toBe(true)
    // Another one comes as an ordinary end of the answer, and is refused next time.
    expect(client.response.complete).toBe(true)
    expect((await connect(app.url, { ...BROWSER, ...cookie(accessToken) })).response.statusCode).toBe(401)
    expect(other.hasEnded).toBe(false)
    await app.live.close()
    await vi.waitFor(() => expect(other.hasEnded).toBe(true), SOON)
    expect(other.text).toContain('{"reason":"shutdown","remedy":"none","reconnect":true}')
  })

  test('who is not let in gets a problem, and no stream', async () => {
    const app = await serve(kind, {}, { roles: ['admin'] })
    const admin = await app.login()
    const user = await app.login('user:2', ['user'])
    const token = cookie(admin.accessToken)
    const cases: [Record<string, string>, number, object][] = [
      [BROWSER, 401, { code: 'unauthenticated' }],
      [{ ...BROWSER, ...cookie(user.accessToken) }, 403, { code: 'insufficient_scope' }],
      [{ ...token, 'sec-fetch-site': 'cross-site' }, 403, { reason: 'origin_foreign' }],
      [{ ...token, 'sec-fetch-site': 'same-site' }, 403, { reason: 'origin_foreign' }],
      [{ ...token, ...BROWSER, origin: 'https://evil.example' }, 403, { reason: 'origin_foreign' }],
      [{ ...token, referer: 'https://evil.example/' }, 403, { reason: 'origin_foreign' }],
      [token, 403, { reason: 'origin_unproven' }],
    ]
    for (const [headers, status, body] of cases) {
      const client = await connect(app.url, headers)
      await vi.waitFor(() => expect(client.hasEnded).toBe(true), SOON)
      expect([client.response.statusCode, JSON.parse(client.text)], JSON.stringify(headers)).toMatchObject([
        status,
        body,
      ])
      expect(client.response.headers['content-type']).toBe('application/problem+json; charset=utf-8')
      expect(client.response.headers['cache-control']).toBe('no-store')
    }
    expect(app.live.size).toBe(0)
    const allowed = [
      { ...token, origin: ORIGIN, 'sec-fetch-site': 'same-site' },
      { ...token, referer: `${ORIGIN}/page` },
      { ...token, 'sec-fetch-site': 'none' },
      bearer(admin.accessToken),
    ]
    for (const headers of allowed) expect((await connect(app.url, headers)).response.statusCode).toBe(200)
    await app.live.close()
    expect((await connect(app.url, { ...BROWSER, ...token })).response.statusCode).toBe(503)
  })

  test('a client that does not read is cut off, and holds nobody up', async () => {
    const app = await serve(kind, {}, { maxBufferedBytes: 100_000 })
    const { accessToken } = await app.login()
    const slow = await connect(app.url, { ...BROWSER, ...cookie(accessToken) })
    slow.response.pause()
    const quick = await connect(app.url, { ...BROWSER, ...cookie(accessToken) })
    const [first, second] = app.streams
    const chunk = 'x'.repeat(50_000)
    let sent = 0
    while (first!.send({ data: chunk })) {
      sent++
      if (sent > 2_000) throw new Error('is never cut off')
      await new Promise((resolve) => setImmediate(resolve))
    }
    await first!.closed
    expect(second!.send({ data: 'still here' })).toBe(true)
    await vi.waitFor(() => expect(quick.text).toContain('still here'), SOON)
    expect(app.live.size).toBe(1)
    slow.response.destroy()
  })

  test('a heartbeat keeps it open', async () => {
    const app = await serve(kind, {}, { heartbeat: '0.1s' })
    const client = await connect(app.url, { ...BROWSER, ...cookie((await app.login()).accessToken) })
    await vi.waitFor(() => expect(client.text.startsWith(': open\n\n:\n\n:\n\n')).toBe(true), SOON)
    client.response.destroy()
  })
})

test('a client that leaves while it is being checked leaves nothing behind', async () => {
  const process = await openProcess()
  const events = eventStreams({ live: process.live, origins: [] })
  const { accessToken } = await process.login()
  let came: ServerResponse | undefined
  let proceed = () => {}
  const held = new Promise<void>((resolve) => {
    proceed = resolve
  })
  const opened = new Promise<EventStream<any> | undefined>((resolve) => {
    void listen(
      createServer(async (request, response) => {
        came = response
        await held
        resolve(await events.open(request, response))
      }),
    ).then(({ url }) => {
      const going = get(url, { headers: bearer(accessToken) })
      going.once('error', () => undefined)
      void vi.waitFor(() => expect(came).toBeDefined(), SOON).then(() => going.destroy())
    })
  })
  await vi.waitFor(() => expect(came?.destroyed).toBe(true), SOON)
  proceed()
  const stream = await opened
  await stream?.closed
  expect(process.live.size).toBe(0)
})

test('a request that was given up while the store was asked leaves nothing behind', async () => {
  const app = await openProcess()
  const events = eventStreams({ live: app.live, origins: [ORIGIN] })
  const controller = new AbortController()
  const headers = bearer((await app.login()).accessToken)
  const responded = events.respond(new Request('http://localhost/', { headers, signal: controller.signal }))
  controller.abort()
  const { response, stream } = await responded
  await stream?.closed
  expect(stream?.isOpen).toBe(false)
  expect(await response.text()).toBe('')
  expect(app.live.size).toBe(0)
})
