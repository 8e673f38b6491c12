// What lies between one machine and the server: connections that are slow, silent, broken or refused, and the store that
// the library sees through them. Faults are those of the Redis store; so are the deadlines and the fences.
import { CountersignError, type Runtime } from 'countersign'
import type { ChangeFeed, Feed, FeedListener, Line, SessionId, Store, Tracked } from 'countersign/stores/contract'
import { ServerClock } from '../../../packages/countersign/src/stores/shared/server-clock.ts'
import { type Primary, revocationsKey, type Tracker } from './primary.ts'
import { type Machine, Stream, type World } from './world.ts'

const DEADLINE_MS = 2_000
const LINE_READ_MS = 500
const FENCE_EVERY_MS = 200
const GIVE_UP_MS = 1_000
const RECONNECT_MS = 500

export type Part = 'all' | 'answers' | 'line'

const fault = (code: 'ERR_STORE_TIMEOUT' | 'ERR_STORE_UNAVAILABLE', text: string, retryable = false) =>
  new CountersignError(code, text, { store: 'simulated', ...(retryable && { retryable }) })

export class Network {
  readonly world: World
  readonly machine: Machine
  readonly primary: Primary
  slowness = 1
  #connections = new Set<Connection>()
  #held: Part | undefined
  #isRefusing = false

  constructor(world: World, machine: Machine, primary: Primary) {
    this.world = world
    this.machine = machine
    this.primary = primary
  }

