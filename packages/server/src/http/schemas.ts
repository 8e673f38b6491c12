import type { Server } from 'node:http'
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import type {
  FastifyBaseLogger,
  FastifyInstance,
  RawReplyDefaultExpression,
  RawRequestDefaultExpression,
} from 'fastify'
import { Type } from 'typebox'

/** Fastify with schemas as types. */
export type App = FastifyInstance<
  Server,
  RawRequestDefaultExpression<Server>,
  RawReplyDefaultExpression<Server>,
  FastifyBaseLogger,
  TypeBoxTypeProvider
>

export const closed = { additionalProperties: false } as const

/** No query: a token in a URL is refused even if it is good (ASVS 14.2.1). */
export const NoQuery = Type.Object({}, closed)
export const NoBody = Type.Object({}, closed)

/** Identifier and password as received. How long they may be is for accounts to say, which know what they count. */
export const Identifier = Type.String({ minLength: 1, description: 'what somebody logs in with' })
export const Password = Type.String({ minLength: 1, description: 'as received: never trimmed, cut or normalised' })

/** Documents the answers of a route; every status that is not 2xx is a problem (RFC 9457). */
export const ProblemSchema = Type.Object(
  {
    type: Type.String(),
    title: Type.String(),
    status: Type.Integer(),
    code: Type.String(),
    detail: Type.Optional(Type.String()),
    reason: Type.Optional(Type.String()),
    endedBy: Type.Optional(Type.String()),
    remedy: Type.Optional(Type.String()),
  },
  { description: 'application/problem+json' },
)
export const Nothing = Type.Null({ description: 'no content' })

/** What ending sessions did. 202: nothing yet. The store does not take it; this server refuses them and goes on asking. */
export const EndedSchema = Type.Object(
  {
    ended: Type.Integer(),
    effectiveAt: Type.Union([Type.String({ format: 'date-time' }), Type.Null()], { description: 'null while queued' }),
    durability: Type.String({ description: 'replicated, fsynced, local; queued with 202' }),
    replicas: Type.Optional(Type.Integer({ description: 'how many have it, where there are any' })),
  },
  closed,
)
