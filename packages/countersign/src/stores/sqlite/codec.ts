import { fromBase64url, toBase64url } from '../../internal/bytes.ts'
import { type Format, isKnownFormat, unknownFormat } from '../../internal/format.ts'
import { RECORD_FORMAT, type SessionRecord, type Tombstone } from '../../session/record.ts'
import type { Account } from '../contract.ts'
import type { RevocationState } from '../steps/shard.ts'
import { fault } from './faults.ts'

/**
 * A body is JSON text: the format, then the value, in one list. Members that this release does not know are kept as they
 * are, so that a newer release finds them again after an older one has written the record.
 */
function encode(value: object, format = RECORD_FORMAT): string {
  return JSON.stringify([format, value])
}

export function encodeRecord(record: SessionRecord): string {
  const { hash, previousHash, more } = record
  const texts = {
    hash: toBase64url(hash),
    previousHash: previousHash && toBase64url(previousHash),
    more: more?.text || undefined,
  }
  return encode({ ...record, ...texts }, more?.format)
}

export function decodeRecord(body: unknown): SessionRecord {
  const [record, format] = decodeWithFormat(body, 'a session', RECORD)
  // In place: this is what every request waits for, and copying the record would double it.
  record.hash = digest(record.hash)
  if (record.previousHash !== null) record.previousHash = digest(record.previousHash)
  if (format > RECORD_FORMAT || record.more !== undefined) record.more = { format, text: record.more ?? '' }
  return record as unknown as SessionRecord
}

export function encodeTombstone(tombstone: Tombstone): string {
  return encode(tombstone)
}

export function decodeTombstone(body: unknown): Tombstone {
  return decode(body, 'an ended session', TOMBSTONE) as unknown as Tombstone
}

export function encodeRevocations(state: RevocationState): string {
  const sids = [...state.sids].map(([sid, { why, untilMs }]) => [sid, why, untilMs])
  return encode({ ...state, sids, jtis: [...state.jtis] })
}

export function decodeRevocations(body: unknown): RevocationState {
  const { sids, jtis, ...rest } = decode(body, 'a revocation record', REVOCATIONS)
  return {
    ...rest,
    sids: new Map((sids as [string, string, number][]).map(([sid, why, untilMs]) => [sid, { why, untilMs }])),
    jtis: new Map(jtis as [string, number][]),
  } as unknown as RevocationState
}

export function encodeAccount(account: Account): string {
  return encode(account)
}

export function decodeAccount(body: unknown): Account {
  return decode(body, 'an account', ACCOUNT) as unknown as Account
}

type Check = (value: unknown) => boolean
type Shape = readonly (readonly [name: string, check: Check])[]

const text: Check = (value) => typeof value === 'string'
const number: Check = (value) => typeof value === 'number'
const flag: Check = (value) => typeof value === 'boolean'
const object: Check = (value) => typeof value === 'object' && value !== null && !Array.isArray(value)
const texts: Check = (value) => Array.isArray(value) && value.every(text)
const orNull =
  (check: Check): Check =>
  (value) =>
    value === null || check(value)
const orAbsent =
  (check: Check): Check =>
  (value) =>
    value === undefined || check(value)
const tuples =
  (...checks: Check[]): Check =>
  (value) =>
    Array.isArray(value) &&
    value.every(
      (tuple) => Array.isArray(tuple) && tuple.length === checks.length && checks.every((is, i) => is(tuple[i])),
    )

/** One check for every member, which the type makes sure of. */
const shapeOf = <T>(checks: Readonly<Record<keyof T, Check>>): Shape => Object.entries<Check>(checks)

const RECORD = shapeOf<SessionRecord>({
  id: text,
  subject: text,
  tenant: orAbsent(text),
  authTimeMs: number,
  acr: text,
  amr: texts,
  audience: texts,
  clientId: text,
  device: object,
  delivery: text,
  persistent: flag,
  stamped: flag,
  version: number,
  data: orNull(text),
  dataVersion: orAbsent(number),
  operations: texts,
  roles: texts,
  pendingRoles: orNull(texts),
  rolesGeneration: number,
  createdAtMs: number,
  lastSeenAtMs: number,
  idleAtMs: number,
  absoluteAtMs: number,
  refreshAtMs: number,
  lastExpMs: number,
  generation: number,
  hash: text,
  previousHash: orNull(text),
  rotationKey: number,
  macKey: number,
  rotatedAtMs: number,
  handedOutAtMs: number,
  confirmedAtMs: number,
  replays: number,
  origin: object,
  more: orAbsent(text),
})
const TOMBSTONE = shapeOf<Tombstone>({
  id: text,
  endedAtMs: number,
  why: text,
  replacedBy: orAbsent(text),
  keepUntilMs: number,
})
const REVOCATIONS = shapeOf<RevocationState>({
  subject: text,
  tenant: orAbsent(text),
  notBefore: number,
  lastStamp: number,
  sids: tuples(text, text, number),
  jtis: tuples(text, number),
  untilMs: number,
})
const ACCOUNT = shapeOf<Account>({
  tag: text,
  subject: text,
  tenant: orAbsent(text),
  identifier: text,
  version: number,
  passwordHash: text,
  passwordChangedAtMs: number,
  roles: texts,
  blocked: orNull(text),
  createdAtMs: number,
  emailVerifiedAtMs: orAbsent(number),
  unsettled: orNull(text),
})

function decode(body: unknown, kind: string, shape: Shape): Record<string, unknown> {
  return decodeWithFormat(body, kind, shape)[0]
}

/**
 * @throws CountersignError `ERR_STORE_CORRUPT` that names the kind and the member, never a value; `ERR_FORMAT_UNKNOWN`.
 */
function decodeWithFormat(body: unknown, kind: string, shape: Shape): [Record<string, unknown>, Format] {
  let parsed: unknown
  try {
    parsed = JSON.parse(body as string)
  } catch {
    throw corrupt(kind, 'is not JSON')
  }
  const [format, value] = Array.isArray(parsed) ? (parsed as unknown[]) : []
  if (!isKnownFormat(format, RECORD_FORMAT)) {
    if (typeof format === 'number') throw unknownFormat(`${kind} in the store`, format, RECORD_FORMAT, 'sqlite')
    throw corrupt(kind, 'has no format')
  }
  if (!object(value)) throw corrupt(kind, 'is not an object')
  const members = value as Record<string, unknown>
  for (const [name, isRight] of shape) {
    if (!isRight(members[name])) throw corrupt(kind, `has a wrong "${name}"`)
  }
  return [members, format]
}

function digest(value: unknown): Uint8Array {
  const bytes = fromBase64url(value as string)
  if (bytes?.length !== 32) throw corrupt('a session', 'has a hash of the wrong length')
  return new Uint8Array(bytes)
}

function corrupt(kind: string, problem: string): Error {
  return fault('ERR_STORE_CORRUPT', `${kind} in the store ${problem}`)
}
