// Must show 9: the store goes away under load, as the clients of the real service see it.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { command, eventually } from '../../test-support/redis-command.ts'
import { startRedis } from '../../test-support/redis-server.ts'
import { startRespProxy } from '../../test-support/resp-proxy.ts'
import { runCommand, startServer } from '../../test-support/server-process.ts'
import { type Context, demand, type Row, scenario } from '../scenario.ts'

const PASSWORD = 'violet harbour teapot 91'
const DEVICES = 8
const AT_ONCE = 16
/** Of the store, as the service sets it. A call may ask it twice, and the machine does other things too. */
const DEADLINE_MS = 2_000
const ANSWERED_WITHIN_MS = 2 * DEADLINE_MS + 1_000
/** A copy is served for so long after the store was last heard of. */
const STALE_MS = 1_000
const BACK_WITHIN_MS = 2_000
/** Before an outage, and from the moment on at which all has to be well again. */
const WINDOW_MS = 1_500
const MOST_TRIES = 3

interface Answer {
  readonly route: string
  readonly askedMs: number
  readonly answeredMs: number
  readonly status: number
  /** Of a problem. */
  readonly detail: string | undefined
  readonly setsCookie: boolean
}

/** A phone with cookies, or a program with tokens. */
interface Device {
  readonly headers: Record<string, string>
  refreshToken: string | undefined
}

/** Asks for what clients ask for, again and again, and writes down what it was told. */
class Crowd {
  readonly answers: Answer[] = []
  readonly #url: string
  readonly #devices: readonly Device[]
  readonly #failures: unknown[] = []
  #isOver = false
  #working: Promise<unknown> = Promise.resolve()

  constructor(url: string, devices: readonly Device[]) {
    this.#url = url
    this.#devices = devices
  }

  begin(): void {
    const worker = async (n: number) => {
      for (let turn = n; !this.#isOver; turn++) {
        const device = this.#devices[turn % this.#devices.length]!
        // Mostly the check of a request, which copies answer; then what always asks the store, and what writes to it.
        if (turn % 10 === 0) await this.#refresh(device)
        else if (turn % 5 === 0) await this.#ask('GET', '/auth/sessions', device)
        else await this.#ask('GET', '/auth/session', device)
      }
    }
    this.#working = Promise.all(
      Array.from({ length: AT_ONCE }, (_, n) =>
        worker(n).catch((error) => {
          this.#failures.push(error)
          this.#isOver = true
        }),
      ),
    )
  }

  /** @throws Error when a request got no answer at all. */
  async end(): Promise<void> {
    this.#isOver = true
    await this.#working
    if (this.#failures.length > 0) throw this.#failures[0]
  }

  async #refresh(device: Device): Promise<void> {
    const { refreshToken } = device
    const body = await this.#ask('POST', '/auth/refresh', device, refreshToken ? { refreshToken } : {})
    if (refreshToken && body?.refreshToken) device.refreshToken = body.refreshToken
  }

  async #ask(method: string, route: string, { headers }: Device, sent?: object) {
    const askedMs = performance.now()
    const response = await fetch(this.#url + route, {
      method,
      headers: { ...headers, ...(sent && { 'content-type': 'application/json', origin: this.#url }) },
      ...(sent && { body: JSON.stringify(sent) }),
    })
    const text = await response.text()
    const body = text === '' ? undefined : JSON.parse(text)
    this.answers.push({
      route,
      askedMs,
      answeredMs: performance.now(),
      status: response.status,
      detail: body?.code,
      setsCookie: response.headers.getSetCookie().length > 0,
    })
    return body
  }
}

async function logIn(url: string, n: number): Promise<Device> {
  const delivery = n % 2 === 0 ? 'bearer' : 'cookie'
  const device = { id: `device-${n}`, label: `device ${n}` }
  const response = await fetch(`${url}/auth/login`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', origin: url },
    body: JSON.stringify({ identifier: 'ada@example.test', password: PASSWORD, delivery, device }),
  })
  const body = (await response.json()) as { accessToken?: string; refreshToken?: string }
  demand(response.status === 200, () => `a login was answered with ${response.status}: ${JSON.stringify(body)}`)
  if (delivery === 'bearer')
    return { headers: { authorization: `Bearer ${body.accessToken}` }, refreshToken: body.refreshToken }
  const cookies = response.headers.getSetCookie().map((line) => line.split(';')[0]!)
  return { headers: { cookie: cookies.join('; ') }, refreshToken: undefined }
}

/** A service on a Redis of its own, with accounts and devices. */
async function startService({ cleanUp }: Context) {
  const redis = await startRedis({ appendonly: true, appendfsync: 'always', policy: 'noeviction' })
  cleanUp(() => redis.stop())
  const proxy = await startRespProxy({ target: redis.url })
  cleanUp(() => proxy.stop())
  const folder = mkdtempSync(join(tmpdir(), 'countersign-away-'))
  cleanUp(() => rmSync(folder, { recursive: true, force: true }))
  const keys = join(folder, 'keys.json')
  const made = await runCommand(['keys', 'generate', '--out', keys])
  demand(made.code === 0, () => made.stderr)
  const server = await startServer(['--store', proxy.url, '--keys', keys, '--log-level', 'info', '--grace', '1s'])
  cleanUp(() => server.stop('SIGKILL'))
  const registered = await fetch(`${server.url}/auth/register`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', origin: server.url },
    body: JSON.stringify({ identifier: 'ada@example.test', password: PASSWORD }),
  })
  demand(registered.status === 201, `registering was answered with ${registered.status}`)
  const devices: Device[] = []
  for (let n = 0; n < DEVICES; n++) devices.push(await logIn(server.url, n))
  return { redis, proxy, server, devices }
}

