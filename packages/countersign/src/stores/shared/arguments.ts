import { invalidInput } from '../../internal/errors.ts'
import type { SessionId } from '../../session/ids.ts'

/** Whether a text has the shape of an id that Countersign makes. Any other is `unknown` to a store. */
export function isSessionId(id: string): id is SessionId {
  return /^[A-Za-z0-9_-]{34}$/.test(id)
}

/**
 * The tag of an id: its first 12 characters. Everything about one subject is kept under it.
 *
 * @throws CountersignError `ERR_INPUT_INVALID` for an id of another shape: it would lead to places that no step expects.
 */
export function tagOf(id: SessionId): string {
  if (!isSessionId(id)) throw invalidInput('id', 'must be a session id')
  return id.slice(0, 12)
}

/** @throws CountersignError `ERR_INPUT_INVALID` when it is not the tag of a subject. */
export function checkTag(tag: string): string {
  if (!/^[A-Za-z0-9_-]{12}$/.test(tag)) throw invalidInput('tag', 'must be 12 characters of base64url')
  return tag
}

/** A number as scripts and statements read it. Fractions and infinities would be cut or misread there. */
export function int(value: number, name: string): string {
  if (!Number.isSafeInteger(value)) throw invalidInput(name, 'must be a whole number')
  return String(value)
}

/** UTF-8 of a text that survives the way there and back; a lone surrogate would not. */
export function utf8(text: string, name: string): Buffer {
  if (/\p{Surrogate}/u.test(text)) throw invalidInput(name, 'must be well-formed Unicode')
  return Buffer.from(text)
}
