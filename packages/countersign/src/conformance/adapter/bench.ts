import { ok } from 'node:assert/strict'
import { createSessions } from '../../create-sessions.ts'
import { COOKIE_NAMES } from '../../http/cookie-options.ts'
import type { CookieUse } from '../../http/set-cookie.ts'
import { CountersignError } from '../../internal/errors.ts'
import type { Sessions } from '../../sessions.ts'
import type { Store } from '../../stores/contract.ts'
import { memoryStore } from '../../stores/memory/memory-store.ts'
import { allowlist, opaque, type Strategy } from '../../strategies/factories.ts'
import { type TestClock, testClock } from '../../testing/test-clock.ts'
import { generateKeyring } from '../../tokens/generate-keyring.ts'
import { loadKeyring } from '../../tokens/keyring.ts'
import { equals } from '../checks.ts'
import { type Answer, Http1Line, type Line } from './client.ts'
import { Http2Line } from './client-http2.ts'

/** The sessions that the application under test works with: roles `user` and `admin`, no data. `opaque` has no `refresh`. */
export type AdapterSessions = Sessions<Strategy<'record', boolean, 'sessions'>, undefined, 'user' | 'admin'>

/** One of the runs that the suite makes of all its cases. */
export interface Run {
  readonly strategy: 'allowlist' | 'opaque'
  readonly protocol: 'http1' | 'http2'
}

/** What a case cannot do without: a refresh token, or header fields as only HTTP/1 can send them. */
export type Needs = 'refresh' | 'http1'

/** The application under test, listening. */
export interface StartedApp {
  /** `http://127.0.0.1:<port>`, which is also the only origin that the application takes for its own. */
  readonly origin: string
  /** Stops listening and ends its connections. The suite closes the sessions. */
  close(): Promise<void>
}

/** What a file of cases is given. The application is started when the first case runs. */
export interface AppBench {
  test(title: string, run: (app: RunningApp) => Promise<void>, ...needs: readonly Needs[]): void
}

/** Tokens of a session, wherever they travelled. */
export interface Tokens {
  readonly access: string
  /** Empty where the strategy has none. */
  readonly refresh: string
  readonly sessionId: string
}

/** The application with what stands behind it, for the cases. */
export class RunningApp {
  readonly sessions: AdapterSessions
  readonly clock: TestClock
  readonly origin: string
  readonly run: Run
  readonly #app: StartedApp
  readonly #store: WatchedStore
  readonly #lines: Line[] = []
  #count = 0

  private constructor(run: Run, sessions: AdapterSessions, clock: TestClock, store: WatchedStore, app: StartedApp) {
    this.run = run
    this.sessions = sessions
    this.clock = clock
    this.#store = store
    this.#app = app
    this.origin = app.origin
  }

  static async start(run: Run, start: (sessions: AdapterSessions) => Promise<StartedApp>): Promise<RunningApp> {
    const clock = testClock()
    const store = new WatchedStore(memoryStore({ runtime: clock.runtime }))
    const sessions: AdapterSessions = createSessions({
      strategy: strategyOf(run),
      store: store.parts,
      keyring: await loadKeyring(generateKeyring({ signing: ['HS256'] })),
      runtime: clock.runtime,
      timeouts: { idle: '30m', absolute: '7d' },
      roles: ['user', 'admin'],
      // The cases count what the store is asked, and take it away.
      nearCache: false,
    })
    return new RunningApp(run, sessions, clock, store, await start(sessions))
  }

