// The codes that are the server's own, beside those of `countersign/http` (`answers.ts` there).
import type { AccountRefusalReason, AccountRefused } from 'countersign/accounts'
import { expireEveryCookie, type ProblemAnswer, problem } from 'countersign/http'
import type { FastifyReply } from 'fastify'

/** Largest body of a request, in bytes. */
export const MAX_BODY_BYTES = 16_384
/** Largest head of a request, request line and all fields together, in bytes. */
export const MAX_HEADER_BYTES = 16_384

/** How long a password may be; `createAccounts` gets the same object. */
export const PASSWORD_LIMITS = { minLength: 15, maxBytes: 1_024 } as const

interface OwnAnswer {
  readonly status: number
  readonly title: string
  readonly detail?: string
}

export const OWN_ANSWERS = {
  proxy_not_listed: { status: 403, title: 'Only a listed proxy may ask this' },
  not_found: { status: 404, title: 'There is nothing here' },
  method_not_allowed: { status: 405, title: 'This cannot be done with it' },
  request_timeout: { status: 408, title: 'The request took too long to arrive' },
  body_too_large: {
    status: 413,
    title: 'The body of the request is too large',
    detail: `the limit is ${MAX_BODY_BYTES} bytes`,
  },
  unsupported_media_type: {
    status: 415,
    title: 'The body of the request is not JSON',
    detail: 'Content-Type must be application/json',
  },
  headers_too_large: {
    status: 431,
    title: 'The headers of the request are too large',
    detail: `the limit is ${MAX_HEADER_BYTES} bytes`,
  },
} as const satisfies Record<string, OwnAnswer>

export type OwnCode = keyof typeof OWN_ANSWERS

/** Refusals of accounts. Their code is the reason. */
export const ACCOUNT_ANSWERS: Readonly<Record<AccountRefusalReason, OwnAnswer>> = {
  // Not `invalid_token`: there is no token, and no challenge that a browser could answer.
  bad_credentials: { status: 401, title: 'Identifier and password do not match' },
  blocked: { status: 403, title: 'This account is blocked' },
  identifier_taken: { status: 409, title: 'Somebody has this identifier already' },
  identifier_invalid: {
    status: 422,
    title: 'This cannot be an identifier',
    detail: 'it needs 1 to 254 characters, all of them visible',
  },
  password_too_short: {
    status: 422,
    title: 'The password is too short',
    detail: `it needs at least ${PASSWORD_LIMITS.minLength} characters`,
  },
  password_too_long: {
    status: 422,
    title: 'The password is too long',
    detail: `the limit is ${PASSWORD_LIMITS.maxBytes} bytes`,
  },
  password_refused: { status: 422, title: 'The password is too easy to guess' },
  unknown_account: { status: 404, title: 'There is no such account' },
  link_invalid: { status: 422, title: 'This link is not good any more: ask for a new one' },
  not_an_address: { status: 422, title: 'Nothing can be sent to this identifier' },
}

export function ownProblem(code: OwnCode, headers?: Readonly<Record<string, string>>): ProblemAnswer {
  const { status, ...more } = OWN_ANSWERS[code] as OwnAnswer
  return problem(status, code, more, headers)
}

export function accountProblem(refused: AccountRefused): ProblemAnswer {
  const { status, ...more } = ACCOUNT_ANSWERS[refused.reason]
  const remedy = refused.reason === 'bad_credentials' ? 'sign_in' : 'none'
  // RFC 9110 section 15.5.2: a 401 always has a challenge.
  const headers: Record<string, string> = status === 401 ? { 'www-authenticate': 'Bearer realm="countersign"' } : {}
  return problem(status, refused.reason, { ...more, reason: refused.reason, remedy }, headers)
}

/** Sends a problem and logs that it was sent (ASVS 16.3.2): the code and the reason, nothing of the request. */
export function sendProblem(reply: FastifyReply, answer: ProblemAnswer): FastifyReply {
  // Nobody knows which of them is ours: both go, and the next login is good again.
  if (answer.body.reason === 'duplicate_cookie' && !reply.hasHeader('set-cookie'))
    reply.header('set-cookie', expireEveryCookie())
  return sendWithoutCookies(reply, answer)
}

/** The same to a proxy, which would not know what to do with a cookie. */
export function sendWithoutCookies(reply: FastifyReply, answer: ProblemAnswer): FastifyReply {
  const { status, headers, body } = answer
  const { code, reason, endedBy } = body
  if (status < 500) reply.log.info({ event: 'refused', status, code, reason, endedBy })
  // As text: a response schema would leave out members that it does not know.
  return reply.code(status).headers(headers).send(JSON.stringify(body))
}
