import { CountersignError } from '../../internal/errors.ts'
import type { Runtime } from '../../internal/runtime.ts'
import { Deadlines } from '../shared/deadlines.ts'
import { type ClusterView, clusterView } from './cluster-view.ts'
import { addressOf, type Endpoint, type Login, mappedPlace, type Place, placeOf } from './endpoint.ts'
import type { Reply } from './executor.ts'
import { closedFault, replyFault, timeoutFault } from './faults.ts'
import { NodeConnection } from './node-connection.ts'
import { jitterMs, type MoreOptions, type NodeRedisClient } from './node-redis.ts'
import { SLOTS, slotOf } from './slots.ts'
import { CONNECT_WITHIN_MS, isOutage, type Redirect, type Topology, type TopologyListener, TRY_MS } from './topology.ts'

/** How often the map is read again without a reason. The promise is 10 s at most. */
const REFRESH_MS = 5_000
/** Shortest time between two looks for a reason. */
const LOOK_AGAIN_MS = 100
/** Shortest time between two connections to seeds, once nodes are known: a cluster that is down is not to be stormed. */
const SEED_AGAIN_MS = 1_000
/** How long one node may take to answer what it knows. */
const VIEW_WITHIN_MS = 1_000
/** How long a node that slots are being moved to is kept without having any. */
const GUEST_MS = 60_000

export interface ClusterOptions {
  readonly seeds: readonly Endpoint[]
  /** For the nodes that the seeds tell of. */
  readonly login: Login
  /** Address that a node announces → address to use. */
  readonly nodeAddressMap: Readonly<Record<string, string>>
  readonly create: (endpoint: Endpoint, more?: MoreOptions) => Promise<NodeRedisClient>
  /** How long requests under way on a connection that is no longer needed are waited for. */
  readonly deadlineMs: number
  readonly runtime: Runtime
}

/**
 * The primaries of a cluster, one connection each, and who has which slot. The map is read at the start, every five
 * seconds, and whenever something contradicts it: a redirection, a refusal, a lost connection.
 */
export class ClusterTopology implements Topology {
  readonly heals = true
  readonly #options: ClusterOptions
  readonly #deadlines: Deadlines
  readonly #slots: (NodeConnection | undefined)[] = new Array<NodeConnection | undefined>(SLOTS).fill(undefined)
  /** By the address that is used. */
  readonly #nodes = new Map<string, NodeConnection>()
  /** Those of them without a slot so far, and until when they are kept. */
  readonly #guests = new Map<NodeConnection, number>()
  readonly #retired = new Set<NodeConnection>()
  #owners: readonly NodeConnection[] = []
  #epoch = -1
  #turn = 0
  #seedAskedAtMs = Number.NEGATIVE_INFINITY
  #listener: TopologyListener | undefined
  #looking: Promise<void> | undefined
  #lookedAtMs = Number.NEGATIVE_INFINITY
  #timer: unknown
  #isSoon = false
  #closed = false

  constructor(options: ClusterOptions) {
    this.#options = options
    this.#deadlines = new Deadlines(options.runtime, VIEW_WITHIN_MS)
  }

  listen(listener: TopologyListener): void {
    this.#listener = listener
  }

  get isUp(): boolean {
    return this.#owners.length > 0 && this.#owners.every((node) => node.isUp)
  }

  primaries(): readonly NodeConnection[] {
    return this.#owners
  }

  connectionFor(key: string): NodeConnection | undefined {
    const node = this.#slots[slotOf(key)]
    if (!node?.isUp) {
      node?.start()
      this.doubt()
    }
    return node
  }

