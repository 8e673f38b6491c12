import { hmacSha256, toBase64url, u32be } from '../internal/bytes.ts'
import { invalidInput } from '../internal/errors.ts'
import type { SessionId, Subject, SubjectRef } from '../session/ids.ts'
import { type Keyring, keysOf } from './keyring.ts'

/** Bytes of a session id: 9 of the tag, 16 random. */
export const SESSION_ID_BYTES = 25
const TAG_BYTES = 9
const RANDOM_BYTES = 16
/** 25 bytes as base64url: the last character has four unused bits, which are zero in the canonical form. */
const ID = /^[A-Za-z0-9_-]{33}[AQgw]$/

/**
 * Where a subject's sessions are kept: the first 9 bytes of HMAC-SHA-256(placement key, u32be(length) ‖ tenant ‖
 * u32be(length) ‖ subject), in UTF-8, as 12 characters. The lengths keep `ab` + `c` apart from `a` + `bc`.
 *
 * @throws CountersignError `ERR_INPUT_INVALID` when a name is empty, longer than 256 characters or not well-formed.
 */
export function subjectRef(keyring: Keyring, subject: Subject): SubjectRef {
  const { subject: name, tenant } =
    typeof subject === 'object' && subject !== null ? subject : { subject, tenant: undefined }
  checkName(name, 'subject')
  if (tenant !== undefined) checkName(tenant, 'tenant')
  const parts = [tenant ?? '', name].flatMap((part) => {
    const bytes = Buffer.from(part, 'utf8')
    return [u32be(bytes.length), bytes]
  })
  const tag = toBase64url(hmacSha256(keysOf(keyring).placement, ...parts).subarray(0, TAG_BYTES))
  return { tag, subject: name, ...(tenant !== undefined && { tenant }) }
}

function checkName(value: unknown, name: string): void {
  if (typeof value !== 'string' || value.length < 1 || value.length > 256 || !isWellFormed(value)) {
    throw invalidInput(name, 'must be a string of 1 to 256 characters')
  }
}

/** False for text with half a surrogate pair, which UTF-8 cannot say and two names could share. */
function isWellFormed(text: string): boolean {
  return !/[\uD800-\uDBFF](?![\uDC00-\uDFFF])|(?<![\uD800-\uDBFF])[\uDC00-\uDFFF]/.test(text)
}

export function newSessionId(tag: string, random: (bytes: number) => Uint8Array): SessionId {
  return toBase64url(Buffer.concat([Buffer.from(tag, 'base64url'), random(RANDOM_BYTES)])) as SessionId
}

/** The id in `input`, if it has the form of one: 34 characters of canonical base64url. Says nothing about existence. */
export function parseSessionId(input: string): SessionId | undefined {
  return typeof input === 'string' && ID.test(input) ? (input as SessionId) : undefined
}
