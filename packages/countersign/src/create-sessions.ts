import { NearCache } from './cache/near-cache.ts'
import { type NearCacheOptions, resolveNearCache } from './cache/options.ts'
import { droppingOwnWrites } from './cache/own-writes.ts'
import type { Journal } from './durable/journal.ts'
import { Revoker } from './durable/revoker.ts'
import { createEvents } from './events/events.ts'
import { CountersignError, invalidOption } from './internal/errors.ts'
import { type Runtime, systemRuntime } from './internal/runtime.ts'
import { Breaker } from './outage/breaker.ts'
import { breaking } from './outage/breaking.ts'
import { createDataCodec, DEFAULT_MAX_DATA_BYTES } from './session/data.ts'
import { checkRoleNames } from './session/input.ts'
import { type Lifetimes, resolveLifetimes, type TimeoutPreset, type Timeouts } from './session/lifetimes.ts'
import { MAX_LEEWAY_MS } from './session/record.ts'
import type { StandardSchema } from './session/schema.ts'
import type { NeedsOf, Sessions, SessionsHealth } from './sessions.ts'
import type { LimitRule, Store } from './stores/contract.ts'
import { refuseUnknown } from './strategies/options.ts'
import type { Strategy } from './strategies/strategy.ts'
import { type Keyring, keepSigning, keysOf } from './tokens/keyring.ts'
import { createBackground } from './verbs/background.ts'
import { type Core, tell } from './verbs/core.ts'
import { epoch, revoke, revokeAll, revokeEveryone, setRoles } from './verbs/end.ts'
import { watchFloor } from './verbs/floor-watch.ts'
import { follow } from './verbs/follow.ts'
import { Follower } from './verbs/follower.ts'
import { keepInside } from './verbs/inside.ts'
import { issue } from './verbs/issue.ts'
import { explain, list } from './verbs/look.ts'
import { get, stepUp, update } from './verbs/records.ts'
import { refresh } from './verbs/refresh.ts'
import { reportRevocations } from './verbs/report-revocation.ts'
import { startSweeper } from './verbs/sweeper.ts'
import { verify, verifyNow } from './verbs/verify.ts'
import { watch } from './verbs/watch.ts'

/** What every strategy takes. */
export type SessionsOptions<S, I, D, R extends string> = {
  strategy: S
  keyring: Keyring
  /** When sessions end by themselves: a NIST preset, or both numbers. `absolute` is never optional. */
  timeouts: TimeoutPreset | Timeouts
  /** Schema of the application's data. It runs on `issue` and `update`, and on a record of another `dataVersion`; never on a hot read. */
  data?: StandardSchema<I, D>
  /**
   * Version of that schema, 1 to 65 535. Default 1. Raise it with a change that stored data does not fit: the schema then gets
   * every record of another version when that is read, and has to take it, or to make the new form of it. What it makes is
   * stored with the next `update`. Until all servers have the new schema, the old one has to take the new form as well.
   */
  dataVersion?: number
  /** Largest JSON text of the data, in bytes. Default 65 536. */
  maxDataBytes?: number
  /** All role names there are: 1 to 64 visible ASCII characters each, no comma, quote or backslash. */
  roles?: readonly R[]
  /** Live sessions per subject, 1 to 1 000, and what a login beyond them does. Default 100, `evict_oldest`. */
  limits?: { perSubject: number; overflow: LimitRule['overflow'] }
  /** Levels of authentication, weakest first. Default `aal1`, `aal2`, `aal3`. */
  acrLevels?: readonly string[]
  /**
   * Copies of what the store said, kept in the process where the store tells of changes, so that a request asks nobody:
   * `docs/operations.md`. `false` has every check ask the store. On by default.
   */
  nearCache?: false | NearCacheOptions
  /**
   * Where revocations are kept that wait for the store or that a failover could undo: `fileJournal({ file })`, or one of
   * your own. Default none: they are in the memory of this process and end with it.
   */
  journal?: Journal
  /** Clock, random source and timers: for tests. */
  runtime?: Runtime
}

const OPTIONS = new Set([
  'strategy',
  'keyring',
  'timeouts',
  'data',
  'dataVersion',
  'maxDataBytes',
  'roles',
  'limits',
  'acrLevels',
  'nearCache',
  'journal',
  'runtime',
  'store',
])

/**
 * Makes the session layer of one application. Opens nothing: the store is connected by `ready()` or the first call.
 *
 * @throws CountersignError `ERR_CONFIG_INVALID` or `ERR_CONFIG_UNSAFE`, naming the option; `ERR_KEY_NOT_FOUND` when the
 * keyring has no active signing key for the strategy's algorithm, or no sealing key for one that is `sealed`.
 */
export function createSessions<
  S extends Strategy<any, any, any>,
  I = undefined,
  D = I,
  const R extends string = string,
