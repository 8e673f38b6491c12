// People with live sessions, each of whom works almost without a pause, every call on whichever node comes.
import type { SessionId } from 'countersign'
import type { Calls } from './node.ts'
import type { Fleet } from './nodes.ts'

/** A call that did not do what it was asked for: in a test of live sessions there must be none. */
export interface Failure {
  readonly call: string
  readonly said: string
}

export interface Person {
  readonly subject: string
  sessionId: SessionId
  accessToken: string
  refreshToken: string
  /** Acknowledged updates of the session's data. */
  added: number
  rotations: number
  rounds: number
}

export interface Load {
  readonly people: readonly Person[]
  readonly failures: readonly Failure[]
  /** Calls that were answered as they should be, by name. */
  readonly done: ReadonlyMap<string, number>
  /** Goes on until it is true of every person, asked between two of their rounds. Fails after some minutes, saying what for. */
  until(what: string, isTrue: (person: Person) => boolean): Promise<void>
  /** Lets every person go round so many times. */
  rounds(count: number): Promise<void>
  /** So many more people log in, on whichever node comes. */
  join(count: number): Promise<readonly Person[]>
  /** Ends the load, reads every session once more and compares its data with what was acknowledged. */
  stop(): Promise<void>
}

const PATIENCE_MS = 400_000
/** So that the machine can also start the processes that the load is there to disturb. */
const THINK_MS = 10
/** Rounds between two refreshes, as an impatient client does it. */
const REFRESH_EVERY = 3

export async function startLoad(fleet: Fleet, size: number, options: { stepUps?: boolean } = {}): Promise<Load> {
  const failures: Failure[] = []
  const done = new Map<string, number>()
  const ask = async <Call extends keyof Calls>(call: Call, args: Calls[Call][0]) => {
    const answer = await fleet.any().ask(call, args)
    if ('ok' in answer) {
      done.set(call, (done.get(call) ?? 0) + 1)
      return answer.ok
    }
    failures.push({ call, said: 'refused' in answer ? answer.refused : `${answer.fault}: ${answer.message}` })
    return undefined
  }

  let isStopping = false
  const people: Person[] = []
  const live = async (person: Person): Promise<void> => {
    for (; !isStopping; person.rounds++) {
      // Two requests at once, as a page does; most likely on two nodes.
      const token = person.accessToken
      await Promise.all([ask('verify', { token }), ask('verify', { token })])
      if ((await ask('add', { id: person.sessionId })) !== undefined) person.added++
      if (person.rounds % REFRESH_EVERY === 0) await renew(person)
      if (options.stepUps && person.rounds % 40 === 39) {
        const fresh = await ask('stepUp', { id: person.sessionId })
        if (fresh) Object.assign(person, fresh)
      }
      await new Promise((resolve) => setTimeout(resolve, THINK_MS))
      // A person who was logged out stays so; one failure for each call would say nothing more.
      if (failures.length > 100) return
    }
  }
  /** Two tabs refresh at the same time: the same successor for both, whichever node answers. */
  const renew = async (person: Person): Promise<void> => {
    const token = person.refreshToken
    const [one, two] = await Promise.all([ask('refresh', { token }), ask('refresh', { token })])
    if (!one || !two) return
    if (one.refreshToken !== two.refreshToken && one.refreshToken !== token && two.refreshToken !== token) {
      failures.push({ call: 'refresh', said: 'two successors of one token' })
    }
    // Either may have been the one that came first; the newer token is the one that is not the old one.
    const newer = one.refreshToken === token ? two : one
    if (newer.refreshToken !== token) person.rotations++
    person.refreshToken = newer.refreshToken
    person.accessToken = newer.accessToken
  }

  const lives: Promise<void>[] = []
  const join: Load['join'] = async (count) => {
    const joined = await Promise.all(
      Array.from({ length: count }, async (_, n) => {
        const subject = `person-${people.length + n}`
        const issued = await ask('issue', { subject })
        if (!issued) throw new Error(`no session: ${JSON.stringify(failures)}`)
        return { subject, ...issued, added: 0, rotations: 0, rounds: 0 }
      }),
    )
    people.push(...joined)
    lives.push(...joined.map(live))
    return joined
  }
  await join(size)

  const until: Load['until'] = async (what, isTrue) => {
    const giveUpAt = performance.now() + PATIENCE_MS
    while (!people.every(isTrue)) {
      if (failures.length > 0) return
      if (performance.now() > giveUpAt) throw new Error(`waited in vain for: ${what}`)
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }
  return {
    people,
    failures,
    done,
    until,
    join,
    async rounds(count) {
      const goals = new Map(people.map((person) => [person, person.rounds + count]))
      await until(`${count} more rounds`, (person) => person.rounds >= goals.get(person)!)
    },
    async stop() {
      isStopping = true
      await Promise.all(lives)
      if (failures.length > 0) return
      for (const { sessionId, added } of people) {
        const read = await ask('read', { id: sessionId })
        if (read && read.count !== added)
          failures.push({ call: 'read', said: `${read.count} of ${added} updates are there` })
      }
    },
  }
}
