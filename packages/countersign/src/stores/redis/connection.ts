import type { CountersignError } from '../../internal/errors.ts'
import type { Argument, Reply } from './executor.ts'
import type { MoreOptions, NodeRedisClient } from './node-redis.ts'

/** A way to one server, or to a client library that finds the server by itself. */
export interface Connection {
  /** `host:port`, for messages; and the identity of the server. */
  readonly id: string
  /** Whether a request sent now would reach the server. */
  readonly isUp: boolean
  /** Another client to the same server, with the same login. Not connected yet. Absent when it is not ours to make. */
  readonly open?: ((more?: MoreOptions) => Promise<NodeRedisClient>) | undefined
  /** Why it is not up: nothing was sent. */
  offline(): CountersignError
  /**
   * One request, and one try. Fails with the error reply of the server as the package made it, or with a fault: `retryable`
   * when nothing was sent.
   *
   * @param asking - Says that the server is to answer for a slot that is being moved to it.
   */
  send(command: readonly Argument[], asking?: boolean): Promise<Reply>
  /** The same without a promise of its own: on the path of every request. Exactly one of the two is called, later. */
  ask?(command: readonly Argument[], answered: (reply: Reply) => void, failed: (error: unknown) => void): void
  /** How many answers have come, also those that say no. */
  readonly answers?: number
  /** A request is overdue that was sent when so many answers had come. */
  giveUpIfSilentSince?(answers: number): void
}
