import { isKnownFormat, unknownFormat } from '../../internal/format.ts'
import type { SubjectRef } from '../../session/ids.ts'
import type { Account } from '../contract.ts'
import { utf8 } from '../shared/arguments.ts'
import { Cursor, corrupt, segment, unsigned } from './segments.ts'

/*
 * An account is one string: format (u8), version (u32), the identifier with its length, and the rest as JSON. Version and
 * identifier stand outside the JSON because `scripts/replace-account-1.lua` compares the one and keeps the other.
 */
const ACCOUNT_FORMAT = 1
const WHAT = 'an account'

type Stored = Omit<Account, 'tag' | 'version' | 'identifier'>

/** The two parts around the identifier. */
export function encodeAccountParts(account: Account): { readonly head: Buffer; readonly rest: Buffer } {
  const head = Buffer.alloc(5)
  head.writeUInt8(ACCOUNT_FORMAT, 0)
  head.writeUInt32BE(unsigned(account.version, 4, 'version'), 1)
  const { tag: _tag, version: _version, identifier: _identifier, ...stored } = account
  return { head, rest: Buffer.from(JSON.stringify(stored satisfies Stored)) }
}

export function encodeAccount(account: Account): Buffer {
  const { head, rest } = encodeAccountParts(account)
  return Buffer.concat([head, segment(utf8(account.identifier, 'identifier')), rest])
}

/** @throws CountersignError `ERR_STORE_CORRUPT` when it is no account that this release can read. */
export function decodeAccount(tag: string, bytes: Buffer): Account {
  const cursor = new Cursor(bytes, WHAT)
  const format = cursor.uint(1)
  if (!isKnownFormat(format, ACCOUNT_FORMAT)) throw unknownFormat(`${WHAT} in Redis`, format, ACCOUNT_FORMAT, 'redis')
  const version = cursor.uint(4)
  const identifier = cursor.segment()
  const stored = parse(cursor.rest())
  if (!isStored(stored)) throw corrupt(WHAT)
  // With members that a newer release has added: whoever changes the account writes them back.
  return { ...stored, tag, identifier, version }
}

const UNSETTLED: readonly unknown[] = [null, 'password_changed', 'banned', 'roles'] satisfies Account['unsettled'][]

function isStored(value: unknown): value is Stored {
  if (typeof value !== 'object' || value === null) return false
  const stored = value as Partial<Record<keyof Stored, unknown>>
  const { subject, tenant, passwordHash, roles, blocked, unsettled } = stored
  const texts = [subject, passwordHash, tenant ?? '', blocked ?? '']
  const numbers = [stored.passwordChangedAtMs, stored.createdAtMs, stored.emailVerifiedAtMs ?? 0]
  return (
    texts.every((one) => typeof one === 'string') &&
    numbers.every((one) => typeof one === 'number') &&
    Array.isArray(roles) &&
    roles.every((one) => typeof one === 'string') &&
    UNSETTLED.includes(unsettled)
  )
}

/**
 * What an identifier key holds: whom it belongs to. `leased` while the registration is under way; the key has a TTL
 * then. The first character tells the two apart: `?` or `=`.
 */
export interface Claim {
  readonly leased: boolean
  readonly subject: SubjectRef
}

export function encodeClaim({ leased, subject: { tag, subject, tenant } }: Claim): Buffer {
  return Buffer.from((leased ? '?' : '=') + JSON.stringify({ tag, subject, tenant }))
}

export function decodeClaim(bytes: Buffer): Claim {
  const text = bytes.toString()
  const mark = text[0]
  const value = parse(text.slice(1)) as Partial<SubjectRef> | null | undefined
  const { tag, subject, tenant } = value ?? {}
  if ((mark !== '?' && mark !== '=') || typeof tag !== 'string' || typeof subject !== 'string') throw corrupt(WHAT)
  return { leased: mark === '?', subject: { tag, subject, ...(tenant !== undefined && { tenant }) } }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw corrupt(WHAT)
  }
}
