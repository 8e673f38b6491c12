import { toBase64url } from '../../internal/bytes.ts'
import { CountersignError } from '../../internal/errors.ts'
import type { Runtime } from '../../internal/runtime.ts'
import type { Floor, Incarnation, Lifecycle, SessionStore, StoreHealth, Written } from '../contract.ts'
import { int, utf8 } from '../shared/arguments.ts'
import { ServerClock } from '../shared/server-clock.ts'
import type { Executor } from './executor.ts'
import { closedFault } from './faults.ts'
import type { Keys } from './keys.ts'
import { CONNECT_WITHIN_MS } from './node-redis-executor.ts'
import type { ResolvedRedisOptions } from './options.ts'
import { Answer, type Primary } from './outcome.ts'
import { pairsOf } from './pairs.ts'
import { scripts } from './scripts.generated.ts'
import { CHECKED_SETTINGS, checkServer, parseInfo, type ServerVerdict } from './server-check.ts'

const RETRY_AFTER_MS = 200
/** A server that has told its incarnation so short a time ago is not asked again. */
const SEEN_MS = 400
/** Pause between checks of a server that could not be checked. */
const CHECK_AGAIN_MS = 1_000

const UNCHECKED: ServerVerdict = {
  warnings: ['the settings of the server have not been checked yet'],
  advice: [],
  durability: 'local',
  hasWaitAof: false,
  keepsAll: false,
}

