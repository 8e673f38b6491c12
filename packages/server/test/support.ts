// Real servers on real sockets: the application is built as `countersign serve` builds it, listens on a free port and is
// talked to with fetch.
import { mkdtempSync, rmSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import {
  allowlist,
  createSessions,
  type Duration,
  generateKeyring,
  loadKeyring,
  opaque,
  type Runtime,
  type Store,
  systemRuntime,
} from 'countersign'
import { createAccounts } from 'countersign/accounts'
import { createClientAuthentication, createServiceTokens, createSessionAssertions } from 'countersign/oauth'
import { createOneTime } from 'countersign/one-time'
import { memoryStore } from 'countersign/stores/memory'
import { postgresStore } from 'countersign/stores/postgres'
import { redisStore } from 'countersign/stores/redis'
import { sqliteStore } from 'countersign/stores/sqlite'
import { startPostgres } from '../../../tools/test-support/postgres-server.ts'
import { startRedis } from '../../../tools/test-support/redis-server.ts'
import { buildApp } from '../src/app.ts'
import type { ClientSetting } from '../src/config/clients.ts'
import type { ServerSessions } from '../src/http/kit.ts'
import { createLog } from '../src/log.ts'

export const PASSWORD = 'correct horse battery staple'
export const JSON_TYPE = { 'content-type': 'application/json' }

export type StoreKind = 'memory' | 'sqlite' | 'redis' | 'postgres'

export interface Options {
  readonly strategy?: 'allowlist' | 'opaque'
  readonly store?: StoreKind
  readonly limits?: { perSubject: number; overflow: 'reject' | 'evict_oldest' | 'evict_least_recent' }
  readonly clients?: readonly ClientSetting[]
  /** Of the strategy allowlist. */
  readonly times?: { readonly accessLifetime?: Duration; readonly grace?: Duration }
  readonly settings?: Partial<Parameters<typeof buildApp>[1]>
  /** Puts something between the application and its sessions. */
  readonly around?: (sessions: ServerSessions) => ServerSessions
}

export type TestApp = Awaited<ReturnType<typeof startApp>>

/** The platform's clock, moved forward on demand. */
export function movableRuntime() {
  let aheadMs = 0
  const { clock } = systemRuntime
  const runtime: Runtime = {
    ...systemRuntime,
    clock: { nowMs: () => clock.nowMs() + aheadMs, monotonicMs: () => clock.monotonicMs() + aheadMs },
  }
  return {
    runtime,
    advance(ms: number) {
      aheadMs += ms
    },
  }
}

export async function startApp(options: Options = {}) {
  const { runtime, advance } = movableRuntime()
  const { store, stopStore }: { store: Store; stopStore: () => Promise<void> } = await openStore(
    options.store ?? 'memory',
    runtime,
  )
  const keyring = await loadKeyring(generateKeyring({ signing: ['ES256'] }))
  const jwt = { issuer: 'https://auth.test', audience: 'https://api.test', alg: 'ES256' } as const
  const made: ServerSessions = createSessions({
    strategy:
      options.strategy === 'opaque'
        ? opaque({ audience: jwt.audience })
        : allowlist<boolean>({ ...jwt, refresh: true, ...options.times }),
    store,
    keyring,
    runtime,
    timeouts: { idle: '30m', absolute: '7d' },
    roles: ['user', 'moderator', 'admin'] as readonly string[],
    limits: options.limits ?? { perSubject: 100, overflow: 'evict_oldest' },
  })
  const sessions = options.around?.(made) ?? made
  const oneTime = createOneTime({ store, keyring, runtime })
  const accounts = createAccounts({ store, keyring, sessions, runtime, oneTime })
  const clients = createClientAuthentication({ issuer: jwt.issuer, clients: options.clients ?? [], store, runtime })
  const serviceTokens = createServiceTokens({ keyring, issuer: jwt.issuer, store, runtime })
  const assertions = createSessionAssertions({ keyring, issuer: jwt.issuer, store, runtime })
  const logged: string[] = []
  const sink = new Writable({
    write(chunk, _encoding, done) {
      logged.push(String(chunk))
      done()
    },
  })
  let origins: readonly string[] = []
  const app = await buildApp(
    {
      sessions,
      accounts,
      oneTime,
      clients,
      serviceTokens,
      assertions,
      keyring,
      nowMs: () => store.lifecycle.nowMs(),
      log: createLog('debug', sink),
    },
    {
      strategy: options.strategy ?? 'allowlist',
      issuer: jwt.issuer,
      origins: () => origins,
      overHttps: false,
      trustedProxies: [],
      ...options.settings,
    },
  )
  await app.listen({ host: '127.0.0.1', port: 0 })
  const url = `http://127.0.0.1:${(app.server.address() as AddressInfo).port}`
  origins = [url]
  return {
    url,
    app,
    sessions,
    accounts,
    oneTime,
    keyring,
    store,
    logged,
    advance,
    stopStore,
    /** A caller without cookies yet. */
    client: (extra: Record<string, string> = {}) => new Client(url, extra),
    async close() {
      await app.close()
      await sessions.close().catch(() => undefined)
      await stopStore()
    },
  }
}

async function openStore(kind: StoreKind, runtime: Runtime) {
  if (kind === 'memory') return { store: memoryStore({ runtime }), stopStore: async () => undefined }
  if (kind === 'sqlite') {
    const folder = mkdtempSync(join(tmpdir(), 'countersign-server-'))
    const store = sqliteStore({ file: join(folder, 'test.db'), runtime })
    return { store, stopStore: async () => rmSync(folder, { recursive: true, force: true }) }
  }
  const server = await (kind === 'redis' ? startRedis() : startPostgres())
  const open = kind === 'redis' ? redisStore : postgresStore
  const store = open({ url: server.url, deadline: '20s' })
  // It follows the clock of its server, which no test can move: so its answer is moved.
  const aheadMs = () => runtime.clock.nowMs() - systemRuntime.clock.nowMs()
  const { lifecycle } = store
  const moved = {
    name: lifecycle.name,
    ready: (placement: string) => lifecycle.ready(placement),
    health: () => lifecycle.health(),
    nowMs: () => Math.ceil(lifecycle.nowMs() + aheadMs()),
    close: () => lifecycle.close(),
  }
  return { store: { ...store, lifecycle: moved }, stopStore: () => server.stop() }
}

export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly cookies: readonly string[]
  readonly text: string
  readonly body: any
}

