import type { Duration } from '../../internal/duration.ts'
import type { Runtime } from '../../internal/runtime.ts'
import type { SessionId } from '../../session/ids.ts'
import type { Refused } from '../../session/reasons.ts'
import type { FollowDemands, Following, FollowOn, Principal, Verifier } from '../../session/types.ts'
import type { LiveEnd } from './ends.ts'

/** Whose sessions live connections may belong to: what `createSessions` makes, of every strategy that keeps a record. */
export interface LiveSessions<P> extends Verifier<Principal & { readonly sessionId: SessionId }> {
  follow(id: SessionId, on: FollowOn<P>, demands?: FollowDemands): Following<P>
}

/** What `liveConnections` takes. */
export interface LiveOptions<P> {
  sessions: LiveSessions<P>
  /**
   * What becomes of connections while the store does not answer. `keep`: they stay, until the session would have expired as
   * far as this process knows. `closeAfter`, 3 s to 1 d: they are closed as `unavailable` when nothing certain was heard of
   * the session for so long. Default `keep`. An outage never ends one as `ended`.
   */
  outage?: 'keep' | { closeAfter: Duration }
  /**
   * Whether a connection keeps its session from becoming idle. `messages`: each message of the client counts as a request
   * does. `open`: an open connection does, so that the session ends at the absolute deadline only. Default `false`: whoever
   * only leaves a page open is idle.
   */
  countsAsActivity?: false | 'messages' | 'open'
  /** How long a client has to close its side, before the connection is cut. 0.1 s to 30 s. Default 1 s. */
  closeGrace?: Duration
  /** Clock, random source and timers: for tests. The one that the sessions use. */
  runtime?: Runtime
}

/** How one kind of connection does what is asked of it. */
export interface Wire<P> {
  /** Ends it, and tells the client why. Called once, perhaps before `open` has resolved. Resolve when it is closed. */
  end(end: LiveEnd): void | Promise<void>
  /** The roles or the data of the session are different now. */
  changed?(session: P, before: P): void
}

/** One connection, which belongs to a session. */
export interface LiveConnection<P> {
  /** As it was read last: roles and data follow every change, without a call to the store. */
  readonly session: P
  /** False from the moment at which it is to end, or has gone. Check it after waiting for something. */
  readonly isOpen: boolean
  /** A message came from the client: counts as activity where `countsAsActivity` says `messages`. Adapters call it. */
  received(): void
  /** The connection has gone. Adapters call it. May be called twice. */
  release(): void
}

/** The answer of `open`. */
export type Opened<P> = { readonly ok: true; readonly connection: LiveConnection<P> } | Refused

/** What `health` tells, in plain numbers. */
export interface LiveHealth {
  readonly open: number
  /** Connections that were ended since the start, by kind. */
  readonly ended: Readonly<Record<LiveEnd['kind'], number>>
}

/** The live connections of one process. */
export interface LiveConnections<P> {
  /**
   * Gives a connection to a session: notes it first and asks the store then, so that a revocation at the same time is
   * either refused here or ends the connection. One store read, none where the session is followed already.
   *
   * @returns Refused when the session has ended or does not meet the demands.
   * @throws CountersignError the fault of the store, or `ERR_CLOSED` after `close`.
   */
  open(id: SessionId, wire: Wire<P>, demands?: FollowDemands): Promise<Opened<P>>
  /** Connections that are open now. */
  readonly size: number
  health(): LiveHealth
  /** Ends every connection as `shutdown`, refuses new ones, and waits until all are closed, `closeGrace` at most. */
  close(): Promise<void>
  /** What adapters work with. */
  readonly host: LiveHost<P>
}

/** For adapters: see `LiveConnections.host`. */
export interface LiveHost<P> {
  readonly sessions: LiveSessions<P>
  readonly runtime: Runtime
  readonly closeGraceMs: number
  /** Whether `received` means anything. */
  readonly countsMessages: boolean
}
