// What one tab knows, and the only places where that changes.
import type { Problem } from '../http/problem.ts'
import type { Platform } from './platform.ts'
import { stopwatch } from './stopwatch.ts'
import { type Credentials, createTabs, credentialsIn } from './tabs.ts'
import type { SessionClientOptions, SessionInfo, SessionState, SignedOutReason } from './types.ts'
import { post, problemIn, reasonOf } from './wire.ts'

/** Why there is no token: answers with the server's refusal to work, or throws what `fetch` threw. */
type Outage = () => Response

const PAUSE_MS = 1_000
const LONGEST_PAUSE_MS = 60_000

export type Tab = ReturnType<typeof createTab>

export function createTab(platform: Platform, path: string, options: SessionClientOptions) {
  const { page } = platform
  const { timeoutMs = 9_000, hideWhenRestored = true } = options
  const changed = new Set<(reason: SignedOutReason) => void>()
  const signedOut = new Set<(reason: SignedOutReason) => void>()

  let state: SessionState = { status: 'unknown', unreachable: false }
  /** The last session known; also while the page that shows it waits for the server's word. */
  let session: SessionInfo | undefined
  let token: string | undefined
  /** Whether the token was used, so that it is worth renewing before somebody waits for it. */
  let used = false
  let ageMs = stopwatch(platform)
  let dueMs = 0
  let lifeMs = 0
  /** The session that this tab left last. Late news of it is not taken up. */
  let left: string | undefined
  /** The commit guard: moves with every decision. What was asked before the last one is answered too late. */
  let decision = 0
  let aborter: AbortController | undefined
  let renewing: Promise<Outage | undefined> | undefined
  let outage: Outage | undefined
  let failures = 0
  let timer: unknown
  /** There while some tab gets other credentials: nobody renews. */
  let held: Promise<void> | undefined
  let free = () => {}
  /** The page came back from the cache and is invisible. */
  let restored = false
  let undo: (() => void) | undefined
  let isClosed = false

  const tabs = createTabs(platform, `countersign ${path}`, (message) => {
    if (message.is === 'hold') hold()
    else free()
    if (message.is === 'in') {
      const { credentials } = message
      const { id } = credentials.session
      const isLonger = credentials.expiresIn * 1_000 - message.ageMs > lifeMs - ageMs()
      if (id !== left && (id !== session?.id || isLonger)) enter(credentials, message.ageMs)
    } else if (message.is === 'out') {
      if (message.id === session?.id) leave(message.reason, false)
      // What it asked before that may be answered as if nothing had happened: it asks again.
      else if (!session) decide()
    }
  })

  /** Soon: what a listener throws is its own to see, and nothing that a token depends on. */
  function emit(listeners: Set<(reason: SignedOutReason) => void>, reason: SignedOutReason = ''): void {
    for (const listener of listeners) queueMicrotask(() => listener(reason))
  }
  function set(next: SessionState): void {
    state = next
    emit(changed)
  }
  function later(ms: number, fn: () => unknown): void {
    platform.clearTimeout(timer)
    timer = platform.setTimeout(fn, ms)
  }
  /** What is under way counts no more. */
  function decide(): void {
    decision++
    aborter?.abort()
  }
  function settle(): void {
    decide()
    platform.clearTimeout(timer)
    outage = undefined
    failures = 0
  }

  /** @param oldMs - How many milliseconds ago the credentials may have been made. */
  function enter(credentials: Credentials, oldMs: number, isNews?: boolean): void {
    const former = session
    const { expiresIn } = credentials
    settle()
    session = credentials.session
    token = credentials.accessToken
    used = false
    if (former && former.id !== session.id) left = former.id
    ageMs = stopwatch(platform)
    lifeMs = expiresIn * 1_000 - oldMs
    dueMs = expiresIn * (700 + platform.random() * 200) - oldMs
    later(Math.max(dueMs, 500), () => used && renew())
    if (isNews) tabs.tell({ is: 'in', credentials, ageMs: oldMs })
    const isOther = former && former.subject !== session.subject
    if (restored) isOther ? page?.reload() : page?.hide(false)
    restored = false
    set({ status: 'signed_in', session, unreachable: false })
    if (isOther) emit(signedOut, 'other_account')
  }

  function leave(reason: SignedOutReason, isNews = true): undefined {
    settle()
    if (session) {
      left = session.id
      if (isNews) tabs.tell({ is: 'out', id: left, reason })
    }
    token = session = undefined
    if (state.status === 'signed_out') return
    // Before the listeners: where they lead is then where the page goes.
    if (restored) page?.reload()
    set({ status: 'signed_out', reason })
    emit(signedOut, reason)
  }

  /** Until `free`, but no longer than a renewal may take: the tab that asked for it may be gone. */
  function hold(): void {
    decide()
    free()
    const mine = new Promise<void>((resolve) => {
      free = resolve
      platform.setTimeout(resolve, timeoutMs)
    }).then(() => {
      if (held === mine) held = undefined
    })
    held = mine
  }

  /** The one renewal of this tab. Answers nothing when the server has decided, else why there is no token. */
  async function renew(): Promise<Outage | undefined> {
    // During an outage the next attempt comes in its time, whoever asks.
    if (outage) return outage
    renewing ??= renewal().finally(() => {
      renewing = undefined
    })
    return renewing
  }

  async function renewal(): Promise<Outage | undefined> {
    const former = token
    const isSettled = () => (token && token !== former) || state.status === 'signed_out'
    let failed: Outage | undefined
    // Again when an answer came too late to count and nothing else has come; and once after a failure.
    for (let tries = 0; tries < 2; ) {
      if (tries) await new Promise<void>((done) => platform.setTimeout(done, platform.random() * PAUSE_MS))
      while (held) await held
      if (isSettled()) return undefined
      if (isClosed) return failed
      const at = decision
      failed = await ask(tries > 0)
      if (at === decision) tries++
    }
    outage = failed
    later(Math.min(PAUSE_MS * 2 ** failures++, LONGEST_PAUSE_MS) * (0.5 + platform.random() / 2), again)
    if (state.status !== 'signed_out') set({ ...state, unreachable: true })
    return failed
  }

  /** Ends the wait of an outage. */
  function again(): void {
    if (!outage) return
    outage = undefined
    renew()
  }

  /** One request. Acts on the answer if nothing else was decided meanwhile. */
  async function ask(isLast: boolean): Promise<Outage | undefined> {
    const at = decision
    const oldMs = stopwatch(platform)
    const mine = new AbortController()
    aborter = mine
    const limit = platform.setTimeout(() => mine.abort(new TypeError('no answer')), timeoutMs)
    try {
      const response = await post(platform, path, undefined, undefined, mine.signal)
      const problem = await problemIn(response)
      const credentials = await credentialsIn(response)
      if (at !== decision) return undefined
      if (credentials) enter(credentials, oldMs(), true)
      else if (problem && isRefusal(problem, isLast)) leave(reasonOf(problem))
      else if (response.ok) throw new TypeError('no answer')
      else return () => response.clone()
      return undefined
    } catch (error) {
      return () => {
        throw error
      }
    } finally {
      platform.clearTimeout(limit)
    }
  }

  const events = {
    online: again,
    pagehide() {
      hold()
      tabs.close()
      // What is kept of the page shows nothing then, not even for the moment before it is asked whether it may.
      if (session && hideWhenRestored) page?.hide(true)
    },
    pageshow({ persisted }: { persisted?: boolean }) {
      if (!persisted) return
      tabs.open()
      restored = hideWhenRestored && !!session
      token = undefined
      lifeMs = 0
      settle()
      free()
      set({ status: 'unknown', unreachable: false })
      renew()
    },
  }

  function listen(): void {
    isClosed = false
    if (undo) return
    tabs.open()
    undo = page?.on(events)
  }

  return {
    changed,
    signedOut,
    state: () => state,
    session: () => session,
    token(isUse?: boolean) {
      used ||= !!isUse
      return token
    },
    enter,
    leave,
    renew,
    /** Sees to a token that is good for a while. Undefined also when nobody is signed in. */
    async ready(): Promise<Outage | undefined> {
      listen()
      const age = ageMs()
      if (state.status === 'signed_out' || (token && age < dueMs)) return undefined
      const isGood = token && age < lifeMs
      const failed = await renew()
      return isGood ? undefined : failed
    },
    /** Nobody renews, in no tab, while `work` gets other credentials. */
    async alone<T>(work: () => Promise<T>): Promise<T> {
      listen()
      hold()
      tabs.tell({ is: 'hold' })
      try {
        return await work()
      } finally {
        free()
        tabs.tell({ is: 'free' })
      }
    },
    close(): void {
      isClosed = true
      settle()
      free()
      tabs.close()
      undo?.()
      undo = undefined
    },
  }
}

/** `refresh`: another tab has stepped up, and its cookie is there by now. It is asked for once. */
function isRefusal({ status, remedy }: Problem, isLast: boolean): boolean {
  return remedy === 'refresh' ? isLast : remedy === 'sign_in' || status === 401 || status === 501
}
