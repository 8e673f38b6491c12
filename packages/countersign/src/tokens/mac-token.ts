import { equalBytes, fromBase64url, hmacSha256, toBase64url } from '../internal/bytes.ts'
import { CountersignError } from '../internal/errors.ts'
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
const CHARACTERS = Math.ceil(((BODY_BYTES + MAC_BYTES) * 8) / 6)

/**
 * Opaque and refresh tokens: prefix + base64url(version u8 ‖ MAC key number u8 ‖ session id 25 ‖ generation u32be ‖
 * secret 32 ‖ MAC 32). The MAC covers the prefix and everything before it, so that one kind is never taken for the other.
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

/** Reads a token and checks its MAC. No store is asked before this has succeeded. */
export function readMacToken(
  prefix: MacTokenPrefix,
  text: string,
  keys: Keys,
): ({ readonly ok: true } & MacToken) | { readonly ok: false; readonly reason: 'malformed' | 'bad_signature' } {
  if (typeof text !== 'string' || text.length !== prefix.length + CHARACTERS || !text.startsWith(prefix))
    return MALFORMED
  const bytes = fromBase64url(text.slice(prefix.length))
  if (!bytes || bytes.length !== BODY_BYTES + MAC_BYTES || bytes[0] !== VERSION) return MALFORMED
  const macKey = bytes[1]!
  const key = keys.mac.find(macKey)
  const body = bytes.subarray(0, BODY_BYTES)
  if (!key || !equalBytes(hmacSha256(key.key, prefix, body), bytes.subarray(BODY_BYTES))) return BAD_SIGNATURE
  return {
    ok: true,
    macKey,
    sessionId: body.toString('base64url', 2, 2 + SESSION_ID_BYTES) as SessionId,
    generation: body.readUInt32BE(2 + SESSION_ID_BYTES),
    secret: body.subarray(6 + SESSION_ID_BYTES),
  }
}

const MALFORMED = { ok: false, reason: 'malformed' } as const
const BAD_SIGNATURE = { ok: false, reason: 'bad_signature' } as const
