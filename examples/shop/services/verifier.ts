// How a service that logs nobody in finds out whose request it is.
import { createSessions, createVerifier, type Keyring, type Principal, type Verifier } from 'countersign'
import { redisStore } from 'countersign/stores/redis'
import { type StrategyName, strategyOf } from '../strategy.ts'

export interface Trusting {
  readonly issuer: string
  readonly audience: string
  readonly strategy: StrategyName
}

export interface Checking {
  readonly verifier: Verifier<Principal>
  close(): Promise<void>
}

/**
 * By public keys alone: no store, no secret, nothing read per request. **A logout, a ban or the end of a device reaches
 * such a service only when the access token runs out, 10 minutes at most.** Good for a cart.
 */
export function byKeys({ issuer, audience }: Trusting, jwks: URL): Checking {
  return { verifier: createVerifier({ issuer, audience, keys: jwks }), close: async () => {} }
}

/** By the record: what has ended is refused at once. One read of the store per request. For everything that must not be late. */
export function byRecord(trust: Trusting, nodes: readonly string[], keyring: Keyring): Checking {
  const { issuer, audience, strategy } = trust
  const store = redisStore({ nodes })
  if (strategy !== 'opaque') {
    const verifier = createVerifier({ issuer, audience, keys: keyring, records: store })
    return { verifier, close: () => store.lifecycle.close() }
  }
  // An opaque token says nothing by itself, so only who has the record can check it.
  const timeouts = { idle: '30m', absolute: '30d' } as const
  const sessions = createSessions({ strategy: strategyOf('opaque', issuer), store, keyring, timeouts })
  return { verifier: sessions, close: () => sessions.close() }
}
