import { createCipheriv, createDecipheriv } from 'node:crypto'
import { fromBase64url, toBase64url } from '../internal/bytes.ts'
import { CountersignError } from '../internal/errors.ts'
import { type JwsRefusal, MAX_TOKEN_CHARACTERS } from './jws.ts'
import type { SealingKey } from './key-material.ts'
import type { Keys } from './keys.ts'

/**
 * Seals per key. With a random initialisation vector of 96 bits, more would make it likely enough that two are equal,
 * and two equal ones give the key away (NIST SP 800-38D section 8.3). The count is this process's own: a fleet shares
 * the allowance, so rotate the key long before `processes × seals per second × age` comes near. At 1 000 per second
 * for the whole fleet that is 49 days.
 */
export const MAX_SEALS = 2 ** 32

const IV_BYTES = 12
const TAG_BYTES = 16
const SEALED = /^([A-Za-z0-9_-]+)\.\.([A-Za-z0-9_-]{16})\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]{22})$/

/**
 * Encrypts a signed token: JWE `dir` with `A256GCM` (RFC 7516, RFC 7518 section 5.3), compact, never compressed. Who
 * holds the token then reads nothing in it.
 *
 * @throws CountersignError `ERR_KEY_UNUSABLE` when this process has used the key 2³² times.
 */
export function seal(jws: string, key: SealingKey, random: (bytes: number) => Uint8Array): string {
  if (key.seals >= MAX_SEALS) {
    throw new CountersignError('ERR_KEY_UNUSABLE', 'the sealing key has been used 2^32 times: rotate it')
  }
  key.seals++
  const header = headerText(key.kid)
  const iv = random(IV_BYTES)
  const cipher = createCipheriv('aes-256-gcm', key.key, iv, { authTagLength: TAG_BYTES })
  cipher.setAAD(Buffer.from(header))
  const body = Buffer.concat([cipher.update(jws, 'latin1'), cipher.final()])
  return `${header}..${toBase64url(iv)}.${toBase64url(body)}.${toBase64url(cipher.getAuthTag())}`
}

/**
 * Decrypts what {@link seal} made. Only headers that it writes are known, byte by byte, so no header of an attacker is
 * ever parsed: no `zip`, no `p2c`, no other algorithm (RFC 8725bis sections 3.13 and 3.15).
 */
export function unseal(
  token: string,
  keys: Keys,
  maxCharacters = MAX_TOKEN_CHARACTERS,
): { readonly ok: true; readonly jws: string } | JwsRefusal {
  if (typeof token !== 'string' || token.length > maxCharacters) return MALFORMED
  const [, header, ivText, bodyText, tagText] = SEALED.exec(token) ?? []
  const iv = fromBase64url(ivText ?? '')
  const body = fromBase64url(bodyText ?? '')
  const tag = fromBase64url(tagText ?? '')
  if (header === undefined || !iv || !body || !tag) return MALFORMED
  const key = keyOf(header, keys)
  if (!key) return MALFORMED
  const decipher = createDecipheriv('aes-256-gcm', key.key, iv, { authTagLength: TAG_BYTES })
  decipher.setAAD(Buffer.from(header))
  decipher.setAuthTag(tag)
  try {
    return { ok: true, jws: decipher.update(body, undefined, 'latin1') + decipher.final('latin1') }
  } catch {
    return BAD_SIGNATURE
  }
}

/** Few keys, and the text of each is cheap to make, so nothing is kept. */
function keyOf(header: string, keys: Keys): SealingKey | undefined {
  for (const key of keys.sealing.values()) if (headerText(key.kid) === header) return key
  return undefined
}

function headerText(kid: string): string {
  return toBase64url(Buffer.from(JSON.stringify({ alg: 'dir', cty: 'JWT', enc: 'A256GCM', kid })))
}

const MALFORMED = { ok: false, reason: 'malformed' } as const
const BAD_SIGNATURE = { ok: false, reason: 'bad_signature' } as const
