import { CountersignError, invalidOption } from '../internal/errors.ts'
import { elapsedMs, type Moment, momentOf, type Runtime } from '../internal/runtime.ts'
import type { ForeignKeyLookup, VerifyingKey } from '../tokens/jws.ts'
import { foreignKeys, readKeySet } from '../tokens/public-key.ts'
import type { VerifyingAlg } from '../tokens/signatures.ts'
import { parseStrictObject } from '../tokens/strict-json.ts'
import { type GuardedRequest, guardedRequest, unavailable } from './guarded-request.ts'

const DEADLINE_MS = 5_000
/** From this age on the set is renewed beside the call that uses it. */
const RENEW_AFTER_MS = 300_000
/** From this age on it is not used any more. A key that the issuer withdrew is accepted at most that long. */
const MAX_AGE_MS = 600_000
/** At most one question in this time for a `kid` that the set does not have, however many tokens name one. */
const COOL_DOWN_MS = 30_000
/** And at most one in this time while the address gives no answer. */
const RETRY_AFTER_MS = 1_000

const ACCEPT = 'application/jwk-set+json, application/json'

/** The keys of an issuer, as far as they are known now. */
export interface RemoteKeys {
  /** Undefined when the set has to be asked for first. Renews it in the background when it is getting old. */
  now(): ForeignKeyLookup | undefined
  /** Asks when the set is too old. No answer is a fault. */
  fresh(): Promise<ForeignKeyLookup>
  /** Whether asking again could bring a key that was not found: not within 30 s of the last answer. */
  mayHaveMore(): boolean
  /** Asks again, unless that failed within the last 30 s. */
  more(): Promise<ForeignKeyLookup>
}

/** What is used of the package `jose`. */
interface Jose {
  readonly customFetch: symbol
  createRemoteJWKSet(url: URL, options: object): { jwks(): unknown; reload(): Promise<void> }
}

/**
 * The JWK Set at an address, through `createRemoteJWKSet` of `jose`, whose requests go through {@link guardedRequest}.
 * What it brings is read again by {@link readKeySet}, which refuses more than `jose` does.
 */
export function remoteKeys(
  url: URL,
  algorithms: readonly VerifyingAlg[],
  options: { readonly privateNetwork: boolean; readonly runtime: Runtime },
): RemoteKeys {
  const { clock } = options.runtime
  const ask = guardedRequest(url, 'keys', { ...options, name: 'jwks', deadlineMs: DEADLINE_MS })
  let loaded: { readonly find: ForeignKeyLookup; readonly askedAt: Moment } | undefined
  let failed: { readonly error: unknown; readonly askedAt: Moment } | undefined
  let asking: Promise<ForeignKeyLookup> | undefined
  let remote: Promise<ReturnType<Jose['createRemoteJWKSet']>> | undefined

  const ageMs = () => (loaded ? elapsedMs(clock, loaded.askedAt) : Number.POSITIVE_INFINITY)
  const load = async (): Promise<ForeignKeyLookup> => {
    // The age counts from the question: the answer may be older than its arrival.
    const askedAt = momentOf(clock)
    try {
      remote ??= loadJose().then((jose) => createRemote(jose, url, ask))
      const set = await remote
      await set.reload()
      const keys: readonly VerifyingKey[] = readKeySet(set.jwks(), 'jwks', algorithms)
      loaded = { find: foreignKeys(keys), askedAt }
      failed = undefined
      return loaded.find
    } catch (error) {
      remote = undefined
      failed = { error: faultOf(error), askedAt }
      throw failed.error
    }
  }
  const reload = (retryAfterMs: number): Promise<ForeignKeyLookup> => {
    if (asking) return asking
    if (failed && elapsedMs(clock, failed.askedAt) < retryAfterMs) return Promise.reject(failed.error)
    asking = load().finally(() => {
      asking = undefined
    })
    return asking
  }
  return {
    now() {
      const age = ageMs()
      // A renewal that fails is told to the call that finds the set too old.
      if (age >= RENEW_AFTER_MS && age < MAX_AGE_MS) reload(RETRY_AFTER_MS).catch(() => undefined)
      return age < MAX_AGE_MS ? loaded?.find : undefined
    },
    async fresh() {
      return this.now() ?? reload(RETRY_AFTER_MS)
    },
    mayHaveMore: () => ageMs() >= COOL_DOWN_MS,
    more: () => reload(COOL_DOWN_MS),
  }
}

/** `jose` hands over its own request; ours is sent instead, and its answer is read strictly before `jose` sees it. */
function createRemote(jose: Jose, url: URL, ask: GuardedRequest) {
  const send = async () => {
    const { status, body } = await ask(() => ({ method: 'GET', headers: { accept: ACCEPT } }))
    if (status !== 200) throw unavailable('jwks', `answered ${status}`)
    if (!parseStrictObject(body)) throw unavailable('jwks', 'did not answer with strict JSON')
    return new Response(new Uint8Array(body), { status })
  }
  return jose.createRemoteJWKSet(url, { [jose.customFetch]: send, timeoutDuration: 2 * DEADLINE_MS })
}

async function loadJose(): Promise<Jose> {
  try {
    return (await import('jose')) as unknown as Jose
  } catch (cause) {
    const known = (cause as NodeJS.ErrnoException).code === 'ERR_MODULE_NOT_FOUND'
    throw known ? invalidOption('keys', 'is a URL and needs the package "jose": npm install jose') : cause
  }
}

/** `jose` refuses an answer that is no JWK Set. */
function faultOf(error: unknown): CountersignError {
  if (error instanceof CountersignError) return error
  return unavailable('jwks', 'gave no JWK Set that can be used', error)
}
