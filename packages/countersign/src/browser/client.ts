import { browserPlatform, type Platform } from './platform.ts'
import { createRequests } from './requests.ts'
import { createTab } from './tab.ts'
import type { SessionClient, SessionClientOptions, SessionPaths } from './types.ts'

/**
 * Keeps the session of one tab: the access token in memory only, renewed by the refresh cookie, in step with all other tabs.
 * Does nothing until one of its methods is called. One per page; the session has the delivery `browser`.
 */
export function createSessionClient(given: SessionClientOptions = {}): SessionClient {
  const platform: Platform = { ...browserPlatform(), ...given.platform }
  const options = { onWarning: (warning: string) => console.warn(`countersign: ${warning}`), ...given }
  const path = (name: keyof SessionPaths) => options.paths?.[name] ?? `/auth/${name}`
  const tab = createTab(platform, path('refresh'), options)
  const { authFetch, exchange, logout } = createRequests(platform, tab, path, options)
  function subscribe<T>(listeners: Set<T>) {
    return (listener: T) => {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    }
  }
  return {
    get state() {
      return tab.state()
    },
    subscribe: subscribe(tab.changed),
    onSignedOut: subscribe(tab.signedOut),
    async start() {
      await tab.ready()
      return tab.state()
    },
    authFetch,
    login: (credentials) => exchange(path('login'), { ...credentials, delivery: 'browser' }, true),
    reauth: (proof) => exchange(path('reauth'), proof),
    exchange,
    logout,
    close: tab.close,
  }
}
