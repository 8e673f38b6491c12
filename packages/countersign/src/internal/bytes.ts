import { createHash, createHmac, timingSafeEqual } from 'node:crypto'

/** Encodes bytes as base64url without padding (RFC 4648 section 5). */
export function toBase64url(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64url')
}

/**
 * Decodes canonical, unpadded base64url; anything else is `undefined`. `Buffer.from` skips illegal characters, reads the
 * other alphabet too and ignores unused bits (RFC 4648 sections 3.3 and 3.5), so the result is encoded again: what
 * gives the very same text held nothing else.
 */
export function fromBase64url(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64url')
  return bytes.toString('base64url') === text ? bytes : undefined
}

/** An unsigned 32-bit integer in network byte order. */
export function u32be(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(4)
  bytes.writeUInt32BE(value)
  return bytes
}

export function sha256(bytes: Uint8Array): Buffer {
  return createHash('sha256').update(bytes).digest()
}

/** HMAC-SHA-256 over the parts in order. The caller sees to it that the concatenation is unambiguous. */
export function hmacSha256(key: Parameters<typeof createHmac>[1], ...parts: (Uint8Array | string)[]): Buffer {
  const mac = createHmac('sha256', key)
  for (const part of parts) mac.update(part)
  return mac.digest()
}

/** Compares two byte strings of equal, public length in constant time; different lengths are simply unequal. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.byteLength === b.byteLength && timingSafeEqual(a, b)
}
