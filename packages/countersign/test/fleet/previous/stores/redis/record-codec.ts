import { invalidInput } from '../../internal/errors.ts'
import { isKnownFormat, unknownFormat } from '../../internal/format.ts'
import type { SessionId } from '../../session/ids.ts'
import { RECORD_FORMAT, type SessionRecord, type Tombstone } from '../../session/record.ts'
import { utf8 } from '../shared/arguments.ts'
import type { Kept } from '../steps/shard.ts'
import { DEFAULT_IDENTITY, decodeIdentity, decodeOrigin, encodeIdentity, encodeOrigin } from './identity-codec.ts'
import { Cursor, segment, unsigned } from './segments.ts'

/*
 * The stored form of a session and of its tombstone, one string each. `scripts/includes/record.lua` is the other half,
 * `docs/storage-schema.md` the description with an example. A field that has its default value is left out, and its
 * flag says so: most sessions have most defaults, and there may be millions of them.
 */
const LIVE = 1
const ENDED = 2
const FLAG = {
  version: 1,
  lastSeenAtMs: 2,
  idleAtMs: 4,
  refreshAtMs: 8,
  lastExpMs: 16,
  confirmedAtMs: 32,
  authTimeMs: 64,
  rotation: 128,
  tenant: 256,
  pending: 512,
  operations: 1024,
  data: 2048,
  stamped: 4096,
  persistent: 8192,
  dataVersion: 16384,
  more: 32768,
} as const
/** In the order in which they are stored, as differences to `createdAtMs`. */
const TIMES = ['lastSeenAtMs', 'idleAtMs', 'refreshAtMs', 'lastExpMs', 'confirmedAtMs', 'authTimeMs'] as const

type Times = Pick<SessionRecord, (typeof TIMES)[number]>

const defaultTimes = ({ createdAtMs, absoluteAtMs }: Pick<SessionRecord, 'createdAtMs' | 'absoluteAtMs'>): Times => ({
  lastSeenAtMs: createdAtMs,
  idleAtMs: absoluteAtMs,
  refreshAtMs: absoluteAtMs,
  lastExpMs: 0,
  confirmedAtMs: 0,
  authTimeMs: createdAtMs,
})

/**
 * @throws CountersignError `ERR_INPUT_INVALID` when a field does not fit its place: numbers that are not whole or too
 * large, times more than 17 years from the creation, hashes that are not 32 bytes, a comma in a role, text that is not
 * well-formed Unicode.
 */
