import { hmacSha256, toBase64url, u32be } from '../internal/bytes.ts'
import { invalidInput } from '../internal/errors.ts'
import { type Keyring, keysOf } from '../tokens/keyring.ts'

const MAX_CHARACTERS = 254
/** NFKC can make one character eighteen, so what is far too long is refused before it is worked on. */
const MAX_RAW = 512
const HASH_BYTES = 12

/**
 * The normal form of what somebody logs in with, or `undefined` when there is none. Every path goes through here, so
 * that an account is found whatever device typed it: NFKC makes full-width and composed letters one, lower case because
 * no mail service keeps two people apart by case, no white space around it because keyboards add it.
 *
 * Control, format (invisible, direction-changing), private and unassigned characters are refused: they make two names
 * that look alike, and unassigned ones may change their normal form with the next Unicode.
 */
export function normalIdentifier(input: unknown): string | undefined {
  if (typeof input !== 'string') throw invalidInput('identifier', 'must be a string')
  if (input.length > MAX_RAW) return undefined
  // Twice, because lower case can take a text out of the normal form.
  const normal = input.normalize('NFKC').toLowerCase().normalize('NFKC').trim()
  if (normal === '' || normal.length > MAX_CHARACTERS || /[\p{C}\p{Zl}\p{Zp}]/u.test(normal)) return undefined
  return normal
}

/**
 * What stands for an identifier in events. The text before it keeps it apart from everything else that the key
 * authenticates.
 */
export function hashIdentifier(keyring: Keyring, identifier: string, tenant: string | undefined): string {
  const where = Buffer.from(tenant ?? '', 'utf8')
  const { key } = keysOf(keyring).mac.active
  const mac = hmacSha256(key, 'countersign identifier 1', u32be(where.length), where, Buffer.from(identifier, 'utf8'))
  return toBase64url(mac.subarray(0, HASH_BYTES))
}
