// What the server has no route for yet: data and its updates, the other strategies, and everything the library answers
// or throws, as an application on the same store would log it.
import { readFileSync } from 'node:fs'
import { inspect } from 'node:util'
import {
  allowlist,
  createSessions,
  denylist,
  type KeyringFile,
  loadKeyring,
  opaque,
  type SessionId,
  type Store,
} from 'countersign'
import { createAccounts } from 'countersign/accounts'
import { postgresStore } from 'countersign/stores/postgres'
import { redisStore } from 'countersign/stores/redis'
import { sqliteStore } from 'countersign/stores/sqlite'
import { z } from 'zod'
import type { Run } from './full-run.ts'
import { PASSWORD } from './places.ts'

const Cart = z.object({ items: z.array(z.string()) })
const JWT = { issuer: 'https://auth.test', audience: 'https://api.test', grace: '0.01s' } as const
const REASON = { reason: 'logout' } as const

function openStore(location: string): Store {
  if (location.startsWith('sqlite:')) return sqliteStore({ file: location.slice(7) })
  return location.startsWith('redis:') ? redisStore({ url: location }) : postgresStore({ url: location })
}

export async function libraryRun(location: string, keysFile: string, { vault, notes, look, leak }: Run): Promise<void> {
  const file = JSON.parse(readFileSync(keysFile, 'utf8')) as KeyringFile
  const keyring = await loadKeyring(file)
  notes.add('objects', [JSON.stringify(keyring), inspect(keyring, { depth: 9, showHidden: true, getters: true })])

  for (const strategy of [allowlist({ ...JWT, alg: 'ES256' }), denylist({ ...JWT, alg: 'ES256' }), opaque()] as const) {
    const held: string[] = []
    const store = leak ? storingRaw(openStore(location), held) : openStore(location)
    const sessions = createSessions({ strategy, keyring, store, timeouts: 'aal2', data: Cart, roles: ['user'] })
    sessions.events.on('*', (event) => notes.add('events', event))
    const accounts = createAccounts({ keyring, store, sessions, roles: ['user'] })
    accounts.events.on('*', (event) => notes.add('events', event))
    const keep = (issued: { ok: boolean; accessToken?: string; refreshToken?: string }) => {
      if (!issued.ok) throw new Error(`${strategy.name}: refused`)
      for (const token of [issued.accessToken, issued.refreshToken]) {
        if (token === undefined) continue
        held.push(token)
        vault.token(token)
      }
    }
    const subject = `library ${strategy.name}`
    const context = { ip: '192.0.2.1', userAgent: leak ? '' : 'a browser', requestId: 'r1', by: 'test' }
    const issued = await sessions.issue({ subject, roles: ['user'], data: { items: [] }, context })
    keep(issued)
    keep(await sessions.issue({ subject, data: { items: ['x'] } }))
    if (!issued.ok) throw new Error(issued.reason)
    const id = issued.session.sessionId
    if (leak) context.userAgent = held[0]!
    await sessions.verify(issued.accessToken, { context })
    await sessions.update(id, ({ items }) => ({ items: [...items, 'a book'] }), { operationId: 'o1', context })
    if ('refresh' in sessions && issued.refreshToken !== undefined) {
      let token: string = issued.refreshToken
      for (let times = 0; times < 3; times++) {
        await new Promise((resolve) => setTimeout(resolve, 20))
        const next = await sessions.refresh(token, { context })
        keep(next)
        if (next.ok) token = next.refreshToken as string
      }
      notes.add('answers', await sessions.refresh(issued.refreshToken, { context }).then(withoutTokens))
    }
    const second = await sessions.issue({ subject, data: { items: [] }, context })
    keep(second)
    if (!second.ok) throw new Error(second.reason)
    keep(await sessions.stepUp(second.session.sessionId, { acr: 'aal2', amr: ['otp'] }, { context }))
    await sessions.setRoles(subject, ['user'], { context })
    for await (const session of sessions.list(subject)) notes.add('lists', [session, inspect(session)])
    for (const token of held) {
      notes.add('explanations', await sessions.explain(token))
      notes.add('answers', await sessions.verify(`${token}x`, { context }))
      notes.add('answers', await sessions.verify(token.slice(1), { context }))
      // A token where an id belongs, a mistake that ends in error logs.
      for (const call of [sessions.get(token as SessionId), sessions.revoke(token as SessionId, REASON)]) {
        notes.add('errors', inspect(await call.catch((error: unknown) => error), { depth: 9, showHidden: true }))
      }
    }
    notes.add('answers', await sessions.revoke(id, { ...REASON, context }))
    notes.add('answers', await sessions.revokeAll(subject, { reason: 'admin', context }))
    for (const token of held) notes.add('explanations', await sessions.explain(token))
    // What is left in the store is not only what has ended.
    const last = await sessions.issue({ subject, data: { items: [] }, context })
    keep(last)
    if (last.ok) await sessions.update(last.session.sessionId, ({ items }) => ({ items: [...items, 'a pen'] }))
    notes.add('objects', [inspect(sessions, { depth: 6, showHidden: true }), inspect(strategy, { depth: 6 })])
    look()
    await sessions.close()
  }
  notes.add('errors', await errorsOf(file, location))
}

