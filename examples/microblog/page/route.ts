import { useSyncExternalStore } from 'react'

const changed = new Set<() => void>()
addEventListener('popstate', () => {
  for (const listener of changed) listener()
})

/** Shows another page of ours. */
export function go(to: string, how: 'push' | 'replace' = 'push'): void {
  history[how === 'push' ? 'pushState' : 'replaceState'](null, '', to)
  for (const listener of changed) listener()
}

/** The path that is shown. */
export const usePath = (): string =>
  useSyncExternalStore(
    (listener) => {
      changed.add(listener)
      return () => void changed.delete(listener)
    },
    () => location.pathname,
  )

/** To the login page, which leads back to where one was. */
export function goToLogin(): void {
  const here = location.pathname + location.search
  go(here === '/' ? '/login' : `/login?${new URLSearchParams({ returnTo: here })}`, 'replace')
}

/** Where one was before the login. Only a path of ours: the query may be anybody's. */
export function returnTo(): string {
  const to = new URL(new URLSearchParams(location.search).get('returnTo') ?? '/', location.origin)
  return to.origin === location.origin ? to.pathname + to.search : '/'
}