>(
  options: SessionsOptions<S, I, D, R> &
    ([NeedsOf<S>] extends [never] ? { store?: undefined } : { store: Pick<Store, NeedsOf<S>> & Partial<Store> }),
): Sessions<S, D, R, I> {
  const { core, follower, store, breaker, close } = wire(options as never)
  const records = {
    get: (id: never) => get(core, id),
    update: (id: never, change: never, o = {}) => update(core, id, change, o),
    stepUp: (id: never, proof: never, o = {}) => stepUp(core, id, proof, o),
    setRoles: (subject: never, roles: never, o = {}) => setRoles(core, subject, roles, o),
    revoke: (id: never, o: never) => revoke(core, id, o),
    revokeAll: (subject: never, o: never) => revokeAll(core, subject, o),
    revokeEveryone: (o: never) => revokeEveryone(core, o),
    epoch: (subject: never) => epoch(core, subject),
    list: (subject: never) => list(core, subject),
    explain: (text: string) => explain(core, text),
    watch: (ids: never, signal: AbortSignal) => watch(follower, ids, signal),
    follow: (id: never, on: never, demands = {}) => follow(core, follower, id, on, demands),
  }
  const sessions = {
    issue: (input: never) => issue(core, input),
    verify: (token: string, o = NO_DEMANDS) => verify(core, token, o),
    verifyNow: (token: string, o = NO_DEMANDS) => verifyNow(core, token, o),
    events: core.events,
    ready: core.ready,
    health: () => healthOf(core, store, breaker),
    close,
    [Symbol.asyncDispose]: close,
    ...(core.strategy.needs.length > 0 && records),
    ...(core.strategy.renews && { refresh: (token: string, o = {}) => refresh(core, token, o) }),
  }
  keepInside(sessions, core)
  // The runtime shape follows the strategy as the type does; TypeScript cannot see that they agree. `use.ts` tests it.
  return Object.freeze(sessions) as unknown as Sessions<S, D, R, I>
}

/** One object for all calls: a hit of the near cache allocates nothing. */
const NO_DEMANDS = Object.freeze({})

type AnyOptions = SessionsOptions<Strategy<any, any, keyof Store>, unknown, unknown, string> & {
  store?: Partial<Store>
}

