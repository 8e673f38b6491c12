import type { LiveEnd } from '../live/ends.ts'

/**
 * Close codes by why a connection was ended. 4401: the session is over, log in. 4403: the roles that this needs are gone.
 * 4409: a step-up replaced the session, connect again. 1013: connect again later. 1001: this server is going away.
 */
export const WS_CLOSE_CODES = Object.freeze({
  ended: 4401,
  forbidden: 4403,
  replaced: 4409,
  unavailable: 1013,
  shutdown: 1001,
} as const satisfies Record<LiveEnd['kind'], number>)

/** RFC 6455 section 5.5: a control frame carries 125 bytes, and two of them are the code. */
const MAX_REASON_BYTES = 123

/** The short name, or the kind where an application's own reason is too long. */
export function closeReason({ reason, kind }: LiveEnd): string {
  return Buffer.byteLength(reason) <= MAX_REASON_BYTES ? reason : kind
}
