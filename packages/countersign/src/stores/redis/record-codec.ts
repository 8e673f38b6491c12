import { CountersignError, invalidInput } from '../../internal/errors.ts'
import type { SessionId } from '../../session/ids.ts'
import { RECORD_FORMAT, type SessionRecord, type Tombstone } from '../../session/record.ts'
import type { Kept } from '../steps/shard.ts'
import { decodeIdentity, decodeOrigin, encodeIdentity, encodeOrigin } from './identity-codec.ts'
import { Cursor, segment, unsigned, utf8 } from './segments.ts'

/*
 * The stored form of a session and of its tombstone, one string each. `scripts/includes/record.lua` is the other half,
 * `docs/storage-schema.md` the description with an example. Numbers are unsigned and big-endian, times are
 * milliseconds in 6 bytes. What a session that was never rotated does not need is left out, and a flag says so.
 */
const LIVE = 1
const ENDED = 2
const FLAG = {
  stamped: 1,
  rotated: 2,
  authTime: 4,
  tenant: 8,
  pending: 16,
  operations: 32,
  data: 64,
  persistent: 128,
} as const

/**
 * @throws CountersignError `ERR_INPUT_INVALID` when a field does not fit its place: numbers that are not whole or too
 * large, hashes that are not 32 bytes, a comma in a role, text that is not well-formed Unicode.
 */
export function encodeRecord(record: SessionRecord): Buffer {
  const flags =
    (record.stamped ? FLAG.stamped : 0) |
    (wasRotated(record) ? FLAG.rotated : 0) |
    (record.authTimeMs !== record.createdAtMs ? FLAG.authTime : 0) |
    (record.tenant !== undefined ? FLAG.tenant : 0) |
    (record.pendingRoles !== null ? FLAG.pending : 0) |
    (record.operations.length > 0 ? FLAG.operations : 0) |
    (record.data !== null ? FLAG.data : 0) |
    (record.persistent ? FLAG.persistent : 0)

  const head = new Head(record)
  head.uint(RECORD_FORMAT, 1).uint(LIVE, 1).uint(flags, 1)
  head.field('version', 4).field('macKey', 1)
  head.field('createdAtMs', 6).field('lastSeenAtMs', 6).field('idleAtMs', 6).field('absoluteAtMs', 6)
  head.field('refreshAtMs', 6).field('lastExpMs', 6).field('confirmedAtMs', 6)
  head.hash(record.hash, 'hash')
  if (flags & FLAG.authTime) head.field('authTimeMs', 6)
  if (flags & FLAG.rotated) {
    head.field('generation', 4).field('rolesGeneration', 4).field('replays', 2).field('rotationKey', 1)
    head.field('rotatedAtMs', 6).field('handedOutAtMs', 6)
    head.uint(record.previousHash ? 1 : 0, 1)
    if (record.previousHash) head.hash(record.previousHash, 'previousHash')
  }

  const parts = [head.bytes(), segment(utf8(record.subject, 'subject'))]
  if (record.tenant !== undefined) parts.push(segment(utf8(record.tenant, 'tenant')))
  parts.push(segment(Buffer.from(encodeIdentity(record))), segment(Buffer.from(encodeOrigin(record.origin))))
  parts.push(segment(encodeRoles(record.roles)))
  if (record.pendingRoles !== null) parts.push(segment(encodeRoles(record.pendingRoles)))
  if (record.operations.length > 0) {
    parts.push(segment(Buffer.concat(record.operations.map((id) => segment(utf8(id, 'operationId'))))))
  }
  if (record.data !== null) parts.push(segment(utf8(record.data, 'data')))
  return Buffer.concat(parts)
}

/** Roles as the scripts take them apart. */
export function encodeRoles(roles: readonly string[]): Buffer {
  if (roles.some((role) => role === '' || role.includes(','))) throw invalidInput('roles', 'must have names without commas')
  return utf8(roles.join(), 'roles')
}

const decodeRoles = (text: string): readonly string[] => (text === '' ? [] : text.split(','))

function wasRotated(record: SessionRecord): boolean {
  const { generation, rolesGeneration, replays, rotationKey, previousHash, createdAtMs } = record
  if (generation + rolesGeneration + replays + rotationKey > 0 || previousHash) return true
  return record.rotatedAtMs !== createdAtMs || record.handedOutAtMs !== createdAtMs
}

/**
 * The session or the tombstone that a key holds.
 *
 * @throws CountersignError `ERR_STORE_CORRUPT` when it is neither, or when a newer release wrote it in a form that this
 * one does not know.
 */