  /** @throws CountersignError when there is nobody to connect to. */
  connect(isLine: boolean): Connection {
    if (this.#isRefusing) throw fault('ERR_STORE_UNAVAILABLE', 'there is no connection', true)
    const connection = new Connection(this, isLine)
    this.#connections.add(connection)
    connection.hold(this.#held)
    return connection
  }
  forget(connection: Connection): void {
    this.#connections.delete(connection)
  }

  /** Holds bytes back, also of connections to come, until `release`. */
  hold(part: Part): void {
    this.#held = part
    for (const connection of this.#connections) connection.hold(part)
  }
  release(): void {
    this.#held = undefined
    for (const connection of this.#connections) connection.hold(undefined)
  }
  cut(): void {
    for (const connection of [...this.#connections]) connection.cut()
  }
  refuse(isRefusing: boolean): void {
    this.#isRefusing = isRefusing
    if (isRefusing) this.cut()
  }
}

export class Connection {
  readonly #network: Network
  readonly #requests: Stream
  readonly #answers: Stream
  readonly #isLine: boolean
  readonly #lost = new Set<() => void>()
  isOpen = true

  constructor(network: Network, isLine: boolean) {
    this.#network = network
    this.#isLine = isLine
    const { world } = network
    // Mostly a millisecond, seldom much more.
    const delayMs = () =>
      (0.2 + (world.random.chance(20) ? world.random.below(60) : world.random.below(3))) * network.slowness
    this.#requests = new Stream(world, delayMs)
    this.#answers = new Stream(world, delayMs)
  }

  hold(part: Part | undefined): void {
    const isHeld = part !== undefined && (part !== 'line' || this.#isLine)
    if (isHeld && part !== 'answers') this.#requests.hold()
    else this.#requests.release()
    if (isHeld) this.#answers.hold()
    else this.#answers.release()
  }

  /** What the server says by itself. */
  push(arrive: () => void): void {
    this.#answers.send(() => this.#network.machine.does(() => this.isOpen && arrive()))
  }

  /** Sends a request; the answer, if one comes. */
  ask<T>(execute: () => Promise<T>, withinMs: number): Promise<T> {
    const { machine } = this.#network
    const { timers } = machine.runtime
    return new Promise((resolve, reject) => {
      const end = (then: () => void) => {
        timers.clearTimeout(timer)
        this.#lost.delete(lost)
        then()
      }
      const lost = () => end(() => reject(fault('ERR_STORE_UNAVAILABLE', 'the connection broke before the answer')))
      const late = () => end(() => reject(fault('ERR_STORE_TIMEOUT', 'no answer within the deadline')))
      const timer = timers.setTimeout(late, withinMs)
      this.#lost.add(lost)
      this.#requests.send(() => {
        execute().then(
          (answer) => this.#answers.send(() => machine.does(() => end(() => resolve(answer)))),
          (error) => this.#answers.send(() => machine.does(() => end(() => reject(error)))),
        )
      })
    })
  }

  /** Nothing more arrives on either side. What was sent and has not arrived is lost. */
  cut(): void {
    if (!this.isOpen) return
    this.isOpen = false
    this.#network.forget(this)
    this.#requests.cut()
    this.#answers.cut()
    for (const lost of [...this.#lost]) this.#network.machine.does(lost)
    this.onCut?.()
  }
  onCut: (() => void) | undefined

  /** Given up by the client: what is on its way still gets there. */
  abandon(): void {
    this.isOpen = false
    this.#network.forget(this)
    this.#requests.release()
  }
}

/** The store as the library sees it from one machine. */
export function simulatedStore(network: Network): Store {
  const { primary, machine } = network
  const clock = new ServerClock(machine.runtime.clock)
  let connection: Connection | undefined

  const call = async <T>(execute: () => Promise<T>): Promise<T> => {
    if (!connection?.isOpen) connection = network.connect(false)
    const used = connection
    try {
      return await used.ask(execute, DEADLINE_MS)
    } catch (error) {
      // A connection that fell silent is not waited for by the next call.
      if ((error as CountersignError).code === 'ERR_STORE_TIMEOUT' && used.isOpen) used.abandon()
      throw error
    }
  }
  const over = <T extends object>(store: T): T =>
    new Proxy(store, {
      get: (target, name) => {
        const method = Reflect.get(target, name)
        return typeof method === 'function' ? (...args: unknown[]) => call(() => method.apply(target, args)) : method
      },
    })

  const { store } = primary
  const sessions = over(store.sessions)
  const floor = async () => {
    const askedAtMs = clock.ask()
    const [answer, nowMs] = await call(async () => [await store.sessions.floor(), primary.nowMs] as const)
    clock.learn(nowMs, askedAtMs)
    return answer
  }
  const changes = simulatedFeed(network, clock, {
    read: (id) => sessions.read(id),
    readRevocations: (tag) => call(() => store.revocations.read(tag)),
  })
  let ready: Promise<unknown> | undefined
  const made = {
    sessions: Object.assign(Object.create(sessions), { floor, changes }),
    revocations: over(store.revocations),
    lifecycle: {
      name: 'simulated',
      async ready() {
        ready ??= floor().catch((error) => {
          ready = undefined
          throw error
        })
        await ready
      },
      health: () => ({ up: connection?.isOpen === true, keepsAll: true, warnings: [] }),
      nowMs: () => clock.nowMs(),
      close: async () => connection?.abandon(),
    },
  }
  return made as unknown as Store
}

class SimulatedLine implements Line {
  fencedMonotonicMs = Number.NEGATIVE_INFINITY
  fencedWallMs = Number.NEGATIVE_INFINITY
  isAsking = false
  readonly connection: Connection
  readonly tracker: Tracker
  constructor(connection: Connection, tracker: Tracker) {
    this.connection = connection
    this.tracker = tracker
  }
  get isOpen(): boolean {
    return this.connection.isOpen && this.fencedMonotonicMs > Number.NEGATIVE_INFINITY
  }
}

type Reads = Pick<Feed, 'status'> & {
  read(id: SessionId): ReturnType<Store['sessions']['read']>
  readRevocations(tag: string): ReturnType<Store['revocations']['read']>
}

function simulatedFeed(network: Network, clock: ServerClock, directly: Omit<Reads, 'status'>): ChangeFeed {
  return { mode: 'push', open: (listener) => new SimulatedFeed(network, clock, listener, directly) }
}

class SimulatedFeed implements Feed {
  readonly #network: Network
  readonly #clock: ServerClock
  readonly #listener: FeedListener
  readonly #directly: Omit<Reads, 'status'>
  readonly #runtime: Runtime
  #line: SimulatedLine | undefined
  #isTicking = false
  #notBeforeMs = 0
  #isClosed = false

  constructor(network: Network, clock: ServerClock, listener: FeedListener, directly: Omit<Reads, 'status'>) {
    this.#network = network
    this.#clock = clock
    this.#listener = listener
    this.#directly = directly
    this.#runtime = network.machine.runtime
  }

  read(id: SessionId) {
    return this.#ask(
      id,
      () => this.#network.primary.store.sessions.read(id),
      () => this.#directly.read(id),
    )
  }
  readRevocations(tag: string) {
    const { revocations } = this.#network.primary.store
    return this.#ask(
      revocationsKey(tag),
      () => revocations.read(tag),
      () => this.#directly.readRevocations(tag),
    )
  }

  async #ask<T>(key: string, execute: () => Promise<T>, directly: () => Promise<T>): Promise<Tracked<T>> {
    if (!this.#isTicking) {
      this.#isTicking = true
      this.#tick()
    }
    const line = this.#line
    if (!line?.isOpen) return { found: await directly() }
    try {
      const found = await line.connection.ask(() => {
        this.#network.primary.track(key, line.tracker)
        return execute()
      }, LINE_READ_MS)
      return { found, line }
    } catch {
      return { found: await directly() }
    }
  }

  #tick(): void {
    if (this.#isClosed) return
    if (this.#line) this.#fence(this.#line)
    else this.#open()
    this.#runtime.timers.setTimeout(() => this.#tick(), FENCE_EVERY_MS, 'background')
  }

  #open(): void {
    const nowMs = this.#runtime.clock.monotonicMs()
    if (nowMs < this.#notBeforeMs) return
    this.#notBeforeMs = nowMs + RECONNECT_MS
    let connection: Connection
    try {
      connection = this.#network.connect(true)
    } catch {
      return
    }
    const { primary } = this.#network
    const tracker: Tracker = { push: (keys) => connection.push(() => this.#told(line, keys)) }
    const line = new SimulatedLine(connection, tracker)
    this.#line = line
    // The server lets go of it at once, this machine when it comes to it.
    connection.onCut = () => {
      primary.disconnect(tracker)
      this.#network.machine.does(() => this.#end(line))
    }
    primary.connect(tracker)
    this.#fence(line)
  }

  #told(line: SimulatedLine, keys: readonly string[] | null): void {
    if (this.#line !== line) return
    if (keys === null) this.#listener.reset(line)
    for (const key of keys ?? []) {
      if (key.startsWith(revocationsKey(''))) this.#listener.revocationsChanged(key.slice(revocationsKey('').length))
      else this.#listener.sessionChanged(key as SessionId)
    }
  }

  #fence(line: SimulatedLine): void {
    if (line.isAsking) return
    line.isAsking = true
    const { clock } = this.#runtime
    const asked = { wallMs: clock.nowMs(), monotonicMs: clock.monotonicMs() }
    const { primary } = this.#network
    const fence = async () => [await primary.store.sessions.floor(), primary.nowMs] as const
    line.connection.ask(fence, GIVE_UP_MS).then(
      ([floor, serverMs]) => {
        line.isAsking = false
        if (this.#line !== line) return
        this.#clock.learn(serverMs, asked.monotonicMs)
        line.fencedMonotonicMs = asked.monotonicMs
        line.fencedWallMs = asked.wallMs
        this.#listener.floorRead(floor, asked)
      },
      () => this.#end(line),
    )
  }

  #end(line: SimulatedLine): void {
    if (this.#line !== line) return
    this.#line = undefined
    line.fencedMonotonicMs = Number.NEGATIVE_INFINITY
    line.fencedWallMs = Number.NEGATIVE_INFINITY
    this.#network.primary.disconnect(line.tracker)
    line.connection.abandon()
    this.#listener.reset(line)
  }

  status() {
    const isOpen = this.#line?.isOpen === true
    return { lines: [{ name: 'simulated', isOpen, fenceAgeMs: 0 }], warnings: [] }
  }
  async close(): Promise<void> {
    this.#isClosed = true
    if (this.#line) this.#end(this.#line)
  }
}