/** A4. */
async function away(context: Context): Promise<string> {
  const { redis, proxy, server, devices } = await startService(context)
  let ended: string | undefined
  void server.ended.then((code) => {
    ended = String(code)
  })
  const outageMs = context.isShort ? 4_000 : 10_000
  const answering = () =>
    eventually(
      'the server answers',
      () => command(redis.url, 'PING').catch(() => ''),
      (answer) => answer === 'PONG',
    )
  const outages: Record<string, { begin(): unknown; end(): Promise<unknown> }> = {
    'killed and started again': {
      begin: () => redis.kill('SIGKILL'),
      end: () => redis.restart().then(answering),
    },
    stopped: { begin: () => redis.kill('SIGSTOP'), end: () => redis.kill('SIGCONT').then(answering) },
    'behind a black hole': { begin: () => proxy.pause(), end: async () => proxy.resume() },
  }
  const once = async (how: string): Promise<Seen> => {
    const crowd = new Crowd(server.url, devices)
    crowd.begin()
    await sleep(2 * WINDOW_MS)
    await outages[how]!.begin()
    const goneMs = performance.now()
    await sleep(outageMs)
    const returnsMs = performance.now()
    await outages[how]!.end()
    const backMs = performance.now()
    await sleep(BACK_WITHIN_MS + WINDOW_MS)
    await crowd.end()
    demand(ended === undefined, () => `the service ended with ${ended}:\n${server.logs().slice(-2_000)}`)
    return judge(how, crowd.answers, { goneMs, returnsMs, backMs })
  }
  const said: string[] = []
  for (const how of Object.keys(outages)) {
    let seen = await once(how)
    // A machine that does other things too may be slow just then; a service that comes back slowly always is.
    for (let tries = 1; seen.isSlow !== undefined && tries < MOST_TRIES; tries++) seen = await once(how)
    demand(seen.isSlow === undefined, () => `${how}: ${seen.isSlow}`)
    said.push(`${how}: ${seen.said}`)
  }
  const complaints = server.logs().match(/unhandled|uncaught/i)
  demand(complaints === null, () => `the service complains: ${server.logs().slice(-2_000)}`)
  demand((await server.stop()) === 0, 'the service did not end well')
  return said.join('; ')
}

interface Times {
  readonly goneMs: number
  /** The outage is being ended. */
  readonly returnsMs: number
  /** The store answers. */
  readonly backMs: number
}

interface Seen {
  readonly said: string
  /** Why it was not at full speed in time. */
  readonly isSlow: string | undefined
}

/** Throws when it is not what was promised. */
function judge(how: string, answers: readonly Answer[], { goneMs, returnsMs, backMs }: Times): Seen {
  const told = ({ route, status, detail = '', askedMs, answeredMs }: Answer) =>
    `${how}: ${route} was answered with ${status} ${detail} after ${(answeredMs - askedMs).toFixed(0)} ms, asked ${(askedMs - goneMs).toFixed(0)} ms after it went away`
  const wrong = answers.find(({ status }) => status !== 200 && status !== 503)
  demand(wrong === undefined, () => `${told(wrong!)}: an outage is 503, and never 401`)
  const outages = answers.filter(({ status }) => status === 503)
  const cleared = outages.find(({ setsCookie }) => setsCookie)
  demand(cleared === undefined, () => `${told(cleared!)}, and sets a cookie`)
  const slowestMs = Math.max(...answers.map(({ askedMs, answeredMs }) => answeredMs - askedMs))
  demand(slowestMs <= ANSWERED_WITHIN_MS, `${how}: an answer took ${slowestMs.toFixed(0)} ms`)
  // What is asked for while nobody can know, and answered before the store is back.
  const blind = answers.filter(({ askedMs, answeredMs }) => askedMs > goneMs + STALE_MS && answeredMs < returnsMs)
  const known = blind.find(({ status }) => status === 200)
  demand(known === undefined, () => `${told(known!)}, and nobody could know`)
  demand(blind.length > 0, `${how}: nobody asked while it was away`)

  const during = (fromMs: number) =>
    answers.filter(({ answeredMs }) => answeredMs >= fromMs && answeredMs < fromMs + WINDOW_MS)
  const fullFromMs = backMs + BACK_WITHIN_MS
  const late = answers.find(({ askedMs, status }) => askedMs >= fullFromMs && status !== 200)
  const rate = (count: number) => (count * 1_000) / WINDOW_MS
  const [before, after] = [during(goneMs - WINDOW_MS).length, during(fullFromMs).length].map(rate) as [number, number]
  // Not a benchmark: whoever still waits or reconnects is far below.
  const rates = `${before.toFixed(0)} → ${after.toFixed(0)} answers/s`
  const first = answers.find(({ askedMs, status }) => askedMs >= backMs && status === 200)
  const isSlow = late
    ? `${told(late)}, ${(late.askedMs - backMs).toFixed(0)} ms after it came back`
    : after < before / 2 || first === undefined
      ? rates
      : undefined
  const firstMs = first ? `${(first.answeredMs - backMs).toFixed(0)} ms` : 'never'
  const said = `${outages.length} × 503, slowest ${slowestMs.toFixed(0)} ms, first answer ${firstMs} after its return, ${rates}`
  return { said, isSlow }
}

export const awayRows: readonly Row[] = [
  {
    id: 'A4',
    fault: 'Redis goes away for 10 s under the load of the HTTP service: killed, stopped, a black hole',
    passes:
      'no unhandled rejection; every answer within its deadline, 503 and not 401, cookies untouched; full speed within 2 s of its return',
    proofs: [scenario('the store goes away under the service', away)],
  },
]