function wire(options: AnyOptions): {
  core: Core
  follower: Follower
  store: Partial<Store>
  breaker: Breaker
  close: () => Promise<void>
} {
  refuseUnknown(options, OPTIONS, 'createSessions')
  const { strategy, keyring, roles, store = {}, runtime = systemRuntime } = options
  if (typeof strategy?.name !== 'string')
    throw invalidOption('strategy', 'must be opaque(), stateless(), denylist() or allowlist()')
  for (const part of strategy.needs) {
    if (!store[part]) throw invalidOption(`store.${part}`, `is needed by the strategy ${strategy.name}`)
  }
  if (roles !== undefined) checkRoleNames(roles, 'roles')
  const acrLevels = options.acrLevels ?? ['aal1', 'aal2', 'aal3']
  if (!Array.isArray(acrLevels) || acrLevels.length === 0 || new Set(acrLevels).size !== acrLevels.length) {
    throw invalidOption('acrLevels', 'must be a list of different names, weakest first')
  }

  const events = createEvents()
  const nowMs = () => store.lifecycle?.nowMs() ?? runtime.clock.nowMs()
  let closed = false
  let isReady = false
  let readying: Promise<void> | undefined
  let stopSweeper = () => {}
  const ready = (): Promise<void> => {
    if (closed) return Promise.reject(new CountersignError('ERR_CLOSED', 'these sessions are closed'))
    readying ??= (async () => {
      await store.lifecycle?.ready(keysOf(keyring).placementFingerprint)
      if (strategy.name === 'denylist' && store.lifecycle?.health().keepsAll === false) {
        throw new CountersignError(
          'ERR_STORE_MISCONFIGURED',
          'the strategy denylist needs a store that never evicts: on Redis set maxmemory-policy to noeviction, or state it with the option "noEviction" where the setting cannot be read',
          { store: store.lifecycle.name },
        )
      }
      await core.revoker?.open()
      if (store.sessions && !closed) stopSweeper = startSweeper(store.sessions, runtime, nowMs, failed)
      if (strategy.name !== 'stateless') near.open(core.revoker?.changes)
      isReady = true
    })()
    readying.catch(() => {
      readying = undefined
    })
    return readying
  }
  const failed = (error: unknown) => failedWith(error instanceof CountersignError ? error.code : 'unknown')
  const failedWith = (code: string) => tell(core, { type: 'background_write_failed', code }, {}, undefined)

  const floor = watchFloor({ floor: () => revoker!.sessions.floor() }, runtime.clock, () => {
    near.dropAll()
    tell(core, { type: 'store_data_lost' }, {}, undefined)
  })
  const near: Core['near'] = new NearCache({
    options: resolveNearCache(options.nearCache),
    clock: runtime.clock,
    floorAt: floor.at,
    floorRead: floor.told,
    keysVersion: () => keyring.version,
  })
  const { journal } = options
  if (journal !== undefined && typeof journal?.append !== 'function')
    throw invalidOption('journal', 'must be fileJournal({ file }) or have the methods of a Journal')
  const { accessMs, refreshMs } = strategy.options
  const breaker = new Breaker(
    runtime,
    {
      opened: (code, silentMs) => tell(core, { type: 'store_silent', code, silentMs }, {}, undefined),
      closed(silentMs, refused) {
        tell(core, { type: 'store_back', silentMs, refused }, {}, undefined)
        revoker?.storeIsBack()
      },
    },
    store.lifecycle?.name,
  )
  const revoker =
    store.sessions &&
    new Revoker({
      stores: droppingOwnWrites(breaking({ sessions: store.sessions, revocations: store.revocations }, breaker), near),
      journal,
      runtime,
      nowMs,
      unknownMs: Math.max(refreshMs, accessMs) + MAX_LEEWAY_MS,
      on: reportRevocations(() => core),
      onWaiting: (tag) => (tag === null ? near.dropAll() : near.dropSubject(tag)),
    })

  const core: Core = Object.freeze({
    strategy,
    options: strategy.options,
    // Without a store no verb asks for one.
    ...storeSide(revoker),
    floor,
    near,
    keyring,
    get keys() {
      return keysOf(keyring)
    },
    lifetimes: lifetimesOf(strategy, options.timeouts),
    limit: resolveLimit(options.limits),
    roles: roles && Object.freeze([...roles]),
    acrLevels: Object.freeze([...acrLevels]),
    data: createDataCodec(options.data, options.maxDataBytes ?? DEFAULT_MAX_DATA_BYTES, options.dataVersion),
    runtime,
    events,
    background: createBackground(failedWith),
    nowMs,
    ready,
    get isReady() {
      return isReady && !closed
    },
  })
  const stopSigning = keepSigning(keyring, strategy.options)
  const follower = new Follower(core)
  const close = async (): Promise<void> => {
    closed = true
    stopSigning()
    stopSweeper()
    follower.close()
    await core.background.settle()
    await near.close()
    try {
      await core.revoker?.close()
    } finally {
      await store.lifecycle?.close()
    }
  }
  return { core, follower, store, breaker, close }
}

function storeSide(revoker: Revoker | undefined): Pick<Core, 'sessions' | 'revocations' | 'revoker'> {
  return { sessions: revoker?.sessions, revocations: revoker?.revocations, revoker } as Core
}

function healthOf(core: Core, store: Partial<Store>, breaker: Breaker): SessionsHealth {
  const health = store.lifecycle?.health() ?? { up: true, keepsAll: false, warnings: [] }
  const { revoker } = core
  return {
    ...health,
    warnings: [...health.warnings, ...breaker.warnings(), ...(revoker?.warnings() ?? [])],
    queued: revoker?.waiting ?? 0,
    nearCache: core.near.health(),
    outage: { breaker: breaker.health(), degraded: core.near.lately.served, remembered: core.near.lately.size },
  }
}

/** Where only a refresh counts as use, a session must not be idle before its first access token is over. */
function lifetimesOf(strategy: AnyOptions['strategy'], timeouts: TimeoutPreset | Timeouts): Lifetimes {
  const lifetimes = resolveLifetimes(timeouts)
  const { accessMs } = strategy.options
  if (strategy.reads === 'token' && strategy.renews && lifetimes.idleMs !== null && lifetimes.idleMs <= accessMs) {
    throw invalidOption(
      'timeouts.idle',
      `must be longer than "accessLifetime" for ${strategy.name}, which sees a use only at refresh`,
    )
  }
  return lifetimes
}

function resolveLimit(limits: SessionsOptions<unknown, unknown, unknown, string>['limits']): LimitRule {
  if (limits === undefined) return { max: 100, overflow: 'evict_oldest' }
  refuseUnknown(limits, new Set(['perSubject', 'overflow']), 'limits')
  const { perSubject: max, overflow } = limits
  if (!Number.isInteger(max) || max < 1 || max > 1_000)
    throw invalidOption('limits.perSubject', 'must be a whole number from 1 to 1000')
  if (!['reject', 'evict_oldest', 'evict_least_recent'].includes(overflow)) {
    throw invalidOption('limits.overflow', "must be 'reject', 'evict_oldest' or 'evict_least_recent'")
  }
  return { max, overflow }
}
