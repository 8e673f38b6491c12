import { fromBase64url, hmacSha256, sha256, toBase64url } from '../internal/bytes.ts'
import { CountersignError, invalidInput } from '../internal/errors.ts'
import type { Place } from '../stores/contract.ts'
import type { Keys } from '../tokens/keys.ts'
import { openMacToken } from '../tokens/mac-token.ts'
import { type OneTimePurpose, PURPOSES, purposeOf } from './purposes.ts'

/** Secret scanners find leaked tokens by it. */
const PREFIX = 'cs1_'
const VERSION = 1
/** Tag of the subject (9), number of the key that makes the secret (1), random bytes (6). */
const ID_BYTES = 16
const TAG_BYTES = 9
const RANDOM_BYTES = 6
const SECRET_BYTES = 32
const BODY_BYTES = 3 + ID_BYTES + SECRET_BYTES
const HANDLE_BYTES = 2 + ID_BYTES

/**
 * A request for a one-time token: all that it takes, with the keyring, to make the token again, and nothing of use
 * without. Events and logs carry it as 24 characters.
 */
export interface Handle {
  readonly purpose: OneTimePurpose
  /** Number of the key that makes the MAC. The secret is derived with another one, so that neither alone makes a token. */
  readonly macKey: number
  readonly id: Uint8Array
}

/** A new request about the subject with this tag. */
export function newHandle(
  purpose: OneTimePurpose,
  tag: string,
  keys: Keys,
  random: (bytes: number) => Uint8Array,
): Handle {
  const secretKey = Buffer.of(keys.rotation.active.number)
  const id = Buffer.concat([fromBase64url(tag)!, secretKey, random(RANDOM_BYTES)])
  return { purpose, macKey: keys.mac.active.number, id }
}

export function writeHandle({ purpose, macKey, id }: Handle): string {
  return toBase64url(Buffer.concat([Buffer.of(macKey, PURPOSES[purpose].number), id]))
}

/** @throws CountersignError `ERR_INPUT_INVALID` when it is not one that `writeHandle` made. */
export function readHandle(text: string): Handle {
  const bytes = typeof text === 'string' ? fromBase64url(text) : undefined
  const purpose = bytes?.length === HANDLE_BYTES ? purposeOf(bytes[1]!) : undefined
  if (!bytes || purpose === undefined) throw invalidInput('id', 'must be the id of a request for a one-time token')
  return { purpose, macKey: bytes[0]!, id: bytes.subarray(2) }
}

/**
 * HMAC-SHA-256(rotation key, 'cs-once-1' ‖ purpose u8 ‖ id): 256 bits that are nowhere until somebody asks for them
 * (ASVS 6.5.2, 11.5.1), and the same whoever asks, so that a mail can be sent again.
 */
export function secretOf(handle: Handle, keys: Keys): Buffer {
  const number = handle.id[TAG_BYTES]!
  const key = keys.rotation.find(number)
  if (!key) throw missing('rotation', number)
  return hmacSha256(key.key, 'cs-once-1', Buffer.of(PURPOSES[handle.purpose].number), handle.id)
}

/** prefix + base64url(version u8 ‖ MAC key number u8 ‖ purpose u8 ‖ id 16 ‖ secret 32 ‖ MAC 32). The MAC covers the prefix too. */
export function writeToken(handle: Handle, keys: Keys): string {
  const key = keys.mac.find(handle.macKey)
  if (!key) throw missing('mac', handle.macKey)
  const head = Buffer.of(VERSION, handle.macKey, PURPOSES[handle.purpose].number)
  const body = Buffer.concat([head, handle.id, secretOf(handle, keys)])
  return PREFIX + toBase64url(Buffer.concat([body, hmacSha256(key.key, PREFIX, body)]))
}

export type ReadToken =
  | { readonly ok: true; readonly handle: Handle; readonly hash: Uint8Array }
  | { readonly ok: false; readonly reason: 'malformed' | 'bad_signature' }

/**
 * Reads a token and checks its MAC. No store is asked before this has succeeded.
 *
 * @throws CountersignError `ERR_FORMAT_UNKNOWN`: it is ours, and of a release that knows another version or more purposes.
 */
export function readToken(text: string, keys: Keys): ReadToken {
  const opened = openMacToken({ prefix: PREFIX, version: VERSION, bodyBytes: BODY_BYTES }, text, keys)
  if (!opened.ok) return opened
  const { macKey, body } = opened
  const purpose = purposeOf(body[2]!)
  if (purpose === undefined)
    throw new CountersignError('ERR_FORMAT_UNKNOWN', 'a one-time token has a purpose that another release knows')
  const handle = { purpose, macKey, id: body.subarray(3, 3 + ID_BYTES) }
  return { ok: true, handle, hash: sha256(body.subarray(3 + ID_BYTES)) }
}

/** Where the store keeps it. One place per subject and purpose, unless the purpose allows several: then one per token. */
export function placeOf({ purpose, id }: Handle): Place {
  const { number, several } = PURPOSES[purpose]
  const named = several ? id : id.subarray(0, TAG_BYTES)
  return sha256(Buffer.concat([Buffer.from('cs-once-place-1'), Buffer.of(number), named]))
}

function missing(use: 'mac' | 'rotation', number: number): CountersignError {
  return new CountersignError('ERR_KEY_NOT_FOUND', `the keyring has no usable ${use} key number ${number}`)
}
