import { CountersignError } from '../../internal/errors.ts'
import type { StoreDurability } from '../contract.ts'

/** What the server says of itself: the fields of INFO, and those settings of CONFIG GET that it was willing to tell. */
export interface ServerFacts {
  readonly info: ReadonlyMap<string, string>
  /** `null` when CONFIG GET was refused, as managed services do. */
  readonly config: ReadonlyMap<string, string> | null
}

/** How servers are put together: what they may be, and what happens when one is cut off. */
export type Deployment = 'single' | 'cluster' | 'sentinel'

export interface ServerVerdict {
  /** What is weaker than promised, and by which setting. `docs/operations.md` has the settings to use. */
  readonly warnings: readonly string[]
  /** What would be better, though no promise depends on it. */
  readonly advice: readonly string[]
  readonly durability: StoreDurability
  /** Whether a write can wait for the disk: `WAITAOF`, and an append-only file. */
  readonly hasWaitAof: boolean
  /** The server was proven not to evict. */
  readonly keepsAll: boolean
  /**
   * How long after another server has taken its place it may go on answering reads of whoever is cut off with it. `null`:
   * without a bound, as far as is known. A copy that is kept in the process must not be served then.
   */
  readonly staleForMs: number | null
}

export const CHECKED_SETTINGS = [
  'maxmemory-policy',
  'appendonly',
  'appendfsync',
  'save',
  'min-replicas-to-write',
  'min-replicas-max-lag',
  'cluster-node-timeout',
  'cluster-allow-reads-when-down',
  'tracking-table-max-keys',
  'client-output-buffer-limit',
] as const
type Setting = (name: (typeof CHECKED_SETTINGS)[number]) => string | undefined

/**
 * The check at the start (`docs/operations.md`). Warnings name the promise of the README that they weaken.
 *
 * @throws CountersignError `ERR_STORE_MISCONFIGURED` when the server cannot be used at all.
 */
export function checkServer({ info, config }: ServerFacts, deployment: Deployment = 'single'): ServerVerdict {
  const version = info.get('valkey_version') ?? info.get('redis_version') ?? ''
  const name = info.has('valkey_version') ? 'Valkey' : 'Redis'
  const [major] = numbersOf(info.get('redis_version') ?? version)
  if (major === undefined || major < 7)
    throw misconfigured(`is ${name} ${version || 'of unknown version'}; 7.0 or newer is needed`)
  const mode = info.get('redis_mode')
  if (mode === 'sentinel') throw misconfigured('is a sentinel; give it under "sentinels"')
  if (mode === 'cluster' && deployment !== 'cluster')
    throw misconfigured('is one node of a cluster; give some of its nodes as "nodes" instead')
  if (info.get('role') === 'slave') {
    // Where servers take turns it has only just become one, and is asked no more as soon as that is known.
    if (deployment !== 'single') throw replaced()
    throw misconfigured('is a replica; Countersign needs the primary')
  }

  const setting: Setting = (key) => config?.get(key)
  const warnings: string[] = []
  if (!config) warnings.push('CONFIG GET is refused, so not every setting could be checked; writes count as "local"')

  const policy = setting('maxmemory-policy') ?? info.get('maxmemory_policy')
  if (policy !== undefined && policy !== 'noeviction') {
    warnings.push(
      `maxmemory-policy is ${policy}, not noeviction: under memory pressure the server may drop an index, after which "revoke all" misses sessions (promise 2), or log people out (promise 6)`,
    )
  }
  const appendonly = setting('appendonly') ?? (info.get('aof_enabled') === '1' ? 'yes' : 'no')
  const appendfsync = setting('appendfsync')
  if (appendonly !== 'yes') {
    const save = setting('save')
    const instead =
      save === undefined ? '' : save === '' ? ', and save is empty: everything is lost' : `, to the last save (${save})`
    warnings.push(
      `appendonly is off: a crash of the server brings revoked sessions back (promise 3) and loses acknowledged writes (promise 4)${instead}`,
    )
  } else if (appendfsync !== undefined && appendfsync !== 'always') {
    warnings.push(
      `appendfsync is ${appendfsync}, not always: a power failure may lose the last acknowledged writes (promises 3 and 4)`,
    )
  }
  const replicas = Number(info.get('connected_slaves') ?? 0)
  if (replicas > 0 && setting('min-replicas-to-write') === '0') {
    warnings.push(
      'min-replicas-to-write is 0 although there are replicas: a primary that was cut off goes on accepting writes that a failover then loses (promises 2 and 3)',
    )
  }
  if (replicas === 0 && deployment !== 'single')
    warnings.push('it has no replica: when it fails, its sessions cannot be reached until it is back (promise 6)')
  const staleForMs = staleFor(deployment, config, warnings)
  if (!hasScriptFixes(name, numbersOf(version))) {
    warnings.push(
      `${name} ${version} is older than the fix of CVE-2025-49844 in its Lua engine, unless the distribution has brought it back: whoever may run scripts could take over the server (promise 7)`,
    )
  }
  const isSynced = appendonly === 'yes' && appendfsync === 'always'
  return {
    warnings,
    advice: adviceOn(setting, replicas),
    durability: isSynced && config ? 'fsynced' : 'local',
    hasWaitAof: appendonly === 'yes' && isAtLeast(version, 7, 2),
    keepsAll: policy === 'noeviction',
    staleForMs,
  }
}

