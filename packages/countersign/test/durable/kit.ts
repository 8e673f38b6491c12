// Sessions on a real store, with what the tests of durability ask of them.
import {
  allowlist,
  createSessions,
  denylist,
  generateKeyring,
  type Journal,
  type Keyring,
  loadKeyring,
  type SessionEvent,
} from 'countersign'
import type { Store } from 'countersign/stores/contract'
import { redisStore } from 'countersign/stores/redis'
import { z } from 'zod'

export const keyring: Keyring = await loadKeyring(generateKeyring())

const cleanUp: (() => unknown)[] = []
export const later = (undo: () => unknown) => cleanUp.push(undo)
/** In `afterEach`. */
export async function cleanUpAll(): Promise<void> {
  for (const undo of cleanUp.reverse().splice(0)) await undo()
}

export function openSessions(store: Store, more: { journal?: Journal; strategy?: 'allowlist' | 'denylist' } = {}) {
  const jwt = { issuer: 'https://auth.test', audience: 'https://api.test', grace: '1s' } as const
  const sessions = createSessions({
    strategy: (more.strategy === 'denylist' ? denylist(jwt) : allowlist(jwt)) as ReturnType<typeof allowlist<true>>,
    keyring,
    store,
    timeouts: { absolute: '1d', idle: '1h' },
    data: z.object({ n: z.number() }),
    roles: ['user', 'admin'],
    ...(more.journal && { journal: more.journal }),
  })
  const events: SessionEvent[] = []
  sessions.events.on('*', (event) => events.push(event))
  // A test that leaves something waiting has looked at it.
  later(() => sessions.close().catch(() => {}))
  const login = async (subject: string, roles: readonly ('user' | 'admin')[] = ['user']) => {
    const issued = await sessions.issue({ subject, roles, data: { n: 0 } })
    if (!issued.ok) throw new Error(`login refused: ${issued.reason}`)
    return { ...issued, id: issued.session.sessionId }
  }
  const seen = <T extends SessionEvent['type']>(type: T) =>
    events.filter((event): event is Extract<SessionEvent, { type: T }> => event.type === type)
  return { sessions, events, seen, login }
}

/** The same on a Redis of the address. */
export async function onRedis(url: string, options: object = {}, more: Parameters<typeof openSessions>[1] = {}) {
  const store = redisStore({ url, ...options })
  const opened = openSessions(store, more)
  await opened.sessions.ready()
  return { store, ...opened }
}

/** The store without what makes a journal possible. */
export function withoutJournal(store: Store): Store {
  const { failovers: _, ...sessions } = store.sessions
  return { ...store, sessions }
}

export const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))

export async function until<T>(what: () => Promise<T> | T, withinMs = 20_000): Promise<NonNullable<T>> {
  for (const deadline = Date.now() + withinMs; ; await sleep(20)) {
    const found = await what()
    if (found) return found
    if (Date.now() > deadline) throw new Error(`not within ${withinMs} ms: ${what}`)
  }
}

/** `accepted`, the reason of a refusal, or the code of a fault. */
export async function verdict(
  { verify }: { verify(token: string): Promise<{ ok: boolean }> },
  token: string,
): Promise<string> {
  try {
    const checked = (await verify(token)) as { ok: true } | { ok: false; reason: string; endedBy?: string }
    return checked.ok ? 'accepted' : `${checked.reason}${checked.endedBy ? ` by ${checked.endedBy}` : ''}`
  } catch (error) {
    return (error as { code?: string }).code ?? String(error)
  }
}
