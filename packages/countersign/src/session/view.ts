import type { DataCodec } from './data.ts'
import { deadlineMs, type SessionRecord } from './record.ts'
import type { Session } from './types.ts'

/**
 * What callers see of a record. Frozen.
 *
 * @param audience - Audiences of the token that was checked, where that is fewer than the record allows.
 * @param expiresAtMs - When the token ends, where it does before the session.
 */
export function sessionOf(
  record: SessionRecord,
  data: DataCodec,
  audience: readonly string[] = record.audience,
  expiresAtMs = Number.POSITIVE_INFINITY,
): Session<any, any> {
  return Object.freeze({
    sessionId: record.id,
    subject: record.subject,
    ...(record.tenant !== undefined && { tenant: record.tenant }),
    roles: Object.freeze([...record.roles]),
    audience: Object.freeze([...audience]),
    clientId: record.clientId,
    authTimeMs: record.authTimeMs,
    acr: record.acr,
    amr: Object.freeze([...record.amr]),
    expiresAtMs: Math.min(deadlineMs(record), expiresAtMs),
    data: data.decode(record.data),
    version: record.version,
    device: Object.freeze({ ...record.device }),
    delivery: record.delivery,
    persistent: record.persistent,
    origin: Object.freeze({ ...record.origin }),
    createdAtMs: record.createdAtMs,
    lastSeenAtMs: record.lastSeenAtMs,
  })
}
