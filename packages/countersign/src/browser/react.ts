/** The session of `countersign/browser` in React 19. */
import {
  createContext,
  createElement,
  type ReactNode,
  useContext,
  useEffect,
  useMemo,
  useSyncExternalStore,
} from 'react'
import type { SessionClient, SessionState } from './types.ts'

const Client = createContext<SessionClient | undefined>(undefined)
const BEFORE: SessionState = Object.freeze({ status: 'unknown', unreachable: false })

/** What {@link SessionProvider} takes. */
export interface SessionProviderProps {
  /** Made once, outside of components: `createSessionClient()`. */
  readonly client: SessionClient
  /** Shown instead of the children until it is known who is signed in. Default: the children, whose state says `unknown`. */
  readonly fallback?: ReactNode
  readonly children?: ReactNode
}

/** Gives the session to everything inside, and starts the client in the browser. On a server everybody is `unknown`. */
export function SessionProvider({ client, fallback, children }: SessionProviderProps): ReactNode {
  useEffect(() => {
    void client.start()
  }, [client])
  const { status } = useStateOf(client)
  return createElement(Client, { value: client }, status === 'unknown' && fallback !== undefined ? fallback : children)
}

/** The state of the session, and what can be done with it. The functions are the same at each render. */
export type UseSession = SessionState & Pick<SessionClient, 'authFetch' | 'login' | 'logout' | 'reauth' | 'exchange'>

/**
 * The session, as it is now; the component is rendered again when it changes.
 *
 * @throws Error outside of a {@link SessionProvider}.
 */
export function useSession(): UseSession {
  const client = useContext(Client)
  if (!client) throw new Error('useSession needs a SessionProvider around it')
  const state = useStateOf(client)
  return useMemo(() => {
    const { authFetch, login, logout, reauth, exchange } = client
    return { ...state, authFetch, login, logout, reauth, exchange }
  }, [client, state])
}

function useStateOf(client: SessionClient): SessionState {
  return useSyncExternalStore(
    client.subscribe,
    () => client.state,
    () => BEFORE,
  )
}
