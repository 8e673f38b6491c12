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

/** The requests and the connection they go over. */
export interface Executor extends Requests {
  /** Whether a request sent now would reach a server. */
  readonly isUp: boolean
  /** Calls back each time a connection is there, the first time included, and each time it is lost. */
  onConnection(listener: (is: 'up' | 'down') => void): void
  /** Resolves when connected, within the time that the executor allows itself. */
  connect(): Promise<void>
  /** Lets the requests under way finish, at most for the deadline. */
  close(): Promise<void>
}