/** Connecting, the start check, the time of the server, and the floor. */
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
  #placement: string | undefined
  #readying: Promise<void> | undefined
  #checking: Promise<void> | undefined
  #checkedAtMs = Number.NEGATIVE_INFINITY
  #isReady = false
  #closed = false
  /** Belongs to one connection: the next one may lead to a server with other settings, or with other data. */
  #verdict = UNCHECKED
  #refused: CountersignError | undefined
  #incarnation: Incarnation | undefined
  #seenAtMs = Number.NEGATIVE_INFINITY
  /** Why replicas, or the disk, could not be waited for the last time. */
  #unconfirmed: CountersignError | undefined

  constructor(
    executor: Executor,
    keys: Keys,
    { runtime, noEviction, durable }: ResolvedRedisOptions,
    ownWarnings: readonly string[],
  ) {
    this.#noEviction = noEviction
    this.#durable = durable
    this.#executor = executor
    this.#keys = keys
    this.#runtime = runtime
    this.#clock = new ServerClock(runtime.clock)
    this.#ownWarnings = ownWarnings
    executor.onConnection((is) => {
      this.#verdict = UNCHECKED
      this.#incarnation = undefined
      if (is === 'up' && this.#isReady) this.#checkAgain()
    })
  }

  ready(placement: string): Promise<void> {
    if (this.#closed) return Promise.reject(closedFault())
    if (this.#isReady && this.#placement === placement)
      return this.#refused ? Promise.reject(this.#refused) : Promise.resolve()
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
        await this.#check(placement)
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

  #checkAgain(): void {
    this.#checkedAtMs = this.#runtime.clock.monotonicMs()
    this.#checking ??= this.#check(this.#placement!)
      .then(
        () => {
          this.#refused = undefined
        },
        (error: unknown) => {
          // Another placement key or a server that cannot be used: nothing of it is trusted. An outage says nothing.
          if (error instanceof CountersignError && error.code === 'ERR_STORE_MISCONFIGURED') this.#refused = error
        },
      )
      .finally(() => {
        this.#checking = undefined
      })
  }

  async #check(placement: string): Promise<void> {
    const info = await this.#executor.send(null, ['INFO'])
    const config = await this.#config()
    const facts = parseInfo(String(info))
    const verdict = checkServer({ info: facts, config })
    this.#saw(facts.get('master_replid')?.slice(0, 16))
    await this.#loadScripts()
    if (!(await this.#isOurs(placement))) {
      throw new CountersignError('ERR_STORE_MISCONFIGURED', 'this Redis was set up with another placement key', {
        store: 'redis',
      })
    }
    this.#verdict = verdict
  }

  /** Writes only to a store that nobody has opened: a server that takes no writes at the moment can be read all the same. */
  async #isOurs(placement: string): Promise<boolean> {
    const { floor } = this.#keys
    const kept = await this.#executor.send(floor, ['HGET', floor, 'placement'])
    if (kept !== null) return String(kept) === placement
    const marker = toBase64url(this.#runtime.random(12))
    return (await this.#executor.run(scripts.openStore, [floor], [placement, marker])) === 1
  }

  async #config(): Promise<Map<string, string> | null> {
    try {
      const pairs = pairsOf(await this.#executor.send(null, ['CONFIG', 'GET', ...CHECKED_SETTINGS]))
      return pairs ? new Map([...pairs].map(([name, value]) => [name, value.toString()])) : null
    } catch (error) {
      if (isRefusal(error)) return null
      throw error
    }
  }

  /** So that the first call of each kind is one request as well. A server that refuses gets the text when it is needed. */
  async #loadScripts(): Promise<void> {
    const loads = Object.values(scripts).map(({ source }) => this.#executor.send(null, ['SCRIPT', 'LOAD', source]))
    for (const load of await Promise.allSettled(loads)) {
      if (load.status === 'rejected' && !isRefusal(load.reason)) throw load.reason
    }
  }

  /** Before every request: a server that was refused after a reconnect is asked nothing. */
  guard(): void {
    if (this.#refused) throw this.#refused
  }

  #saw(incarnation: Incarnation | undefined): void {
    if (incarnation === undefined) return
    this.#seenAtMs = this.#runtime.clock.monotonicMs()
    if (incarnation === this.#incarnation) return
    this.#incarnation = incarnation
    for (const listener of this.#changeListeners) listener()
  }

  /** The one server there is. `undefined` while there is no connection, or none that has said so. */
  incarnation(): Incarnation | undefined {
    return this.#incarnation
  }

  /** Under traffic the floor is read anyway, and brings it along. */
  async look(): Promise<void> {
    const isRecent = this.#runtime.clock.monotonicMs() - this.#seenAtMs < SEEN_MS
    if (this.#incarnation === undefined || !isRecent) await this.floor()
  }

  onChange(listener: () => void): void {
    this.#changeListeners.push(listener)
  }

  written({ by }: Primary): Written {
    return { durability: this.#verdict.durability, ...(by !== undefined && { by }) }
  }

  /** Waits for as many replicas as there are, if that can make the answer better. */
  async confirmed(tag: string | null, primary: Primary): Promise<Written> {
    const plain = this.written(primary)
    const { replicas: wish, withinMs, fsync: wishesFsync } = this.#durable
    const wanted = wish === 'all' ? primary.replicas : wish
    const replicas = Math.min(wanted, primary.replicas)
    const fsync = wishesFsync && this.#verdict.hasWaitAof && plain.durability !== 'fsynced'
    if (primary.by === undefined || (replicas === 0 && !fsync)) return wanted > 0 ? { ...plain, replicas: 0 } : plain
    const done = await this.#executor.confirm(this.#keys.mark(tag), primary.by, { replicas, withinMs, fsync })
    this.#unconfirmed = done.fault
    const isReplicated = wanted > 0 && done.replicas >= wanted
    const durability = isReplicated ? 'replicated' : done.fsynced ? 'fsynced' : plain.durability
    return { ...plain, durability, ...(wanted > 0 && { replicas: done.replicas }) }
  }

  /** One request; also the fence: it brings the server's time. A store that was emptied gets a new marker. */
  async floor(): Promise<Floor> {
    const read = async () => {
      const askedAtMs = this.#clock.ask()
      const answer = new Answer(await this.#executor.run(scripts.readFloor, [this.#keys.floor], []))
      this.#clock.learn(answer.number(3) * 1_000 + answer.number(4) / 1_000, askedAtMs)
      this.#saw(answer.primary(5).by)
      return { marker: answer.text(0), notBeforeMs: answer.number(1), why: answer.text(2) }
    }
    const floor = await read()
    // A check that met a server which was still loading, for instance.
    const sinceCheckMs = this.#runtime.clock.monotonicMs() - this.#checkedAtMs
    if (this.#isReady && this.#verdict === UNCHECKED && sinceCheckMs > CHECK_AGAIN_MS) this.#checkAgain()
    if (floor.marker !== '' || this.#placement === undefined) return floor
    await this.#check(this.#placement)
    return read()
  }

  readonly raiseFloor: SessionStore['raiseFloor'] = async (why, nowMs) => {
    const args = [int(nowMs, 'nowMs'), utf8(why, 'reason')]
    const answer = new Answer(await this.#executor.run(scripts.raiseFloor, [this.#keys.floor], args))
    return { notBeforeMs: answer.number(0), ...(await this.confirmed(null, answer.primary(1))) }
  }

  health(): StoreHealth {
    const refused = this.#refused ? [this.#refused.message] : []
    const settings = this.#isReady ? this.#verdict.warnings : []
    const isRefusal = this.#unconfirmed?.code === 'ERR_STORE_MISCONFIGURED'
    const waits = isRefusal ? [`replicas cannot be waited for: ${this.#unconfirmed!.message} (promise 4)`] : []
    return {
      up: this.#executor.isUp && !this.#refused,
      keepsAll: this.#verdict.keepsAll || this.#noEviction,
      warnings: [...refused, ...settings, ...waits, ...this.#ownWarnings],
      advice: this.#isReady ? this.#verdict.advice : [],
    }
  }

  nowMs(): number {
    return this.#clock.nowMs()
  }

  close(): Promise<void> {
    this.#closed = true
    return this.#executor.close()
  }
}

/** The server does not let this user do that, or does not know the command: tolerated where we can do without. */
function isRefusal(error: unknown): boolean {
  return error instanceof CountersignError && error.code === 'ERR_STORE_MISCONFIGURED'
}
