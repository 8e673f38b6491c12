// For `opaque`, which has no refresh token: the one token is a cookie that no script sees. The same interface as the client of
// `countersign/browser`, so that the rest of the page does not know the difference.
import type { Exchanged, SessionClient, SessionInfo, SessionState, SignedOutReason } from 'countersign/browser'

interface Problem {
  readonly code: string
  readonly reason?: string
  readonly endedBy?: string
}

const problemIn = async (response: Response): Promise<Problem | undefined> =>
  /problem\+json/.test(response.headers.get('content-type') ?? '') ? response.clone().json() : undefined
const reasonOf = ({ code, reason, endedBy }: Problem): SignedOutReason => endedBy ?? reason ?? code

export function cookieClient() {
  let state: SessionState = { status: 'unknown', unreachable: false }
  const changed = new Set<() => void>()
  const signedOut = new Set<(reason: SignedOutReason) => void>()
  function set(next: SessionState): void {
    state = next
    for (const listener of changed) listener()
    if (next.status === 'signed_out') for (const listener of signedOut) listener(next.reason)
  }
  function subscribe<T>(listeners: Set<T>) {
    return (listener: T) => {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    }
  }

  /** The browser adds the cookie. A refusal of the token is a sign-out; an outage is none. */
  async function authFetch(input: string | URL | Request, init?: RequestInit): Promise<Response> {
    const response = await fetch(input, init)
    const problem = response.status === 401 ? await problemIn(response) : undefined
    if (problem && ['invalid_token', 'unauthenticated'].includes(problem.code) && state.status !== 'signed_out') {
      set({ status: 'signed_out', reason: reasonOf(problem) })
    }
    return response
  }

  async function renew(): Promise<SessionState> {
    const response = await authFetch('/api/me').catch(() => undefined)
    if (response?.ok) {
      const { session } = (await response.json()) as { session: SessionInfo }
      set({ status: 'signed_in', session, unreachable: false })
    } else if (state.status !== 'signed_out') set({ ...state, unreachable: true })
    return state
  }

  const post = (path: string, body: object) =>
    fetch(path, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) })

  async function exchange(path: string, body: object): Promise<Exchanged> {
    const response = await post(path, body)
    if (!response.ok) {
      const problem = await problemIn(response)
      return { ok: false, reason: problem ? reasonOf(problem) : 'failed', status: response.status }
    }
    const { session } = (await response.json()) as { session: SessionInfo }
    set({ status: 'signed_in', session, unreachable: false })
    return { ok: true, session }
  }

  const client: SessionClient = {
    get state() {
      return state
    },
    subscribe: subscribe(changed),
    onSignedOut: subscribe(signedOut),
    start: renew,
    authFetch,
    exchange,
    login: (credentials) => exchange('/auth/login', { ...credentials, delivery: 'cookie' }),
    reauth: (proof) => exchange('/auth/reauth', proof),
    async logout() {
      const { ok } = await post('/auth/logout', {})
      if (ok) set({ status: 'signed_out', reason: 'logout' })
      return ok
    },
    close() {},
  }
  return { client, renew }
}
