// One life of a small system under faults, from one seed: three machines with the real library, clients on them, and a
// nemesis. Safety (the invariants, at every moment) and liveness (afterwards everything works again) are judged apart.
import { generateKeyring, type Keyring, loadKeyring } from 'countersign'
import { check, type Rules, type Violation } from '../check.ts'
import { type Crowd, type Known, Node, numbered, openSessions, renew, wander } from '../clients.ts'
import { History } from '../history.ts'
import type { Watched } from '../roles.ts'
import { Network, type Part, simulatedStore } from './network.ts'
import { Primary } from './primary.ts'
import { Machine, World } from './world.ts'

export interface Life {
  readonly seed: number
  readonly calls: number
  readonly copies: number
  readonly faults: number
  /** How often the server came back without all that it had acknowledged. */
  readonly losses: number
  readonly violations: readonly Violation[]
  /** Why it did not recover. */
  readonly stuck: readonly string[]
  readonly history: History
}

const STALE_MS = 1_000
const NODES = 3
const LIFETIME_MS = 30_000
/** All held bytes come in this time, so that a client that is not answered asks again within the grace. */
const LONGEST_HOLD_MS = 2_500
const QUIET_MS = 8_000

let keyrings: Promise<Keyring> | undefined
/** Keys are made from numbers that are always the same: they decide nothing, but ids are sorted by what they make. */
const keyringOf = () => {
  const { runtime } = new Machine(new World(0))
  keyrings ??= loadKeyring(generateKeyring({ signing: ['HS256'], runtime }))
  return keyrings
}

/** How long the nemesis works. */
const TROUBLE_MS = 20_000

/** @param options.loses - Whether replicas take over that are behind; else chance says. */
export async function live(seed: number, options: { readonly loses?: boolean } = {}): Promise<Life> {
  const keyring = await keyringOf()
  const world = new World(seed)
  const { random } = world
  const history = new History(() => world.nowMs)
  const primary = new Primary(world)
  const traits = {
    /** Sessions are over while it runs. */
    isShort: random.chance(3),
    loses: random.chance(4) || options.loses === true,
    suspends: random.chance(2),
  }
  const machines = Array.from({ length: NODES }, () => new Machine(world))
  const networks = machines.map((machine) => new Network(world, machine, primary))
  const nodes = machines.map((machine, n) => {
    const absolute = traits.isShort ? (`${LIFETIME_MS / 1_000}s` as const) : '1d'
    const store = simulatedStore(networks[n]!)
    return new Node(n, openSessions({ store, keyring, grace: '3s', absolute, runtime: machine.runtime }), history)
  })

  let isOver = false
  const all: Known[] = []
  const crowd: Crowd = {
    nodes,
    subjects: ['anna', 'berta', 'carla'],
    random,
    sleep: (ms) => world.sleep(ms),
    known: [],
    all,
    isOver: () => isOver,
    reach: (node) => new Promise((resolve) => machines[node.number]!.does(resolve)),
    thinkMs: 150,
    nextOperation: numbered('o'),
  }
  const clients = [...nodes, ...nodes].map((node, n) =>
    wander({ ...crowd, sleep: (ms) => machines[n % NODES]!.sleep(ms) }, node),
  )
  clients.push(renew(crowd, 400))
  const failed: unknown[] = []
  Promise.all(clients).catch((error) => failed.push(error))

  const nemesis = new Nemesis(world, primary, machines, networks, history, traits)
  await world.run(500)
  while (world.nowMs < TROUBLE_MS && failed.length === 0) {
    nemesis.strike()
    await world.run(world.nowMs + random.below(2_000))
  }
  history.note('no more faults')
  await world.run(world.nowMs + QUIET_MS)
  isOver = true
  await world.run(world.nowMs + QUIET_MS)

  // Everything is over now: what is in the store, and whether copies are served again.
  const stuck = history.calls
    .filter(({ endedMs }) => endedMs === Number.POSITIVE_INFINITY)
    .map(() => 'a call has no answer')
  const calls = history.calls.length
  const finale = (async () => {
    for (const one of all) await nodes[0]!.look(one)
    for (const node of nodes) {
      const fresh = await nodes[0]!.issue('dora')
      if (!fresh) return void stuck.push('nobody can log in')
      for (let n = 0; n < 20; n++) {
        await node.verify(fresh)
        await world.sleep(100)
      }
      const last = history.calls.at(-1)!.answer
      if (last.is !== 'ok' || !last.isCopy) stuck.push(`node ${node.number} serves no copies any more`)
    }
  })()
  let isDone = false
  finale.then(
    () => (isDone = true),
    (error) => failed.push(error),
  )
  await world.run(world.nowMs + 30_000)
  if (!isDone) stuck.push('the last look did not end')
  for (const error of failed) stuck.push(`threw ${(error as Error).stack}`)
  stuck.push(...nemesis.overdue(history))
  for (const node of nodes) void node.sessions.close()
  await world.run(world.nowMs + 5_000)

  const rules: Rules = {
    staleMs: STALE_MS,
    losses: nemesis.losses,
    ...(traits.isShort && { lifetime: { ms: LIFETIME_MS, errorMs: 1_000 } }),
  }
  const copies = history.calls.filter(({ answer }) => answer.is === 'ok' && answer.isCopy).length
  const { strikes } = nemesis
  const losses = nemesis.losses.length
  return { seed, calls, copies, faults: strikes, losses, violations: check(history.calls, rules), stuck, history }
}

