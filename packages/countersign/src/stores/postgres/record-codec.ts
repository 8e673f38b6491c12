import { isKnownFormat, unknownFormat } from '../../internal/format.ts'
import type { SessionId } from '../../session/ids.ts'
import { type Origin, RECORD_FORMAT, type SessionIdentity, type SessionRecord } from '../../session/record.ts'
import type { Found, Gone } from '../contract.ts'
import { int, tagOf, utf8 } from '../shared/arguments.ts'
import { key, unkey } from '../shared/escapes.ts'
import type { Row } from './driver.ts'
import { corruptFault } from './faults.ts'

const WHAT = 'a session'

/** What is fixed at creation and never searched for: the column `identity`. */
type Identity = Pick<SessionIdentity, 'acr' | 'amr' | 'audience' | 'clientId' | 'device' | 'delivery'>

/**
 * The row of a session as the argument of a step: JSON with the columns as members, and the data beside it, which may be
 * large and is not looked at.
 *
 * @throws CountersignError `ERR_INPUT_INVALID` for numbers that are not whole, and data that is not well-formed Unicode.
 */
export function encodeRecord(record: SessionRecord): { readonly row: string; readonly data: Buffer | null } {
  const { acr, amr, audience, clientId, device, delivery } = record
  const number = (name: keyof SessionRecord) => int(record[name] as number, name)
  const row = {
    id: record.id,
    tag: tagOf(record.id),
    format: record.more?.format ?? RECORD_FORMAT,
    more: record.more?.text ? key(record.more.text) : null,
    subject: key(record.subject),
    tenant: record.tenant === undefined ? null : key(record.tenant),
    // As text, because Postgres takes no NUL inside JSON, not even an escaped one.
    identity: JSON.stringify({ acr, amr, audience, clientId, device, delivery } satisfies Identity),
    auth_time_ms: number('authTimeMs'),
    persistent: record.persistent,
    stamped: record.stamped,
    version: number('version'),
    data_version: record.dataVersion === undefined ? null : number('dataVersion'),
    operations: record.operations.map(key),
    roles: record.roles.map(key),
    pending_roles: record.pendingRoles?.map(key) ?? null,
    roles_generation: number('rolesGeneration'),
    created_at_ms: number('createdAtMs'),
    last_seen_at_ms: number('lastSeenAtMs'),
    idle_at_ms: number('idleAtMs'),
    absolute_at_ms: number('absoluteAtMs'),
    refresh_at_ms: number('refreshAtMs'),
    last_exp_ms: number('lastExpMs'),
    generation: number('generation'),
    hash: bytea(record.hash),
    previous_hash: record.previousHash && bytea(record.previousHash),
    rotation_key: number('rotationKey'),
    mac_key: number('macKey'),
    rotated_at_ms: number('rotatedAtMs'),
    handed_out_at_ms: number('handedOutAtMs'),
    confirmed_at_ms: number('confirmedAtMs'),
    replays: number('replays'),
    origin: encodeOrigin(record.origin),
  }
  return { row: JSON.stringify(row), data: encodeData(record.data) }
}

export function encodeData(data: string | null): Buffer | null {
  return data === null ? null : utf8(data, 'data')
}

/** What a row of `sessions` holds. */
export function decodeFound(row: Row | undefined): Found {
  if (row === undefined) return { is: 'unknown' }
  return row.ended_at_ms === null ? { is: 'live', record: decodeRecord(row) } : decodeGone(row)
}

/** The part of an answer that is about a session which is not there. */
export function decodeGone(row: Row): Gone {
  if (row.id === null) return { is: 'unknown' }
  if (row.ended_at_ms === null) throw corruptFault('the answer of a step')
  const tombstone = {
    id: row.id as SessionId,
    endedAtMs: row.ended_at_ms as number,
    why: unkey(row.why as string),
    keepUntilMs: row.keep_until_ms as number,
    ...(row.replaced_by !== null && { replacedBy: row.replaced_by as SessionId }),
  }
  return { is: 'ended', tombstone }
}

/**
 * The live session in a row. Types and constraints of the table stand for the rest; JSON and format are looked at.
 *
 * @throws CountersignError `ERR_STORE_CORRUPT`, `ERR_FORMAT_UNKNOWN`
 */
export function decodeRecord(row: Row): SessionRecord {
  const format = row.format as number
  if (!isKnownFormat(format, RECORD_FORMAT)) throw unknownFormat(WHAT, format, RECORD_FORMAT, 'postgres')
  const number = (column: string) => row[column] as number
  return {
    id: row.id as SessionId,
    subject: unkey(row.subject as string),
    ...(row.tenant !== null && { tenant: unkey(row.tenant as string) }),
    ...decodeIdentity(row.identity),
    authTimeMs: number('auth_time_ms'),
    persistent: row.persistent as boolean,
    stamped: row.stamped as boolean,
    version: number('version'),
    data: row.data === null ? null : (row.data as Buffer).toString(),
    ...(row.data_version !== null && { dataVersion: number('data_version') }),
    operations: (row.operations as string[]).map(unkey),
    roles: (row.roles as string[]).map(unkey),
    pendingRoles: row.pending_roles === null ? null : (row.pending_roles as string[]).map(unkey),
    rolesGeneration: number('roles_generation'),
    createdAtMs: number('created_at_ms'),
    lastSeenAtMs: number('last_seen_at_ms'),
    idleAtMs: number('idle_at_ms'),
    absoluteAtMs: number('absolute_at_ms'),
    refreshAtMs: number('refresh_at_ms'),
    lastExpMs: number('last_exp_ms'),
    generation: number('generation'),
    hash: new Uint8Array(row.hash as Buffer),
    previousHash: row.previous_hash === null ? null : new Uint8Array(row.previous_hash as Buffer),
    rotationKey: number('rotation_key'),
    macKey: number('mac_key'),
    rotatedAtMs: number('rotated_at_ms'),
    handedOutAtMs: number('handed_out_at_ms'),
    confirmedAtMs: number('confirmed_at_ms'),
    replays: number('replays'),
    origin: decodeOrigin(row.origin),
    ...((format > RECORD_FORMAT || row.more !== null) && {
      more: { format, text: row.more === null ? '' : unkey(row.more as string) },
    }),
  }
}

function decodeIdentity(stored: unknown): Identity {
  const { acr, amr, audience, clientId, device, delivery } = parse(stored) as Partial<Identity>
  const texts = [acr, clientId, delivery, device?.id]
  const lists = [amr, audience]
  if (!texts.every(isText) || !lists.every((list) => Array.isArray(list) && list.every(isText)))
    throw corruptFault(WHAT)
  return { acr, amr, audience, clientId, device, delivery } as Identity
}

export function encodeOrigin({ ip, userAgent }: Origin): string {
  return JSON.stringify({ ip, userAgent })
}

export function decodeOrigin(stored: unknown): Origin {
  const { ip, userAgent } = parse(stored) as Origin
  if (![ip ?? '', userAgent ?? ''].every(isText)) throw corruptFault(WHAT)
  return { ...(ip !== undefined && { ip }), ...(userAgent !== undefined && { userAgent }) }
}

/** The members of the JSON object in a column. */
function parse(stored: unknown): object {
  try {
    const value: unknown = JSON.parse(stored as string)
    if (typeof value === 'object' && value !== null) return value
  } catch {
    // The same as any other value that is not an object.
  }
  throw corruptFault(WHAT)
}

const isText = (value: unknown) => typeof value === 'string'

/** Bytes inside JSON. */
const bytea = (bytes: Uint8Array) => `\\x${Buffer.from(bytes).toString('hex')}`
