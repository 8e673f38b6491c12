import { type Request, type Response, Router } from 'express'
import { type Person, ROLES, type Role } from '../../shared/types.ts'
import { type Blog, by, refuse, who } from '../blog.ts'

/** Highest first in rights: an admin stands above a moderator, who stands above a user. */
const rank = (roles: readonly string[]) => Math.max(...roles.map((role) => ROLES.indexOf(role as Role)), 0)

/** For moderators and admins. What they do acts on sessions that are open, at once. */
export function peopleRoutes({ accounts, auth, feed, repository }: Blog): Router {
  const router = Router()
  const staff = auth.guard({ roles: ['moderator', 'admin'] })

  router.get('/people', staff, async (_request, response) => {
    const names = Object.entries(await repository.people())
    const found = await Promise.all(
      names.map(async ([subject, name]): Promise<Person | undefined> => {
        const account = await accounts.get(subject)
        return account
          ? { subject, name, role: ROLES[rank(account.roles)]!, banned: account.blocked !== null }
          : undefined
      }),
    )
    response.json(found.filter((one) => one !== undefined).sort((a, b) => a.name.localeCompare(b.name)))
  })

  const ban = (banned: boolean) => async (request: Request, response: Response) => {
    const subject = String(request.params.subject)
    const account = await accounts.get(subject)
    if (!account) return refuse(response, 404, 'not_found')
    // Nobody bans their equals, so nobody bans themselves either.
    if (rank(account.roles) >= rank(who(request).roles)) return refuse(response, 403, 'insufficient_scope')
    await (banned ? accounts.ban(subject, { context: by(request) }) : accounts.unban(subject, { context: by(request) }))
    await feed.tell({ kind: 'people' })
    response.status(204).end()
  }
  router.put('/people/:subject/ban', staff, ban(true))
  router.delete('/people/:subject/ban', staff, ban(false))

  router.put('/people/:subject/role', auth.guard({ roles: ['admin'] }), async (request, response) => {
    const subject = String(request.params.subject)
    const role = request.body?.role as Role
    if (!ROLES.includes(role)) return refuse(response, 400, 'invalid_request')
    if (subject === who(request).subject) return refuse(response, 403, 'insufficient_scope')
    const changed = await accounts.setRoles(subject, [role], { context: by(request) })
    if (!changed.ok) return refuse(response, 404, 'not_found')
    // What is lost is lost by now, and open pages have been told. What is gained comes with a refresh.
    await feed.tell({ kind: 'renew', to: subject })
    await feed.tell({ kind: 'people' })
    response.status(204).end()
  })

  return router
}