interface Traits {
  readonly loses: boolean
  readonly suspends: boolean
}

/** Does one bad thing at a time, and lets it pass. */
class Nemesis {
  readonly losses: Watched[] = []
  readonly #stops: { readonly node: number; readonly fromMs: number; readonly untilMs: number }[] = []
  strikes = 0
  readonly #world: World
  readonly #primary: Primary
  readonly #machines: readonly Machine[]
  readonly #networks: readonly Network[]
  readonly #history: History
  readonly #traits: Traits

  constructor(
    world: World,
    primary: Primary,
    machines: readonly Machine[],
    networks: readonly Network[],
    history: History,
    traits: Traits,
  ) {
    this.#world = world
    this.#primary = primary
    this.#machines = machines
    this.#networks = networks
    this.#history = history
    this.#traits = traits
  }

  strike(): void {
    this.strikes++
    const { random } = this.#world
    const n = random.below(NODES)
    const network = this.#networks[n]!
    const machine = this.#machines[n]!
    const forMs = 50 + random.below(LONGEST_HOLD_MS - 50)
    const later = (undo: () => void) => this.#world.after(forMs, undo)
    const say = (what: string) => this.#history.note(`node ${n} ${what}, ${forMs} ms`)
    const hold = (part: Part) => {
      say(`hears nothing (${part})`)
      network.hold(part)
      later(() => network.release())
    }
    const stop = (suspended: boolean) => {
      const longMs = forMs * 2
      this.#history.note(`node ${n} ${suspended ? 'is suspended' : 'stands still'}, ${longMs} ms`)
      machine.stop(longMs, suspended)
      this.#stops.push({ node: n, fromMs: this.#world.nowMs, untilMs: this.#world.nowMs + longMs })
    }
    const faults: (() => void)[] = [
      () => hold('all'),
      () => hold('answers'),
      () => hold('line'),
      () => {
        say('loses its connections')
        network.cut()
      },
      () => {
        say('is refused')
        network.refuse(true)
        later(() => network.refuse(false))
      },
      () => {
        say('has a slow network')
        network.slowness = 1 + random.below(20)
        later(() => {
          network.slowness = 1
        })
      },
      () => stop(false),
      () => {
        // A table that is too small does it again and again.
        this.#history.note(`all tracking is forgotten, again and again, ${forMs} ms`)
        const untilMs = this.#world.nowMs + forMs
        const forget = () => {
          this.#primary.resetTracking()
          if (this.#world.nowMs < untilMs) this.#world.after(random.below(40), forget)
        }
        forget()
      },
      () => {
        this.#history.note('the server breaks all connections')
        for (const one of this.#networks) one.cut()
      },
      () => {
        // While a machine is suspended only its wall clock tells that time has passed. Set back by just as much, nothing does.
        const byMs =
          (random.chance(2) ? 3_600_000 : random.below(5_000)) * (random.chance(2) || this.#traits.suspends ? 1 : -1)
        this.#history.note(`the wall clock of node ${n} is set by ${byMs} ms`)
        machine.setWall(byMs)
      },
    ]
    if (this.#traits.suspends) faults.push(() => stop(true))
    if (this.#traits.loses) {
      faults.push(() => {
        const lagMs = random.below(500)
        this.#history.note(`a replica takes over that is ${lagMs} ms behind`)
        this.#primary.failOver(lagMs)
        for (const one of this.#networks) one.cut()
        const nowMs = this.#world.nowMs
        this.losses.push({ fromMs: nowMs, untilMs: nowMs, healedMs: Number.POSITIVE_INFINITY })
      })
    }
    random.pick(faults)()
  }

  /** Calls that took longer than any deadline allows, on machines that did not stand still. */
  overdue(history: History): string[] {
    const longestMs = 10_000
    return history.calls
      .filter(({ invokedMs, endedMs }) => Number.isFinite(endedMs) && endedMs - invokedMs > longestMs)
      .filter(({ node, invokedMs, endedMs }) =>
        this.#stops.every((stop) => stop.node !== node || stop.untilMs < invokedMs || stop.fromMs > endedMs),
      )
      .map(({ verb, invokedMs, endedMs }) => `${verb} took ${(endedMs - invokedMs).toFixed(0)} ms`)
  }
}
