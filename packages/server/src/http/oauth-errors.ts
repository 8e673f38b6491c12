import { CountersignError } from 'countersign'
import { problemOfFault } from 'countersign/http'
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify'
import { answerError } from './errors.ts'
import { sendProblem } from './problems.ts'

/** Codes of RFC 6749 section 5.2 and RFC 8707 section 2, with the status of each. */
export const OAUTH_ERRORS = {
  invalid_request: 400,
  invalid_client: 401,
  unauthorized_client: 403,
  unsupported_grant_type: 400,
  invalid_scope: 400,
  invalid_target: 400,
} as const
export type OAuthErrorCode = keyof typeof OAUTH_ERRORS

/** Sends an error as RFC 6749 section 5.2 has it. The description names a parameter, never a value. */
export function sendOAuthError(reply: FastifyReply, error: OAuthErrorCode, description?: string): FastifyReply {
  const status = OAUTH_ERRORS[error]
  reply.log.info({ event: 'refused', status, code: error })
  // RFC 9110 section 15.5.2: a 401 always has a challenge.
  if (status === 401) reply.header('www-authenticate', 'Bearer realm="countersign"')
  return reply
    .code(status)
    .type('application/json; charset=utf-8')
    .send(JSON.stringify({ error, ...(description !== undefined && { error_description: description }) }))
}

/** A form that cannot be understood. */
export class MalformedForm extends Error {
  readonly statusCode = 400
}

const utf8 = new TextDecoder('utf-8', { fatal: true })

/**
 * Reads a form. A parameter without a value counts as left out, and none may come twice (RFC 6749 section 3.2): two
 * readers could choose differently.
 */
export function parseForm(bytes: Buffer): Record<string, string> {
  const form: Record<string, string> = {}
  let text: string
  try {
    text = utf8.decode(bytes)
  } catch {
    throw new MalformedForm('the form is not UTF-8')
  }
  const seen = new Set<string>()
  for (const [name, value] of new URLSearchParams(text)) {
    if (seen.has(name)) throw new MalformedForm('a parameter comes twice')
    seen.add(name)
    if (value !== '') Object.defineProperty(form, name, { value, enumerable: true })
  }
  return form
}

/** What was thrown below `/oauth`, in the words of OAuth where it has any. */
export function answerOAuthError(error: FastifyError, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  if (error instanceof MalformedForm) return sendOAuthError(reply, 'invalid_request', error.message)
  if (error.code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE') {
    return sendOAuthError(reply, 'invalid_request', 'Content-Type must be application/x-www-form-urlencoded')
  }
  if (error.validation) {
    const [first] = error.validation
    const missing = first?.params?.missingProperty
    const what = typeof missing === 'string' ? `${missing} is missing` : 'a parameter does not have the right form'
    return sendOAuthError(reply, 'invalid_request', what)
  }
  if (error instanceof CountersignError && problemOfFault(error).status < 500) {
    return sendProblem(reply, problemOfFault(error))
  }
  return answerError(error, request, reply)
}