  redirected({ is, slot, host, port, by }: Redirect): NodeConnection | undefined {
    if (this.#closed || slot >= SLOTS) return undefined
    const node = this.#nodeAt({ port, host: host || hostOf(by.id) })
    node.start()
    if (is === 'MOVED' && this.#slots[slot] !== node) {
      this.#slots[slot] = node
      this.#ownersChanged()
      this.doubt()
    } else if (!this.#owners.includes(node)) {
      this.#guests.set(node, this.#options.runtime.clock.monotonicMs() + GUEST_MS)
    }
    return node
  }

  doubt(): void {
    if (this.#closed || this.#isSoon || this.#looking || this.#owners.length === 0) return
    const { clock } = this.#options.runtime
    this.#isSoon = true
    this.#plan(Math.max(0, this.#lookedAtMs + LOOK_AGAIN_MS - clock.monotonicMs()))
  }

  async connect(): Promise<void> {
    const { clock, timers } = this.#options.runtime
    const untilMs = clock.monotonicMs() + CONNECT_WITHIN_MS
    while (!this.isUp) {
      try {
        await this.#look()
        // A primary that does not answer may be replaced meanwhile, so the map is read again after a while.
        await Promise.all(this.#owners.map((node) => node.connect(TRY_MS)))
        continue
      } catch (fault) {
        if (!isOutage(fault) || this.#closed || clock.monotonicMs() >= untilMs) throw fault
      }
      await new Promise<void>((resolve) => timers.setTimeout(resolve, LOOK_AGAIN_MS))
    }
  }

  #plan(ms: number): void {
    const { timers } = this.#options.runtime
    timers.clearTimeout(this.#timer)
    if (this.#closed) return
    this.#timer = timers.setTimeout(() => void this.#look().catch(() => {}), ms, 'background')
  }

  /** Reads the map. One at a time. */
  #look(): Promise<void> {
    this.#looking ??= this.#lookOnce().finally(() => {
      const { clock, random } = this.#options.runtime
      this.#looking = undefined
      this.#isSoon = false
      this.#lookedAtMs = clock.monotonicMs()
      if (this.#owners.length > 0) this.#plan(REFRESH_MS + jitterMs(random, 1_000))
    })
    return this.#looking
  }

  /**
   * Takes the first view that comes from a node in touch with the majority and is as new as what is known; when there is
   * none, the best there is.
   */
  async #lookOnce(): Promise<void> {
    let best: { view: ClusterView; from: string } | undefined
    let failure: unknown
    for await (const node of this.#informants()) {
      try {
        const view = await this.#viewOf(node)
        if (view.ranges.length === 0) continue
        if (!best || isBetter(view, best.view)) best = { view, from: node.id }
        if (view.isOk && view.epoch >= this.#epoch) break
      } catch (error) {
        failure = error
        if (error instanceof CountersignError && error.code === 'ERR_STORE_MISCONFIGURED') throw error
      }
    }
    if (this.#closed) throw closedFault()
    if (!best) throw failure ?? unreachable(this.#options.seeds)
    this.#adopt(best.view, best.from)
  }

  /** Whom to ask: the connections there are, another one first each time, and when they do not help, the seeds. */
  async *#informants(): AsyncGenerator<NodeConnection> {
    const known = [...this.#nodes.values()].filter((node) => node.isUp)
    const turn = this.#turn++
    for (const [index] of known.entries()) yield known[(index + turn) % known.length]!
    const { clock } = this.#options.runtime
    for (const [index] of this.#options.seeds.entries()) {
      const isKnown = this.#owners.length > 0
      if (this.#closed || (isKnown && clock.monotonicMs() - this.#seedAskedAtMs < SEED_AGAIN_MS)) return
      this.#seedAskedAtMs = clock.monotonicMs()
      const endpoint = this.#options.seeds[(index + turn) % this.#options.seeds.length]!
      const seed = this.#connectionTo(endpoint, true)
      try {
        await seed.connect(VIEW_WITHIN_MS)
        yield seed
      } catch (error) {
        if (error instanceof CountersignError && error.code === 'ERR_STORE_MISCONFIGURED') throw error
      } finally {
        seed.destroy()
      }
    }
  }

  async #viewOf(node: NodeConnection): Promise<ClusterView> {
    const ask = (...command: string[]): Promise<Reply> =>
      this.#deadlines.within(node.send(command), timeoutFault).catch((error: unknown) => {
        if (error instanceof CountersignError) throw error
        if (/cluster support disabled/.test((error as Error).message)) throw noCluster(node.id)
        throw replyFault(error as Error)
      })
    const [info, slots] = await Promise.all([ask('CLUSTER', 'INFO'), ask('CLUSTER', 'SLOTS')])
    return clusterView(info, slots)
  }

  #adopt(view: ClusterView, from: string): void {
    if (view.isOk) this.#epoch = Math.max(this.#epoch, view.epoch)
    const next = new Array<NodeConnection | undefined>(SLOTS).fill(undefined)
    for (const { from: first, to, primary } of view.ranges) {
      const node = this.#nodeAt({ port: primary.port, host: primary.host ?? hostOf(from) })
      next.fill(node, first, to + 1)
    }
    let isChanged = false
    for (const [slot, node] of next.entries()) {
      if (this.#slots[slot] === node) continue
      this.#slots[slot] = node
      isChanged = true
    }
    if (isChanged) this.#ownersChanged()
    const nowMs = this.#options.runtime.clock.monotonicMs()
    for (const [address, node] of this.#nodes) {
      if (this.#owners.includes(node)) this.#guests.delete(node)
      else if ((this.#guests.get(node) ?? 0) < nowMs) this.#retire(address, node)
    }
    for (const node of this.#owners) node.start()
  }

  #ownersChanged(): void {
    this.#owners = [...new Set(this.#slots)].filter((node) => node !== undefined)
    this.#listener?.changed()
  }

  #nodeAt(announced: Place): NodeConnection {
    const { login, nodeAddressMap } = this.#options
    const endpoint = { ...mappedPlace(announced, nodeAddressMap), login }
    const address = addressOf(endpoint)
    let node = this.#nodes.get(address)
    if (!node) {
      node = this.#connectionTo(endpoint)
      this.#nodes.set(address, node)
    }
    return node
  }

  #connectionTo(endpoint: Endpoint, isSeed = false): NodeConnection {
    const { create, runtime } = this.#options
    const node: NodeConnection = new NodeConnection({
      id: addressOf(endpoint),
      create: (more) => create(endpoint, more),
      owned: true,
      runtime,
      onState: (is) => {
        if (isSeed) return
        if (is === 'down') this.doubt()
        this.#listener?.connection(is, node)
      },
    })
    return node
  }

  /** Nothing new goes there; what is under way gets the time that it may take. */
  #retire(address: string, node: NodeConnection): void {
    this.#nodes.delete(address)
    this.#guests.delete(node)
    this.#retired.add(node)
    const { timers } = this.#options.runtime
    timers.setTimeout(
      () => {
        this.#retired.delete(node)
        node.destroy()
      },
      this.#options.deadlineMs,
      'background',
    )
  }

  close(): void {
    this.#closed = true
    this.#options.runtime.timers.clearTimeout(this.#timer)
    for (const node of [...this.#nodes.values(), ...this.#retired]) node.destroy()
    void this.#deadlines.idle()
  }
}

/** A node that is cut off with others may count elections that nobody else knows of, so its epoch says little. */
function isBetter(a: ClusterView, b: ClusterView): boolean {
  return a.isOk === b.isOk ? a.epoch > b.epoch : a.isOk
}

/** The host in `host:port`. */
function hostOf(address: string): string {
  return placeOf(address).host
}

function noCluster(id: string): CountersignError {
  const message = `Redis at ${id} is no node of a cluster; redisStore({ nodes }) wants one, and "url" names a single server`
  return new CountersignError('ERR_STORE_MISCONFIGURED', message, { store: 'redis' })
}

function unreachable(seeds: readonly Endpoint[]): CountersignError {
  const message = `no node of the Redis Cluster could be reached: ${seeds.map(addressOf).join(', ')}`
  return new CountersignError('ERR_STORE_UNAVAILABLE', message, { store: 'redis', retryable: true })
}
