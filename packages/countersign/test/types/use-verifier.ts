// How a service that only checks tokens uses the API.
import { createVerifier, type Keyring } from 'countersign'
import type { Store } from 'countersign/stores/contract'
import { z } from 'zod'

declare const keyring: Keyring
declare const store: Store
const Data = z.object({
  cart: z.array(z.object({ sku: z.string(), qty: z.number(), tags: z.array(z.string()) })),
  theme: z.enum(['dark', 'light']).default('dark'),
})

const m = createVerifier({ issuer: 'i', audience: 'a', keys: new URL('https://a/jwks') })
const mv = await m.verify('x')
if (mv.ok) mv.session.roles
const m2 = createVerifier({ issuer: 'i', audience: 'a', keys: keyring, records: store.sessions, data: Data })
const m2v = await m2.verify('x')
if (m2v.ok) m2v.session.data.theme
