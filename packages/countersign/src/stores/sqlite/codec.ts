import { fromBase64url, toBase64url } from '../../internal/bytes.ts'
import { RECORD_FORMAT, type SessionRecord, type Tombstone } from '../../session/record.ts'
import type { Account } from '../contract.ts'
import type { RevocationState } from '../steps/shard.ts'
import { fault } from './faults.ts'

/**
 * Bodies are JSON text with the format version first. Members that this release does not know are kept as they are, so
 * that a newer release finds them again after an older one has written the record.
 */
const v = RECORD_FORMAT

export function encodeRecord(record: SessionRecord): string {
  const { hash, previousHash, ...rest } = record
  return JSON.stringify({
    v,
    ...rest,
    hash: toBase64url(hash),
    previousHash: previousHash && toBase64url(previousHash),
  })
}

export function decodeRecord(body: unknown): SessionRecord {
  const { hash, previousHash, ...rest } = decode(body, 'a session', RECORD)
  return {
    ...rest,
    hash: digest(hash),
    previousHash: previousHash === null ? null : digest(previousHash),
  } as SessionRecord
}

export function encodeTombstone(tombstone: Tombstone): string {
  return JSON.stringify({ v, ...tombstone })
}

export function decodeTombstone(body: unknown): Tombstone {
  return decode(body, 'an ended session', TOMBSTONE) as unknown as Tombstone
}

export function encodeRevocations(state: RevocationState): string {
  const sids = [...state.sids].map(([sid, { why, untilMs }]) => [sid, why, untilMs])
  return JSON.stringify({ v, ...state, sids, jtis: [...state.jtis] })
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
  return JSON.stringify({ v, ...account })
}

export function decodeAccount(body: unknown): Account {
  return decode(body, 'an account', ACCOUNT) as unknown as Account
}

type Check = (value: unknown) => boolean
type Shape = Readonly<Record<string, Check>>

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

const RECORD: Readonly<Record<keyof SessionRecord, Check>> = {
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
}
const TOMBSTONE: Readonly<Record<keyof Tombstone, Check>> = {
  id: text,
  endedAtMs: number,
  why: text,
  replacedBy: orAbsent(text),
  keepUntilMs: number,
}
const REVOCATIONS: Readonly<Record<keyof RevocationState, Check>> = {
  subject: text,
  tenant: orAbsent(text),
  notBefore: number,
  lastStamp: number,
  sids: tuples(text, text, number),
  jtis: tuples(text, number),
  untilMs: number,
}
const ACCOUNT: Readonly<Record<keyof Account, Check>> = {
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
  unsettled: orNull(text),
}

/** @throws CountersignError `ERR_STORE_CORRUPT` that names the kind and the member, never a value. */
function decode(body: unknown, kind: string, shape: Shape): Record<string, unknown> {
  let parsed: unknown
  try {
    parsed = JSON.parse(body as string)
  } catch {
    throw corrupt(kind, 'is not JSON')
  }
  if (!object(parsed)) throw corrupt(kind, 'is not an object')
  const { v: version, ...members } = parsed as Record<string, unknown>
  if (version !== v) throw corrupt(kind, `has a format this release does not know (it knows ${v})`)
  for (const name in shape) {
    if (!shape[name]!(members[name])) throw corrupt(kind, `has a wrong "${name}"`)
  }
  return members
}

function digest(value: unknown): Uint8Array {
  const bytes = fromBase64url(value as string)
  if (bytes?.length !== 32) throw corrupt('a session', 'has a hash of the wrong length')
  return new Uint8Array(bytes)
}

function corrupt(kind: string, problem: string): Error {
  return fault('ERR_STORE_CORRUPT', `${kind} in the store ${problem}`)
}

/**
 * Text as a column value: JSON's escapes without the quotes. Not every driver keeps a NUL (1.2 of the peer cuts the
 * text off there, and two identifiers become one), and a lone surrogate has no UTF-8 form. Ids and addresses look the
 * same; the mapping is one to one.
 */
export function key(value: string): string {
  return JSON.stringify(value).slice(1, -1)
}

/** The inverse of {@link key}. */
export function unkey(column: string): string {
  return JSON.parse(`"${column}"`) as string
}