/** Long enough for any failover; longer, and a logout may be ignored for longer than anybody expects. */
const LONG_TIMEOUT_MS = 15_000

/** {@link ServerVerdict.staleForMs}, with a warning where there is none or it is long. */
function staleFor(
  deployment: Deployment,
  config: ServerFacts['config'],
  warnings: string[],
): ServerVerdict['staleForMs'] {
  if (deployment === 'single') return 0
  const number = (name: (typeof CHECKED_SETTINGS)[number]) => {
    const value = config?.get(name)
    return value !== undefined && /^\d+$/.test(value) ? Number(value) : undefined
  }
  if (deployment === 'sentinel') {
    const [replicas, lagSeconds] = [number('min-replicas-to-write'), number('min-replicas-max-lag')]
    // A lag of 0 switches the check off as well.
    if (replicas && lagSeconds) return lagSeconds * 1_000 + 2_000
    warnings.push(
      `${replicas === undefined ? 'min-replicas-to-write is not known' : 'min-replicas-to-write or min-replicas-max-lag is 0'}: a primary that sentinels have replaced goes on for ever answering whoever is cut off with it, so there is no bound for a revocation (promise 2)`,
    )
    return null
  }
  if (config?.get('cluster-allow-reads-when-down') === 'yes') {
    throw misconfigured(
      'has cluster-allow-reads-when-down: a node that was cut off would answer for ever, with sessions that were revoked elsewhere',
    )
  }
  const timeoutMs = number('cluster-node-timeout')
  if (timeoutMs === undefined) {
    warnings.push('cluster-node-timeout is not known, so neither is the bound for a revocation (promise 2)')
    return null
  }
  if (timeoutMs > LONG_TIMEOUT_MS) {
    warnings.push(
      `cluster-node-timeout is ${timeoutMs}: for so long a primary that was cut off goes on answering, and a revocation may be ignored (promise 2)`,
    )
  }
  return timeoutMs + 1_000
}

function replaced(): CountersignError {
  return new CountersignError('ERR_STORE_UNAVAILABLE', 'Redis: the server has become a replica', {
    store: 'redis',
    retryable: true,
  })
}

const FEW_TRACKED_KEYS = 1_000_000
const LONG_LAG_SECONDS = 3

/** Settings on which no promise depends: how well the server copes with many processes, and how long a split lasts. */
function adviceOn(setting: Setting, replicas: number): string[] {
  const advice: string[] = []
  const tracked = Number(setting('tracking-table-max-keys') ?? 0)
  if (tracked > 0 && tracked < FEW_TRACKED_KEYS) {
    advice.push(
      `tracking-table-max-keys is ${tracked}: a near cache of more records, counted over all processes, keeps losing them; set ${FEW_TRACKED_KEYS} or more`,
    )
  }
  const [, hard] = /^normal (\d+) /.exec(setting('client-output-buffer-limit') ?? '') ?? []
  if (hard === '0') {
    advice.push(
      'client-output-buffer-limit normal is unlimited: a process that has stopped reading can fill the memory of the server; set normal 64mb 16mb 60',
    )
  }
  const lag = Number(setting('min-replicas-max-lag') ?? 0)
  if (replicas > 0 && Number(setting('min-replicas-to-write') ?? 0) > 0 && (lag === 0 || lag > LONG_LAG_SECONDS)) {
    advice.push(
      `min-replicas-max-lag is ${lag}: so many seconds a primary that was cut off goes on accepting writes; set ${LONG_LAG_SECONDS}`,
    )
  }
  return advice
}

function isAtLeast(version: string, major: number, minor: number): boolean {
  const [a = 0, b = 0] = numbersOf(version)
  return a > major || (a === major && b >= minor)
}

/** First patch of each release line that has the fix; later lines have it from the start. */
const FIXED: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  Redis: { '7.2': 11, '7.4': 6, '8.0': 4, '8.2': 2 },
  Valkey: { '7.2': 11, '8.0': 6, '8.1': 4 },
}
const FIXED_FROM: Readonly<Record<string, readonly [number, number]>> = { Redis: [8, 3], Valkey: [9, 0] }

function hasScriptFixes(name: string, [major = 0, minor = 0, patch = 0]: readonly number[]): boolean {
  const [fromMajor, fromMinor] = FIXED_FROM[name]!
  if (major > fromMajor || (major === fromMajor && minor >= fromMinor)) return true
  return patch >= (FIXED[name]![`${major}.${minor}`] ?? Number.POSITIVE_INFINITY)
}

const numbersOf = (version: string) => (/^\d+(\.\d+)*/.exec(version)?.[0] ?? '').split('.').filter(Boolean).map(Number)

function misconfigured(problem: string): CountersignError {
  return new CountersignError('ERR_STORE_MISCONFIGURED', `the Redis server ${problem}`, { store: 'redis' })
}

/** `name:value` lines of INFO. */
export function parseInfo(text: string): Map<string, string> {
  const fields = text.split(/\r?\n/).flatMap((line): [string, string][] => {
    const colon = line.indexOf(':')
    return line.startsWith('#') || colon < 1 ? [] : [[line.slice(0, colon), line.slice(colon + 1)]]
  })
  return new Map(fields)
}
