import type { Challenge, ProblemAnswer } from '../../http/problem.ts'
import { problemOf } from '../../http/problem.ts'
import type { HttpRefused } from '../../http/refusals.ts'
import { ANSWER_HEADERS } from '../../http/security-headers.ts'

/** A complete answer, for an adapter to write. */
export interface Answer {
  readonly status: number
  /** Lower-case names. Never `set-cookie`. */
  readonly headers: Readonly<Record<string, string>>
  /** `Set-Cookie` lines, each a field of its own. */
  readonly cookies: readonly string[]
  /** Empty where there is none. */
  readonly body: string
}

const JSON_TYPE = 'application/json; charset=utf-8'

export function jsonAnswer(body: object, cookies: readonly string[] = [], status = 200): Answer {
  return { status, headers: { ...ANSWER_HEADERS, 'content-type': JSON_TYPE }, cookies, body: JSON.stringify(body) }
}

export function emptyAnswer(status: number, cookies: readonly string[] = [], headers: Answer['headers'] = {}): Answer {
  return { status, headers: { ...ANSWER_HEADERS, ...headers }, cookies, body: '' }
}

/** See Other: whatever the method was, the browser goes there by GET. */
export function redirectAnswer(location: string, cookies: readonly string[] = []): Answer {
  return emptyAnswer(303, cookies, { location })
}

export function problemAnswer({ status, headers, body }: ProblemAnswer, cookies: readonly string[] = []): Answer {
  return { status, headers: { ...ANSWER_HEADERS, ...headers }, cookies, body: JSON.stringify(body) }
}

export function refusalAnswer(refused: HttpRefused, challenge: Challenge, cookies: readonly string[] = []): Answer {
  return problemAnswer(problemOf(refused, challenge), cookies)
}

/** The answer with more fields. */
export function withHeaders(answer: Answer, headers: Answer['headers']): Answer {
  return { ...answer, headers: { ...answer.headers, ...headers } }
}
