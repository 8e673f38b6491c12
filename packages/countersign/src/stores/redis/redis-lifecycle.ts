import { toBase64url } from '../../internal/bytes.ts'
import { CountersignError } from '../../internal/errors.ts'
import type { Runtime } from '../../internal/runtime.ts'
import type { Floor, Lifecycle, SessionStore, StoreDurability, StoreHealth } from '../contract.ts'
import { int, utf8 } from '../shared/arguments.ts'
import { ServerClock } from '../shared/server-clock.ts'
import type { Executor, Primary, Reply } from './executor.ts'
import { closedFault } from './faults.ts'
import type { Keys } from './keys.ts'
import type { ResolvedRedisOptions } from './options.ts'
import { Answer } from './outcome.ts'
import { PrimaryChecks } from './primary-checks.ts'
import { scripts } from './scripts.generated.ts'
import { corrupt } from './segments.ts'
import type { Deployment } from './server-check.ts'
import { CONNECT_WITHIN_MS } from './topology.ts'

const RETRY_AFTER_MS = 200
/** How soon the check of a server that did not answer it is repeated. */
const CHECK_AGAIN_MS = 1_000

/** Connecting, the start check of every primary, the time of the store, and the floor. */
export class RedisLifecycle implements Lifecycle {
  readonly name = 'redis'
  readonly #executor: Executor
  readonly #floorKey: string
  readonly #runtime: Runtime
  readonly #clock: ServerClock
  readonly #ownWarnings: readonly string[]
  readonly #noEviction: boolean
  #placement: string | undefined
  #readying: Promise<void> | undefined
  #isReady = false
  #closed = false
  readonly #checks: PrimaryChecks
  /** By the server that was refused. The next connection may lead to one with other settings, or with other data. */
  readonly #refusals = new Map<Primary, CountersignError>()
  /** As the floor was last read; empty before. */
  #marker = ''

