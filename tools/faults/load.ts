// Clients, a nemesis and the check of what came of it, on a real store.
import { setTimeout as sleep } from 'node:timers/promises'
import { generateKeyring, type Keyring, loadKeyring } from 'countersign'
import { check, type Rules } from './check.ts'
import { type Crowd, type Known, Node, numbered, openSessions, renew, wander } from './clients.ts'
import { History } from './history.ts'
import { type Moment, NODES, type Place } from './places.ts'
import type { Watched } from './roles.ts'
import { type Context, demand } from './scenario.ts'
import { brokenBy } from './verdict.ts'

export interface LoadOptions {
  /** Calls at least. */
  readonly calls: number
  /** At least so long. */
  readonly forMs?: number
  /** Stop after this long, with whatever was done: a short form must end on any machine. */
  readonly atMostMs: number
  /** Between troubles. */
  readonly calmMs?: number
  readonly troubleMs?: number
  /** After each round. */
  onRound?(history: History, nodes: readonly Node[]): void
}

const CLIENTS = 9
/** After a failover: every process has seen the new primary and done again what it knows to be lost. */
const REAPPLIED_WITHIN_MS = 5_000
/** Calls that one history takes in before it is checked. */
const ROUND_CALLS = 20_000
const ROUND_MS = 5_000

export async function loadOn(place: Place, context: Context, options: LoadOptions): Promise<string> {
  const keyring = await loadKeyring(generateKeyring({ signing: ['HS256'] }))
  const startedMs = performance.now()
  const passedMs = () => performance.now() - startedMs
  const total = { calls: 0, copies: 0, unknown: 0, troubles: 0, rounds: 0 }
  const nodes = Array.from({ length: NODES }, (_, n) => open(place, n, keyring))
  context.cleanUp(() => Promise.allSettled(nodes.map((node) => node.sessions.close())))
  await Promise.all(nodes.map((node) => node.sessions.ready()))

  /** Of this round. The watch outlives a round and must not hold on to its history. */
  let losses: Watched[] = []
  const watching = place.replicas?.watch(
    () => performance.now(),
    (loss) => losses.push(loss),
  )
  if (watching) context.cleanUp(watching)

  const isEnough = () => total.calls >= options.calls && passedMs() >= (options.forMs ?? 0)
  while (!isEnough() && (total.rounds === 0 || passedMs() < options.atMostMs)) {
    const history = new History(() => performance.now())
    losses = losses.filter(({ untilMs }) => untilMs === Number.POSITIVE_INFINITY)
    const round = await oneRound(place, context, options, history, nodes, total.rounds, losses)
    total.calls += history.calls.length
    total.copies += history.calls.filter(({ answer }) => answer.is === 'ok' && answer.isCopy).length
    total.unknown += history.calls.filter(({ answer }) => answer.is === 'info' && answer.isOpen).length
    total.troubles += round.troubles
    total.rounds++
    const violations = check(history.calls, round.rules)
    if (violations.length > 0) throw brokenBy(history, violations)
    options.onRound?.(history, nodes)
  }
  const { calls, copies, unknown, troubles } = total
  return `${calls} calls, ${copies} from copies, ${unknown} with an unknown outcome, ${troubles} troubles`
}

function open(place: Place, n: number, keyring: Keyring): Node {
  return new Node(n, openSessions({ store: place.open(n), keyring }), new History(() => performance.now()))
}

async function oneRound(
  place: Place,
  context: Context,
  options: LoadOptions,
  history: History,
  running: readonly Node[],
  round: number,
  losses: readonly Watched[],
): Promise<{ rules: Rules; troubles: number }> {
  const { random } = context
  const { calmMs = 600, troubleMs = 1_500 } = options
  const nodes = running.map((node) => new Node(node.number, node.sessions, history))
  const outages: { fromMs: number; untilMs: number }[] = []
  let isOver = false
  const all: Known[] = []
  const crowd: Crowd = {
    nodes,
    subjects: ['anna', 'berta', 'carla'].map((name) => `${name}-${round}-${random.below(1e9)}`),
    random,
    sleep,
    known: [],
    all,
    isOver: () => isOver,
    thinkMs: 12,
    nextOperation: numbered('o'),
  }
  const clients = Array.from({ length: CLIENTS }, (_, n) => wander(crowd, nodes[n % NODES]!))
  clients.push(renew(crowd, 100))
  const over = Promise.all(clients)
  over.catch(() => {
    isOver = true
  })

  let troubles = 0
  const untilMs = history.nowMs + ROUND_MS
  while (!isOver && history.nowMs < untilMs && history.calls.length < ROUND_CALLS) {
    await sleep(random.below(calmMs * 2))
    const trouble = random.pick(place.troubles)
    const forMs = 50 + random.below(troubleMs)
    const node = random.below(NODES)
    history.note(`${trouble.what} (${forMs} ms, node ${node})`)
    const moment: Moment = {
      node,
      forMs,
      sleep: (ms) => sleep(ms),
      nowMs: () => history.nowMs,
      async outage(during) {
        const outage = { fromMs: history.nowMs, untilMs: history.nowMs }
        const done = await during()
        outages.push({ ...outage, untilMs: history.nowMs })
        return done
      },
    }
    await trouble.run(moment)
    troubles++
  }
  history.note('no more troubles')
  await sleep(300)
  isOver = true
  await over
  await place.replicas?.settle()
  for (const loss of losses) {
    loss.healedMs = history.nowMs + REAPPLIED_WITHIN_MS
    history.notes.push({ atMs: loss.fromMs, what: 'another primary, from here on' })
  }
  await recovered(nodes)
  await sleep(losses.length > 0 ? REAPPLIED_WITHIN_MS + place.staleMs : place.staleMs)
  for (const one of all) await lookUntilAnswered(nodes[0]!, one)
  return { rules: { staleMs: place.staleMs, outages, losses }, troubles }
}

/** Liveness: when the trouble is over, everybody can log in and check again. */
async function recovered(nodes: readonly Node[]): Promise<void> {
  for (const node of nodes) {
    const untilMs = performance.now() + 60_000
    for (;;) {
      const known = await node.issue('somebody')
      if (known && (await node.verify(known)).is === 'ok') break
      demand(performance.now() < untilMs, `node ${node.number} did not recover within a minute`)
      await sleep(50)
    }
  }
}

async function lookUntilAnswered(node: Node, one: Known): Promise<void> {
  for (let tries = 0; tries < 20; tries++) {
    const answer = await node.look(one)
    if (answer.is !== 'info') return
    await sleep(100)
  }
  throw new Error('the final state could not be read')
}
