import { fromBase64url, sha256, toBase64url } from '../internal/bytes.ts'
import { CountersignError } from '../internal/errors.ts'
import { isKnownFormat, unknownFormat } from '../internal/format.ts'

/** What the store keeps with the hash of a secret: JSON text, the format version and the value in one list. */
export interface Stored {
  /** base64url of SHA-256(id ‖ state). */
  readonly bound: string
  readonly subject: string
  readonly tenant?: string
  readonly data?: string
  readonly untilMs: number
}

const FORMAT = 1

export function encodeStored(stored: Stored): Uint8Array {
  return Buffer.from(JSON.stringify([FORMAT, stored]))
}

/** @throws CountersignError `ERR_STORE_CORRUPT` when it is nothing that can be read; `ERR_FORMAT_UNKNOWN`. */
export function decodeStored(bytes: Uint8Array): Stored {
  let parsed: unknown
  try {
    parsed = JSON.parse(Buffer.from(bytes).toString())
  } catch {
    throw corrupt()
  }
  const [format, value] = Array.isArray(parsed) ? (parsed as unknown[]) : []
  if (typeof format === 'number' && !isKnownFormat(format, FORMAT))
    throw unknownFormat('a one-time token in the store', format, FORMAT)
  if (typeof format !== 'number' || typeof value !== 'object' || value === null) throw corrupt()
  const { bound, subject, tenant = '', data = '', untilMs } = value as Partial<Record<keyof Stored, unknown>>
  const texts = [bound, subject, tenant, data]
  if (!texts.every((text) => typeof text === 'string') || typeof untilMs !== 'number') throw corrupt()
  if (fromBase64url(bound as string) === undefined) throw corrupt()
  return value as Stored
}

/** The state that a token is bound to, as it is kept. Salted, so that equal states do not look equal in a dump. */
export function boundOf(id: Uint8Array, state: string): string {
  return toBase64url(sha256(Buffer.concat([id, Buffer.from(state, 'utf8')])))
}

function corrupt(): CountersignError {
  return new CountersignError('ERR_STORE_CORRUPT', 'a one-time token in the store cannot be read')
}
