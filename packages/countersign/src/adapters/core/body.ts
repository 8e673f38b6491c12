import { wantsDocument } from '../../http/navigation.ts'
import { type ProblemAnswer, problem } from '../../http/problem.ts'
import type { RequestSource } from './source.ts'

/** Longest body that the handlers take, in bytes. */
export const MAX_BODY_BYTES = 65_536

/** The members of a body, JSON or form. */
export type Fields = Readonly<Record<string, unknown>>

type Read = { readonly ok: true; readonly fields: Fields; readonly isForm: boolean } | Unread
interface Unread {
  readonly ok: false
  readonly problem: ProblemAnswer
}

/** Reads a JSON object or a form; an empty body is one without members. */
export async function readFields(source: RequestSource): Promise<Read> {
  const type = one(source.header('content-type')).split(';', 1)[0]!.trim().toLowerCase()
  const isForm = type === 'application/x-www-form-urlencoded'
  const { parsedBody } = source
  if (parsedBody !== undefined && !isText(parsedBody) && !(parsedBody instanceof Uint8Array)) {
    return typeof parsedBody === 'object' ? { ok: true, fields: { ...parsedBody }, isForm } : malformed('an object')
  }
  const given = parsedBody === undefined ? undefined : Buffer.from(parsedBody as string).toString()
  const text = given ?? (await source.readBody(MAX_BODY_BYTES))
  if (text === undefined || text.length > MAX_BODY_BYTES) return tooLarge()
  if (text === '') return { ok: true, fields: {}, isForm }
  if (isForm) {
    const fields = formFields(text)
    return fields ? { ok: true, fields, isForm } : malformed('a form in which each field comes once')
  }
  if (type !== 'application/json') return unsupported()
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return malformed('an object')
    return { ok: true, fields: value as Fields, isForm }
  } catch {
    return malformed('JSON')
  }
}

/** @returns `undefined` when a field comes twice: two readers could choose differently. */
export function formFields(text: string): Fields | undefined {
  const fields = new Map<string, string>()
  for (const [name, value] of new URLSearchParams(text)) {
    if (fields.has(name)) return undefined
    fields.set(name, value)
  }
  return Object.fromEntries(fields)
}

const isText = (value: unknown): value is string => typeof value === 'string'
const one = (header: string | readonly string[] | undefined) => (isText(header) ? header : (header?.join(',') ?? ''))

function malformed(what: string): Unread {
  return { ok: false, problem: problem(400, 'invalid_request', { detail: `the body must be ${what}` }) }
}
function unsupported(): Unread {
  const detail = 'Content-Type must be application/json or application/x-www-form-urlencoded'
  const title = 'The body of the request has another type'
  return { ok: false, problem: problem(415, 'unsupported_media_type', { title, detail }) }
}
function tooLarge(): Unread {
  const [title, detail] = ['The body of the request is too large', `the limit is ${MAX_BODY_BYTES} bytes`]
  return { ok: false, problem: problem(413, 'body_too_large', { title, detail }) }
}

/** A member that has to be text: `undefined` when it is absent. Anything else is no text of anybody's. */
export function textField(fields: Fields, name: string): string | undefined {
  const value = Object.hasOwn(fields, name) ? fields[name] : undefined
  return value === undefined || isText(value) ? value : ''
}

/** Whether a person will read the answer to a form that was sent: a page then, not JSON. */
export function isFormOfPage(source: RequestSource, isForm: boolean): boolean {
  return isForm && wantsDocument(source)
}
