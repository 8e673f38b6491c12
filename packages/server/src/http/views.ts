// Apart from their schemas, so that a command does not load a schema library to print a session.
import type { Ended } from 'countersign'
import type { AccountView } from 'countersign/accounts'
import type { ServerSession } from './kit.ts'
import type { AccountAnswer, SessionView } from './view-schemas.ts'

/** ISO 8601 in UTC, of milliseconds since the epoch. */
export const isoTime = (ms: number): string => new Date(ms).toISOString()

/** @param currentId - The session that asks. */
export function sessionView(session: ServerSession, currentId?: string): SessionView {
  const { sessionId, device, origin } = session
  return {
    id: sessionId,
    subject: session.subject,
    roles: [...session.roles],
    audience: [...session.audience],
    clientId: session.clientId ?? '',
    acr: session.acr,
    amr: [...session.amr],
    authTime: isoTime(session.authTimeMs),
    createdAt: isoTime(session.createdAtMs),
    lastSeenAt: isoTime(session.lastSeenAtMs),
    expiresAt: isoTime(session.expiresAtMs),
    delivery: session.delivery,
    persistent: session.persistent,
    // A session that was opened without a device has an empty id.
    ...(device.id !== '' && { device: { ...device } }),
    ...(origin.ip !== undefined && { ip: origin.ip }),
    ...(origin.userAgent !== undefined && { userAgent: origin.userAgent }),
    current: sessionId === currentId,
  }
}

export function accountView(account: AccountView): AccountAnswer {
  const { subject, identifier, emailVerifiedAtMs, roles, createdAtMs } = account
  const emailVerified = emailVerifiedAtMs !== null
  return { subject, identifier, emailVerified, roles: [...roles], createdAt: isoTime(createdAtMs) }
}

/** What ending sessions did, and how sure it is to last. */
export function endedView({ ended, effectiveAtMs, durability, replicas }: Ended) {
  const effectiveAt = effectiveAtMs === null ? null : isoTime(effectiveAtMs)
  return { ended, effectiveAt, durability, ...(replicas !== undefined && { replicas }) }
}
