// Fastify 5: npx tsx examples/adapters/fastify.ts
// A page that only people who are logged in see, a form to log in and one to log out, and an API for admins.
import { countersign, passwordLogin } from 'countersign/fastify'
import Fastify from 'fastify'
import { accounts, homePage, listening, loginPage, origins, port, sessions } from './setup.ts'

declare module 'countersign/fastify' {
  // From here on `request.auth.session` has the types of these sessions.
  interface Register {
    sessions: typeof sessions
  }
}

const auth = countersign({ sessions, origins, loginPage: '/login', ...passwordLogin(accounts) })
const app = Fastify()

app.setErrorHandler(auth.errors)
await app.register(auth)
app.get('/login', async (request, reply) =>
  reply.type('text/html').send(loginPage(new URL(request.originalUrl, origins[0]).searchParams)),
)
app.get('/', { onRequest: auth.guard() }, async (request, reply) =>
  reply.type('text/html').send(homePage(request.auth.session?.subject ?? '')),
)
app.get('/api/admin', { onRequest: auth.guard({ roles: ['admin'] }) }, async (request) => ({
  admin: request.auth.session?.subject,
}))

await app.listen({ port })
listening()
