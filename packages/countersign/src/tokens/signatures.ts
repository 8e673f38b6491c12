import { createHmac, sign as cryptoSign, verify as cryptoVerify, type KeyObject } from 'node:crypto'
import { equalBytes } from '../internal/bytes.ts'

/** Algorithms that Countersign signs with. One key has one of them, and is used with no other (RFC 8725 section 3.1). */
export type SigningAlg = 'HS256' | 'ES256' | 'Ed25519'
/** Algorithms that it verifies: RS256 only for another issuer who was named, and for whom it was asked for. */
export type VerifyingAlg = SigningAlg | 'RS256'

/** Whether a signature over `input`, bytes or ASCII text, is right. Never throws, whatever the signature holds. */
export type SignatureCheck = (input: string | Uint8Array, signature: Uint8Array) => boolean

/**
 * The check of one algorithm with one key, made once per key. The platform does the primitives; lengths are compared
 * here, because its ECDSA and HMAC would take others.
 */
export function signatureCheck(alg: VerifyingAlg, key: KeyObject): SignatureCheck {
  switch (alg) {
    case 'HS256': {
      // Out of the KeyObject once: making an HMAC from a handle costs a third more. The closure shows them to nobody.
      const bytes = key.export()
      return (input, signature) => {
        // By way of text, because a digest that comes as a Buffer of its own costs more.
        const digest = createHmac('sha256', bytes).update(input).digest('binary')
        return equalBytes(Buffer.from(digest, 'latin1'), signature)
      }
    }
    case 'ES256': {
      const how = { key, dsaEncoding: 'ieee-p1363' } as const
      return (input, signature) => signature.length === 64 && cryptoVerify('sha256', bytesOf(input), how, signature)
    }
    case 'Ed25519':
      return (input, signature) => signature.length === 64 && cryptoVerify(null, bytesOf(input), key, signature)
    case 'RS256': {
      const bytes = Math.ceil(key.asymmetricKeyDetails!.modulusLength! / 8)
      return (input, signature) => signature.length === bytes && cryptoVerify('sha256', bytesOf(input), key, signature)
    }
  }
}

function bytesOf(input: string | Uint8Array): Uint8Array {
  return typeof input === 'string' ? Buffer.from(input, 'latin1') : input
}

/** Signs the ASCII text `input`. ECDSA gives r ‖ s (RFC 7518 section 3.4). */
export function signatureOf(alg: SigningAlg, key: KeyObject, input: string): Buffer {
  switch (alg) {
    case 'HS256':
      return createHmac('sha256', key).update(input).digest()
    case 'ES256':
      return cryptoSign('sha256', Buffer.from(input), { key, dsaEncoding: 'ieee-p1363' })
    case 'Ed25519':
      return cryptoSign(null, Buffer.from(input), key)
  }
}
