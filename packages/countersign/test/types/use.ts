// How the API is meant to be used, and what must not compile. tools/test-types.ts compiles it against the built package
// under TypeScript 5.9, 6 and 7, and proves that every `@ts-expect-error` below hides an error.
import { allowlist, createSessions, denylist, type Keyring, opaque, parseSessionId, stateless } from 'countersign'
import type { Store } from 'countersign/stores/contract'
import { z } from 'zod'

declare const keyring: Keyring
declare const store: Store
const Data = z.object({
  cart: z.array(z.object({ sku: z.string(), qty: z.number(), tags: z.array(z.string()) })),
  theme: z.enum(['dark', 'light']).default('dark'),
})
const a = createSessions({
  strategy: allowlist({ issuer: 'https://a', audience: 'b' }),
  keyring,
  store,
  timeouts: { absolute: '7d' },
  data: Data,
  roles: ['user', 'admin'],
})
const i = await a.issue({ subject: 'u', roles: ['user'], data: { cart: [], theme: 'dark' } })
if (i.ok) {
  i.refreshToken
  i.session.data.cart.length
  // @ts-expect-error frozen
  i.session.data.cart.push({ sku: 'x', qty: 1, tags: [] })
  await a.update(i.session.sessionId, (d) => ({ ...d, cart: [...d.cart, { sku: 'x', qty: 1, tags: ['a'] }] }))
  // @ts-expect-error token is not an id
  await a.revoke(i.accessToken, { reason: 'logout' })
}
// @ts-expect-error unknown role
await a.issue({ subject: 'u', roles: ['root'], data: { cart: [], theme: 'dark' } })
// @ts-expect-error data required
await a.issue({ subject: 'u' })
const v = a.verifyNow('x') ?? (await a.verify('x'))
if (v.ok) {
  const r: 'user' | 'admin' | undefined = v.session.roles[0]
  v.session.data.theme
  void r
} else {
  v.reason
}
await a.refresh('x')
const o = createSessions({ strategy: opaque(), keyring, store, timeouts: 'aal2' })
// @ts-expect-error no refresh on opaque
await o.refresh('x')
const oi = await o.issue({ subject: 'u' })
if (oi.ok) {
  // @ts-expect-error none
  oi.refreshToken
}
const s = createSessions({
  strategy: stateless({ issuer: 'i', audience: 'a', refresh: false }),
  keyring,
  timeouts: { absolute: '10m' },
})
// @ts-expect-error storeless
await s.revoke(parseSessionId('x')!, { reason: 'logout' })
await s.issue({ subject: 'u' })
// @ts-expect-error allowlist needs a store
createSessions({ strategy: allowlist({ issuer: 'i', audience: 'a' }), keyring, timeouts: { absolute: '1d' } })
createSessions({
  strategy: denylist({ issuer: 'i', audience: 'a' }),
  keyring,
  // @ts-expect-error denylist needs revocations
  store: { sessions: store.sessions },
  timeouts: { absolute: '1d' },
})
const d = createSessions({
  strategy: denylist({ issuer: 'i', audience: 'a' }),
  keyring,
  store,
  timeouts: { absolute: '1d' },
  data: Data,
})
const dv = await d.verify('t')
if (dv.ok) {
  // @ts-expect-error token-only strategies see no data
  dv.session.data
  const rec = await d.get(dv.session.sessionId)
  if (rec.ok) rec.session.data.cart
}
// @ts-expect-error typo
createSessions({ strategy: opaque(), keyring, store, timeouts: { absolute: '1d', idel: '3m' } })
// @ts-expect-error no bare numbers
createSessions({ strategy: opaque(), keyring, store, timeouts: { absolute: 3600 } })
declare const dyn: boolean
const x = createSessions({
  strategy: allowlist({ issuer: 'i', audience: 'a', refresh: dyn }),
  keyring,
  store,
  timeouts: { absolute: '1d' },
})
const xi = await x.issue({ subject: 'u' })
if (xi.ok) {
  const t: string | undefined = xi.refreshToken
  void t
}
await a.issue({ subject: 'u', data: { cart: [] } })
declare const which: string
const dynS = createSessions({
  strategy: which === 'opaque' ? opaque() : allowlist({ issuer: 'i', audience: 'a' }),
  keyring,
  store,
  timeouts: { absolute: '1d' },
  data: Data,
})
const di = await dynS.issue({ subject: 'u', data: { cart: [] } })
if (di.ok) {
  const t: string | undefined = 'refreshToken' in di ? di.refreshToken : undefined
  void t
}
await dynS.refresh('x')
const dv2 = await dynS.verify('x')
if (dv2.ok) dv2.session.data.cart

// An outage: what only the store knows now is not in the answer, and nobody gets such an answer without asking.
const out = await a.verify('x', { audience: 'b', outage: { verifiedWithin: '30s' } })
if (out.ok) {
  // @ts-expect-error perhaps degraded: look first
  out.session.roles
  // @ts-expect-error perhaps degraded: look first
  out.session.data
  const subject: string = out.session.subject
  void subject
  if (out.degraded) {
    // @ts-expect-error not of a degraded answer
    out.session.roles
    // @ts-expect-error not of a degraded answer
    out.session.data
    // @ts-expect-error not of a degraded answer
    out.session.acr
    // @ts-expect-error not of a degraded answer
    out.session.amr
    // @ts-expect-error not of a degraded answer
    out.session.authTimeMs
    await a.revoke(out.session.sessionId, { reason: 'logout' })
    out.session.expiresAtMs.toFixed()
  } else {
    const role: 'user' | 'admin' | undefined = out.session.roles[0]
    void role
    out.session.data.theme
  }
} else out.reason
const plain = await a.verify('x', { roles: ['user'] })
if (plain.ok) {
  const never: undefined = plain.degraded
  void never
}
// @ts-expect-error how long?
await a.verify('x', { outage: {} })
// @ts-expect-error no bare numbers
await a.verify('x', { outage: { verifiedWithin: 30 } })
// @ts-expect-error memory only: there is no outage
a.verifyNow('x', { outage: { verifiedWithin: '30s' } })
const h = a.health().outage
const open: 'closed' | 'open' | 'half_open' = h.breaker.state
void [open, h.degraded, h.remembered]