export function encodeRecord(record: SessionRecord): Buffer {
  const defaults = defaultTimes(record)
  const times = TIMES.filter((name) => record[name] !== defaults[name])
  const isRotated = wasRotated(record)
  const flags =
    (record.version !== 1 ? FLAG.version : 0) |
    times.reduce((sum, name) => sum | FLAG[name], 0) |
    (isRotated ? FLAG.rotation : 0) |
    (record.tenant !== undefined ? FLAG.tenant : 0) |
    (record.pendingRoles !== null ? FLAG.pending : 0) |
    (record.operations.length > 0 ? FLAG.operations : 0) |
    (record.data !== null ? FLAG.data : 0) |
    (record.stamped ? FLAG.stamped : 0) |
    (record.persistent ? FLAG.persistent : 0) |
    (record.dataVersion !== undefined ? FLAG.dataVersion : 0) |
    (record.more?.text ? FLAG.more : 0)

  const head = new Head(record)
  head
    .uint(record.more?.format ?? RECORD_FORMAT, 1)
    .uint(LIVE, 1)
    .uint(flags, 2)
  head.field('macKey', 1).field('createdAtMs', 6).time('absoluteAtMs').hash(record.hash, 'hash')
  if (flags & FLAG.version) head.field('version', 4)
  if (record.dataVersion !== undefined) head.uint(unsigned(record.dataVersion, 2, 'dataVersion'), 2)
  for (const name of times) head.time(name)
  if (isRotated) {
    head.field('generation', 4).field('rolesGeneration', 4).field('replays', 2).field('rotationKey', 1)
    head
      .time('rotatedAtMs')
      .time('handedOutAtMs')
      .uint(record.previousHash ? 1 : 0, 1)
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
  if (record.more?.text) parts.push(segment(utf8(record.more.text, 'more')))
  return Buffer.concat(parts)
}

/** Roles as the scripts take them apart. */
export function encodeRoles(roles: readonly string[]): Buffer {
  if (roles.some((role) => role === '' || role.includes(',')))
    throw invalidInput('roles', 'must have names without commas')
  return utf8(roles.join(), 'roles')
}

const decodeRoles = (text: string): readonly string[] => (text === '' ? NONE : text.split(','))

function wasRotated(record: SessionRecord): boolean {
  const { generation, rolesGeneration, replays, rotationKey, previousHash, createdAtMs } = record
  if (generation + rolesGeneration + replays + rotationKey > 0 || previousHash) return true
  return record.rotatedAtMs !== createdAtMs || record.handedOutAtMs !== createdAtMs
}

/**
 * The session or the tombstone that a key holds.
 *
 * @throws CountersignError `ERR_STORE_CORRUPT` when it is neither; `ERR_FORMAT_UNKNOWN` when another release wrote it in a
 * format that this one does not know.
 */
export function decodeKept(id: SessionId, bytes: Buffer): Kept {
  const cursor = new Cursor(bytes, 'a session record')
  const format = cursor.uint(1)
  if (!isKnownFormat(format, RECORD_FORMAT))
    throw unknownFormat('a session record in Redis', format, RECORD_FORMAT, 'redis')
  switch (cursor.uint(1)) {
    case LIVE:
      return { is: 'live', record: decodeLive(id, format, cursor) }
    case ENDED:
      return { is: 'ended', tombstone: decodeEnded(id, cursor) }
    default:
      return cursor.fail()
  }
}

type Changing<T> = { -readonly [K in keyof T]: T[K] }

function decodeLive(id: SessionId, format: number, cursor: Cursor): SessionRecord {
  const flags = cursor.uint(2)
  const macKey = cursor.uint(1)
  const createdAtMs = cursor.uint(6)
  const absoluteAtMs = createdAtMs + cursor.int(5)
  const record: Changing<SessionRecord> = {
    id,
    subject: '',
    authTimeMs: createdAtMs,
    acr: DEFAULT_IDENTITY.acr,
    amr: DEFAULT_IDENTITY.amr,
    audience: DEFAULT_IDENTITY.audience,
    clientId: DEFAULT_IDENTITY.clientId,
    device: DEFAULT_IDENTITY.device,
    delivery: DEFAULT_IDENTITY.delivery,
    stamped: (flags & FLAG.stamped) !== 0,
    persistent: (flags & FLAG.persistent) !== 0,
    version: 1,
    data: null,
    operations: NONE,
    roles: NONE,
    pendingRoles: null,
    rolesGeneration: 0,
    createdAtMs,
    lastSeenAtMs: createdAtMs,
    idleAtMs: absoluteAtMs,
    absoluteAtMs,
    refreshAtMs: absoluteAtMs,
    lastExpMs: 0,
    generation: 0,
    hash: cursor.bytes(32),
    previousHash: null,
    rotationKey: 0,
    macKey,
    rotatedAtMs: createdAtMs,
    handedOutAtMs: createdAtMs,
    confirmedAtMs: 0,
    replays: 0,
    origin: NO_ORIGIN,
  }
  if (flags & FLAG.version) record.version = cursor.uint(4)
  if (flags & FLAG.dataVersion) record.dataVersion = cursor.uint(2)
  // Written out: a loop over names would double the time that a record takes.
  if (flags & FLAG.lastSeenAtMs) record.lastSeenAtMs = createdAtMs + cursor.int(5)
  if (flags & FLAG.idleAtMs) record.idleAtMs = createdAtMs + cursor.int(5)
  if (flags & FLAG.refreshAtMs) record.refreshAtMs = createdAtMs + cursor.int(5)
  if (flags & FLAG.lastExpMs) record.lastExpMs = createdAtMs + cursor.int(5)
  if (flags & FLAG.confirmedAtMs) record.confirmedAtMs = createdAtMs + cursor.int(5)
  if (flags & FLAG.authTimeMs) record.authTimeMs = createdAtMs + cursor.int(5)
  if (flags & FLAG.rotation) decodeRotation(record, cursor)
  record.subject = cursor.segment()
  if (flags & FLAG.tenant) record.tenant = cursor.segment()
  const identity = cursor.segment()
  if (identity !== '' && !decodeIdentity(identity, record)) cursor.fail()
  const origin = cursor.segment()
  if (origin !== '') record.origin = decodeOrigin(origin) ?? cursor.fail()
  record.roles = decodeRoles(cursor.segment())
  if (flags & FLAG.pending) record.pendingRoles = decodeRoles(cursor.segment())
  if (flags & FLAG.operations) record.operations = decodeOperations(cursor.segmentBytes())
  if (flags & FLAG.data) record.data = cursor.segment()
  if (flags & FLAG.more) record.more = { format, text: cursor.segment() }
  else if (format > RECORD_FORMAT) record.more = { format, text: '' }
  if (!cursor.isAtEnd) cursor.fail()
  return record
}

const NONE: readonly string[] = Object.freeze([])
const NO_ORIGIN = Object.freeze({})

function decodeRotation(record: Changing<SessionRecord>, cursor: Cursor): void {
  record.generation = cursor.uint(4)
  record.rolesGeneration = cursor.uint(4)
  record.replays = cursor.uint(2)
  record.rotationKey = cursor.uint(1)
  record.rotatedAtMs = record.createdAtMs + cursor.int(5)
  record.handedOutAtMs = record.createdAtMs + cursor.int(5)
  if (cursor.uint(1) === 1) record.previousHash = cursor.bytes(32)
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
  /** A time as its difference to the creation: 5 bytes, 17 years either way. */
  time(name: NumericField): this {
    const [value, created] = [this.#record[name], this.#record.createdAtMs]
    if (!Number.isInteger(value) || Math.abs(value - created) >= 2 ** 39) {
      throw invalidInput(name, 'must be whole milliseconds, at most 17 years from "createdAtMs"')
    }
    this.#at = this.#bytes.writeIntBE(value - created, this.#at, 5)
    return this
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
