// What must and must not compile of the browser part. Compiled by tools/test-types.ts, never run.
import { createSessionClient, type Exchanged, type SessionClient, type SessionState } from 'countersign/browser'
import { SessionProvider, useSession } from 'countersign/browser/react'
import { createElement } from 'react'

const client: SessionClient = createSessionClient({
  paths: { refresh: '/session/refresh' },
  origins: ['https://api.example.com'],
  onStepUp: async (problem) => problem.code === 'insufficient_user_authentication',
})
client.onSignedOut((reason) => reason === 'cookies_blocked')

export function subjectOf(state: SessionState): string | undefined {
  if (state.status === 'signed_in') return state.session.subject
  // @ts-expect-error nobody is signed in
  state.session
  if (state.status === 'signed_out') return state.reason
  return state.unreachable ? 'try later' : undefined
}

export async function use(): Promise<Exchanged> {
  const response: Response = await client.authFetch('/things', { method: 'POST', body: 'x' })
  // @ts-expect-error the token is nobody's to see
  client.token
  // @ts-expect-error read only
  client.state = response
  // @ts-expect-error no such path
  createSessionClient({ paths: { sign_in: '/x' } })
  // @ts-expect-error a duration of its own is in milliseconds
  createSessionClient({ timeoutMs: '9s' })
  const ended: boolean = await client.logout()
  const done = await client.login({ identifier: 'a', password: 'b', persistent: ended })
  // @ts-expect-error it may have been refused
  done.session
  return done.ok ? client.reauth({ password: 'b' }) : done
}

export function Page() {
  const session = useSession()
  // @ts-expect-error the state has to be looked at first
  session.session
  if (session.status !== 'signed_in') return null
  const { subject } = session.session
  return createElement('button', { type: 'button', onClick: () => void session.authFetch('/things') }, subject)
}
export const app = createElement(SessionProvider, { client, fallback: 'Wait' }, createElement(Page))
// @ts-expect-error it needs a client
export const without = createElement(SessionProvider, {})
