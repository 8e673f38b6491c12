import type { FastifyReply } from 'fastify'

/** The shop's own refusals, in the form that those of Countersign have. */
export function problem(reply: FastifyReply, status: number, code: string): FastifyReply {
  return reply
    .code(status)
    .header('content-type', 'application/problem+json')
    .send(JSON.stringify({ type: 'about:blank', title: code.replaceAll('_', ' '), status, code }))
}
