// How the helpers for tests and the suites are meant to be used, and what must not compile. See use.ts.
import * as nodeTest from 'node:test'
import { allowlist, opaque } from 'countersign'
import {
  type AdapterSessions,
  adapterSuite,
  type Runner,
  samples,
  storeSuite,
  strategySuite,
} from 'countersign/conformance'
import type { SessionRecord, Store, Tombstone } from 'countersign/stores/contract'
import { createTestSessions, testClock } from 'countersign/testing'
import { z } from 'zod'

const plain = await createTestSessions({ strategy: opaque(), roles: ['user', 'admin'] })
await plain.issueFor('u')
await plain.issueFor({ subject: 'u', tenant: 't' }, { roles: ['admin'] })
// @ts-expect-error unknown role
await plain.issueFor('u', { roles: ['root'] })
const slides = await plain.issueFor('u')
const handle: string = slides.session.sessionId
// @ts-expect-error opaque has no refresh token
slides.refreshToken
// @ts-expect-error every call makes its own keys
await createTestSessions({ strategy: opaque(), keyring: plain.keyring })

const Data = z.object({ items: z.array(z.string()), theme: z.string().default('dark') })
const cart = await createTestSessions({
  strategy: allowlist({ issuer: 'i', audience: 'a' }),
  timeouts: 'aal2',
  data: Data,
  clock: testClock({ startMs: 0 }),
})
// @ts-expect-error data required
await cart.issueFor('u')
const issued = await cart.issueFor('u', { data: { items: [] } })
const theme: string = issued.session.data.theme
const token: string = issued.refreshToken
await cart.sessions.refresh(token)
cart.clock.advance('10m')
// @ts-expect-error no bare numbers
cart.clock.advance(600)
cart.clock.on(cart.store).once

declare const store: Store
declare const open: () => Promise<{ store: Pick<Store, 'sessions' | 'lifecycle'>; dispose(): Promise<void> }>
const runner: Runner = nodeTest
storeSuite({ runner, name: 'mine', open, parts: ['sessions', 'lifecycle'], skip: [{ reason: 'r', tests: ['t'] }] })
strategySuite({ runner: nodeTest, name: 'mine', open, parts: ['sessions'] })
// @ts-expect-error a skip needs a reason
storeSuite({ runner, name: 'mine', open, skip: [{ tests: ['t'] }] })
// @ts-expect-error there is no such part
storeSuite({ runner, name: 'mine', open, parts: ['session'] })
// @ts-expect-error something has to close the store
const noEnd: Runner = { describe: nodeTest.describe, it: nodeTest.it }
declare const start: (sessions: AdapterSessions) => Promise<{ origin: string; close(): Promise<void> }>
adapterSuite({ runner, name: 'mine', start })

const record: SessionRecord = samples.recordOf(samples.subjectRef(), { idleAtMs: samples.T + samples.MINUTE })
await store.sessions.create(record, samples.createRule, samples.T)
const found = await store.sessions.read(record.id)
const tombstone: Tombstone | undefined = found.is === 'ended' ? found.tombstone : undefined
void [handle, theme, tombstone, noEnd]
