// The cart service: for guests and for customers, whose tokens must have its audience. It checks them by public keys alone.
import { randomBytes } from 'node:crypto'
import type { FastifyReply, FastifyRequest, onRequestHookHandler } from 'fastify'
import { isArticle } from '../catalogue.ts'
import { createCarts } from '../data/carts.ts'
import { tellChange } from '../data/changes.ts'
import type { ShopCluster } from '../data/cluster.ts'
import { mergeGuest } from '../data/merge.ts'
import { createApp, whoIs } from './app.ts'
import { problem } from './problem.ts'
import type { Checking } from './verifier.ts'

export interface CartOptions {
  readonly checking: Checking
  readonly data: ShopCluster
  /** Of the page. */
  readonly origin: string
  readonly audience: string
}

const GUEST_COOKIE = '__Host-guest'
const GUEST = /(?:^|;\s*)__Host-guest=([A-Za-z0-9_-]{22})(?:;|$)/
const ATTRIBUTES = 'Path=/; Secure; HttpOnly; SameSite=Strict'

export async function createCartService({ checking, data, origin, audience }: CartOptions) {
  const { app, auth } = await createApp({ sessions: checking.verifier, origins: [origin] })
  const carts = createCarts(data)
  const known = auth.guard({ audience })
  // Who shows something is checked, and refused when it is wrong: never taken for a guest.
  const anybody: onRequestHookHandler = function (request, reply, done) {
    const shows = request.headers.authorization ?? /(?:^|;\s*)__Host-access=/.exec(request.headers.cookie ?? '')
    if (shows) known.call(this, request, reply, done)
    else done()
  }

  /** Whose cart it is. What a customer had as a guest is moved first: at the login, or now if something broke off then. */
  async function ownerOf(request: FastifyRequest, reply: FastifyReply, makesGuest = false) {
    const guest = GUEST.exec(request.headers.cookie ?? '')?.[1]
    const subject = whoIs(request)?.subject
    if (subject !== undefined) {
      const merged = guest === undefined ? 0 : await mergeGuest(data, `guest:${guest}`, subject)
      // Only after the third step: until then the cookie is how it is found again.
      if (guest !== undefined) reply.header('set-cookie', `${GUEST_COOKIE}=; Max-Age=0; ${ATTRIBUTES}`)
      if (merged > 0) await tellChange(data, subject, 'cart')
      return { owner: subject, isGuest: false, merged }
    }
    if (guest !== undefined) return { owner: `guest:${guest}`, isGuest: true, merged: 0 }
    if (!makesGuest) return { owner: undefined, isGuest: true, merged: 0 }
    const secret = randomBytes(16).toString('base64url')
    reply.header('set-cookie', `${GUEST_COOKIE}=${secret}; Max-Age=2592000; ${ATTRIBUTES}`)
    return { owner: `guest:${secret}`, isGuest: true, merged: 0 }
  }

  app.get('/cart', { onRequest: anybody }, async (request, reply) => {
    const { owner, isGuest, merged } = await ownerOf(request, reply)
    reply.header('cache-control', 'no-store')
    return { guest: isGuest, merged, items: owner === undefined ? {} : await carts.read(owner) }
  })

  app.post<{ Body: { article: string; change: number; operation: string } }>(
    '/cart/items',
    { onRequest: anybody, schema: { body: CHANGE } },
    async (request, reply) => {
      const { article, change, operation } = request.body
      if (!isArticle(article)) return problem(reply, 404, 'no_such_article')
      const { owner, isGuest } = await ownerOf(request, reply, true)
      const { value, durability, replicas } = await carts.change(owner!, article, change, operation)
      // Another tab has logged in. Nothing was changed, and this tab is about to hear of it.
      if (value === 'moved') return problem(reply, 409, 'cart_moved')
      if (!isGuest) await tellChange(data, owner!, 'cart')
      return { guest: isGuest, durability, replicas, items: await carts.read(owner!) }
    },
  )
  app.addHook('onClose', () => checking.close())
  return app
}

const CHANGE = {
  type: 'object',
  required: ['article', 'change', 'operation'],
  additionalProperties: false,
  properties: {
    article: { type: 'string', maxLength: 32 },
    change: { type: 'integer', minimum: -99, maximum: 99 },
    operation: { type: 'string', pattern: '^[A-Za-z0-9-]{16,64}$' },
  },
}
