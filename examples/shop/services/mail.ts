// Password reset by a link. In place of a mail server there is a page that shows what would have been sent: for a demo on
// one's own machine, because whoever reads it can set any password.
import type { FastifyInstance } from 'fastify'
import type { Stack } from '../stack.ts'
import { problem } from './problem.ts'

export interface Mail {
  readonly to: string
  readonly at: string
  readonly link: string
}

export function addMail(app: FastifyInstance, { accounts, oneTime }: Stack, origin: string): void {
  const mailbox: Mail[] = []
  oneTime.events.on('one_time_requested', async ({ id, subject, at }) => {
    const account = await accounts.get(subject!)
    // Behind `#`: browsers send that to no server and in no Referer.
    const link = `${origin}/#/reset?token=${oneTime.tokenFor(id)}`
    if (account) mailbox.unshift({ to: account.identifier, at, link })
    mailbox.length = Math.min(mailbox.length, 20)
  })

  app.get('/api/mailbox', async (_request, reply) => {
    reply.header('cache-control', 'no-store')
    return { mails: mailbox }
  })
  app.post<{ Body: { identifier: string } }>(
    '/api/password/forgot',
    { schema: { body: bodyOf('identifier') } },
    async (request, reply) => {
      const context = request.auth.context()
      // Answered before it is done, and alike for everybody: nobody learns who has an account.
      void accounts.requestPasswordReset({ identifier: request.body.identifier, context }).catch(() => undefined)
      return reply.code(202).send({})
    },
  )
  app.post<{ Body: { token: string; next: string } }>(
    '/api/password/reset',
    { schema: { body: bodyOf('token', 'next') } },
    async (request, reply) => {
      const { token, next } = request.body
      const reset = await accounts.resetPassword({ token, next, context: request.auth.context() })
      if (!reset.ok) return problem(reply, 400, reset.reason)
      const { ended, durability } = reset.ended
      return { ended, durability }
    },
  )
}

const bodyOf = (...names: string[]) => ({
  type: 'object',
  required: names,
  additionalProperties: false,
  properties: Object.fromEntries(names.map((name) => [name, { type: 'string', maxLength: 1_024 }])),
})
