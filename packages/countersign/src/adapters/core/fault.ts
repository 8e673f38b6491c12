import { problemOfFault } from '../../http/problem.ts'
import { CountersignError } from '../../internal/errors.ts'
import { type Answer, problemAnswer } from './answer.ts'
import { toResponse } from './fetch.ts'

/**
 * A fault on its way to the error handler of a framework. Carries what those handlers look at, in the words that each of them
 * knows: so an outage is a 503 with `Retry-After` also where nobody has written a handler. `cause` is the fault itself, for the log;
 * the message is what a caller may read.
 */
export class WebFault extends CountersignError {
  /** For Express, Koa and Connect. */
  readonly status: number
  /** For Fastify. */
  readonly statusCode: number
  /** For Express and Koa. */
  readonly headers: Readonly<Record<string, string>>
  readonly expose = false

  constructor(cause: CountersignError) {
    const { status, headers, body } = problemOfFault(cause)
    super(cause.code, body.title, { cause })
    this.status = status
    this.statusCode = status
    const { 'content-type': _, ...rest } = headers
    this.headers = rest
  }

  /** For Hono. */
  getResponse(): Response {
    return toResponse(this.toAnswer())
  }

  /** The whole answer as `application/problem+json`. */
  toAnswer(): Answer {
    return faultAnswer(this.cause)
  }
}

/** The answer to whatever was thrown, as `application/problem+json`: nothing of the error is in it but its code. */
export function faultAnswer(error: unknown): Answer {
  return problemAnswer(problemOfFault(error instanceof WebFault ? error.cause : error))
}

/** Faults of ours as {@link WebFault}; errors of others as they are. */
export function asFault(error: unknown): unknown {
  return error instanceof CountersignError && !(error instanceof WebFault) ? new WebFault(error) : error
}

/** For a promise that was rejected. @throws Always: {@link asFault} of it. */
export function throwFault(error: unknown): never {
  throw asFault(error)
}

/** Rejects with {@link asFault}. */
export const withFaults = <T>(work: Promise<T>): Promise<T> => work.catch(throwFault)
