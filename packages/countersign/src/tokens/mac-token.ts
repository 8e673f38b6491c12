import { equalBytes, fromBase64url, hmacSha256, toBase64url } from '../internal/bytes.ts'
import { CountersignError } from '../internal/errors.ts'
import { unknownFormat } from '../internal/format.ts'
import type { SessionId } from '../session/ids.ts'
import type { Keys } from './keys.ts'
import { SESSION_ID_BYTES } from './session-id.ts'

/** Secret scanners find leaked tokens by these. */
export type MacTokenPrefix = 'cso_' | 'csr_'

export interface MacToken {
  readonly macKey: number
  readonly sessionId: SessionId
  readonly generation: number
  /** 32 bytes. */
  readonly secret: Uint8Array
}

const VERSION = 1
const SECRET_BYTES = 32
const MAC_BYTES = 32
const BODY_BYTES = 2 + SESSION_ID_BYTES + 4 + SECRET_BYTES
/** Of a token of any version: enough to find out that it is ours. */
const MAX_CHARACTERS = 512

/**
 * Opaque and refresh tokens: prefix + base64url(version u8 ‖ MAC key number u8 ‖ session id 25 ‖ generation u32be ‖
 * secret 32 ‖ MAC 32). The MAC covers the prefix and everything before it, so that one kind is never taken for the other.
 * In every version the first two bytes and the MAC have their place: a reader knows a token of ours that it cannot read.
 */
export function writeMacToken(prefix: MacTokenPrefix, token: MacToken, keys: Keys): string {
  const key = keys.mac.find(token.macKey)
  if (!key) throw new CountersignError('ERR_KEY_NOT_FOUND', `the keyring has no usable mac key number ${token.macKey}`)
  const body = Buffer.allocUnsafe(BODY_BYTES)
  body.writeUInt8(VERSION, 0)
  body.writeUInt8(token.macKey, 1)
  body.write(token.sessionId, 2, SESSION_ID_BYTES, 'base64url')
  body.writeUInt32BE(token.generation, 2 + SESSION_ID_BYTES)
  body.set(token.secret, 6 + SESSION_ID_BYTES)
  return prefix + toBase64url(Buffer.concat([body, hmacSha256(key.key, prefix, body)]))
}

/**
 * Reads a token and checks its MAC. No store is asked before this has succeeded.
 *
 * @throws CountersignError `ERR_FORMAT_UNKNOWN` when the MAC is right and the version is another one: a release that knows it
 * made the token, so it must not be refused.
 */
export function readMacToken(
  prefix: MacTokenPrefix,
  text: string,
  keys: Keys,
): ({ readonly ok: true } & MacToken) | { readonly ok: false; readonly reason: 'malformed' | 'bad_signature' } {
  const opened = openMacToken({ prefix, version: VERSION, bodyBytes: BODY_BYTES }, text, keys)
  if (!opened.ok) return opened
  const { macKey, body } = opened
  return {
    ok: true,
    macKey,
    sessionId: body.toString('base64url', 2, 2 + SESSION_ID_BYTES) as SessionId,
    generation: body.readUInt32BE(2 + SESSION_ID_BYTES),
    secret: body.subarray(6 + SESSION_ID_BYTES),
  }
}

/**
 * What tokens with a MAC have in common, in every version: version u8 ‖ MAC key number u8 ‖ … ‖ MAC 32.
 *
 * @param form.bodyBytes - Length of the body in our version.
 * @throws CountersignError `ERR_FORMAT_UNKNOWN`
 */
export function openMacToken(
  form: { readonly prefix: string; readonly version: number; readonly bodyBytes: number },
  text: string,
  keys: Keys,
):
  | { readonly ok: true; readonly macKey: number; readonly body: Buffer }
  | { readonly ok: false; readonly reason: 'malformed' | 'bad_signature' } {
  const { prefix, version, bodyBytes } = form
  if (typeof text !== 'string' || text.length > MAX_CHARACTERS || !text.startsWith(prefix)) return MALFORMED
  const bytes = fromBase64url(text.slice(prefix.length))
  if (!bytes || bytes.length < 2 + MAC_BYTES) return MALFORMED
  const isOurs = bytes[0] === version
  if (isOurs && bytes.length !== bodyBytes + MAC_BYTES) return MALFORMED
  const macKey = bytes[1]!
  const key = keys.mac.find(macKey)
  const body = bytes.subarray(0, -MAC_BYTES)
  const isTrue = key !== undefined && equalBytes(hmacSha256(key.key, prefix, body), bytes.subarray(-MAC_BYTES))
  if (!isTrue) return isOurs ? BAD_SIGNATURE : MALFORMED
  if (!isOurs) throw unknownFormat('a token', bytes[0]!, version)
  return { ok: true, macKey, body }
}

const MALFORMED = { ok: false, reason: 'malformed' } as const
const BAD_SIGNATURE = { ok: false, reason: 'bad_signature' } as const
