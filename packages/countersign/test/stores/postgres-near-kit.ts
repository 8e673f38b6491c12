// What the tests of the near cache on Postgres share.
import { allowlist, createSessions, denylist, generateKeyring, loadKeyring, opaque } from 'countersign'
import type { Store } from 'countersign/stores/contract'
import { postgresStore } from 'countersign/stores/postgres'
import { expect, onTestFinished } from 'vitest'
import type { PostgresServer } from '../../../../tools/test-support/postgres-server.ts'
import { rawClient } from './postgres-kit.ts'

/** What `maxStale` promises. */
export const STALE_MS = 1_000
const JWT = { issuer: 'https://a.test', audience: 'https://b.test' }
const STRATEGIES = { opaque: opaque(), allowlist: allowlist(JWT), denylist: denylist({ ...JWT, refresh: true }) }

const keyring = await loadKeyring(generateKeyring())

export function open(url: string, strategy: keyof typeof STRATEGIES = 'opaque', store: Store = postgresStore({ url })) {
  const sessions = createSessions({
    strategy: STRATEGIES[strategy] as ReturnType<typeof allowlist<true>>,
    keyring,
    store,
    timeouts: { absolute: '1d' },
    roles: ['user'],
  })
  onTestFinished(() => sessions.close())
  return sessions
}
export type Sessions = ReturnType<typeof open>
export { fill, isServed, watchStale } from './near-kit.ts'

/** Two processes on one database, and a connection past both. */
export async function setUp(server: PostgresServer, strategy?: keyof typeof STRATEGIES) {
  const url = await server.createDatabase()
  const [here, there] = [open(url, strategy), open(url, strategy)]
  await here.ready()
  return { url, here, there, raw: await rawClient(url) }
}

export async function login(sessions: Sessions, subject = 'user:1') {
  const issued = await sessions.issue({ subject, roles: ['user'] })
  if (!issued.ok) throw new Error(issued.reason)
  return { token: issued.accessToken, id: issued.session.sessionId }
}
/** Until a poll that was sent after now has been answered. */
export async function polled(sessions: Sessions, token: string) {
  const startedMs = performance.now()
  const is = () => {
    // In use, so that polls go on.
    sessions.verifyNow(token)
    return sessions.health().nearCache.lines[0]!.fenceAgeMs < performance.now() - startedMs
  }
  await expect.poll(is, { timeout: 20_000, interval: 10 }).toBe(true)
}
export const END = (id: string) => `SELECT countersign.end_session('${id}', 'logout', 0, true, ${Date.now()})`
