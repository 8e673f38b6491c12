import { fromBase64url, hmacSha256, u32be } from '../internal/bytes.ts'
import { CountersignError } from '../internal/errors.ts'
import type { SessionId } from '../session/ids.ts'
import type { Keys } from './keys.ts'

/**
 * The secret that follows `presented`: HMAC-SHA-256(rotation key, 'cs-refresh-1' ‖ session id ‖ u32be(generation) ‖
 * presented). Whoever presents the same token again gets the same answer, on any node and after any crash, and nothing
 * has to be stored for it. Together, a rotation key and an old token yield the chain: the key is kept out of the store.
 *
 * @param generation - Generation of the secret to be made.
 * @param rotationKey - Number of the key; a repeat uses the one that the record names, not the newest.
 * @see docs/design/0003-refresh-rotation.md
 */
export function successorOf(
  keys: Keys,
  rotationKey: number,
  sessionId: SessionId,
  generation: number,
  presented: Uint8Array,
): Buffer {
  const key = keys.rotation.find(rotationKey)
  if (!key)
    throw new CountersignError('ERR_KEY_NOT_FOUND', `the keyring has no usable rotation key number ${rotationKey}`)
  return hmacSha256(key.key, 'cs-refresh-1', fromBase64url(sessionId)!, u32be(generation), presented)
}
