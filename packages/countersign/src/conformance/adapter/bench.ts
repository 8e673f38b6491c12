import { ok } from 'node:assert/strict'
import { createSessions } from '../../create-sessions.ts'
import { COOKIE_NAMES, type CookieUse } from '../../http/cookies.ts'
import { CountersignError } from '../../internal/errors.ts'
import type { Sessions } from '../../sessions.ts'
import type { Store } from '../../stores/contract.ts'
import { memoryStore } from '../../stores/memory/memory-store.ts'
import { allowlist, type Strategy } from '../../strategies/factories.ts'
import { type TestClock, testClock } from '../../testing/test-clock.ts'
import { generateKeyring } from '../../tokens/generate-keyring.ts'
import { loadKeyring } from '../../tokens/keyring.ts'
import { equals } from '../checks.ts'
import { type Answer, Line } from './client.ts'

/** The sessions that the application under test works with: strategy `allowlist`, roles `user` and `admin`, no data. */
export type AdapterSessions = Sessions<Strategy<'record', true, 'sessions'>, undefined, 'user' | 'admin'>

/** The application under test, listening. */
export interface StartedApp {
  /** `http://127.0.0.1:<port>`, which is also the only origin that the application takes for its own. */
  readonly origin: string
  /** Stops listening and ends its connections. The suite closes the sessions. */
  close(): Promise<void>
}

/** What a file of cases is given. The application is started when the first case runs. */
export interface AppBench {
  test(title: string, run: (app: RunningApp) => Promise<void>): void
}

/** Tokens of a session, wherever they travelled. */
export interface Tokens {
  readonly access: string
  readonly refresh: string
  readonly sessionId: string
}

/** The application with what stands behind it, for the cases. */
export class RunningApp {
  readonly sessions: AdapterSessions
  readonly clock: TestClock
  readonly origin: string
  readonly #app: StartedApp
  readonly #store: WatchedStore
  readonly #lines: Line[] = []
  #count = 0

  private constructor(sessions: AdapterSessions, clock: TestClock, store: WatchedStore, app: StartedApp) {
    this.sessions = sessions
    this.clock = clock
    this.#store = store
    this.#app = app
    this.origin = app.origin
  }

  static async start(start: (sessions: AdapterSessions) => Promise<StartedApp>): Promise<RunningApp> {
    const clock = testClock()
    const store = new WatchedStore(memoryStore({ runtime: clock.runtime }))
    const sessions: AdapterSessions = createSessions({
      strategy: allowlist({ issuer: 'https://auth.test', audience: 'https://api.test' }),
      store: store.parts,
      keyring: await loadKeyring(generateKeyring({ signing: ['HS256'] })),
      runtime: clock.runtime,
      timeouts: { idle: '30m', absolute: '7d' },
      roles: ['user', 'admin'],
      // The cases count what the store is asked, and take it away.
      nearCache: false,
    })
    return new RunningApp(sessions, clock, store, await start(sessions))
  }

  async close(): Promise<void> {
    for (const line of this.#lines) line.close()
    await this.#app.close()
    await this.sessions.close()
  }

  /** A connection of its own, kept alive. */
  line(connections = 1): Line {
    const line = new Line(this.origin, connections)
    this.#lines.push(line)
    return line
  }

  /** Names of subjects that no other case uses. */
  subject(): string {
    return `user-${++this.#count}`
  }

  /** Logs in as a browser does: the tokens come as cookies. */
  async login(roles: readonly string[] = ['user'], subject = this.subject()): Promise<Tokens & { subject: string }> {
    const answer = await this.line().send('POST', '/login', {
      headers: [['Origin', this.origin]],
      json: { subject, roles, delivery: 'cookie' },
    })
    equals(answer.status, 200)
    const tokens = { access: cookieIn(answer, 'access'), refresh: cookieIn(answer, 'refresh') }
    ok(tokens.access && tokens.refresh, 'login with the delivery cookie sets both cookies')
    return { access: tokens.access, refresh: tokens.refresh, subject, sessionId: await this.idOf(tokens.access) }
  }

  /** Logs in as a program does: the tokens come in the body. */
  async program(roles: readonly string[] = ['user'], subject = this.subject()): Promise<Tokens & { subject: string }> {
    const answer = await this.line().send('POST', '/login', { json: { subject, roles, delivery: 'bearer' } })
    equals(answer.status, 200)
    const { accessToken, refreshToken } = answer.body ?? {}
    ok(accessToken && refreshToken, 'login with the delivery bearer gives accessToken and refreshToken in the body')
    return { access: accessToken, refresh: refreshToken, subject, sessionId: await this.idOf(accessToken) }
  }

  /** Why a session is over, or `live`. Asks the sessions, not the application. */
  async stateOf(tokens: Tokens): Promise<string> {
    const { refusal } = await this.sessions.explain(tokens.sessionId)
    return refusal ? (refusal.endedBy ?? refusal.reason) : 'live'
  }

  /** Every call of the store that `run` leads to, by name. Reads of the floor are upkeep and belong to no request. */
  async callsOf(run: () => Promise<unknown>): Promise<readonly string[]> {
    this.#store.calls.length = 0
    await run()
    return this.#store.calls.filter((name) => name !== 'floor')
  }

  /** Runs something while the store does not answer. */
  async duringOutage(run: () => Promise<void>): Promise<void> {
    this.#store.isDown = true
    try {
      await run()
    } finally {
      this.#store.isDown = false
    }
  }

  async idOf(accessToken: string): Promise<string> {
    const { kind, sessionId } = await this.sessions.explain(accessToken)
    equals(kind, 'access_token')
    return sessionId ?? ''
  }
}

/** The store with a list of what is asked of it, and with a switch. */
class WatchedStore {
  readonly calls: string[] = []
  isDown = false
  readonly parts: Pick<Store, 'sessions' | 'lifecycle'>

  constructor({ sessions, lifecycle }: Store) {
    const watched = new Proxy(sessions, {
      get: (target, name) => {
        const method: unknown = Reflect.get(target, name)
        if (typeof method !== 'function') return method
        return async (...args: unknown[]) => {
          this.calls.push(String(name))
          if (this.isDown) throw new CountersignError('ERR_STORE_UNAVAILABLE', 'the store of the suite is down')
          return method.apply(target, args)
        }
      },
    })
    this.parts = { sessions: watched, lifecycle }
  }
}

/** A `Cookie` header of our two cookies, or of one. */
export function cookies(tokens: Partial<Tokens>): readonly [string, string] {
  const uses = (['access', 'refresh'] as const).filter((use) => tokens[use] !== undefined)
  return ['Cookie', uses.map((use) => `${COOKIE_NAMES[use]}=${tokens[use]}`).join('; ')]
}

export function bearer(token: string): readonly [string, string] {
  return ['Authorization', `Bearer ${token}`]
}

/** The value that an answer sets a cookie to: empty when it removes it, `undefined` when it does not speak of it. */
export function cookieIn(answer: Answer, use: CookieUse): string | undefined {
  const begin = `${COOKIE_NAMES[use]}=`
  const ours = answer.setCookies.filter((one) => one.startsWith(begin))
  ok(ours.length < 2, `one answer sets the ${use} cookie twice`)
  return ours[0]?.slice(begin.length).split(';')[0]
}
