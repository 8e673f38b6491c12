// Sessions, servers and clients for the tests of live connections. Real ones: HTTP on a free port, clients over TCP.
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import {
  allowlist,
  CountersignError,
  createSessions,
  generateKeyring,
  type Keyring,
  loadKeyring,
  type Runtime,
  systemRuntime,
  type Timeouts,
} from 'countersign'
import { COOKIE_NAMES } from 'countersign/http'
import { type LiveOptions, liveConnections, socketTickets } from 'countersign/live'
import type { Store } from 'countersign/stores/contract'
import { memoryStore } from 'countersign/stores/memory'
import { testClock } from 'countersign/testing'
import { afterEach, onTestFinished } from 'vitest'
import { WebSocket } from 'ws'
import { z } from 'zod'

/** Pages that may connect. */
export const ORIGIN = 'https://app.example.com'
/** For `vi.waitFor` and the like: the machine may be busy. */
export const SOON = { timeout: 30_000, interval: 5 }

export interface OpenOptions {
  readonly store?: Store
  readonly keyring?: Keyring
  readonly timeouts?: Timeouts
  readonly runtime?: Runtime
  readonly live?: Partial<LiveOptions<any>>
}

/** Sessions with the live connections and the tickets of one process. Closed when the test ends. */
export async function openProcess({ timeouts = { absolute: '1d' }, runtime, ...options }: OpenOptions = {}) {
  const keyring = options.keyring ?? (await loadKeyring(generateKeyring()))
  const store = options.store ?? memoryStore(runtime && { runtime })
  const sessions = createSessions({
    strategy: allowlist({ issuer: 'https://auth.test', audience: 'https://api.test', grace: '1s' }),
    keyring,
    store,
    timeouts,
    data: z.object({ n: z.number() }),
    roles: ['user', 'admin'],
    ...(runtime && { runtime }),
  })
  await sessions.ready()
  const live = liveConnections({ sessions, ...(runtime && { runtime }), ...options.live })
  const tickets = socketTickets({ store, keyring, ...(runtime && { runtime }) })
  onTestFinished(async () => {
    await live.close()
    await sessions.close()
  })
  return {
    sessions,
    store,
    keyring,
    live,
    tickets,
    async login(subject = 'user:1', roles: readonly ('user' | 'admin')[] = ['user', 'admin']) {
      const issued = await sessions.issue({ subject, roles, data: { n: 0 } })
      if (!issued.ok) throw new Error(issued.reason)
      return { ...issued, id: issued.session.sessionId }
    },
  }
}
export type Process = Awaited<ReturnType<typeof openProcess>>

/** Listens on a free port until the test ends. */
export async function listen(server: Server = createServer()): Promise<{ server: Server; port: number; url: string }> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    return new Promise<void>((resolve) => server.close(() => resolve()))
  })
  const { port } = server.address() as AddressInfo
  return { server, port, url: `http://127.0.0.1:${port}` }
}

/** A clock and timers that run as fast as the test says, so that ten minutes pass in seconds. */
export function racingRuntime() {
  const [wallMs, monotonicMs] = [Date.now(), performance.now()]
  let factor = 1
  let [passedMs, sinceMs] = [0, performance.now()]
  const elapsedMs = () => passedMs + (performance.now() - sinceMs) * factor
  const runtime: Runtime = {
    ...systemRuntime,
    clock: { nowMs: () => wallMs + elapsedMs(), monotonicMs: () => monotonicMs + elapsedMs() },
    timers: {
      setTimeout: (fn, ms, background) => systemRuntime.timers.setTimeout(fn, ms / factor, background),
      clearTimeout: (timer) => systemRuntime.timers.clearTimeout(timer),
    },
  }
  return {
    runtime,
    /** From now on. Timers that are under way keep their pace. */
    race(times: number) {
      ;[passedMs, sinceMs] = [elapsedMs(), performance.now()]
      factor = times
    },
  }
}

/** A clock that stands still until the test moves it, with timers that are quick: what looks each second looks often. */
export function stillRuntime() {
  const clock = testClock()
  const runtime: Runtime = {
    ...clock.runtime,
    timers: {
      setTimeout: (fn, ms, background) => systemRuntime.timers.setTimeout(fn, ms / 20, background),
      clearTimeout: (timer) => systemRuntime.timers.clearTimeout(timer),
    },
  }
  return { ...clock, runtime }
}

/** A memory store that tells of no changes, so that it is asked each second, and that can be made silent. */
export function silenceable(runtime: Runtime): { readonly store: Store; isSilent: boolean } {
  const memory = memoryStore({ runtime })
  const state = { store: undefined as unknown as Store, isSilent: false }
  const fault = () => Promise.reject(new CountersignError('ERR_STORE_UNAVAILABLE', 'the test says so'))
  const sessions = new Proxy(memory.sessions, {
    get(target, name) {
      const method = Reflect.get(target, name)
      if (name === 'changes') return undefined
      if (typeof method !== 'function') return method
      return (...args: unknown[]) => (state.isSilent ? fault() : Reflect.apply(method, target, args))
    },
  })
  state.store = { ...memory, sessions }
  return state
}

/** The header by which a browser would bring the access token. */
export const cookie = (accessToken: string) => ({ cookie: `${COOKIE_NAMES.access}=${accessToken}` })
export const bearer = (accessToken: string) => ({ authorization: `Bearer ${accessToken}` })

export interface WsClient {
  readonly socket: WebSocket
  readonly messages: string[]
  /** Code and reason. */
  readonly closed: Promise<{ readonly code: number; readonly reason: string }>
}

/** Connects, or says with which status and problem that was refused. */
export async function connectWs(
  url: string,
  headers: Record<string, string | string[]>,
  protocols: string[] = [],
): Promise<({ readonly ok: true } & WsClient) | { readonly ok: false; readonly status: number; readonly body: any }> {
  const socket = new WebSocket(url.replace('http', 'ws'), protocols, { headers: headers as Record<string, string> })
  const messages: string[] = []
  socket.on('message', (data) => messages.push(String(data)))
  const closed = new Promise<{ code: number; reason: string }>((resolve) =>
    socket.once('close', (code, reason) => resolve({ code, reason: String(reason) })),
  )
  const answer = await new Promise<number | undefined | { status: number; body: any }>((resolve, reject) => {
    socket.once('open', () => resolve(undefined))
    socket.once('error', reject)
    socket.once('unexpected-response', (_request, response) => {
      let text = ''
      response.on('data', (chunk) => {
        text += chunk
      })
      response.on('end', () => {
        socket.removeAllListeners('error')
        socket.on('error', () => undefined)
        socket.terminate()
        resolve({ status: response.statusCode!, body: text === '' ? undefined : JSON.parse(text) })
      })
    })
  })
  if (typeof answer === 'object') return { ok: false, ...answer }
  // Only in tests that fail before: a client that is left open would keep the run from ending.
  afterEachTest.push(() => socket.terminate())
  return { ok: true, socket, messages, closed }
}

const afterEachTest: (() => void)[] = []
afterEach(() => {
  for (const undo of afterEachTest.splice(0)) undo()
})
