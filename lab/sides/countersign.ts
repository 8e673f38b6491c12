// This library behind HTTP, in any strategy on any store. What an application does with it, and no more: the questions
// of the lab are asked of these routes. Those of the administrator have no guard, because nobody but the lab can reach them.
import {
  allowlist,
  createSessions,
  denylist,
  loadKeyring,
  opaque,
  type SessionId,
  type Sessions,
  stateless,
  type VerifyOptions,
} from 'countersign'
import { createOneTime } from 'countersign/one-time'
import { z } from 'zod'
import { loadDriver } from '../../packages/countersign/src/stores/sqlite/driver.ts'
import { type Answer, ok, refused, serve, told } from './serve.ts'
import { counted, openStore } from './store.ts'
import { API, DEVICE_LIMIT, GRACE_MS, ISSUER, OTHER, type Tokens } from './told.ts'

const DATA = z.object({ theme: z.string() })
type Data = z.infer<typeof DATA>

const jwt = {
  issuer: ISSUER,
  audience: [API, OTHER],
  alg: told.alg,
  accessLifetime: `${told.accessSeconds}s`,
  grace: `${GRACE_MS / 1_000}s`,
} as const
const strategies = {
  opaque: () => opaque({ audience: [API, OTHER] }),
  stateless: () =>
    stateless({ ...jwt, ...(told.accessSeconds > 900 && { longAccessLifetimeBecause: 'it is measured for an hour' }) }),
  denylist: () => denylist(jwt),
  allowlist: () => allowlist(jwt),
}
const { store, calls } = counted(openStore(told.store, told.prefix))
const keyring = await loadKeyring(told.keyring)
// All four have these verbs. What differs in their types the routes below ask of the answers.
const sessions = createSessions({
  strategy: strategies[told.strategy!]() as ReturnType<typeof strategies.allowlist>,
  keyring,
  store,
  timeouts: { idle: '2h', absolute: '4h' },
  roles: ['user', 'admin'],
  data: DATA,
  limits: { perSubject: DEVICE_LIMIT, overflow: 'evict_oldest' },
  ...(!told.nearCache && { nearCache: false }),
}) as unknown as Sessions<ReturnType<typeof strategies.allowlist>, Data, 'user' | 'admin', Data>
const oneTime = createOneTime({ store, keyring })
await sessions.ready()

const HERE: VerifyOptions = Object.freeze({ audience: API })
const ADMIN: VerifyOptions = Object.freeze({ audience: API, roles: ['admin'] })

async function check(token: string, demands: VerifyOptions) {
  const checked = sessions.verifyNow(token, demands) ?? (await sessions.verify(token, demands))
  return checked.ok ? checked : refused(checked.reason, checked.reason === 'forbidden' ? 403 : 401)
}
async function show(token: string, demands: VerifyOptions): Promise<Answer> {
  const checked = await check(token, demands)
  return 'status' in checked ? checked : ok({ subject: checked.session.subject, roles: checked.session.roles })
}
/** Whose request it is, for routes that only need to know that. */
async function whose(token: string): Promise<{ readonly id: SessionId; readonly subject: string } | Answer> {
  const checked = await check(token, HERE)
  return 'status' in checked ? checked : { id: checked.session.sessionId, subject: checked.session.subject }
}

type Issued = Awaited<ReturnType<typeof sessions.issue>>
function handOut(issued: Issued): Answer {
  if (!issued.ok) return refused(issued.reason)
  const { accessToken, refreshToken, accessExpiresAtMs, session } = issued
  return ok({ accessToken, refreshToken, accessExpiresAtMs, sid: session.sessionId } satisfies Tokens)
}

await serve({
  'POST /login': async ({ body: { subject, roles = ['user'], audience } }) =>
    handOut(await sessions.issue({ subject, roles, data: { theme: 'light' }, ...(audience && { audience }) })),
  'POST /refresh': async ({ body }) =>
    told.strategy === 'opaque' ? { status: 404 } : handOut(await sessions.refresh(body.refreshToken)),
  'GET /': ({ bearer }) => show(bearer, HERE),
  'GET /admin': ({ bearer }) => show(bearer, ADMIN),

  'POST /logout': async ({ bearer }) => {
    const who = await whose(bearer)
    if ('status' in who) return who
    return ok(await sessions.revoke(who.id, { reason: 'logout' }))
  },
  // The caller has just proved the old password; the new session is the only one that survives.
  'POST /password': async ({ bearer }) => {
    const who = await whose(bearer)
    if ('status' in who) return who
    const renewed = await sessions.stepUp(who.id, { acr: 'aal1', amr: ['pwd'] })
    if (!renewed.ok) return refused(renewed.reason)
    await sessions.revokeAll(who.subject, { reason: 'password_changed', except: renewed.session.sessionId })
    return handOut(renewed)
  },
  'POST /ban': async ({ body }) => ok(await sessions.revokeAll(body.subject, { reason: 'banned', block: true })),
  'POST /roles': async ({ body }) => ok(await sessions.setRoles(body.subject, body.roles)),

  'GET /theme': async ({ bearer }) => {
    const who = await whose(bearer)
    if ('status' in who) return who
    const found = await sessions.get(who.id)
    return found.ok ? ok({ theme: found.session.data.theme }) : refused(found.reason)
  },
  'POST /theme': async ({ bearer, body: { theme } }) => {
    const who = await whose(bearer)
    if ('status' in who) return who
    for await (const { sessionId } of sessions.list(who.subject)) await sessions.update(sessionId, () => ({ theme }))
    return ok()
  },

  'POST /reset-request': async ({ body: { subject } }) => {
    const { id } = await oneTime.issue({ purpose: 'password_reset', subject, boundTo: 'password 1' })
    return ok({ token: oneTime.tokenFor(id) })
  },
  'POST /reset': async ({ body: { token } }) => {
    const redeemed = await oneTime.redeem(token, { purpose: 'password_reset', boundTo: 'password 1' })
    return redeemed.ok ? ok() : refused(redeemed.reason)
  },

  'GET /jwks.json': () => {
    const keys = told.keyring.signing.flatMap(({ kid, kty, crv, x, y, alg }) =>
      kty === 'EC' ? [{ kid, kty, crv, x, y, alg, use: 'sig' }] : [],
    )
    return ok({ keys })
  },
  'POST /fill': async ({ body: { count } }) => {
    const tokens: string[] = []
    while (tokens.length < count) {
      const batch = Array.from({ length: Math.min(100, count - tokens.length) }, (_, at) =>
        sessions.issue({ subject: `${told.prefix}:${tokens.length + at}`, roles: ['user'], data: { theme: 'light' } }),
      )
      for (const issued of await Promise.all(batch)) {
        if (!issued.ok) throw new Error(`refused: ${issued.reason}`)
        tokens.push(issued.accessToken)
      }
    }
    return ok({ tokens })
  },
  'GET /calls': () => ok({ calls }),
  'GET /memory': () => {
    globalThis.gc?.()
    const { heapUsed, external } = process.memoryUsage()
    return ok({ bytes: heapUsed + external })
  },
  // Moves what was written into the file itself, so that its size says something.
  'GET /file': async () => {
    const { DatabaseSync } = await loadDriver()
    const database = new DatabaseSync(told.store.urls[0]!)
    database.exec('PRAGMA wal_checkpoint(TRUNCATE)')
    database.close()
    return ok({ file: told.store.urls[0] })
  },
  'GET /health': () => ok(sessions.health()),
})
