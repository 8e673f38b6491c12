import { toBase64url } from '../../internal/bytes.ts'
import { CountersignError } from '../../internal/errors.ts'
import type { Runtime } from '../../internal/runtime.ts'
import type { Floor, Incarnation, Lifecycle, SessionStore, StoreHealth, Written } from '../contract.ts'
import { int, utf8 } from '../shared/arguments.ts'
import { ServerClock } from '../shared/server-clock.ts'
import type { Executor, Primary } from './executor.ts'
import { closedFault } from './faults.ts'
import type { Keys } from './keys.ts'
import type { ResolvedRedisOptions } from './options.ts'
import { Answer, type Writer } from './outcome.ts'
import { incarnationIn, PrimaryChecks } from './primary-checks.ts'
import { scripts } from './scripts.generated.ts'
import { type Deployment, parseInfo } from './server-check.ts'
import { CONNECT_WITHIN_MS } from './topology.ts'

const RETRY_AFTER_MS = 200
/** How soon the check of a server that did not answer it is repeated. */
const CHECK_AGAIN_MS = 1_000
/** A server that has told its incarnation so short a time ago is not asked again. */
const SEEN_MS = 400

/** Connecting, the start check of every primary, the time of the store, and the floor. */
export class RedisLifecycle implements Lifecycle {
  readonly name = 'redis'
  readonly #executor: Executor
  readonly #keys: Keys
  readonly #runtime: Runtime
  readonly #clock: ServerClock
  readonly #ownWarnings: readonly string[]
  readonly #noEviction: boolean
  readonly #durable: ResolvedRedisOptions['durable']
  readonly #changeListeners: (() => void)[] = []
  readonly #seen = new Map<Primary, { readonly incarnation: Incarnation; readonly atMs: number }>()
  /** When each incarnation was first seen, also of primaries that are none any more: a slot may go there again. */
  readonly #firstSeen = new Map<Incarnation, number>()
  /** Why replicas, or the disk, could not be waited for the last time. */
  #unconfirmed: CountersignError | undefined
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
    { runtime, noEviction, durable }: Pick<ResolvedRedisOptions, 'runtime' | 'noEviction' | 'durable'>,
    { deployment, warnings }: { readonly deployment: Deployment; readonly warnings: readonly string[] },
  ) {
    this.#noEviction = noEviction
    this.#durable = durable
    this.#executor = executor
    this.#keys = keys
    this.#runtime = runtime
    this.#clock = new ServerClock(runtime.clock)
    this.#ownWarnings = warnings
    this.#checks = new PrimaryChecks(deployment, runtime.clock, () => executor.primaries())
    executor.onConnection((is, primary) => {
      this.#checks.forget(primary)
      this.#seen.delete(primary)
      if (is === 'up' && this.#isReady) void this.#checkAgain(primary)
    })
    executor.onTopology(() => {
      this.#checks.changed()
      this.#changed()
      this.#checkNew()
    })
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
        await Promise.all(this.#executor.primaries().map((primary) => this.#check(primary)))
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
    this.#checkNew()
  }

  /** Those that were connected to before anybody knew that they would be primaries. */
  #checkNew(): void {
    if (!this.#isReady) return
    for (const primary of this.#executor.primaries())
      if (primary.isUp && !this.#checks.knows(primary)) void this.#checkAgain(primary)
  }

  async #checkAgain(primary: Primary): Promise<void> {
    try {
      await this.#check(primary)
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

  async #check(primary: Primary): Promise<void> {
    this.#saw(primary, await this.#checks.check(primary))
  }

  /** Writes only to a store that nobody has opened: a server that takes no writes at the moment can be read all the same. */
  async #openStore(placement: string): Promise<void> {
    const { floor } = this.#keys
    const kept = await this.#executor.send(floor, ['HGET', floor, 'placement'])
    const marker = toBase64url(this.#runtime.random(12))
    const isOurs =
      kept === null
        ? (await this.#executor.run(scripts.openStore, [floor], [placement, marker])) === 1
        : String(kept) === placement
    if (!isOurs) {
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

  #saw(primary: Primary | undefined, incarnation: Incarnation | undefined): void {
    if (primary === undefined || incarnation === undefined) return
    const before = this.#seen.get(primary)?.incarnation
    const atMs = this.#runtime.clock.monotonicMs()
    this.#seen.set(primary, { incarnation, atMs })
    if (!this.#firstSeen.has(incarnation))
      this.#firstSeen.set(incarnation, this.#isReady ? atMs : Number.NEGATIVE_INFINITY)
    if (before !== incarnation) this.#changed()
  }

  #changed(): void {
    const primaries = this.#executor.primaries()
    for (const known of this.#seen.keys()) if (!primaries.includes(known)) this.#seen.delete(known)
    for (const listener of this.#changeListeners) listener()
  }

  /** Of the server that has the subject (`null`: the floor). `undefined` while that has not been said. */
  incarnationOf(tag: string | null): Incarnation | undefined {
    const { floor, subject } = this.#keys
    const primary = this.#executor.primaryOf(tag === null ? floor : subject(tag))
    return primary && this.#seen.get(primary)?.incarnation
  }

  /** See `Failovers.inChargeForMs`. */
  inChargeForMs(tag: string | null): number | undefined {
    const incarnation = this.incarnationOf(tag)
    if (incarnation === undefined) return undefined
    return this.#runtime.clock.monotonicMs() - this.#firstSeen.get(incarnation)!
  }

  /** Under traffic the floor is read anyway, and brings that of its server along. */
  async look(): Promise<void> {
    const { clock } = this.#runtime
    const ofFloor = this.#executor.primaryOf(this.#keys.floor)
    const old = this.#executor.primaries().filter((primary) => {
      const seen = this.#seen.get(primary)
      return !seen || clock.monotonicMs() - seen.atMs >= SEEN_MS
    })
    const ask = async (primary: Primary) => {
      if (primary === ofFloor) await this.floor()
      else this.#saw(primary, incarnationIn(parseInfo(String(await primary.send(['INFO', 'replication'])))))
    }
    await Promise.all(old.map(ask))
  }

  onChange(listener: () => void): void {
    this.#changeListeners.push(listener)
  }

  written({ by }: Writer): Written {
    return { durability: this.#checks.verdict().durability, ...(by !== undefined && { by }) }
  }

  /** Waits for as many replicas as there are, if that can make the answer better. */
  async confirmed(tag: string | null, writer: Writer): Promise<Written> {
    const plain = this.written(writer)
    const { replicas: wish, withinMs, fsync: wishesFsync } = this.#durable
    const wanted = wish === 'all' ? writer.replicas : wish
    const replicas = Math.min(wanted, writer.replicas)
    const fsync = wishesFsync && this.#checks.verdict().hasWaitAof && plain.durability !== 'fsynced'
    if (writer.by === undefined || (replicas === 0 && !fsync)) return wanted > 0 ? { ...plain, replicas: 0 } : plain
    const done = await this.#executor.confirm(this.#keys.mark(tag), writer.by, { replicas, withinMs, fsync })
    this.#unconfirmed = done.fault
    const isReplicated = wanted > 0 && done.replicas >= wanted
    const durability = isReplicated ? 'replicated' : done.fsynced ? 'fsynced' : plain.durability
    return { ...plain, durability, ...(wanted > 0 && { replicas: done.replicas }) }
  }

  /** See `ServerVerdict.staleForMs`. */
  staleForMs(): number | null {
    return this.#checks.verdict().staleForMs
  }

  /** One request; also a fence: it brings the server's time. A store that was emptied gets a new marker. */
  async floor(): Promise<Floor> {
    const read = async () => {
      const askedAtMs = this.#clock.ask()
      const primary = this.#executor.primaryOf(this.#keys.floor)
      const answer = new Answer(await this.#executor.run(scripts.readFloor, [this.#keys.floor], []))
      const floor = floorOf(answer)
      this.#saw(primary, answer.writer(5).by)
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
    const answer = new Answer(await connection.run(scripts.readFloor, [this.#keys.floor], []))
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
    const answer = new Answer(await this.#executor.run(scripts.raiseFloor, [this.#keys.floor], args))
    return { notBeforeMs: answer.number(0), ...(await this.confirmed(null, answer.writer(1))) }
  }

  health(): StoreHealth {
    const refusal = this.#refusal()
    const verdict = this.#checks.verdict()
    const isRefusal = this.#unconfirmed?.code === 'ERR_STORE_MISCONFIGURED'
    const waits = isRefusal ? [`replicas cannot be waited for: ${this.#unconfirmed!.message} (promise 4)`] : []
    return {
      // Nothing works without the floor. Where another part is away, the rest goes on.
      up: this.#executor.primaryOf(this.#keys.floor)?.isUp === true && !refusal,
      keepsAll: verdict.keepsAll || this.#noEviction,
      warnings: [
        ...(refusal ? [refusal.message] : []),
        ...(this.#isReady ? [...this.#lost(), ...verdict.warnings] : []),
        ...waits,
        ...this.#ownWarnings,
      ],
      advice: this.#isReady ? verdict.advice : [],
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
