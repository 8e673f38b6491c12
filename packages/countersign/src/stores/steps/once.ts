import { invalidInput } from '../../internal/errors.ts'
import type { OnceValue } from '../contract.ts'

const HASH_BYTES = 32
const MAX_VALUE_BYTES = 32_768
const MAX_CLAIM_CHARACTERS = 1_024

/** What every store refuses of the arguments of `OnceStore`, so that none of them cuts or misreads one. */
export function checkPlace(place: Uint8Array): Uint8Array {
  return checkHash(place, 'place')
}

export function checkHash(hash: Uint8Array, name: string): Uint8Array {
  if (!(hash instanceof Uint8Array) || hash.byteLength !== HASH_BYTES) throw invalidInput(name, 'must be 32 bytes')
  return hash
}

export function checkValue(value: OnceValue): OnceValue {
  checkHash(value.hash, 'hash')
  const { bytes } = value
  if (!(bytes instanceof Uint8Array) || bytes.byteLength > MAX_VALUE_BYTES) {
    throw invalidInput('bytes', `must be at most ${MAX_VALUE_BYTES} bytes`)
  }
  return value
}

export function checkClaim(scope: string, id: string): readonly [scope: string, id: string] {
  for (const [name, text] of [
    ['scope', scope],
    ['id', id],
  ] as const) {
    if (
      typeof text !== 'string' ||
      text.length < 1 ||
      text.length > MAX_CLAIM_CHARACTERS ||
      /\p{Surrogate}/u.test(text)
    ) {
      throw invalidInput(name, `must be well-formed text of 1 to ${MAX_CLAIM_CHARACTERS} characters`)
    }
  }
  return [scope, id]
}