/** A caller that keeps cookies as a browser does, and says that it comes from our own page. */
export class Client {
  readonly url: string
  readonly extra: Record<string, string>
  readonly jar = new Map<string, string>()
  /** Every token this caller was ever given. */
  readonly secrets: string[] = []

  constructor(url: string, extra: Record<string, string> = {}) {
    this.url = url
    this.extra = { origin: url, ...extra }
  }

  get cookie(): string {
    return [...this.jar].map(([name, value]) => `${name}=${value}`).join('; ')
  }

  async send(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Answer> {
    const cookie = this.cookie
    const all: Record<string, string> = {
      ...(body !== undefined && JSON_TYPE),
      ...(cookie && { cookie }),
      ...this.extra,
      ...headers,
    }
    // An empty value stands for "without this field".
    for (const [name, value] of Object.entries(all)) if (value === '') delete all[name]
    const init = body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }
    const response = await fetch(this.url + path, { method, headers: all, redirect: 'manual', ...init })
    const cookies = response.headers.getSetCookie()
    for (const text of cookies) this.store(text)
    const text = await response.text()
    const isJson = /json/.test(response.headers.get('content-type') ?? '')
    const parsed = isJson && text !== '' ? JSON.parse(text) : undefined
    for (const token of [parsed?.accessToken, parsed?.refreshToken]) if (token) this.secrets.push(token)
    return { status: response.status, headers: response.headers, cookies, text, body: parsed }
  }

  private store(setCookie: string): void {
    const [pair = '', ...attributes] = setCookie.split('; ')
    const name = pair.slice(0, pair.indexOf('='))
    const value = pair.slice(pair.indexOf('=') + 1)
    if (attributes.includes('Max-Age=0')) this.jar.delete(name)
    else this.jar.set(name, value)
    if (value) this.secrets.push(value)
  }

  get = (path: string, headers?: Record<string, string>) => this.send('GET', path, undefined, headers)
  post = (path: string, body?: unknown, headers?: Record<string, string>) => this.send('POST', path, body, headers)

  register = (identifier: string, password = PASSWORD) => this.post('/auth/register', { identifier, password })
  login = (identifier: string, more: object = {}) =>
    this.post('/auth/login', { identifier, password: PASSWORD, ...more })
}

export const bearer = (token: string) => ({ authorization: `Bearer ${token}` })

/** What a problem says, without its texts. */
export function problemIn({ status, headers, body, cookies }: Answer) {
  const { code, reason, endedBy, remedy, detail } = body ?? {}
  return {
    status,
    type: headers.get('content-type'),
    ...(code !== undefined && { code }),
    ...(reason !== undefined && { reason }),
    ...(endedBy !== undefined && { endedBy }),
    ...(remedy !== undefined && { remedy }),
    ...(detail !== undefined && { detail }),
    cookies: cookies.length,
  }
}
