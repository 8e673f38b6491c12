// The session under `opaque`: one token, in a cookie that no script sees, and nothing to renew. The same interface as the client of
// `countersign/browser`, so that the rest of a page does not know the difference.
import type { Exchanged, SessionClient, SessionInfo, SessionState, SignedOutReason } from 'countersign/browser'
import type { Problem } from 'countersign/http'

export interface CookieClientOptions {
  /** As of the client of `countersign/browser`. Default: the caller gets the 401. */
  onStepUp?(): Promise<boolean>
}

/** What our server said; undefined for what a gateway in between did. */
const problemIn = async (response: Response): Promise<Problem | undefined> =>
  /problem\+json/.test(response.headers.get('content-type') ?? '') ? response.clone().json() : undefined
const reasonOf = ({ code, reason, endedBy }: Problem): SignedOutReason => endedBy ?? reason ?? code
const post = (path: string, body: object) =>
  fetch(path, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) })

/** `GET /api/me` answers with `{ session }`, or why there is none. */
export function createCookieClient({ onStepUp }: CookieClientOptions = {}): SessionClient {
  const changed = new Set<() => void>()
  const signedOut = new Set<(reason: SignedOutReason) => void>()
  let state: SessionState = { status: 'unknown', unreachable: false }
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

  /** What the server says now; undefined when it says nothing. */
  async function asked(): Promise<SessionState | undefined> {
    const response = await fetch('/api/me').catch(() => undefined)
    if (response?.ok) {
      const { session } = (await response.json()) as { session: SessionInfo }
      return { status: 'signed_in', session, unreachable: false }
    }
    const problem = response?.status === 401 ? await problemIn(response) : undefined
    return problem && { status: 'signed_out', reason: reasonOf(problem) }
  }
  async function look(): Promise<SessionState> {
    const before = state
    const next = await asked()
    // What was asked before a login or a logout brings nothing back.
    if (state !== before) return state
    if (next) set(next)
    else if (state.status !== 'signed_out') set({ ...state, unreachable: true })
    return state
  }

  async function authFetch(input: string | URL | Request, init?: RequestInit): Promise<Response> {
    const send = () => fetch(input instanceof Request ? input.clone() : input, init)
    const response = await send()
    const problem = response.status === 401 ? await problemIn(response) : undefined
    if (problem?.remedy === 'step_up' && (await onStepUp?.())) return send()
    // It may be this one route that refuses the token, so the server is asked whether the session is over.
    const isOver = problem?.code === 'invalid_token' || problem?.code === 'unauthenticated'
    if (isOver && state.status !== 'signed_out') await look()
    return response
  }

  async function exchange(path: string, body: object): Promise<Exchanged> {
    const response = await post(path, body)
    const { status } = response
    if (!response.ok) {
      const problem = await problemIn(response)
      return problem
        ? { ok: false, reason: reasonOf(problem), status, problem }
        : { ok: false, reason: 'failed', status }
    }
    const { session, durability } = (await response.json()) as { session: SessionInfo; durability?: string }
    const kept = await asked()
    if (kept?.status === 'signed_out') return { ok: false, reason: 'cookies_blocked', status: 0 }
    set({ status: 'signed_in', session, unreachable: false })
    return { ok: true, session, ...(durability && { durability }) }
  }

  return {
    get state() {
      return state
    },
    subscribe: subscribe(changed),
    onSignedOut: subscribe(signedOut),
    start: look,
    authFetch,
    exchange,
    login: (credentials) => exchange('/auth/login', { ...credentials, delivery: 'cookie' }),
    reauth: (proof) => exchange('/auth/reauth', proof),
    async logout() {
      const response = await post('/auth/logout', {})
      const { status } = response
      const isDone = status === 202 || status === 204 || ([400, 401].includes(status) && !!(await problemIn(response)))
      if (isDone) set({ status: 'signed_out', reason: 'logout' })
      return isDone
    },
    close() {},
  }
}