export function decodeKept(id: SessionId, bytes: Buffer): Kept {
  const cursor = new Cursor(bytes, 'a session record')
  const format = cursor.uint(1)
  if (format > RECORD_FORMAT) {
    throw new CountersignError(
      'ERR_STORE_CORRUPT',
      `a session record in Redis has format ${format}, which a newer release wrote; this one reads up to ${RECORD_FORMAT}`,
      { store: 'redis' },
    )
  }
  if (format !== RECORD_FORMAT) cursor.fail()
  switch (cursor.uint(1)) {
    case LIVE:
      return { is: 'live', record: decodeLive(id, cursor) }
    case ENDED:
      return { is: 'ended', tombstone: decodeEnded(id, cursor) }
    default:
      return cursor.fail()
  }
}

function decodeLive(id: SessionId, cursor: Cursor): SessionRecord {
  const flags = cursor.uint(1)
  const has = (flag: number) => (flags & flag) !== 0
  const counters = { version: cursor.uint(4), macKey: cursor.uint(1) }
  const times = {
    createdAtMs: cursor.uint(6),
    lastSeenAtMs: cursor.uint(6),
    idleAtMs: cursor.uint(6),
    absoluteAtMs: cursor.uint(6),
    refreshAtMs: cursor.uint(6),
    lastExpMs: cursor.uint(6),
    confirmedAtMs: cursor.uint(6),
  }
  const hash = cursor.bytes(32)
  const authTimeMs = has(FLAG.authTime) ? cursor.uint(6) : times.createdAtMs
  const rotation = has(FLAG.rotated) ? decodeRotation(cursor) : unrotated(times.createdAtMs)
  const subject = cursor.segment()
  const tenant = has(FLAG.tenant) ? { tenant: cursor.segment() } : {}
  const identity = decodeIdentity(cursor.segment()) ?? cursor.fail()
  const origin = decodeOrigin(cursor.segment()) ?? cursor.fail()
  const roles = decodeRoles(cursor.segment())
  const pendingRoles = has(FLAG.pending) ? decodeRoles(cursor.segment()) : null
  const operations = has(FLAG.operations) ? decodeOperations(cursor.segmentBytes()) : []
  const data = has(FLAG.data) ? cursor.segment() : null
  if (!cursor.isAtEnd) cursor.fail()
  const flagged = { stamped: has(FLAG.stamped), persistent: has(FLAG.persistent) }
  return {
    id,
    subject,
    ...tenant,
    ...identity,
    ...flagged,
    authTimeMs,
    ...counters,
    ...times,
    ...rotation,
    hash,
    roles,
    pendingRoles,
    operations,
    data,
    origin,
  }
}

function unrotated(createdAtMs: number) {
  const numbers = { generation: 0, rolesGeneration: 0, replays: 0, rotationKey: 0 }
  return { ...numbers, rotatedAtMs: createdAtMs, handedOutAtMs: createdAtMs, previousHash: null }
}

function decodeRotation(cursor: Cursor) {
  return {
    generation: cursor.uint(4),
    rolesGeneration: cursor.uint(4),
    replays: cursor.uint(2),
    rotationKey: cursor.uint(1),
    rotatedAtMs: cursor.uint(6),
    handedOutAtMs: cursor.uint(6),
    previousHash: cursor.uint(1) === 1 ? cursor.bytes(32) : null,
  }
}

function decodeOperations(bytes: Buffer): readonly string[] {
  const cursor = new Cursor(bytes, 'a session record')
  const operations: string[] = []
  while (!cursor.isAtEnd) operations.push(cursor.segment())
  return operations
}

function decodeEnded(id: SessionId, cursor: Cursor): Tombstone {
  const endedAtMs = cursor.uint(6)
  const keepUntilMs = cursor.uint(6)
  const replacedBy = cursor.segment()
  const why = cursor.rest()
  return { id, endedAtMs, why, keepUntilMs, ...(replacedBy !== '' && { replacedBy: replacedBy as SessionId }) }
}

type NumericField = {
  [K in keyof SessionRecord]-?: SessionRecord[K] extends number ? K : never
}[keyof SessionRecord]

/** The fixed-size part of a record, at most 150 bytes. */
class Head {
  readonly #bytes = Buffer.allocUnsafe(192)
  readonly #record: SessionRecord
  #at = 0

  constructor(record: SessionRecord) {
    this.#record = record
  }
  uint(value: number, size: number): this {
    this.#at = this.#bytes.writeUIntBE(value, this.#at, size)
    return this
  }
  field(name: NumericField, size: number): this {
    return this.uint(unsigned(this.#record[name], size, name), size)
  }
  hash(hash: Uint8Array, name: string): void {
    if (hash.byteLength !== 32) throw invalidInput(name, 'must be 32 bytes')
    this.#bytes.set(hash, this.#at)
    this.#at += 32
  }
  bytes(): Buffer {
    return this.#bytes.subarray(0, this.#at)
  }
}
