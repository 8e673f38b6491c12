import type { CountersignError } from '../../internal/errors.ts'
import type { Incarnation } from '../contract.ts'
import type { scripts } from './scripts.generated.ts'

export type Script = (typeof scripts)[keyof typeof scripts]
export type Argument = string | Buffer
/** Bulk strings are buffers, so that nothing is lost in records. */
export type Reply = Buffer | number | string | null | readonly Reply[]

/**
 * All that the store asks of a client library, so that another one can take its place. One call is one request on the
 * wire, and every call ends within the deadline with an answer or a `CountersignError`:
 * `ERR_STORE_UNAVAILABLE` with `retryable` when nothing was executed; the same without it, or `ERR_STORE_TIMEOUT`, when
 * the outcome is unknown.
 */
export interface Requests {
  /** Runs a script by its hash; by its text when the server does not know it yet. All keys are in one slot. */
  run(script: Script, keys: readonly string[], args: readonly Argument[]): Promise<Reply>
  get(key: string): Promise<Buffer | null>
  /** Any other command. `key` says where it belongs; `null` = any server. */
  send(key: string | null, command: readonly [string, ...Argument[]]): Promise<Reply>
}

/** What `confirm` waits for. */
export interface ConfirmRule {
  /** Replicas, at most as many as are connected. 0 = none. */
  readonly replicas: number
  readonly withinMs: number
  /** Also for the disk of the primary (`WAITAOF`, Redis 7.2 and Valkey). */
  readonly fsync: boolean
}

/** What was there in time. */
export interface Confirmed {
  readonly replicas: number
  readonly fsynced: boolean
  /** Why nothing, or not all, could be asked for. */
  readonly fault?: CountersignError
}

/** The requests and the connection they go over. */
export interface Executor extends Requests {
  /**
   * Waits for replicas to have everything that the primary of `key` has written before this call, over a connection of
   * its own: `WAIT` holds up whatever is sent behind it. Calls at the same time share one `WAIT` per primary. Never
   * rejects: what did not come in time, or could not be asked, was not confirmed.
   *
   * @param key - A key of no other use, in the slot of what was written; a mark is left there for a second.
   * @param by - The primary that made the write. When another one answers, nothing is confirmed: it may never have had it.
   */
  confirm(key: string, by: Incarnation, rule: ConfirmRule): Promise<Confirmed>
  /** Whether a request sent now would reach a server. */
  readonly isUp: boolean
  /** Calls back each time a connection is there, the first time included, and each time it is lost. */
  onConnection(listener: (is: 'up' | 'down') => void): void
  /** Resolves when connected, within the time that the executor allows itself. */
  connect(): Promise<void>
  /** Lets the requests under way finish, at most for the deadline. */
  close(): Promise<void>
}
