import { CountersignError } from '../../internal/errors.ts'
import type { Runtime } from '../../internal/runtime.ts'
import type { Incarnation, StoreDurability } from '../contract.ts'
import type { Primary } from './executor.ts'
import { pairsOf } from './pairs.ts'
import { scripts } from './scripts.generated.ts'
import { CHECKED_SETTINGS, checkServer, type Deployment, parseInfo, type ServerVerdict } from './server-check.ts'

/** Clocks that are further apart than this are told of. Networks and busy machines are blamed for less. */
const SKEW_MS = 1_000

const UNCHECKED: ServerVerdict = {
  warnings: ['the settings of the server have not been checked yet'],
  advice: [],
  durability: 'local',
  hasWaitAof: false,
  keepsAll: false,
  staleForMs: null,
}

interface Checked {
  readonly incarnation: Incarnation | undefined
  readonly verdict: ServerVerdict
  /** Its wall clock less our monotonic one, and how wrong that may be. */
  readonly clock: { readonly offsetMs: number; readonly errorMs: number } | undefined
}

/** The start check of every primary, and what they are worth together: as much as the weakest of them. */
export class PrimaryChecks {
  readonly #deployment: Deployment
  readonly #clock: Runtime['clock']
  readonly #primaries: () => readonly Primary[]
  readonly #checked = new Map<Primary, Checked>()
  readonly #checking = new Set<Primary>()
  /** Made when it is asked for: every write asks. */
  #verdict: ServerVerdict | undefined

  constructor(deployment: Deployment, clock: Runtime['clock'], primaries: () => readonly Primary[]) {
    this.#deployment = deployment
    this.#clock = clock
    this.#primaries = primaries
  }

  /**
   * Looks at the settings, and leaves the scripts there.
   *
   * @returns Which incarnation it is.
   * @throws CountersignError when the server cannot be used.
   */
  async check(primary: Primary): Promise<Incarnation | undefined> {
    this.forget(primary)
    this.#checking.add(primary)
    try {
      const checked = await this.#look(primary)
      this.#checked.set(primary, checked)
      this.#verdict = undefined
      return checked.incarnation
    } finally {
      this.#checking.delete(primary)
    }
  }

  async #look(primary: Primary): Promise<Checked> {
    const askedAtMs = this.#clock.monotonicMs()
    const info = parseInfo(String(await primary.send(['INFO'])))
    const answeredAtMs = this.#clock.monotonicMs()
    const config = await configOf(primary)
    const verdict = checkServer({ info, config }, this.#deployment)
    await loadScripts(primary)
    const serverMs = Number(info.get('server_time_usec') ?? Number.NaN) / 1_000
    const errorMs = (answeredAtMs - askedAtMs) / 2
    const clock = Number.isFinite(serverMs) ? { offsetMs: serverMs - askedAtMs - errorMs, errorMs } : undefined
    return { verdict, clock, incarnation: incarnationIn(info) }
  }

  /** It has been checked, or is being checked. */
  knows(primary: Primary): boolean {
    return this.#checked.has(primary) || this.#checking.has(primary)
  }

  /** The next connection may lead to a server with other settings. */
  forget(primary: Primary): void {
    this.#checked.delete(primary)
    this.#verdict = undefined
  }

  /** Primaries came or went. */
  changed(): void {
    this.#verdict = undefined
  }

  verdict(): ServerVerdict {
    this.#verdict ??= this.#combine()
    return this.#verdict
  }

  #combine(): ServerVerdict {
    const primaries = this.#primaries()
    for (const known of this.#checked.keys()) if (!primaries.includes(known)) this.#checked.delete(known)
    const checked = primaries.map((primary) => ({ primary, ...this.#checked.get(primary) }))
    const verdicts = checked.map(({ verdict = UNCHECKED }) => verdict)
    if (verdicts.length === 0) return UNCHECKED
    const stale = verdicts.map(({ staleForMs }) => staleForMs)
    return {
      warnings: [...warningsOf(checked), ...skewOf(checked)],
      advice: [...new Set(verdicts.flatMap(({ advice }) => advice))],
      durability: verdicts.map(({ durability }) => durability).reduce(weaker),
      hasWaitAof: verdicts.every(({ hasWaitAof }) => hasWaitAof),
      keepsAll: verdicts.every(({ keepsAll }) => keepsAll),
      staleForMs: stale.includes(null) ? null : Math.max(...(stale as number[])),
    }
  }
}

/** As `scripts/includes/primary.lua` tells it. */
export function incarnationIn(info: ReadonlyMap<string, string>): Incarnation | undefined {
  return info.get('master_replid')?.slice(0, 16)
}

type Known = { readonly primary: Primary } & Partial<Checked>

/** What is said of all is said once, the rest with the name of the server. */
function warningsOf(checked: readonly Known[]): string[] {
  const saidBy = new Map<string, string[]>()
  for (const { primary, verdict = UNCHECKED } of checked) {
    for (const warning of verdict.warnings) saidBy.set(warning, [...(saidBy.get(warning) ?? []), primary.id])
  }
  return [...saidBy].map(([warning, ids]) =>
    ids.length === checked.length ? warning : `${ids.join(', ')}: ${warning}`,
  )
}

/** Keys expire by the clock of the server that has them, and everything else goes by the clock of the floor's server. */
function skewOf(checked: readonly Known[]): string[] {
  const clocks = checked
    .flatMap(({ primary, clock }) => (clock ? [{ id: primary.id, ...clock }] : []))
    .sort((a, b) => a.offsetMs - b.offsetMs)
  const [first, last] = [clocks[0], clocks.at(-1)]
  if (!first || !last) return []
  const apartMs = last.offsetMs - first.offsetMs
  if (apartMs - first.errorMs - last.errorMs <= SKEW_MS) return []
  return [
    `the clock of ${last.id} is ${(apartMs / 1_000).toFixed(1)} s ahead of that of ${first.id}: sessions may end that much too early or too late`,
  ]
}

const ORDER: readonly StoreDurability[] = ['local', 'fsynced', 'replicated']
const weaker = (a: StoreDurability, b: StoreDurability) => (ORDER.indexOf(a) < ORDER.indexOf(b) ? a : b)

async function configOf(primary: Primary): Promise<Map<string, string> | null> {
  try {
    const pairs = pairsOf(await primary.send(['CONFIG', 'GET', ...CHECKED_SETTINGS]))
    return pairs ? new Map([...pairs].map(([name, value]) => [name, value.toString()])) : null
  } catch (error) {
    if (isRefusal(error)) return null
    throw error
  }
}

/** So that the first call of each kind is one request as well. A server that refuses gets the text when it is needed. */
async function loadScripts(primary: Primary): Promise<void> {
  const loads = Object.values(scripts).map(({ source }) => primary.send(['SCRIPT', 'LOAD', source]))
  for (const load of await Promise.allSettled(loads)) {
    if (load.status === 'rejected' && !isRefusal(load.reason)) throw load.reason
  }
}

/** The server does not let this user do that, or does not know the command: tolerated where we can do without. */
function isRefusal(error: unknown): boolean {
  return error instanceof CountersignError && error.code === 'ERR_STORE_MISCONFIGURED'
}
