import { createSessions, type SessionsOptions } from '../create-sessions.ts'
import { invalidOption } from '../internal/errors.ts'
import type { Subject } from '../session/ids.ts'
import type { TimeoutPreset, Timeouts } from '../session/lifetimes.ts'
import type { Issue, Issued, Sessions } from '../sessions.ts'
import type { Store } from '../stores/contract.ts'
import { memoryStore } from '../stores/memory/memory-store.ts'
import type { Strategy } from '../strategies/strategy.ts'
import { generateKeyring } from '../tokens/generate-keyring.ts'
import { type Keyring, loadKeyring } from '../tokens/keyring.ts'
import { refuseProduction } from './refuse-production.ts'
import { type TestClock, testClock } from './test-clock.ts'

/** What {@link createTestSessions} takes: what `createSessions` takes, without the store, the keyring and the runtime. */
export type TestSessionsOptions<S, I, D, R extends string> = Omit<
  SessionsOptions<S, I, D, R>,
  'keyring' | 'runtime' | 'timeouts'
> & {
  /** Default `{ idle: '30m', absolute: '7d' }`. */
  timeouts?: TimeoutPreset | Timeouts
  /** The clock of everything. Default: a new one, at the real time. */
  clock?: TestClock
}

/** Sessions in the memory of the test, and everything they are made of. **Only for tests.** */
export interface TestSessions<S, D, R extends string, I> {
  readonly sessions: Sessions<S, D, R, I>
  /** A new memory store on `clock`: for `createAccounts` and `createOneTime` too, and for looking at what is stored. */
  readonly store: Store
  /** New keys, made by this call and kept nowhere. */
  readonly keyring: Keyring
  readonly clock: TestClock
  /**
   * Opens a session, as after a login that succeeded. Takes what `issue` takes besides the subject.
   *
   * @throws Error when it is refused, with the reason: a test that goes on without a session tests nothing.
   */
  issueFor(subject: Subject, ...about: AboutIssue<I, R>): Promise<Extract<Issued<S, D, R>, { ok: true }>>
}
type Rest<I, R extends string> = Omit<Issue<I, R>, 'subject' | 'tenant'>
type AboutIssue<I, R extends string> = {} extends Rest<I, R> ? [about?: Rest<I, R>] : [about: Rest<I, R>]

/**
 * Sessions for the tests of an application: the real verbs and strategies on a memory store, with new keys and a clock
 * that the test moves. **Only for tests.** Nothing in it is a default that a service could run on: the keys are made by
 * each call and kept nowhere, so no token of one call is good in another.
 *
 * @example
 * const { sessions, clock, issueFor } = await createTestSessions({ strategy: opaque(), roles: ['admin'] })
 * const { accessToken } = await issueFor('user:01', { roles: ['admin'] })
 * clock.advance('34m') // idle for longer than 30 minutes and a tenth
 * await sessions.verify(accessToken) // { ok: false, reason: 'expired_idle', … }
 * @throws CountersignError `ERR_CONFIG_UNSAFE` where `NODE_ENV` is `production`; what `createSessions` throws.
 */
export async function createTestSessions<
  S extends Strategy<any, any, any>,
  I = undefined,
  D = I,
  const R extends string = string,
>(options: TestSessionsOptions<S, I, D, R>): Promise<TestSessions<S, D, R, I>> {
  refuseProduction('createTestSessions')
  const { clock = testClock(), timeouts = { idle: '30m', absolute: '7d' }, ...rest } = options
  for (const name of ['keyring', 'runtime', 'store']) {
    if (name in options) throw invalidOption(`createTestSessions.${name}`, 'is not an option: every call makes its own')
  }
  const { runtime } = clock
  const { algs = [], sealed = false } =
    (options.strategy as Partial<Strategy<any, any, any>> | undefined)?.options ?? {}
  const keyring = await loadKeyring(
    generateKeyring({ runtime, signing: [algs[0] ?? 'HS256'], ...(sealed && { sealing: true }) }),
  )
  const store = memoryStore({ runtime })
  const sessions = createSessions({ ...rest, timeouts, keyring, runtime, store } as never) as Sessions<
    any,
    any,
    any,
    any
  >
  return Object.freeze({
    sessions: sessions as Sessions<S, D, R, I>,
    store,
    keyring,
    clock,
    async issueFor(subject: Subject, about: object = {}) {
      const named = typeof subject === 'string' ? { subject } : subject
      const issued = await sessions.issue({ ...about, ...named })
      if (!issued.ok) throw new Error(`issueFor was refused: ${issued.reason}`)
      return issued
    },
  }) as unknown as TestSessions<S, D, R, I>
}
