import { createHash } from 'node:crypto'

/** Names an input: the first 16 characters of the SHA-256 of its parts. */
export function fingerprint(...parts: unknown[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 16)
}
