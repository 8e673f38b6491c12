/**
 * What the golden records tell: people who logged in under some release, and what became of their sessions. Clock and random
 * source are made up, so a release that stores the same writes the same bytes.
 */
import { createHash } from 'node:crypto'
import {
  allowlist,
  createSessions,
  denylist,
  type Keyring,
  opaque,
  type Runtime,
  type SessionId,
  type StandardSchema,
  type Store,
  stateless,
  subjectRef,
  systemRuntime,
} from 'countersign'
import { createServiceTokens } from 'countersign/oauth'
import { createOneTime } from 'countersign/one-time'

/** Far ahead, so that no server expires what belongs to the story. */
export const START_MS = Date.UTC(2100, 0, 1)
const MINUTE_MS = 60_000
const jwt = { issuer: 'https://auth.test', audience: ['https://api.test', 'https://files.test'] }
export const reset = { purpose: 'password_reset', boundTo: 'hash of a password' } as const

/** A clock that stands still until it is told, and random bytes that are none. */
export function madeUpRuntime(seed: string) {
  let nowMs = START_MS
  let drawn = 0
  const runtime: Runtime = {
    clock: { nowMs: () => nowMs, monotonicMs: () => nowMs },
    random: (bytes) => {
      const parts = Array.from({ length: Math.ceil(bytes / 32) }, () =>
        createHash('sha256').update(`${seed} ${drawn++}`).digest(),
      )
      return new Uint8Array(Buffer.concat(parts).subarray(0, bytes))
    },
    timers: systemRuntime.timers,
  }
  return {
    runtime,
    advance(ms: number) {
      nowMs += ms
    },
  }
}

type Cart = { readonly items: readonly string[] }
const cartSchema: StandardSchema<Cart> = {
  '~standard': { version: 1, vendor: 'test', validate: (value) => ({ value: value as Cart }) },
}

/** The layers over one store as the people of the story use them. */
export function layersOver(raw: Store, keyring: Keyring, runtime: Runtime) {
  const { lifecycle } = raw
  // A store with a server follows the clock of that, which no test can move.
  const store: Store = {
    ...raw,
    lifecycle: {
      name: lifecycle.name,
      ready: (placement) => lifecycle.ready(placement),
      health: () => lifecycle.health(),
      nowMs: () => runtime.clock.nowMs(),
      close: () => lifecycle.close(),
    },
  }
  const common = {
    store,
    keyring,
    runtime,
    timeouts: { idle: '30m', absolute: '7d' },
    roles: ['user', 'moderator', 'admin'],
    data: cartSchema,
  } as const
  return {
    store,
    keyring,
    allow: createSessions({ ...common, strategy: allowlist(jwt), dataVersion: 3 }),
    opaque: createSessions({ ...common, strategy: opaque({ audience: jwt.audience }) }),
    deny: createSessions({ ...common, strategy: denylist({ ...jwt, alg: 'Ed25519' }) }),
    sealed: createSessions({ ...common, strategy: allowlist({ ...jwt, sealed: true }) }),
    signed: createSessions({
      strategy: stateless({ ...jwt, alg: 'ES256', refresh: false }),
      keyring,
      runtime,
      timeouts: common.timeouts,
    }),
    oneTime: createOneTime({ store, keyring, runtime }),
    serviceTokens: createServiceTokens({ keyring, issuer: jwt.issuer, alg: 'Ed25519', store, runtime }),
  }
}
export type Layers = ReturnType<typeof layersOver>

/** What the people hold at the end of the story. */
export interface Held {
  readonly ada: { readonly phone: Tokens; readonly laptop: Tokens; readonly before: Tokens }
  readonly bob: Tokens
  readonly eve: { readonly live: Tokens; readonly ended: Tokens; readonly denied: Tokens }
  readonly sealed: Tokens
  readonly signed: string
  readonly link: string
  readonly service: string
}
export interface Tokens {
  readonly id: SessionId
  readonly accessToken: string
  readonly refreshToken?: string
}

