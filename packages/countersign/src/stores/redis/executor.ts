import type { CountersignError } from '../../internal/errors.ts'
import type { Incarnation } from '../contract.ts'
import type { MoreOptions, NodeRedisClient } from './node-redis.ts'
import type { scripts } from './scripts.generated.ts'

export type Script = (typeof scripts)[keyof typeof scripts]
export type Argument = string | Buffer
/** Bulk strings are buffers, so that nothing is lost in records. */
export type Reply = Buffer | number | string | null | readonly Reply[]

/**
 * All that the store asks of a client library, so that another one can take its place. One call is one request on the
 * wire, unless a server sends it elsewhere, and every call ends within the deadline with an answer or a
 * `CountersignError`: `ERR_STORE_UNAVAILABLE` with `retryable` when nothing was executed; the same without it, or
 * `ERR_STORE_TIMEOUT`, when the outcome is unknown.
 */
export interface Requests {
  /** Runs a script by its hash; by its text when the server does not know it yet. All keys are in one slot. */
  run(script: Script, keys: readonly string[], args: readonly Argument[]): Promise<Reply>
  get(key: string): Promise<Buffer | null>
  /** `get`, and what `made` makes of it in the same promise: on the path of every request. */
  read<T>(key: string, made: (value: Buffer | null) => T): Promise<T>
  /** Any other command, to the primary that `key` belongs to. */
  send(key: string, command: readonly [string, ...Argument[]]): Promise<Reply>
}

/** A server that takes writes: the only one, or one of a cluster. */
export interface Primary {
  /** Names the server as long as it has its place: another primary after a failover has another id. No login in it. */
  readonly id: string
  /** Whether a request sent now would reach it. */
  readonly isUp: boolean
  /** To this very server, whichever keys it has. No other server is tried. */
  send(command: readonly [string, ...Argument[]]): Promise<Reply>
  /**
   * Makes another client to it, with the same login and settings and with `more` options of node-redis, for what must
   * not share the connection of the requests. Not connected yet. Absent where the client belongs to the application.
   */
  readonly open?: (more?: MoreOptions) => Promise<NodeRedisClient>
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

/** The requests and the servers they go to. */
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
  /** Whether every request sent now would reach a server. */
  readonly isUp: boolean
  /** All there are, as far as is known. Objects are the same for as long as the primary is. */
  primaries(): readonly Primary[]
  /** `undefined` when nobody is known to have the slot of the key. */
  primaryOf(key: string): Primary | undefined
  /** Calls back each time a connection to a primary is there, the first time included, and each time it is lost. */
  onConnection(listener: (is: 'up' | 'down', primary: Primary) => void): void
  /** Calls back when a primary came or went, or slots changed hands. Connections may be missing then. */
  onTopology(listener: () => void): void
  /** Resolves when connected to all primaries, within the time that the executor allows itself. */
  connect(): Promise<void>
  /** Lets the requests under way finish, at most for the deadline. */
  close(): Promise<void>
}
