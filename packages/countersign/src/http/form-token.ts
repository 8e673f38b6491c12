import { equalBytes, fromBase64url, hmacSha256, toBase64url, u32be } from '../internal/bytes.ts'
import { CountersignError } from '../internal/errors.ts'
import type { Keys } from '../tokens/keys.ts'

/** Secret scanners find leaked tokens by it. */
const PREFIX = 'csf_'
const VERSION = 1
const RANDOM_BYTES = 16
const HEAD_BYTES = 2 + RANDOM_BYTES
const MAC_BYTES = 32

/** Name of the field of a form, and of the header, in which a form token comes back. */
export const FORM_FIELD = 'form_token'
export const FORM_HEADER = 'x-form-token'

/**
 * A token that shows that a form is ours: `csf_` + base64url(version u8 ‖ MAC key number u8 ‖ random 16 ‖ MAC 32), the MAC over
 * the prefix, the bytes before it, and the length and text of what it is bound to (OWASP CSRF Prevention, HMAC based token).
 *
 * @param boundTo - A session id, or the value of the cookie that a browser without a session has: `session:…`, `browser:…`. The
 * token of one is refused in every other.
 */
export function writeFormToken(boundTo: string, keys: Keys, random: (bytes: number) => Uint8Array): string {
  const { key, number } = keys.mac.active
  const head = Buffer.concat([Buffer.of(VERSION, number), random(RANDOM_BYTES)])
  return PREFIX + toBase64url(Buffer.concat([head, macOf(key, head, boundTo)]))
}

/** Whether it is a token that {@link writeFormToken} made for the same. Compared in constant time. */
export function isFormToken(text: unknown, boundTo: string, keys: Keys): boolean {
  if (typeof text !== 'string' || text.length > 128 || !text.startsWith(PREFIX)) return false
  const bytes = fromBase64url(text.slice(PREFIX.length))
  if (bytes?.length !== HEAD_BYTES + MAC_BYTES || bytes[0] !== VERSION) return false
  const key = keys.mac.find(bytes[1]!)
  const head = bytes.subarray(0, HEAD_BYTES)
  return key !== undefined && equalBytes(macOf(key.key, head, boundTo), bytes.subarray(HEAD_BYTES))
}

function macOf(key: Keys['mac']['active']['key'], head: Uint8Array, boundTo: string): Buffer {
  if (boundTo === '') throw new CountersignError('ERR_INPUT_INVALID', '"boundTo" must not be empty')
  const text = Buffer.from(boundTo)
  return hmacSha256(key, PREFIX, head, u32be(text.length), text)
}
