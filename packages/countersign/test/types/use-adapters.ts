// How the adapters are meant to be used in each framework, and what must not compile.
import { allowlist, createSessions, createVerifier, type Keyring, stateless } from 'countersign'
import { type Accounts, createAccounts } from 'countersign/accounts'
import { countersign as onExpress, passwordLogin } from 'countersign/express'
import { countersign as onFastify } from 'countersign/fastify'
import { countersign as onFetch } from 'countersign/fetch'
import { type AuthEnv, countersign as onHono } from 'countersign/hono'
import { countersign as onNode } from 'countersign/node-http'
import type { Store } from 'countersign/stores/contract'
import express from 'express'
import Fastify from 'fastify'
import { Hono } from 'hono'
import { z } from 'zod'

declare const keyring: Keyring
declare const store: Store
const sessions = createSessions({
  strategy: allowlist({ issuer: 'https://a', audience: 'b' }),
  keyring,
  store,
  timeouts: { absolute: '7d' },
  data: z.object({ cart: z.array(z.string()) }),
  roles: ['user', 'admin'],
})
declare module 'countersign/express' {
  interface Register {
    sessions: typeof sessions
  }
}
declare module 'countersign/fastify' {
  interface Register {
    sessions: typeof sessions
  }
}
const origins = ['https://a']
const authenticate = async () => ({ ok: true as const, subject: 'u', roles: ['user' as const], data: { cart: [] } })

const e = onExpress({ sessions, origins, authenticate })
const app = express()
app.use(e)
app.get('/', e.guard({ roles: ['user'], maxAge: '10m', acr: 'aal2', fresh: true }), (request, response) => {
  const { session } = request.auth
  const role: 'user' | 'admin' | undefined = session?.roles[0]
  response.json([role, session?.data.cart[0]?.length, request.auth.degraded?.subject])
  // @ts-expect-error frozen
  session?.data.cart.push('x')
  // @ts-expect-error nobody knows the roles of whom the store could not be asked about
  request.auth.degraded?.roles
})
app.use(e.errors)
// @ts-expect-error no such role
e.guard({ roles: ['root'] })
// @ts-expect-error a number has no unit
e.guard({ maxAge: 600 })
// @ts-expect-error origins are what everything else rests on
onExpress({ sessions })
// @ts-expect-error the data of a session is part of its login
onExpress({ sessions, origins, authenticate: async () => ({ ok: true as const, subject: 'u' }) })
app.post('/in', (request, response) => e.signIn(request, response, { subject: 'u', data: { cart: [] } }, '/'))
// @ts-expect-error the adapter knows the context
app.post('/in', (request, response) => e.signIn(request, response, { subject: 'u', data: { cart: [] }, context: {} }))

const f = onFastify({ sessions, origins, authenticate })
const fastify = Fastify()
await fastify.register(f)
fastify.setErrorHandler(f.errors)
fastify.get('/', { onRequest: [f.guard(), fastify.guard({ roles: ['admin'] })] }, async (request) => {
  return request.auth.session?.data.cart
})
// @ts-expect-error no such role
fastify.guard({ roles: ['root'] })

const h = onHono({ sessions, origins, authenticate })
const hono = new Hono<AuthEnv<typeof sessions>>()
hono.use(h)
hono.get('/', h.guard({ roles: ['user'] }), (c) => c.json(c.var.auth.session?.data.cart))
// @ts-expect-error no such role
h.guard({ roles: ['root'] })

const w = onFetch({ sessions, origins, authenticate })
export const { GET, POST } = w.routes
w.guard({ roles: ['user'] }, (request, { session }, more: { id: string }) => {
  return Response.json([request.url, session.data.cart, more.id])
})

const n = onNode({ sessions, origins, authenticate })
type Entered = Awaited<ReturnType<typeof n.enter>>
declare const entered: Entered
entered?.data.cart

// Passwords, where the sessions have no data.
const plain = createSessions({
  strategy: allowlist({ issuer: 'https://a', audience: 'b' }),
  keyring,
  store,
  timeouts: { absolute: '7d' },
  roles: ['user', 'admin'],
})
const accounts: Accounts<'user' | 'admin'> = createAccounts({
  store,
  keyring,
  sessions: plain,
  roles: ['user', 'admin'],
})
onNode({ sessions: plain, origins, ...passwordLogin(accounts) })

// A service that only checks has guards, and nobody logs in there.
const checks = onNode({ sessions: createVerifier({ issuer: 'i', audience: 'a', keys: keyring }), origins })
checks.guard({ roles: ['any'] })
const tokens = onNode({
  sessions: createSessions({
    strategy: stateless({ issuer: 'https://a', audience: 'b', refresh: false }),
    keyring,
    timeouts: { absolute: '7d' },
  }),
  origins,
})
tokens.guard()
