import { setTimeout as sleep } from 'node:timers/promises'
import type { Random } from '../random.ts'
import { type Answer, type Entry, History, type Tokens, Unanswered, type Verb, type Verbs } from './history.ts'

/** How many sessions a client keeps open, and how many clients there are. */
const OPEN = 3
const CLIENTS = 3

type Note = (entry: Entry) => void

let rounds = 0
/** A name that no load before had. */
export const nextName = () => `round-${++rounds}`

/** Runs a load in this process until `crash`, after so many answers, takes away whatever answers. */
export async function loadUntil(
  crash: () => Promise<unknown>,
  { verbs, random, answers }: { verbs: Verbs; random: Random; answers: number },
): Promise<History> {
  const history = new History()
  const load = loadAll(verbs, nextName(), random, (entry) => history.add(entry))
  // It ends early when something is refused, or throws.
  await Promise.race([history.answered(answers), load])
  await sleep(random.below(20))
  const crashed = crash()
  await Promise.all([load, crashed])
  return history
}

/** Several clients at once, each a subject of its own, until none of them is answered any more. */
export async function loadAll(verbs: Verbs, name: string, random: Random, note: Note): Promise<void> {
  const subjects = Array.from({ length: CLIENTS }, (_, n) => `${name}-${n}`)
  if (verbs.prepare) await Promise.all(subjects.map((subject) => verbs.prepare!(subject)))
  await Promise.all(subjects.map((subject) => load(verbs, subject, random, note)))
}

/**
 * One client: logs in, refreshes, updates and revokes, one call after the other, until a call is not answered.
 *
 * @param note - Gets each entry at once: the call before it is made, the answer when it is there.
 */
async function load(verbs: Verbs, subject: string, random: Random, note: Note): Promise<void> {
  const open = new Map<string, Tokens>()
  for (;;) {
    const session = open.size < OPEN ? undefined : random.pick([...open.values()])
    const [verb, call] = session
      ? draw(verbs, subject, session, random)
      : (['login', () => verbs.login(subject)] as const)
    const id = verb === 'login' || verb === 'revokeAll' ? undefined : session!.id
    if (verb !== 'touch') note({ is: 'invoke', subject, verb, ...(id !== undefined && { id }) })
    const answer = await call().catch((error) => {
      if (error instanceof Unanswered) return undefined
      throw error
    })
    if (!answer) return
    if (verb === 'touch') continue
    if (!answer.ok) return note({ is: 'refused', subject, reason: answer.reason })
    const { durability, tokens } = answer
    note({ is: 'ok', subject, ...(tokens && { tokens }), ...(durability !== undefined && { durability }) })
    if (tokens) open.set(tokens.id, tokens)
    if (verb === 'revoke') open.delete(id!)
    if (verb === 'revokeAll') open.clear()
  }
}

/** Mostly what keeps sessions alive: the last call of each kind before a crash is what can be lost. */
function draw(
  verbs: Verbs,
  subject: string,
  session: Tokens,
  random: Random,
): readonly [Verb | 'touch', () => Promise<Answer<{ readonly tokens?: Tokens }>>] {
  const number = random.below(100)
  if (number < 2) return ['revokeAll', () => verbs.revokeAll(subject, session)]
  if (number < 14) return ['revoke', () => verbs.revoke(session)]
  if (number < 20 && verbs.touch) return ['touch', () => verbs.touch!(session.id)]
  if (number < 60 && verbs.update) return ['update', () => verbs.update!(session.id)]
  return ['refresh', () => verbs.refresh(session.refresh)]
}
