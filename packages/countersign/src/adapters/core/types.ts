import type { HttpRefused } from '../../http/refusals.ts'
import type { Duration } from '../../internal/duration.ts'
import type { SessionId } from '../../session/ids.ts'
import type { Delivery, Device } from '../../session/record.ts'
import type {
  Checked,
  Context,
  DegradedSession,
  Ended,
  Explanation,
  Verifier,
  VerifyOptions,
} from '../../session/types.ts'

/** What an adapter works with: what `createSessions` gives, or a verifier alone, where nobody logs in. */
export type WebSessions = Verifier<any> & Partial<WebVerbs>

/** The verbs that the handlers call; `createSessions` has them. */
export interface WebVerbs {
  issue(options: any): Promise<any>
  refresh(token: string, options?: { context?: Context }): Promise<any>
  stepUp(id: SessionId, proof: { acr: string; amr: readonly string[] }, options?: { context?: Context }): Promise<any>
  revoke(id: SessionId, options: { reason: string; context?: Context }): Promise<Ended>
  explain(token: string): Promise<Explanation>
  get(id: SessionId): Promise<Checked<any>>
}

/** What a guard lets through: the session where the strategy reads the record, the principal where it reads only the token. */
export type SessionIn<V> = V extends {
  verifyNow(token: string, options?: VerifyOptions): Checked<infer P> | undefined
}
  ? P
  : never

/** The role names of the sessions. */
export type RoleIn<V> = SessionIn<V> extends { readonly roles: readonly (infer R extends string)[] } ? R : string

/** What opens a session: what `issue` takes, without what the adapter knows itself. */
export type SignIn<V> = V extends { issue(options: infer O): unknown } ? Omit<O, 'context'> : never

/** What is on a request. */
export interface Auth<V extends WebSessions = WebSessions> {
  /** Who it is. `undefined` until a guard has let the request in, or `check` has said so, and while `degraded`. */
  readonly session: SessionIn<V> | undefined
  /** Whose request it is, where the store could not be asked and the guard's `outage` lets it in all the same. */
  readonly degraded: DegradedSession | undefined
  /**
   * Who it is, for a page that shows something to everybody. Nothing is refused or answered by it. At most one store read for
   * all guards and checks of a request.
   *
   * @throws CountersignError when the store did not answer.
   */
  check(demands?: Demands<RoleIn<V>>): Promise<Checked<SessionIn<V>> | HttpRefused>
  /** A refused request before it is answered: what `check` said last, or the guard. */
  readonly refused: HttpRefused | undefined
  /** Address, user agent and id of the request, as they reach events. */
  context(): Context
  /**
   * A token for a form of ours, for the field `form_token`: bound to the session, or for a browser without one to a cookie
   * that this sets. Call it after a guard or `check`.
   */
  formToken(): string
  /** Whether it is one that {@link formToken} gave for this session or browser. */
  isFormToken(token: unknown): boolean
}

/** What one call asks of the session besides being live. */
export interface Demands<R extends string = string> {
  /** Any of them is enough. */
  readonly roles?: readonly R[]
  /** At least this level. */
  readonly acr?: string
  /** Longest time since authentication. */
  readonly maxAge?: Duration
  /** One of the token's audiences. Default any that the strategy has. */
  readonly audience?: string
  /** Ask the store even where the near cache could answer. */
  readonly fresh?: boolean
}

/** The answer of {@link WebOptions.authenticate}: who it is, with what `issue` takes besides, or why not. */
export type Proof<V> =
  | ({ readonly ok: true; readonly epoch?: number } & Omit<SignIn<V>, 'delivery' | 'persistent' | 'device'>)
  | ProofRefused

/** The refusal of a proof. `accounts.authenticate` answers so. */
export interface ProofRefused {
  readonly ok: false
  /** Code of the problem: `bad_credentials`, `blocked`, … */
  readonly reason: string
  /** Default 401; 403 for `blocked`. */
  readonly status?: number
}

/** What a handler hands to the application, to find out who it is. */
export interface Attempt {
  /** Members of the body, JSON or form, all of them: whatever the login form has. */
  readonly fields: Readonly<Record<string, unknown>>
  readonly context: Context
}

/** A login as its request wishes it. */
export interface Wish {
  readonly delivery: Delivery
  readonly persistent: boolean
  readonly device?: Device
}
