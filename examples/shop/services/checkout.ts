// Paying: by the record, asked afresh, and only for who has proved the password a short time ago.
import type { FastifyAuth } from 'countersign/fastify'
import type { FastifyInstance } from 'fastify'
import { tellChange } from '../data/changes.ts'
import type { ShopSessions, Stack } from '../stack.ts'
import { whoIs } from './app.ts'
import { problem } from './problem.ts'

export type Freshness = `${number}${'s' | 'm'}`

export function addCheckout(
  app: FastifyInstance,
  auth: FastifyAuth<ShopSessions>,
  { orders, data, sessions }: Stack,
  maxAge: Freshness,
): void {
  app.post<{ Body: { order: string } }>(
    '/api/checkout',
    { onRequest: auth.guard({ maxAge, fresh: true }), schema: { body: ORDER } },
    async (request, reply) => {
      const { subject, sessionId } = whoIs(request)
      // A strategy that reads the token alone lets a session in that has ended: not here.
      const live = await sessions.get(sessionId)
      if (!live.ok) return problem(reply, 403, 'session_ended')
      const { value, durability, replicas } = await orders.place(subject, request.body.order, Date.now())
      if (value === 'empty') return problem(reply, 409, 'cart_empty')
      await tellChange(data, subject, 'cart')
      return { order: value, durability, replicas }
    },
  )
  app.get('/api/orders', { onRequest: auth.guard() }, async (request) => ({
    orders: await orders.of(whoIs(request).subject),
  }))
}

const ORDER = {
  type: 'object',
  required: ['order'],
  additionalProperties: false,
  properties: { order: { type: 'string', pattern: '^[A-Za-z0-9-]{16,64}$' } },
}
