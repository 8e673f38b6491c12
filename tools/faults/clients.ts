// Honest clients of the library: what they ask for and what they are told goes into the history.
import { allowlist, createSessions, type Duration, type Keyring, type Runtime } from 'countersign'
import type { Store } from 'countersign/stores/contract'
import { z } from 'zod'
import type { Random } from '../test-support/random.ts'
import { type Answer, fingerprint, type History, type Question } from './history.ts'

export interface OpenOptions {
  readonly store: Store
  readonly keyring: Keyring
  readonly grace?: Duration
  readonly absolute?: Duration
  readonly runtime?: Runtime
  readonly nearCache?: false
}

/** The library as every scenario opens it: the data of a session are the operations that were done to it. */
export function openSessions({ store, keyring, grace = '10s', absolute = '1d', runtime, nearCache }: OpenOptions) {
  return createSessions({
    strategy: allowlist({ issuer: 'https://auth.test', audience: 'https://api.test', alg: 'HS256', grace }),
    keyring,
    store,
    timeouts: { absolute },
    data: z.object({ operations: z.array(z.string()) }),
    ...(runtime && { runtime }),
    ...(nearCache === false && { nearCache }),
  })
}
export type Library = ReturnType<typeof openSessions>
type Token = Extract<Awaited<ReturnType<Library['refresh']>>, { ok: true }>

/** A session as its client knows it. */
export interface Known {
  readonly subject: string
  readonly sid: Token['session']['sessionId']
  access: string
  refresh: string
  /** Told by the server that it is over. */
  isOver: boolean
}

/** One process of the library, asked by clients who write down what happens. */
export class Node {
  readonly number: number
  sessions: Library
  readonly #history: History

  constructor(number: number, sessions: Library, history: History) {
    this.number = number
    this.sessions = sessions
    this.#history = history
  }

  #record(question: Omit<Question, 'node'>, ask: () => Promise<Answer> | Answer): Promise<Answer> {
    return this.#history.record({ ...question, node: this.number }, ask)
  }

  /** `undefined` when it was refused, or nobody knows. */
  async issue(subject: string): Promise<Known | undefined> {
    let known: Known | undefined
    await this.#record({ verb: 'issue', subject }, async () => {
      const issued = await this.sessions.issue({ subject, data: { operations: [] } })
      if (!issued.ok) return failOf(issued)
      const { sessionId: sid } = issued.session
      known = { subject, sid, access: issued.accessToken, refresh: issued.refreshToken, isOver: false }
      return tokenOf(issued)
    })
    return known
  }

  async verify(known: Known): Promise<Answer> {
    const { subject, sid, access } = known
    const answer = await this.#record({ verb: 'verify', subject, sid }, async () => {
      const copy = this.sessions.verifyNow(access)
      const checked = copy ?? (await this.sessions.verify(access))
      if (!checked.ok) return failOf(checked)
      const { session } = checked
      return { is: 'ok', subject: session.subject, version: session.version, isCopy: copy !== undefined }
    })
    return judge(known, answer)
  }

  async refresh(known: Known): Promise<Answer> {
    const { subject, sid, refresh } = known
    const answer = await this.#record({ verb: 'refresh', subject, sid }, async () => {
      const issued = await this.sessions.refresh(refresh)
      if (!issued.ok) return failOf(issued)
      known.access = issued.accessToken
      known.refresh = issued.refreshToken
      return tokenOf(issued)
    })
    return judge(known, answer)
  }

  async update(known: Known, operation: string): Promise<Answer> {
    const { subject, sid } = known
    const answer = await this.#record({ verb: 'update', subject, sid, operation }, async () => {
      const add = ({ operations }: { operations: readonly string[] }) => ({ operations: [...operations, operation] })
      const updated = await this.sessions.update(sid, add, { operationId: operation })
      if (!updated.ok) return failOf(updated)
      const { session, durability } = updated
      return { is: 'ok', subject: session.subject, version: session.version, ...(durability && { durability }) }
    })
    return judge(known, answer)
  }

  async revoke({ subject, sid }: Known): Promise<Answer> {
    return this.#record({ verb: 'revoke', subject, sid }, async () => {
      const { durability } = await this.sessions.revoke(sid, { reason: 'logout' })
      return { is: 'ok', durability }
    })
  }

  async revokeAll(subject: string): Promise<Answer> {
    return this.#record({ verb: 'revokeAll', subject }, async () => {
      const { durability } = await this.sessions.revokeAll(subject, { reason: 'admin' })
      return { is: 'ok', durability }
    })
  }

  /** What is in the store. */
  async look({ subject, sid }: Known): Promise<Answer> {
    return this.#record({ verb: 'look', subject, sid }, async () => {
      const checked = await this.sessions.get(sid)
      if (!checked.ok) return failOf(checked)
      const { session } = checked
      const { version, data } = session
      return { is: 'ok', subject: session.subject, version, operations: data.operations }
    })
  }
}

