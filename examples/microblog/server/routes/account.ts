import { Router } from 'express'
import { type Me, NAME } from '../../shared/types.ts'
import { type Blog, by, refuse, who } from '../blog.ts'

/** Registering, who one is, and logging out on every device. Login, refresh and logout themselves are the adapter's. */
export function accountRoutes({ accounts, auth, repository, sessions }: Blog): Router {
  const router = Router()

  router.post('/register', async (request, response) => {
    const { name, password } = request.body ?? {}
    if (typeof name !== 'string' || !NAME.test(name)) return refuse(response, 400, 'identifier_invalid')
    if (typeof password !== 'string') return refuse(response, 400, 'password_refused')
    const registered = await accounts.register({
      identifier: name,
      password,
      roles: ['user'],
      context: request.auth.context(),
    })
    if (!registered.ok) return refuse(response, 409, registered.reason)
    await repository.addPerson(registered.account.subject, name)
    response.status(201).json({ name })
  })

  router.get('/me', auth.guard(), (request, response) => {
    const { sessionId, subject, roles, expiresAtMs } = who(request)
    const me: Me = {
      session: { id: sessionId, subject, roles, expiresAt: new Date(expiresAtMs).toISOString() },
    }
    response.json(me)
  })

  router.post('/logout-everywhere', auth.guard(), async (request, response) => {
    await sessions.revokeAll(who(request).subject, { reason: 'logout_everywhere', context: by(request) })
    response.status(204).end()
  })

  return router
}
