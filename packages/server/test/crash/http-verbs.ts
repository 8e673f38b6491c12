// A server, as the verbs of a load: clients that keep their tokens themselves.
import { type Answer, type Tokens, Unanswered, type Verbs } from '../../../../tools/test-support/crash/history.ts'
import { bearer, Client, type Answer as HttpAnswer } from '../support.ts'

const identifierOf = (subject: string) => `${subject}@example.com`

export function httpVerbs(url: string): Verbs {
  const client = new Client(url, { origin: '' })
  const atOrigin = new Client(url)

  /** The answer, or {@link Unanswered} where the server went away or could not ask its store. */
  const ask = async <T>(
    call: Promise<HttpAnswer>,
    read: (answer: HttpAnswer) => T,
  ): Promise<Answer<T & { readonly durability?: string }>> => {
    const answer = await call.catch((error) => {
      throw new Unanswered('no answer', { cause: error })
    })
    const { status, body } = answer
    if (status === 503) throw new Unanswered(body.code)
    // Queued: asked for, and not done.
    if (status === 202) throw new Unanswered('queued')
    if (status >= 400) return { ok: false, reason: body.reason ?? `${status} ${body.code}` }
    return { ok: true, ...read(answer) }
  }
  const tokensIn = ({ body }: HttpAnswer): { tokens: Tokens } => ({
    tokens: { id: body.session.id, access: body.accessToken, refresh: body.refreshToken },
  })

  return {
    async prepare(subject) {
      const { status, text } = await atOrigin.register(identifierOf(subject))
      if (status !== 201) throw new Error(`${status} instead of 201: ${text}`)
    },
    login: (subject) => ask(client.login(identifierOf(subject), { delivery: 'bearer' }), tokensIn),
    refresh: (refreshToken) => ask(client.post('/auth/refresh', { refreshToken }), tokensIn),
    revoke: ({ access }) => ask(client.post('/auth/logout', {}, bearer(access)), () => ({})),
    revokeAll: (_subject, { access }) =>
      ask(client.post('/auth/sessions/revoke-all', {}, bearer(access)), ({ body }) => ({
        durability: body.durability,
      })),
    look: ({ access }) => ask(client.get('/auth/session', bearer(access)), () => ({})),
    async list(_subject, { access }) {
      const { status, text, body } = await client.get('/auth/sessions?limit=1000', bearer(access))
      if (status !== 200) throw new Error(`${status} instead of 200: ${text}`)
      return (body.items as { id: string }[]).map(({ id }) => id)
    },
  }
}
