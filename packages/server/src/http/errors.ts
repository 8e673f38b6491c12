import { STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import { CountersignError } from 'countersign'
import { type ProblemAnswer, problem, problemOfFault } from 'countersign/http'
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify'
import { type OwnCode, ownProblem, sendProblem } from './problems.ts'

/** The last resort: whatever was thrown becomes one problem, and nothing of it but that reaches the caller. */
export function answerError(error: FastifyError, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const answer = problemOfError(error)
  if (answer.status >= 500) {
    reply.log.error({ event: 'fault', status: answer.status, route: request.routeOptions?.url, err: error })
  }
  return sendProblem(reply, answer)
}

const BY_FASTIFY_CODE: Readonly<Record<string, OwnCode>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: 'body_too_large',
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'unsupported_media_type',
  FST_ERR_MAX_PARAM_LENGTH: 'not_found',
  FST_ERR_NOT_FOUND: 'not_found',
}

function problemOfError(error: FastifyError): ProblemAnswer {
  if (error instanceof CountersignError) return problemOfFault(error)
  const own = BY_FASTIFY_CODE[error.code]
  if (own) return ownProblem(own)
  if (error.validation) return problem(400, 'invalid_request', { detail: describeValidation(error) })
  if (error instanceof MalformedBody) return problem(400, 'invalid_request', { detail: error.message })
  const { statusCode = 500 } = error
  return statusCode >= 400 && statusCode < 500 ? problem(400, 'invalid_request') : problemOfFault(error)
}

/** Where and what, in the words of the schema. Values are never repeated, and of names only those that look like names. */
function describeValidation(error: FastifyError): string {
  const [first] = error.validation!
  const at = `${error.validationContext ?? 'request'}${first?.instancePath ?? ''}`.replaceAll('/', '.')
  const extra = first?.params?.additionalProperty
  if (typeof extra !== 'string') return `${at} ${first?.message ?? 'is not valid'}`
  return /^\w{1,64}$/.test(extra) ? `${at} has no member "${extra}"` : `${at} has a member that does not exist`
}

/** The body is not JSON. */
export class MalformedBody extends Error {
  readonly statusCode = 400
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Reads a JSON body. An empty one is no body, whatever Content-Type says: many clients send it with every POST. */
export function parseJson(bytes: Buffer): unknown {
  if (bytes.length === 0) return undefined
  let text: string
  try {
    text = utf8.decode(bytes)
  } catch {
    throw new MalformedBody('the body is not UTF-8')
  }
  try {
    return JSON.parse(text)
  } catch {
    // Without the cause: it quotes the body.
    throw new MalformedBody('the body is not JSON')
  }
}

/** Answers what never became a request: a head that is too large, too late or not HTTP. */
export function answerClientError(
  error: NodeJS.ErrnoException,
  socket: Socket,
  headers: Readonly<Record<string, string>>,
): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy()
    return
  }
  const answer =
    error.code === 'HPE_HEADER_OVERFLOW'
      ? ownProblem('headers_too_large')
      : error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
        ? ownProblem('request_timeout')
        : problem(400, 'invalid_request')
  const body = JSON.stringify(answer.body)
  const all = { ...headers, ...answer.headers, 'content-length': String(Buffer.byteLength(body)), connection: 'close' }
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`)
  socket.end(`HTTP/1.1 ${answer.status} ${STATUS_CODES[answer.status]}\r\n${lines.join('')}\r\n${body}`)
}
