// The session where there is one opaque token in a cookie and nothing to renew. Behaves as the client of
// `countersign/browser`, so that the rest of the page does not see a difference.
import type { Exchanged, SessionClient, SessionInfo, SessionState, SignedOutReason } from 'countersign/browser'

export function createCookieClient(options: { onStepUp(): Promise<boolean> }): SessionClient {
  const changed = new Set<() => void>()
  const signedOut = new Set<(reason: SignedOutReason) => void>()
  let state: SessionState = { status: 'unknown', unreachable: false }
  const set = (next: SessionState) => {
    state = next
    for (const listener of changed) listener()
    if (next.status === 'signed_out') for (const listener of signedOut) listener(next.reason)
  }
  const post = (path: string, body: object = {}) =>
    fetch(path, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) })
  const problemIn = async (response: Response) =>
    (await response
      .clone()
      .json()
      .catch(() => ({}))) as { code?: string; reason?: string; endedBy?: string; remedy?: string }

  async function look(): Promise<SessionState> {
    const response = await fetch('/api/me').catch(() => undefined)
    if (response?.ok) set({ status: 'signed_in', session: (await response.json()) as SessionInfo, unreachable: false })
    else if (response?.status === 401) {
      const { endedBy, reason, code } = await problemIn(response)
      set({ status: 'signed_out', reason: endedBy ?? reason ?? code ?? 'missing' })
    } else if (state.status !== 'signed_out') set({ ...state, unreachable: true })
    return state
  }
  async function authFetch(input: string | URL | Request, init?: RequestInit): Promise<Response> {
    const response = await fetch(input, init)
    if (response.status !== 401) return response
    const { remedy, code } = await problemIn(response)
    if (remedy === 'step_up' && (await options.onStepUp())) return fetch(input, init)
    if (remedy === 'sign_in' && code === 'invalid_token') await look()
    return response
  }
  async function exchange(path: string, body: object): Promise<Exchanged> {
    const response = await post(path, body)
    if (response.ok) {
      const { durability } = (await response.json()) as { durability?: string }
      const now = await look()
      if (now.status === 'signed_in') return { ok: true, session: now.session, ...(durability && { durability }) }
      return { ok: false, reason: 'cookies_blocked', status: 0 }
    }
    const { reason, code } = await problemIn(response)
    return { ok: false, reason: reason ?? code ?? 'failed', status: response.status }
  }
  return {
    get state() {
      return state
    },
    subscribe: (listener) => {
      changed.add(listener)
      return () => void changed.delete(listener)
    },
    onSignedOut: (listener) => {
      signedOut.add(listener)
      return () => void signedOut.delete(listener)
    },
    start: look,
    authFetch,
    login: (credentials) => exchange('/auth/login', { ...credentials, delivery: 'cookie' }),
    reauth: (proof) => exchange('/auth/reauth', proof),
    exchange,
    async logout() {
      const { ok, status } = await post('/auth/logout')
      const isDone = ok || status === 400 || status === 401
      if (isDone) set({ status: 'signed_out', reason: 'logout' })
      return isDone
    },
    close() {},
  }
}