  async close(): Promise<void> {
    for (const line of this.#lines) line.close()
    await this.#app.close()
    await this.sessions.close()
  }

  /** A connection of its own, kept alive. */
  line(connections = 1): Line {
    const line = this.run.protocol === 'http2' ? new Http2Line(this.origin) : new Http1Line(this.origin, connections)
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
    const [access, refresh] = [cookieIn(answer, 'access'), cookieIn(answer, 'refresh')]
    ok(access, 'login with the delivery cookie sets the access cookie')
    equals(refresh !== undefined, this.renews)
    return { access, refresh: refresh ?? '', subject, sessionId: await this.idOf(access) }
  }

  /** Logs in as a program does: the tokens come in the body. */
  async program(roles: readonly string[] = ['user'], subject = this.subject()): Promise<Tokens & { subject: string }> {
    const answer = await this.line().send('POST', '/login', { json: { subject, roles, delivery: 'bearer' } })
    equals(answer.status, 200)
    const { accessToken, refreshToken } = answer.body ?? {}
    ok(accessToken, 'login with the delivery bearer gives accessToken in the body')
    equals(refreshToken !== undefined, this.renews)
    return { access: accessToken, refresh: refreshToken ?? '', subject, sessionId: await this.idOf(accessToken) }
  }

  /** Logs in both ways: the credentials as a header each. */
  async both(roles?: readonly string[]): Promise<readonly { readonly by: Header; readonly subject: string }[]> {
    const [browser, program] = [await this.login(roles), await this.program(roles)]
    return [
      { by: cookies(browser), subject: browser.subject },
      { by: bearer(program.access), subject: program.subject },
    ]
  }

  /** Whether there is a refresh token. */
  get renews(): boolean {
    return this.run.strategy === 'allowlist'
  }

  /** Why a session is over, or `live`. Asks the sessions, not the application. */
  async stateOf(tokens: Tokens): Promise<string> {
    const { refusal } = await this.sessions.explain(tokens.sessionId)
    return refusal ? (refusal.endedBy ?? refusal.reason) : 'live'
  }

  /**
   * Every call of the store that `run` leads to, by name. Reads of the floor are upkeep and belong to no request, and that a
   * session was used is noted in the background, maybe only when the next request is there.
   */
  async callsOf(run: () => Promise<unknown>): Promise<readonly string[]> {
    this.#store.calls.length = 0
    await run()
    return this.#store.calls.filter((name) => name !== 'floor' && name !== 'touch')
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

  /** Sends a request whose guard still finds the store, and whatever asks after that does not. */
  async duringOutageOf(
    path: string,
    headers: readonly Header[],
    check: (answer: Promise<Answer>) => Promise<void>,
  ): Promise<void> {
    this.#store.answersUntilDown = 1
    try {
      await check(this.line().send('GET', path, { headers }))
    } finally {
      this.#store.answersUntilDown = undefined
    }
  }

  async idOf(accessToken: string): Promise<string> {
    const { kind, sessionId } = await this.sessions.explain(accessToken)
    equals(kind, this.renews ? 'access_token' : 'opaque_token')
    return sessionId ?? ''
  }
}

/** The store with a list of what is asked of it, and with a switch. */
class WatchedStore {
  readonly calls: string[] = []
  isDown = false
  /** How many more reads of a session are answered. */
  answersUntilDown: number | undefined = undefined
  readonly parts: Pick<Store, 'sessions' | 'lifecycle'>

  constructor({ sessions, lifecycle }: Store) {
    const watched = new Proxy(sessions, {
      get: (target, name) => {
        const method: unknown = Reflect.get(target, name)
        if (typeof method !== 'function') return method
        return async (...args: unknown[]) => {
          this.calls.push(String(name))
          if (name === 'read' && this.answersUntilDown !== undefined && --this.answersUntilDown < 0) throw away()
          if (this.isDown) throw away()
          return method.apply(target, args)
        }
      },
    })
    this.parts = { sessions: watched, lifecycle }
  }
}

const away = () => new CountersignError('ERR_STORE_UNAVAILABLE', 'the store of the suite is down')

function strategyOf({ strategy }: Run): Strategy<'record', boolean, 'sessions'> {
  const audience = 'https://api.test'
  return strategy === 'opaque'
    ? opaque({ audience })
    : allowlist<boolean>({ issuer: 'https://auth.test', audience, refresh: true })
}

export type Header = readonly [name: string, value: string]

/** A `Cookie` header of our two cookies, or of one. */
export function cookies(tokens: Partial<Tokens>): Header {
  const uses = (['access', 'refresh'] as const).filter((use) => tokens[use] !== undefined && tokens[use] !== '')
  return ['Cookie', uses.map((use) => `${COOKIE_NAMES[use]}=${tokens[use]}`).join('; ')]
}

export function bearer(token: string): Header {
  return ['Authorization', `Bearer ${token}`]
}

/** The value that an answer sets a cookie to: empty when it removes it, `undefined` when it does not speak of it. */
export function cookieIn(answer: Answer, use: CookieUse): string | undefined {
  const begin = `${COOKIE_NAMES[use]}=`
  const ours = answer.setCookies.filter((one) => one.startsWith(begin))
  ok(ours.length < 2, `one answer sets the ${use} cookie twice`)
  return ours[0]?.slice(begin.length).split(';')[0]
}
