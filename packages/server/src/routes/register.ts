import { Type } from 'typebox'
import { contextOf } from '../http/facts.ts'
import type { Kit } from '../http/kit.ts'
import { accountProblem, sendProblem } from '../http/problems.ts'
import { type App, closed, Identifier, NoQuery, Password, ProblemSchema } from '../http/schemas.ts'
import { AccountSchema } from '../http/view-schemas.ts'
import { accountView } from '../http/views.ts'

/** `POST /auth/register`: adds an account. Opens no session: that is what a login is for (ASVS 7.6.2). */
export function register(app: App, kit: Kit): void {
  const Body = Type.Object({ identifier: Identifier, password: Password }, closed)
  const schema = {
    summary: 'Add an account',
    body: Body,
    querystring: NoQuery,
    response: { 201: Type.Object({ account: AccountSchema }, closed), '4xx': ProblemSchema, '5xx': ProblemSchema },
  }
  // There is no delivery in this body, so a request that says nothing of its origin is refused.
  app.post('/auth/register', { schema, config: { bearerBy: 'delivery' } }, async (request, reply) => {
    const { identifier, password } = request.body
    const done = await kit.accounts.register({ identifier, password, context: contextOf(request) })
    if (!done.ok) return sendProblem(reply, accountProblem(done))
    return reply.code(201).send({ account: accountView(done.account) })
  })
}
