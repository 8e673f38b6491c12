// The only file of the browser part that touches the browser. What it needs of the DOM is described here, so that the
// library compiles without the types of a browser, and tests run in Node.

/** A channel between the tabs of one browser and origin. */
export interface TabChannel {
  onmessage: ((event: { data: unknown }) => unknown) | null
  postMessage(message: unknown): void
  close(): void
}

/** The document, where there is one. */
export interface Page {
  /** Calls what is given for an event. Returns what ends that. */
  on(
    listeners: Readonly<Record<'pagehide' | 'pageshow' | 'online', (event: { persisted?: boolean }) => void>>,
  ): () => void
  /** Makes everything in the page invisible, or visible again. */
  hide(hidden: boolean): void
  reload(): void
}

/** Everything that the client takes from its surroundings. */
export interface Platform {
  /** What relative addresses relate to; its origin is the page's own, which gets tokens and passwords. Asked for at each request. */
  baseUrl(): string
  fetch(request: Request): Promise<Response>
  /** Milliseconds that never go back; may stand still while the computer sleeps. */
  monotonicMs(): number
  /** Wall clock in milliseconds. Only differences of it are used. */
  wallMs(): number
  /** At least 0, less than 1. Spreads load; no secret is made of it. */
  random(): number
  setTimeout(fn: () => void, ms: number): unknown
  clearTimeout(timer: unknown): void
  /** Undefined where tabs cannot talk to each other; each then renews by itself. */
  channel(name: string): TabChannel | undefined
  readonly page?: Page
}

interface Root {
  readonly origin: string
  addEventListener?(event: string, listener: (event: object) => void, options: { readonly signal: AbortSignal }): void
  readonly document?: { readonly baseURI: string; readonly documentElement: { readonly style: { visibility: string } } }
  readonly location: { reload(): void }
  readonly BroadcastChannel?: new (name: string) => TabChannel
}

/** The browser itself. Looks at it only when called, so it may be made on a server too. */
export function browserPlatform(): Platform {
  const root = globalThis as unknown as Root
  return {
    baseUrl() {
      const { baseURI } = root.document!
      // A `<base>` that leads elsewhere is markup that somebody smuggled in: it must not lead passwords and tokens there.
      return new URL(baseURI).origin === root.origin ? baseURI : root.origin
    },
    fetch: (request) => fetch(request),
    monotonicMs: () => performance.now(),
    wallMs: () => Date.now(),
    random: Math.random,
    setTimeout: (fn, ms) => setTimeout(fn, ms),
    clearTimeout: (timer) => clearTimeout(timer as number),
    channel: (name) => root.BroadcastChannel && new root.BroadcastChannel(name),
    page: {
      on(listeners) {
        const aborter = new AbortController()
        for (const [event, fn] of Object.entries(listeners)) root.addEventListener?.(event, fn, aborter)
        return () => aborter.abort()
      },
      hide(hidden) {
        root.document!.documentElement.style.visibility = hidden ? 'hidden' : ''
      },
      reload: () => root.location.reload(),
    },
  }
}
