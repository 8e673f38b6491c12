import type { Context } from 'countersign'
import type { RequestFacts } from 'countersign/http'
import type { FastifyRequest } from 'fastify'

/** What `countersign/http` needs to know of a request, including header fields that came twice. */
export function factsOf(request: FastifyRequest): RequestFacts {
  return {
    method: request.method,
    // Not `headers`: Node keeps only the first of several Authorization fields there.
    header: (name) => request.raw.headersDistinct[name],
  }
}

/** What sessions and their events keep of a request. */
export function contextOf(request: FastifyRequest): Context {
  const userAgent = request.headers['user-agent']
  return { ip: request.ip, requestId: request.id, ...(userAgent !== undefined && { userAgent }) }
}
