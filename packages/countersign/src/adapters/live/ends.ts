import type { Refused, Remedy } from '../../session/reasons.ts'

/**
 * Why the server ends a connection, as its client may know it. `ended`: the session is over. `forbidden`: it lost the roles
 * that were demanded. `replaced`: a step-up gave it a new id. `unavailable`: nobody can say any more whether it is live.
 * `shutdown`: this process ends.
 */
export type LiveEnd = {
  readonly kind: 'ended' | 'forbidden' | 'replaced' | 'unavailable' | 'shutdown'
  /** A short name: what ended the session (`logout`, `banned`), how it expired (`expired_idle`), or the kind. */
  readonly reason: string
  readonly remedy: Remedy
  /** Whether it is worth connecting again without a login: with the new credentials, or later. */
  readonly reconnect: boolean
}

/** For the session that ended, or does not meet the demands any more. */
export function endOf({ reason, endedBy, remedy }: Refused): LiveEnd {
  // Also where the strategy has no refresh: whoever stepped up has the new cookie, and all tabs of the browser share it.
  if (endedBy === 'replaced') return live('replaced', endedBy, 'refresh', true)
  if (reason === 'forbidden') return live('forbidden', reason, remedy, false)
  return live('ended', endedBy ?? reason, remedy, false)
}

/** The store was silent for too long, or the sessions were closed. */
export const UNAVAILABLE = live('unavailable', 'unavailable', 'none', true)
export const SHUTDOWN = live('shutdown', 'shutdown', 'none', true)

function live(kind: LiveEnd['kind'], reason: string, remedy: Remedy, reconnect: boolean): LiveEnd {
  return Object.freeze({ kind, reason, remedy, reconnect })
}
