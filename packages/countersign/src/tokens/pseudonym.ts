import { hmacSha256, toBase64url } from '../internal/bytes.ts'
import { type Keyring, keysOf } from './keyring.ts'

const PSEUDONYM_BYTES = 12

/**
 * What logs and traces print instead of a session id or a name: 16 characters that are the same for the same text on
 * every node, and that nobody without the keyring can test a guess against. They change when the active MAC key does.
 */
export function pseudonym(keyring: Keyring, text: string): string {
  const { key } = keysOf(keyring).mac.active
  return toBase64url(hmacSha256(key, 'countersign pseudonym 1', text).subarray(0, PSEUDONYM_BYTES))
}
