// Two processes' worth of sessions on a real server, of which the first can lose it.
import {
  allowlist,
  createSessions,
  generateKeyring,
  loadKeyring,
  type NearCacheOptions,
  type SessionEvent,
} from 'countersign'
import type { Store } from 'countersign/stores/contract'
import { expect } from 'vitest'

const keyring = await loadKeyring(generateKeyring())

const cleanUp: (() => unknown)[] = []
export const later = (undo: () => unknown) => cleanUp.push(undo)
/** In `afterEach`. */
export async function cleanUpAll(): Promise<void> {
  for (const undo of cleanUp.splice(0).reverse()) await undo()
}

export function open(store: Store, nearCache?: false | NearCacheOptions) {
  const sessions = createSessions({
    strategy: allowlist({ issuer: 'https://a.test', audience: 'https://b.test' }),
    keyring,
    store,
    timeouts: { absolute: '1d' },
    roles: ['user'],
    ...(nearCache !== undefined && { nearCache }),
  })
  later(() => sessions.close().catch(() => undefined))
  const events: SessionEvent[] = []
  sessions.events.on('*', (event) => void events.push(event))
  return { sessions, events }
}
export type Sessions = ReturnType<typeof open>['sessions']

export async function login(sessions: Sessions, subject = 'anna') {
  const issued = await sessions.issue({ subject, roles: ['user'] })
  if (!issued.ok) throw new Error(issued.reason)
  return issued
}

export const WITHIN = { outage: { verifiedWithin: '5m' } } as const

/** A check as its answer in one word, and how long it took. */
export async function ask(sessions: Sessions, token: string, options: object = WITHIN) {
  const startedMs = performance.now()
  const said = await sessions.verify(token, options as typeof WITHIN).then(
    (answer) => (answer.ok ? (answer.degraded ? 'degraded' : 'ok') : answer.reason),
    (error: { code?: string }) => error.code ?? String(error),
  )
  return { said, tookMs: performance.now() - startedMs }
}

/** For what must come about by itself, on a machine that does other things too. */
export const until = (what: () => Promise<unknown>, value: unknown) =>
  expect.poll(what, { timeout: 60_000, interval: 20 }).toBe(value)
