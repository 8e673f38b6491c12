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

const OUTAGES = ['ERR_STORE_UNAVAILABLE', 'ERR_STORE_TIMEOUT']

/** @param keyring - The content of a keyring file; the same for everybody who opens the place. */
export async function openLibrary(place: Place, keyring: object) {
  const store = openStore(place)
  const sessions = createSessions({
    strategy: allowlist({
      issuer: 'https://auth.test',
      audience: 'https://api.test',
      // Every refresh but the quickest rotates.
      grace: '0.001s',
      // Nothing expires while a long test runs: that would be another refusal than the one it looks for.
      accessLifetime: '1d',
    }),
    keyring: await loadKeyring(keyring),
    store,
    timeouts: { absolute: '1d', idle: '1d' },
    data: z.object({ updates: z.number() }),
  })
  // On a machine that is busy with other things the first connection may take longer than the store waits.
  for (let left = 5; ; left--) {
    const failure = await sessions.ready().catch((error: CountersignError) => error)
    if (!failure) break
    if (left === 0 || !OUTAGES.includes(failure.code)) throw failure
  }
  const tokensOf = (issued: Awaited<ReturnType<typeof sessions.refresh>>): Answer<{ tokens: Tokens }> => {
    if (!issued.ok) return issued
    const { session, accessToken, refreshToken, durability } = issued
    return { ok: true, durability, tokens: { id: session.sessionId, access: accessToken, refresh: refreshToken } }
  }
  const ended = ({ durability }: { durability: string }): Answer => ({ ok: true, durability })
  const verbs: Verbs = {
    login: (subject) => answered(sessions.issue({ subject, data: { updates: 0 } }).then(tokensOf)),
    refresh: (token) => answered(sessions.refresh(token).then(tokensOf)),
    // Queued, it would be done after the crash: what counts here is what the store said before.
    revoke: ({ id }) => answered(sessions.revoke(id as SessionId, { reason: 'logout', whenAway: 'throw' }).then(ended)),
    revokeAll: (subject) => answered(sessions.revokeAll(subject, { reason: 'admin', whenAway: 'throw' }).then(ended)),
    update: (id) => answered(sessions.update(id as SessionId, ({ updates }) => ({ updates: updates + 1 }))),
    touch(id) {
      const nowMs = store.lifecycle.nowMs()
      const touched = store.sessions.touch(id as SessionId, { idleAtMs: nowMs + 86_400_000 }, nowMs)
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

function answered<T>(call: Promise<T>): Promise<T> {
  return call.catch((error: CountersignError) => {
    throw OUTAGES.includes(error.code) ? new Unanswered(error.code, { cause: error }) : error
  })
}