/** What a wrong keyring and a wrong address say. */
async function errorsOf(file: KeyringFile, location: string): Promise<string[]> {
  const [mac] = file.mac
  const url = location.startsWith('redis') ? location : `redis://:${PASSWORD}@127.0.0.1:1`
  const attempts = [
    () => loadKeyring({ ...file, mac: [mac!, { ...mac!, number: 2 }] }),
    () => loadKeyring({ ...file, mac: [{ ...mac!, k: `${mac!.k}!` }] }),
    () => loadKeyring({ ...file, placement: { ...file.placement, kty: file.placement.k! } }),
    () => loadKeyring({ ...file, signing: file.signing.map((key) => ({ ...key, x: key.d! })) }),
    async () => redisStore({ url: `${url}/${mac!.k}` }),
    async () => redisStore({ url, prefix: mac!.k! }),
    () => redisStore({ url: url.replace(/:\d+$/, ':1') }).lifecycle.ready('x'),
    async () => postgresStore({ url: `mysql://x:${PASSWORD}@127.0.0.1/${mac!.k}` }),
    async () => postgresStore({ url: 'postgres://127.0.0.1/auth', schema: mac!.k! }),
    () => postgresStore({ url: `postgres://x:${PASSWORD}@127.0.0.1:1/x` }).lifecycle.ready('x'),
  ]
  return Promise.all(
    attempts.map(async (attempt) => {
      const error: unknown = await attempt().catch((thrown: unknown) => thrown)
      if (!(error instanceof Error)) throw new Error('an attempt that must fail did not')
      return inspect(error, { depth: 9, showHidden: true })
    }),
  )
}

/** An answer that hands out secrets by its nature, without them. */
function withoutTokens(answer: object): object {
  const { accessToken: _, refreshToken: __, ...rest } = answer as Record<string, unknown>
  return rest
}

/** The fault: what a careless `update` would do with a token that it has at hand, in three forms. */
function storingRaw(store: Store, held: readonly string[]): Store {
  return {
    ...store,
    sessions: {
      ...store.sessions,
      update(id, change, expectedVersion, nowMs) {
        const token = held[0]!
        const secret = Buffer.from(token.slice(token.lastIndexOf('.') + 1).replace(/^cs[or]_/, ''), 'base64url')
        // The part of an opaque token that is secret, or a signature.
        const part = token.startsWith('cs') ? secret.subarray(31, 63) : secret
        const items = [part.toString('hex'), part.toString('base64'), token]
        return store.sessions.update(id, { ...change, data: JSON.stringify({ items }) }, expectedVersion, nowMs)
      },
    },
  }
}
