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
    roles: frozen(record.roles),
    audience: frozen(audience),
    clientId: record.clientId,
    authTimeMs: record.authTimeMs,
    acr: record.acr,
    amr: frozen(record.amr),
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

const NONE: readonly string[] = Object.freeze([])

/** A list that nobody changes: one that is frozen already, or a copy, because the record is not ours to freeze. */
function frozen(list: readonly string[]): readonly string[] {
  if (list.length === 0) return NONE
  return Object.isFrozen(list) ? list : Object.freeze([...list])
}
