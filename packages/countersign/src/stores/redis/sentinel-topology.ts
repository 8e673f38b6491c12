import { CountersignError } from '../../internal/errors.ts'
import type { Runtime } from '../../internal/runtime.ts'
import { Deadlines } from '../shared/deadlines.ts'
import { addressOf, type Endpoint, type Login, mappedPlace, type Place } from './endpoint.ts'
import type { Argument, Reply } from './executor.ts'
import { closedFault, replyFault, timeoutFault } from './faults.ts'
import { NodeConnection } from './node-connection.ts'
import { jitterMs, type MoreOptions, type NodeRedisClient } from './node-redis.ts'
import { pairsOf } from './pairs.ts'
import { corrupt } from './segments.ts'
import { CONNECT_WITHIN_MS, isOutage, type Topology, type TopologyListener, TRY_MS } from './topology.ts'

/** How often the sentinels are asked who the primary is. */
const ASK_MS = 1_000
/** Shortest time between two askings for a reason. */
const ASK_AGAIN_MS = 100
/** How long a sentinel may take to answer. */
const ANSWER_WITHIN_MS = 1_000

export interface SentinelOptions {
  /** What the sentinels call the primary. */
  readonly name: string
  readonly sentinels: readonly Endpoint[]
  /** For the primary. */
  readonly login: Login
  /** Address that the sentinels name → address to use. */
  readonly nodeAddressMap: Readonly<Record<string, string>>
  readonly create: (endpoint: Endpoint, more?: MoreOptions) => Promise<NodeRedisClient>
  readonly runtime: Runtime
}

interface Answer {
  readonly place: Place
  /** Grows with every failover; the higher one is the newer answer. */
  readonly epoch: number
}

/**
 * The primary that sentinels watch. All sentinels are asked, once a second, when one tells of a change, and whenever
 * something is wrong, and the newest answer counts: one that is cut off together with an old primary goes on naming it. A
 * server is used only after it has said itself that it is a primary, after every connect.
 */
export class SentinelTopology implements Topology {
  readonly heals = true
  readonly #options: SentinelOptions
  readonly #deadlines: Deadlines
  readonly #sentinels: readonly NodeConnection[]
  #primary: NodeConnection | undefined
  #epoch = -1
  #listener: TopologyListener | undefined
  #asking: Promise<void> | undefined
  #askedAtMs = Number.NEGATIVE_INFINITY
  #timer: unknown
  #isSoon = false
  #closed = false

  constructor(options: SentinelOptions) {
    const { sentinels, runtime } = options
    this.#options = options
    this.#deadlines = new Deadlines(runtime, ANSWER_WITHIN_MS)
    this.#sentinels = sentinels.map(
      (endpoint) =>
        new NodeConnection({ id: addressOf(endpoint), create: () => this.#watch(endpoint), owned: true, runtime }),
    )
  }

  /** A client that is told when the primary changes. Without the right to subscribe it is noticed with the next asking. */
  async #watch(endpoint: Endpoint): Promise<NodeRedisClient> {
    const client = await this.#options.create(endpoint)
    let isSubscribed = false
    client.on('ready', () => {
      // Once: the package subscribes again by itself when it has reconnected.
      if (isSubscribed) return
      isSubscribed = true
      client.subscribe?.('+switch-master', () => this.doubt()).catch(() => {})
    })
    return client
  }

  listen(listener: TopologyListener): void {
    this.#listener = listener
  }

  get isUp(): boolean {
    return this.#primary?.isUp === true
  }

  primaries(): readonly NodeConnection[] {
    return this.#primary ? [this.#primary] : []
  }

  connectionFor(): NodeConnection | undefined {
    if (!this.#primary?.isUp) {
      this.#primary?.start()
      this.doubt()
    }
    return this.#primary
  }