function judge(known: Known, answer: Answer): Answer {
  // An access token that is over, or of roles that are not any more, is mended by a refresh.
  if (answer.is === 'fail' && answer.remedy !== 'refresh') known.isOver = true
  return answer
}

const failOf = ({ reason, remedy }: { reason: unknown; remedy: unknown }): Answer => ({ is: 'fail', reason, remedy })

function tokenOf({ session, refreshToken, durability }: Token): Answer {
  const { sessionId: sid, subject, version } = session
  return { is: 'ok', sid, subject, version, token: fingerprint(refreshToken), durability }
}

/** What the clients of one run share. */
export interface Crowd {
  readonly nodes: readonly Node[]
  readonly subjects: readonly string[]
  readonly random: Random
  readonly sleep: (ms: number) => Promise<void>
  /** Sessions that are open, as far as their clients know. */
  readonly known: Known[]
  /** All sessions that there ever were, for the final look. */
  readonly all: Known[]
  readonly isOver: () => boolean
  /** Until the process can do something at all. In the simulator it may stand still. */
  readonly reach?: (node: Node) => Promise<void>
  readonly thinkMs: number
  /** Calls per thousand, beside `verify`. Default {@link MIX}. */
  readonly mix?: Partial<Record<keyof typeof MIX, number>>
  /** Another one each time. */
  nextOperation(): string
}

export function numbered(prefix: string): () => string {
  let number = 0
  return () => `${prefix}${++number}`
}

/** Of a thousand calls; the rest verifies. */
export const MIX = { issue: 30, update: 120, revoke: 40, revokeAll: 8 }
/** Sessions that the crowd keeps open. */
const OPEN = 8

/** One client that does a bit of everything, on one node at a time, until the crowd is over. */
export async function wander(crowd: Crowd, home: Node): Promise<void> {
  const { random, known } = crowd
  const mix = { ...MIX, ...crowd.mix }
  while (!crowd.isOver()) {
    const node = random.chance(4) ? random.pick(crowd.nodes) : home
    await crowd.reach?.(node)
    await step(crowd, node, mix)
    for (let n = known.length - 1; n >= 0; n--) if (known[n]!.isOver) known.splice(n, 1)
    if (crowd.thinkMs > 0) await crowd.sleep(random.below(crowd.thinkMs))
  }
}

async function step(crowd: Crowd, node: Node, mix: typeof MIX): Promise<void> {
  const { random, known, subjects } = crowd
  let dice = random.below(1_000)
  const is = (share: number) => {
    dice -= share
    return dice < 0
  }
  if (known.length < OPEN / 2 || (is(mix.issue) && known.length < OPEN)) {
    const made = await node.issue(random.pick(subjects))
    if (!made) return
    known.push(made)
    crowd.all.push(made)
    return
  }
  const one = random.pick(known)
  if (is(mix.update)) {
    const operation = crowd.nextOperation()
    // A client that was not answered asks again, or does not.
    for (let tries = 0; tries < 3; tries++) {
      const answer = await node.update(one, operation)
      if (answer.is !== 'info' || crowd.isOver() || random.chance(2)) return
      await crowd.sleep(20 + random.below(200))
    }
  } else if (is(mix.revoke)) {
    if ((await node.revoke(one)).is === 'ok') remove(known, one)
  } else if (is(mix.revokeAll)) await node.revokeAll(one.subject)
  else await node.verify(one)
}

/** One client per session refreshes it, one call after the other, as a browser does. Late answers are asked for again. */
export async function renew(crowd: Crowd, everyMs: number): Promise<void> {
  const { random, all } = crowd
  const busy = new Set<Known>()
  while (!crowd.isOver()) {
    for (const one of all) {
      if (one.isOver || busy.has(one) || !random.chance(4)) continue
      busy.add(one)
      const node = random.pick(crowd.nodes)
      // Two tabs at once, sometimes.
      const tabs = [node, ...(random.chance(4) ? [random.pick(crowd.nodes)] : [])]
      const refreshes = tabs.map(async (tab) => {
        await crowd.reach?.(tab)
        await tab.refresh(one)
      })
      void Promise.all(refreshes).then(() => busy.delete(one))
    }
    await crowd.sleep(everyMs)
  }
}

function remove<T>(list: T[], item: T): void {
  const at = list.indexOf(item)
  if (at >= 0) list.splice(at, 1)
}