  constructor(
    executor: Executor,
    keys: Keys,
    { runtime, noEviction }: Pick<ResolvedRedisOptions, 'runtime' | 'noEviction'>,
    { deployment, warnings }: { readonly deployment: Deployment; readonly warnings: readonly string[] },
  ) {
    this.#noEviction = noEviction
    this.#executor = executor
    this.#floorKey = keys.floor
    this.#runtime = runtime
    this.#clock = new ServerClock(runtime.clock)
    this.#ownWarnings = warnings
    this.#checks = new PrimaryChecks(deployment, runtime.clock, () => executor.primaries())
    executor.onConnection((is, primary) => {
      this.#checks.forget(primary)
      if (is === 'up' && this.#isReady) void this.#checkAgain(primary)
    })
    executor.onTopology(() => this.#checks.changed())
  }

  ready(placement: string): Promise<void> {
    if (this.#closed) return Promise.reject(closedFault())
    if (this.#isReady && this.#placement === placement) {
      const refusal = this.#refusal()
      return refusal ? Promise.reject(refusal) : Promise.resolve()
    }
    // One at a time: the next one may bring another fingerprint.
    if (this.#readying) return this.#readying.then(() => this.ready(placement))
    this.#readying = this.#makeReady(placement).finally(() => {
      this.#readying = undefined
    })
    return this.#readying
  }

  async #makeReady(placement: string): Promise<void> {
    const { clock, timers } = this.#runtime
    const untilMs = clock.monotonicMs() + CONNECT_WITHIN_MS
    for (;;) {
      try {
        await this.#executor.connect()
        await Promise.all(this.#executor.primaries().map((primary) => this.#checks.check(primary)))
        await this.#openStore(placement)
        await this.floor()
        break
      } catch (error) {
        // A server that loads its data or waits for its replicas is ready soon.
        const mayPass = error instanceof CountersignError && error.retryable === true
        if (!mayPass || this.#closed || clock.monotonicMs() >= untilMs) throw error
        await new Promise<void>((resolve) => timers.setTimeout(resolve, RETRY_AFTER_MS))
      }
    }
    this.#placement = placement
    this.#isReady = true
  }

  async #checkAgain(primary: Primary): Promise<void> {
    try {
      await this.#checks.check(primary)
      await this.#openStore(this.#placement!)
      this.#refusals.delete(primary)
    } catch (error) {
      // Another placement key or a server that cannot be used: nothing of it is trusted. An outage says nothing.
      if (error instanceof CountersignError && error.code === 'ERR_STORE_MISCONFIGURED') {
        this.#refusals.set(primary, error)
      } else if (primary.isUp) {
        const again = () => {
          if (!this.#closed && primary.isUp) void this.#checkAgain(primary)
        }
        this.#runtime.timers.setTimeout(again, CHECK_AGAIN_MS, 'background')
      }
    }
  }

  async #openStore(placement: string): Promise<void> {
    const marker = toBase64url(this.#runtime.random(12))
    if ((await this.#executor.run(scripts.openStore, [this.#floorKey], [placement, marker])) !== 1) {
      throw new CountersignError('ERR_STORE_MISCONFIGURED', 'this Redis was set up with another placement key', {
        store: 'redis',
      })
    }
  }

  /** Of a server that is still in charge. */
  #refusal(): CountersignError | undefined {
    if (this.#refusals.size === 0) return undefined
    const primaries = this.#executor.primaries()
    for (const known of this.#refusals.keys()) if (!primaries.includes(known)) this.#refusals.delete(known)
    return this.#refusals.values().next().value
  }

  /** Before every request: a server that was refused after a reconnect is asked nothing. */
  guard(): void {
    const refusal = this.#refusal()
    if (refusal) throw refusal
  }

  durability(): StoreDurability {
    return this.#checks.verdict().durability
  }

  /** See `ServerVerdict.staleForMs`. */
  staleForMs(): number | null {
    return this.#checks.verdict().staleForMs
  }

  /** One request; also a fence: it brings the server's time. A store that was emptied gets a new marker. */
  async floor(): Promise<Floor> {
    const read = async () => {
      const askedAtMs = this.#clock.ask()
      const answer = new Answer(await this.#executor.run(scripts.readFloor, [this.#floorKey], []))
      const floor = floorOf(answer)
      this.#marker = floor.marker
      this.#learn(answer, askedAtMs)
      return floor
    }
    const floor = await read()
    if (floor.marker !== '' || this.#placement === undefined) return floor
    await this.#openStore(this.#placement)
    return read()
  }

  /**
   * Asks for the floor by another connection. `undefined` when that does not lead to the store that this one is: a server
   * that was emptied, another database, another server.
   */
  async fence(connection: Pick<Executor, 'run'>): Promise<Floor | undefined> {
    const askedAtMs = this.#clock.ask()
    const answer = new Answer(await connection.run(scripts.readFloor, [this.#floorKey], []))
    const floor = floorOf(answer)
    if (this.#refusal() || floor.marker === '' || floor.marker !== this.#marker) return undefined
    this.#learn(answer, askedAtMs)
    return floor
  }

  #learn(answer: Answer, askedAtMs: number): void {
    this.#clock.learn(answer.number(3) * 1_000 + answer.number(4) / 1_000, askedAtMs)
  }

  readonly raiseFloor: SessionStore['raiseFloor'] = async (why, nowMs) => {
    const args = [int(nowMs, 'nowMs'), utf8(why, 'reason')]
    const notBeforeMs: Reply = await this.#executor.run(scripts.raiseFloor, [this.#floorKey], args)
    if (typeof notBeforeMs !== 'number') throw corrupt('the floor')
    return { notBeforeMs, durability: this.durability() }
  }

  health(): StoreHealth {
    const refusal = this.#refusal()
    const verdict = this.#checks.verdict()
    return {
      up: this.#executor.isUp && !refusal,
      keepsAll: verdict.keepsAll || this.#noEviction,
      warnings: [
        ...(refusal ? [refusal.message] : []),
        ...(this.#isReady ? [...this.#lost(), ...verdict.warnings] : []),
        ...this.#ownWarnings,
      ],
    }
  }

  /** Where there are several primaries, the store is partly up when one is away. */
  #lost(): string[] {
    const primaries = this.#executor.primaries()
    const lost = primaries.filter(({ isUp }) => !isUp).map(({ id }) => id)
    return primaries.length > 1 && lost.length > 0 ? [`no connection to ${lost.join(', ')}`] : []
  }

  nowMs(): number {
    return this.#clock.nowMs()
  }

  close(): Promise<void> {
    this.#closed = true
    return this.#executor.close()
  }
}

/** What `read-floor` answers before the time. */
function floorOf(answer: Answer): Floor {
  return { marker: answer.text(0), notBeforeMs: answer.number(1), why: answer.text(2) }
}