  doubt(): void {
    if (this.#closed || this.#isSoon || this.#asking || !this.#primary) return
    const { clock } = this.#options.runtime
    this.#isSoon = true
    this.#plan(Math.max(0, this.#askedAtMs + ASK_AGAIN_MS - clock.monotonicMs()))
  }

  async connect(): Promise<void> {
    const { clock, timers } = this.#options.runtime
    const untilMs = clock.monotonicMs() + CONNECT_WITHIN_MS
    while (!this.isUp) {
      try {
        await this.#connectSentinels()
        await this.#ask()
        await this.#primary?.connect(TRY_MS)
        continue
      } catch (fault) {
        if (!isOutage(fault) || this.#closed || clock.monotonicMs() >= untilMs) throw fault
      }
      await new Promise<void>((resolve) => timers.setTimeout(resolve, ASK_AGAIN_MS))
    }
  }

  /** One is enough; the others go on connecting. */
  async #connectSentinels(): Promise<void> {
    try {
      await Promise.any(this.#sentinels.map((sentinel) => sentinel.connect(TRY_MS)))
    } catch (failure) {
      const faults = (failure as AggregateError).errors as CountersignError[]
      throw faults.find(({ code }) => code === 'ERR_STORE_MISCONFIGURED') ?? faults[0]
    } finally {
      for (const sentinel of this.#sentinels) sentinel.start()
    }
  }

  #plan(ms: number): void {
    const { timers } = this.#options.runtime
    timers.clearTimeout(this.#timer)
    if (this.#closed) return
    this.#timer = timers.setTimeout(() => void this.#ask().catch(() => {}), ms, 'background')
  }

  /** Asks them all. One asking at a time. */
  #ask(): Promise<void> {
    this.#asking ??= this.#askOnce().finally(() => {
      const { clock, random } = this.#options.runtime
      this.#asking = undefined
      this.#isSoon = false
      this.#askedAtMs = clock.monotonicMs()
      if (this.#primary) this.#plan(ASK_MS + jitterMs(random, 200))
    })
    return this.#asking
  }

  async #askOnce(): Promise<void> {
    const answers = await Promise.allSettled(this.#sentinels.map((sentinel) => this.#answerOf(sentinel)))
    if (this.#closed) throw closedFault()
    const named = answers.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))
    const newest = named.sort((a, b) => b.epoch - a.epoch)[0]
    if (!newest) {
      const faults = answers.flatMap((one) => (one.status === 'rejected' ? [one.reason as CountersignError] : []))
      throw faults.find(({ code }) => code === 'ERR_STORE_MISCONFIGURED') ?? faults[0]
    }
    // Those that know better cannot be reached just now: their last word stands. Unless a majority counts anew.
    if (newest.epoch < this.#epoch && named.length <= this.#sentinels.length / 2) return
    this.#epoch = newest.epoch
    this.#adopt(mappedPlace(newest.place, this.#options.nodeAddressMap))
  }

  async #answerOf(sentinel: NodeConnection): Promise<Answer> {
    const ask = sentinel.send(['SENTINEL', 'MASTER', this.#options.name])
    const fields = pairsOf(
      await this.#deadlines.within(ask, timeoutFault).catch((error: unknown) => {
        if (error instanceof CountersignError) throw error
        throw refusalOf(error as Error, sentinel.id)
      }),
    )
    const [host, port, epoch] = ['ip', 'port', 'config-epoch'].map((name) => fields?.get(name)?.toString())
    if (!host || !port) throw corrupt('SENTINEL MASTER')
    return { place: { host, port: Number(port) }, epoch: Number(epoch ?? 0) }
  }

  #adopt(place: Place): void {
    const { create, login, runtime } = this.#options
    const endpoint = { ...place, login }
    const before = this.#primary
    if (before?.id === addressOf(endpoint)) return
    const primary: NodeConnection = new NodeConnection({
      id: addressOf(endpoint),
      create: (more) => create(endpoint, more),
      owned: true,
      runtime,
      admits: saysPrimary,
      onState: (is) => {
        if (this.#primary !== primary) return
        if (is === 'down') this.doubt()
        this.#listener?.connection(is, primary)
      },
    })
    this.#primary = primary
    // What it acknowledges from now on would be lost: an unknown outcome is the honest answer.
    before?.destroy()
    primary.start()
    this.#listener?.changed()
  }

  close(): void {
    this.#closed = true
    this.#options.runtime.timers.clearTimeout(this.#timer)
    for (const node of [...this.#sentinels, ...this.primaries()]) node.destroy()
    void this.#deadlines.idle()
  }
}

/** The first word of ROLE. Sentinels name a server before it knows of its luck, and after it has lost it. */
async function saysPrimary(send: (command: readonly Argument[]) => Promise<Reply>): Promise<boolean> {
  const role = await send(['ROLE'])
  return Array.isArray(role) && String(role[0]) === 'master'
}

function refusalOf(reply: Error, id: string): CountersignError {
  const misconfigured = (problem: string) =>
    new CountersignError('ERR_STORE_MISCONFIGURED', `the server at ${id} ${problem}`, { store: 'redis' })
  if (/^ERR No such master/i.test(reply.message))
    return misconfigured('watches no primary of the name that "sentinels.name" gives')
  if (/^ERR unknown command/i.test(reply.message))
    return misconfigured('is no sentinel, and "sentinels.nodes" wants some')
  const { code, message } = replyFault(reply)
  return new CountersignError(code, `${message}, at ${id}`, {
    store: 'redis',
    retryable: code === 'ERR_STORE_UNAVAILABLE',
  })
}
