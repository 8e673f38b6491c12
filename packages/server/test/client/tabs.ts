// Tabs of one browser, without the browser: real clients and a real service, a jar of cookies between them.
import { createSessionClient, type Platform, type SessionClient, type SessionClientOptions } from 'countersign/browser'
import { PASSWORD, type TestApp } from '../support.ts'

/** What happens to a request on its way. `go` sends it; cookies of an answer count only if the tab still waits for it. */
export type Wire = (request: Request, go: () => Promise<Response>) => Promise<Response>

export interface Tab extends SessionClient {
  /** Method and path of every request of this tab, in order. */
  readonly sent: string[]
  /** Reasons of every sign-out. */
  readonly outs: string[]
  wire: Wire
}

export function openBrowser(app: TestApp) {
  const jar = new Map<string, string>()
  const tabs: Tab[] = []
  // Each browser has channels of its own, though all of them live in one process.
  const name = `browser ${crypto.randomUUID()} `
  let keepsCookies = true

  function openTab(options: SessionClientOptions = {}, platform: Partial<Platform> = {}): Tab {
    const sent: string[] = []
    const outs: string[] = []
    const client = createSessionClient({
      onWarning: () => undefined,
      ...options,
      platform: {
        baseUrl: () => `${app.url}/`,
        // The shortest pauses.
        random: () => 0,
        channel: (channel) => new BroadcastChannel(name + channel) as never,
        async fetch(request) {
          const { pathname } = new URL(request.url)
          sent.push(`${request.method} ${pathname}`)
          if (new URL(request.url).origin !== app.url) return fetch(request)
          request.headers.set('origin', app.url)
          if (jar.size > 0) request.headers.set('cookie', [...jar].map((pair) => pair.join('=')).join('; '))
          const aborted = new Promise<never>((_resolve, reject) =>
            request.signal.addEventListener('abort', () => reject(request.signal.reason)),
          )
          const response = await Promise.race([tab.wire(request, () => fetch(request)), aborted])
          for (const text of keepsCookies ? response.headers.getSetCookie() : []) {
            const [, cookie = '', value = ''] = /^([^=]+)=([^;]*)/.exec(text) ?? []
            if (text.includes('Max-Age=0')) jar.delete(cookie)
            else jar.set(cookie, value)
          }
          return response
        },
        ...platform,
      },
    })
    client.onSignedOut((reason) => outs.push(reason))
    const tab: Tab = Object.assign(Object.create(client), {
      sent,
      outs,
      wire: (_request: Request, go: () => never) => go(),
    })
    tabs.push(tab)
    return tab
  }
  return {
    jar,
    openTab,
    blockCookies() {
      keepsCookies = false
    },
    close() {
      for (const tab of tabs) tab.close()
    },
  }
}

/** Registers somebody and logs them in, in the tab. */
export async function logIn(app: TestApp, tab: Tab, identifier: string) {
  await app.client().register(identifier)
  const done = await tab.login({ identifier, password: PASSWORD })
  if (!done.ok) throw new Error(done.reason)
  return done.session
}

/** Requests that wait until they are let go. */
export function gate() {
  let open = () => {}
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  return { opened, open }
}

/** Renewals of the tab are answered, which `answered` says, but the answer arrives only once `late` is open. */
export function delayRefresh(tab: Tab) {
  const [answered, late] = [gate(), gate()]
  tab.wire = async (request, go) => {
    const response = await go()
    if (!request.url.endsWith('refresh')) return response
    answered.open()
    await late.opened
    return response
  }
  return { answered, late }
}