const held = (done: {
  readonly ok: boolean
  readonly reason?: string
  readonly session?: { readonly sessionId: unknown }
  readonly accessToken?: string
  readonly refreshToken?: string
}): Tokens => {
  if (!done.ok) throw new Error(`the story cannot be told: ${done.reason}`)
  const { session, accessToken, refreshToken } = done
  return { id: session!.sessionId as SessionId, accessToken: accessToken!, ...(refreshToken && { refreshToken }) }
}

const jtiOf = (token: string): string => JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString()).jti

/** Tells the story from its beginning on an empty store. */
export async function tell(layers: Layers, advance: (ms: number) => void): Promise<Held> {
  const { store, keyring, allow, deny, oneTime, serviceTokens } = layers
  const context = { ip: '192.0.2.7', userAgent: 'Mozilla/5.0 (ünïcode 😀)' }
  const phone = held(
    await allow.issue({
      subject: 'ada@example.com',
      tenant: 'acme',
      roles: ['user'],
      device: { id: 'phone', label: "Ada's phone", class: 'mobile' },
      delivery: 'bearer',
      persistent: true,
      amr: ['pwd', 'otp'],
      acr: 'aal2',
      audience: 'https://api.test',
      data: { items: ['tea', 'ünïcode 😀'] },
      context,
    }),
  )
  const laptop = held(await allow.issue({ subject: 'ada@example.com', tenant: 'acme', data: { items: [] } }))
  advance(20_000)
  await allow.update(phone.id, ({ items }) => ({ items: [...items, 'cake'] }), { operationId: 'op-1' })
  await allow.setRoles({ subject: 'ada@example.com', tenant: 'acme' }, ['user', 'moderator'])
  // With other roles waiting, so that a rotation brings them.
  const rotated = held(await allow.refresh(phone.refreshToken!, { context: { ip: '198.51.100.9' } }))
  await allow.setRoles({ subject: 'ada@example.com', tenant: 'acme' }, ['user', 'moderator', 'admin'])
  const stepped = held(await allow.stepUp(laptop.id, { acr: 'aal2', amr: ['pwd', 'otp'] }))

  const bob = held(await layers.opaque.issue({ subject: 'bob', data: { items: ['one'] } }))
  const live = held(await deny.issue({ subject: 'eve', roles: ['user'], data: { items: [] } }))
  const ended = held(await deny.issue({ subject: 'eve', data: { items: [] } }))
  const denied = held(await deny.issue({ subject: 'eve', data: { items: [] } }))
  advance(MINUTE_MS)
  await deny.revoke(ended.id, { reason: 'logout' })
  await deny.revoke(denied.id, { reason: 'lost device', jti: jtiOf(denied.accessToken) })
  await deny.revokeAll('mallory', { reason: 'banned', block: true })
  await store.accounts.create({
    ...subjectRef(keyring, { subject: 'ada@example.com', tenant: 'acme' }),
    identifier: 'ada@example.com',
    version: 1,
    passwordHash: '$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$aGFzaA',
    passwordChangedAtMs: START_MS,
    roles: ['user'],
    blocked: null,
    createdAtMs: START_MS,
    emailVerifiedAtMs: START_MS + 1,
    unsettled: null,
  })
  await store.once.claim('assertion:orders', 'f3b1c2d4', START_MS + 10 * MINUTE_MS, START_MS)
  const { id } = await oneTime.issue({ subject: 'bob', ...reset, data: 'next page' })
  const sealed = held(await layers.sealed.issue({ subject: 'carl', data: { items: ['secret'] } }))
  const signed = held(await layers.signed.issue({ subject: 'dora' }))
  return {
    ada: { phone: { ...rotated, id: phone.id }, laptop: { ...stepped, id: stepped.id }, before: phone },
    bob,
    eve: { live, ended, denied },
    sealed,
    signed: signed.accessToken,
    link: oneTime.tokenFor(id),
    service: serviceTokens.issue({ clientId: 'orders', audience: 'https://billing.test', scope: ['read'] }).token,
  }
}
