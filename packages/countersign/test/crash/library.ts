// The library on a store, as the verbs of a load.
import { allowlist, type CountersignError, createSessions, loadKeyring, type SessionId } from 'countersign'
import type { Store } from 'countersign/stores/contract'
import { postgresStore } from 'countersign/stores/postgres'
import { redisStore } from 'countersign/stores/redis'
import { sqliteStore } from 'countersign/stores/sqlite'
import { z } from 'zod'
import { type Answer, type Tokens, Unanswered, type Verbs } from '../../../../tools/test-support/crash/history.ts'

export type Place =
  | { readonly kind: 'sqlite'; readonly file: string }
  | { readonly kind: 'redis' | 'postgres'; readonly url: string }

function openStore(place: Place): Store {
  switch (place.kind) {
    case 'sqlite':
      return sqliteStore({ file: place.file, busyDeadline: '20s' })
    case 'redis':
      return redisStore({ url: place.url, deadline: '5s' })
    case 'postgres':
      return postgresStore({ url: place.url, deadline: '10s' })
  }
}

/** @param keyring - The content of a keyring file; the same for everybody who opens the place. */
export async function openLibrary(place: Place, keyring: object) {
  const store = openStore(place)
  const sessions = createSessions({
    // Every refresh but the quickest rotates.
    strategy: allowlist({ issuer: 'https://auth.test', audience: 'https://api.test', grace: '0.001s' }),
    keyring: await loadKeyring(keyring),
    store,
    timeouts: { absolute: '1d', idle: '1h' },
    data: z.object({ updates: z.number() }),
  })
  await sessions.ready()
  const tokensOf = (issued: Awaited<ReturnType<typeof sessions.refresh>>): Answer<{ tokens: Tokens }> => {
    if (!issued.ok) return issued
    const { session, accessToken, refreshToken, durability } = issued
    return { ok: true, durability, tokens: { id: session.sessionId, access: accessToken, refresh: refreshToken } }
  }
  const ended = ({ durability }: { durability: string }): Answer => ({ ok: true, durability })
  const verbs: Verbs = {
    login: (subject) => answered(sessions.issue({ subject, data: { updates: 0 } }).then(tokensOf)),
    refresh: (token) => answered(sessions.refresh(token).then(tokensOf)),
    revoke: ({ id }) => answered(sessions.revoke(id as SessionId, { reason: 'logout' }).then(ended)),
    revokeAll: (subject) => answered(sessions.revokeAll(subject, { reason: 'admin' }).then(ended)),
    update: (id) => answered(sessions.update(id as SessionId, ({ updates }) => ({ updates: updates + 1 }))),
    touch(id) {
      const nowMs = store.lifecycle.nowMs()
      const touched = store.sessions.touch(id as SessionId, { idleAtMs: nowMs + 3_600_000 }, nowMs)
      return answered(touched.then(() => ({ ok: true })))
    },
    async look({ access }) {
      const seen = await sessions.verify(access)
      return seen.ok ? { ok: true, updates: seen.session.data.updates } : seen
    },
    async list(subject) {
      const ids: string[] = []
      for await (const { sessionId } of sessions.list(subject)) ids.push(sessionId)
      return ids
    },
  }
  return { verbs, store, close: () => sessions.close() }
}

const OUTAGES = ['ERR_STORE_UNAVAILABLE', 'ERR_STORE_TIMEOUT']

function answered<T>(call: Promise<T>): Promise<T> {
  return call.catch((error: CountersignError) => {
    throw OUTAGES.includes(error.code) ? new Unanswered(error.code, { cause: error }) : error
  })
}
