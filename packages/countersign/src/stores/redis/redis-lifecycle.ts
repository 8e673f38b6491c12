import { toBase64url } from '../../internal/bytes.ts'
import { CountersignError } from '../../internal/errors.ts'
import type { Runtime } from '../../internal/runtime.ts'
import type { Floor, Lifecycle, SessionStore, StoreDurability, StoreHealth } from '../contract.ts'
import { int, utf8 } from '../shared/arguments.ts'
import { ServerClock } from '../shared/server-clock.ts'
import type { Executor, Reply } from './executor.ts'
import { closedFault } from './faults.ts'
import type { Keys } from './keys.ts'
import { CONNECT_WITHIN_MS } from './node-redis-executor.ts'
import type { ResolvedRedisOptions } from './options.ts'
import { Answer } from './outcome.ts'
import { pairsOf } from './pairs.ts'
import { scripts } from './scripts.generated.ts'
import { corrupt } from './segments.ts'
import { CHECKED_SETTINGS, checkServer, parseInfo, type ServerVerdict } from './server-check.ts'

const RETRY_AFTER_MS = 200

const UNCHECKED: ServerVerdict = {
  warnings: ['the settings of the server have not been checked yet'],
  durability: 'local',
  keepsAll: false,
}

/** Connecting, the start check, the time of the server, and the floor. */
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
  /** Belongs to one connection: the next one may lead to a server with other settings, or with other data. */
  #verdict = UNCHECKED
  #refused: CountersignError | undefined
  /** As the floor was last read; empty before. */
  #marker = ''

  constructor(
    executor: Executor,
    keys: Keys,
    { runtime, noEviction }: ResolvedRedisOptions,
    ownWarnings: readonly string[],
  ) {
    this.#noEviction = noEviction
    this.#executor = executor
    this.#floorKey = keys.floor
    this.#runtime = runtime
    this.#clock = new ServerClock(runtime.clock)
    this.#ownWarnings = ownWarnings
    executor.onConnection((is) => {
      this.#verdict = UNCHECKED
      if (is === 'up' && this.#isReady) void this.#checkAgain()
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

  async #checkAgain(): Promise<void> {
    try {
      await this.#check(this.#placement!)
      this.#refused = undefined
    } catch (error) {
      // Another placement key or a server that cannot be used: nothing of it is trusted. An outage says nothing.
      if (error instanceof CountersignError && error.code === 'ERR_STORE_MISCONFIGURED') this.#refused = error
    }
  }

  async #check(placement: string): Promise<void> {
    const info = await this.#executor.send(null, ['INFO'])
    const config = await this.#config()
    const verdict = checkServer({ info: parseInfo(String(info)), config })
    await this.#loadScripts()
    const marker = toBase64url(this.#runtime.random(12))
    if ((await this.#executor.run(scripts.openStore, [this.#floorKey], [placement, marker])) !== 1) {
      throw new CountersignError('ERR_STORE_MISCONFIGURED', 'this Redis was set up with another placement key', {
        store: 'redis',
      })
    }
    this.#verdict = verdict
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

  durability(): StoreDurability {
    return this.#verdict.durability
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
    await this.#check(this.#placement)
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
    if (this.#refused || floor.marker === '' || floor.marker !== this.#marker) return undefined
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
    const refused = this.#refused ? [this.#refused.message] : []
    const settings = this.#isReady ? this.#verdict.warnings : []
    return {
      up: this.#executor.isUp && !this.#refused,
      keepsAll: this.#verdict.keepsAll || this.#noEviction,
      warnings: [...refused, ...settings, ...this.#ownWarnings],
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

/** What `read-floor` answers before the time. */
function floorOf(answer: Answer): Floor {
  return { marker: answer.text(0), notBeforeMs: answer.number(1), why: answer.text(2) }
}

/** The server does not let this user do that, or does not know the command: tolerated where we can do without. */
function isRefusal(error: unknown): boolean {
  return error instanceof CountersignError && error.code === 'ERR_STORE_MISCONFIGURED'
}
