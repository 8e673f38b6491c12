// Sessions on a real store, with what the tests of durability ask of them.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  allowlist,
  createSessions,
  denylist,
  generateKeyring,
  type Journal,
  type Keyring,
  loadKeyring,
  type SessionEvent,
  type SessionId,
} from 'countersign'
import type { Store } from 'countersign/stores/contract'
import { redisStore } from 'countersign/stores/redis'
import { z } from 'zod'

export const keyringFile = generateKeyring()
export const keyring: Keyring = await loadKeyring(keyringFile)

const cleanUp: (() => unknown)[] = []
export const later = (undo: () => unknown) => cleanUp.push(undo)
/** In `afterEach`. */
export async function cleanUpAll(): Promise<void> {
  for (const undo of cleanUp.reverse().splice(0)) await undo()
}

interface Options {
  readonly journal?: Journal
  readonly strategy?: 'allowlist' | 'denylist'
}

function create(store: Store, { journal, strategy }: Options) {
  const jwt = { issuer: 'https://auth.test', audience: 'https://api.test', grace: '1s' } as const
  return createSessions({
    strategy: (strategy === 'denylist' ? denylist(jwt) : allowlist(jwt)) as ReturnType<typeof allowlist<true>>,
    keyring,
    store,
    timeouts: { absolute: '1d', idle: '1h' },
    data: z.object({ n: z.number() }),
    roles: ['user', 'admin'],
    ...(journal && { journal }),
  })
}

/** Sessions, and what they told. */
export interface Opened {
  readonly sessions: ReturnType<typeof create>
  seen(type: SessionEvent['type']): any[]
  login(
    subject: string,
    roles?: readonly ('user' | 'admin')[],
  ): Promise<{ readonly id: SessionId; readonly accessToken: string; readonly refreshToken: string }>
}

export function openSessions(store: Store, options: Options = {}): Opened {
  const sessions = create(store, options)
  const events: SessionEvent[] = []
  sessions.events.on('*', (event) => events.push(event))
  // A test that leaves something waiting has looked at it.
  later(() => sessions.close().catch(() => {}))
  return {
    sessions,
    seen: (type) => events.filter((event) => event.type === type),
    async login(subject, roles = ['user']) {
      const issued = await sessions.issue({ subject, roles, data: { n: 0 } })
      if (!issued.ok) throw new Error(`login refused: ${issued.reason}`)
      return { ...issued, id: issued.session.sessionId }
    },
  }
}

/** The same on a Redis of the address. */
export async function onRedis(
  url: string,
  options: object = {},
  more: Options = {},
): Promise<Opened & { readonly store: Store }> {
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

export function scratchFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-durable-'))
  later(() => rmSync(folder, { recursive: true, force: true }))
  return folder
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
