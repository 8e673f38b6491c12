/**
 * One process of the race tests: a real store, real sessions, and the calls that the test asks for over the process
 * channel. All workers start a race at the same moment of the wall clock.
 */
import { allowlist, createSessions, loadKeyring, type SessionId } from 'countersign'
import { createAccounts } from 'countersign/accounts'
import type { Store } from 'countersign/stores/contract'
import { postgresStore } from 'countersign/stores/postgres'
import { redisStore } from 'countersign/stores/redis'
import { sqliteStore } from 'countersign/stores/sqlite'
import { z } from 'zod'

export interface WorkerSetup {
  readonly store:
    | { readonly kind: 'sqlite'; readonly file: string }
    | { readonly kind: 'redis' | 'postgres'; readonly url: string }
    | { readonly kind: 'redis-cluster'; readonly nodes: readonly string[] }
  readonly keyring: object
  readonly perSubject: number
}

/** So long that on a busy machine the workers' repeats of one refresh all come within it; later ones are counted. */
export const GRACE_S = 10

const Cart = z.object({ items: z.array(z.string()) })

function openStore(setup: WorkerSetup['store']): Store {
  switch (setup.kind) {
    case 'sqlite':
      return sqliteStore({ file: setup.file, busyDeadline: '60s' })
    case 'redis':
      return redisStore({ url: setup.url, deadline: '60s' })
    case 'redis-cluster':
      return redisStore({ nodes: setup.nodes, deadline: '60s' })
    case 'postgres':
      return postgresStore({ url: setup.url, deadline: '60s' })
  }
}

export async function openSessions(setup: WorkerSetup, store = openStore(setup.store)) {
  const keyring = await loadKeyring(setup.keyring)
  const sessions = createSessions({
    strategy: allowlist({ issuer: 'https://auth.test', audience: 'https://api.test', grace: `${GRACE_S}s` }),
    keyring,
    store,
    timeouts: { absolute: '1d', idle: '1h' },
    limits: { perSubject: setup.perSubject, overflow: 'evict_oldest' },
    data: Cart,
    roles: ['user'],
  })
  await untilReady(() => sessions.ready())
  // Enough work per hash that a login is held in it while the other side commits.
  const passwords = { argon2: { memoryKiB: 65_536, passes: 3, parallelism: 1 }, concurrency: 2, queue: 200 }
  const accounts = createAccounts({ store, keyring, sessions, roles: ['user'], passwords })
  return { store, sessions, accounts }
}

/** Four processes that start at once on a busy machine may not get through in the time that one connect has. */
async function untilReady(ready: () => Promise<void>): Promise<void> {
  const untilMs = performance.now() + 60_000
  for (;;) {
    try {
      return await ready()
    } catch (error) {
      if (performance.now() > untilMs) throw error
    }
  }
}

async function main(setup: WorkerSetup) {
  const raw = openStore(setup.store)
  let inHash = 0
  // Counts the logins that have read everything they will read and now wait for their hash.
  const counting: Store = {
    ...raw,
    accounts: {
      ...raw.accounts,
      async bySubject(subject) {
        const account = await raw.accounts.bySubject(subject)
        inHash++
        return account
      },
    },
  }
  const { store, sessions, accounts } = await openSessions(setup, counting)
  const calls = {
    /** `times` refreshes of each token at once. Answers the distinct successors and refusals of each. */
    async refresh({ tokens, times }: { tokens: string[]; times: number }) {
      return Promise.all(
        tokens.map(async (token) => {
          const answers = await Promise.all(Array.from({ length: times }, () => sessions.refresh(token)))
          return answers.map((answer) => (answer.ok ? answer.refreshToken : answer.reason))
        }),
      )
    },
    /** Adds each item by an update of its own, all at once. Answers those that were acknowledged. */
    async add({ id, items }: { id: SessionId; items: string[] }) {
      const results = await Promise.all(
        items.map(async (item) => {
          const done = await sessions.update(id, (cart) => ({ items: [...cart.items, item] }))
          return done.ok ? item : undefined
        }),
      )
      return results.filter((item) => item !== undefined)
    },
    /** `times` logins at once. */
    async issue({ subject, times, ifEpoch }: { subject: string; times: number; ifEpoch?: number }) {
      const answers = await Promise.all(
        Array.from({ length: times }, () =>
          sessions.issue({ subject, data: { items: [] }, ...(ifEpoch !== undefined && { ifEpoch }) }),
        ),
      )
      return answers.map((answer) => (answer.ok ? 'ok' : answer.reason))
    },
    /** Uses sessions in every way that writes, for `ms`. Answers how often each succeeded. */
    async use(o: { subject: string; ids: SessionId[]; tokens: string[]; ifEpoch: number; ms: number }) {
      const until = Date.now() + o.ms
      const counts = { update: 0, touch: 0, refresh: 0, issue: 0 }
      let tokens = o.tokens
      while (Date.now() < until) {
        const [updates, , refreshes, logins] = await Promise.all([
          Promise.all(o.ids.map((id) => sessions.update(id, (cart) => ({ items: [...cart.items.slice(-5), 'x'] })))),
          Promise.all(o.ids.map((id) => store.sessions.touch(id, { idleAtMs: Date.now() + 3_600_000 }, Date.now()))),
          Promise.all(tokens.map((token) => sessions.refresh(token))),
          sessions.issue({ subject: o.subject, data: { items: [] }, ifEpoch: o.ifEpoch }),
        ])
        counts.update += updates.filter((done) => done.ok).length
        counts.touch += o.ids.length
        counts.refresh += refreshes.filter((done) => done.ok).length
        counts.issue += logins.ok ? 1 : 0
        tokens = tokens.map((token, n) => {
          const next = refreshes[n]
          return next?.ok ? next.refreshToken : token
        })
      }
      return counts
    },
    /** Logs in `times` times with a password, as the server does. */
    async login({ identifier, password, times }: { identifier: string; password: string; times: number }) {
      const answers = await Promise.all(
        Array.from({ length: times }, async () => {
          const proof = await accounts.authenticate({ identifier, password })
          if (!proof.ok) return proof.reason
          const { subject, epoch: ifEpoch } = proof
          const issued = await sessions.issue({ subject, ifEpoch, data: { items: [] } })
          return issued.ok ? 'ok' : issued.reason
        }),
      )
      return answers
    },
    inHash: async () => inHash,
    close: async () => sessions.close(),
  }
  process.on(
    'message',
    async ({ id, call, args, at }: { id: number; call: keyof typeof calls; args: never; at?: number }) => {
      try {
        if (at !== undefined) await new Promise((resolve) => setTimeout(resolve, at - Date.now()))
        process.send!({ id, result: await calls[call](args) })
      } catch (error) {
        process.send!({ id, error: String((error as Error).stack) })
      }
    },
  )
  process.on('disconnect', () => process.exit())
  process.send!({ ready: true })
}

if (process.env.RACE_WORKER) await main(JSON.parse(process.env.RACE_WORKER) as WorkerSetup)
