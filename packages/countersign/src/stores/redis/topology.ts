import { CountersignError } from '../../internal/errors.ts'
import type { Connection } from './connection.ts'
import type { Place } from './endpoint.ts'

/** How long `connect` tries before it gives up. */
export const CONNECT_WITHIN_MS = 10_000

/** How long one server may take to be connected to, where another may take its place meanwhile. */
export const TRY_MS = 2_000

/** Which servers there are, and which of them answers for a key. */
export interface Topology {
  /** Whether another server takes the place of one that fails. Then it is worth waiting for, up to the deadline. */
  readonly heals: boolean
  readonly isUp: boolean
  /** The connection for the slot of a key, whether it is up or not. `undefined` when nobody is known to have it. */
  connectionFor(key: string): Connection | undefined
  /** Where a server says that the slot has gone (`MOVED`), or is going (`ASK`). `undefined`: it should not say that. */
  redirected?(redirect: Redirect): Connection | undefined
  /** A request failed in a way that another server may be in charge now. Looks, soon. */
  doubt?(): void
  primaries(): readonly Connection[]
  listen(listener: TopologyListener): void
  connect(): Promise<void>
  close(): void
}

export interface TopologyListener {
  connection(is: 'up' | 'down', connection: Connection): void
  changed(): void
}

export interface Redirect extends Place {
  readonly is: 'MOVED' | 'ASK'
  readonly slot: number
  /** Empty: the host that says so. */
  readonly host: string
  readonly by: Connection
}

/** Another try later may do better: no answer, or one that says so. Not a wrong password. */
export function isOutage(fault: unknown): boolean {
  return fault instanceof CountersignError && /^ERR_STORE_(UNAVAILABLE|TIMEOUT)$/.test(fault.code)
}

/** @returns `undefined` when the reply is something else. */
export function redirectOf(reply: Error, by: Connection): Redirect | undefined {
  const match = /^(MOVED|ASK) (\d{1,5}) (.*):(\d{1,5})$/.exec(reply.message)
  if (!match) return undefined
  const [, is, slot, host, port] = match
  return { is: is as Redirect['is'], slot: Number(slot), host: host!, port: Number(port), by }
}
