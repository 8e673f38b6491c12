// The invariants that every history has to meet, whatever was done to the system meanwhile. Pure: a history and what is
// known of the faults go in, violations come out. check.test.ts shows that each one finds a history that breaks it.
import type { Answer, Call } from './history.ts'

export type Invariant = 'I1' | 'I2' | 'I3' | 'I4' | 'I5' | 'I6' | 'I7'

export const INVARIANTS: Readonly<Record<Invariant, string>> = {
  I1: 'an acknowledged revocation is permanent',
  I2: 'at most one live successor per generation',
  I3: 'an acknowledged write is in the final state, once; an unknown one once or not at all; a refused one not at all',
  I4: 'no answer is older than the stated bound, and no session outlives its deadline',
  I5: 'a session never moves to another user',
  I6: 'unknown is not success: without the store nothing is granted anew, done, or refused as if it were known',
  I7: 'every denial has one reason code, and a cause in the history',
}

export interface Rules {
  /** How old an answer may be: 0 where every call asks the store. */
  readonly staleMs: number
  /** What sessions live for, where that is short enough to matter, and how far clocks may be off. */
  readonly lifetime?: { readonly ms: number; readonly errorMs: number }
  /** Spans in which nobody could reach the store at all. */
  readonly outages?: readonly { readonly fromMs: number; readonly untilMs: number }[]
  readonly losses?: readonly Loss[]
  /** Whether writes of this durability outlast the losses. Default: none. */
  readonly outlasts?: (durability: string | undefined) => boolean
}

/** What the store acknowledged until then may be gone. */
export interface Loss {
  /** From here on somebody may see it so. */
  readonly fromMs: number
  /** Later than `fromMs` where one that has been replaced went on acknowledging. */
  readonly untilMs: number
  /** When what has to be done again is; `Infinity` where nothing does that. */
  readonly healedMs: number
}

export interface Violation {
  readonly invariant: Invariant
  readonly what: string
  /** The calls that cannot both be right, or the one that cannot. */
  readonly calls: readonly Call[]
  readonly sid?: string | undefined
  readonly subject: string
}

/** Every reason that a refusal can have. */
export const REASONS: ReadonlySet<string> = new Set([
  ...['missing', 'malformed', 'bad_signature', 'claim_mismatch', 'not_yet_valid', 'expired', 'expired_idle'],
  ...['expired_absolute', 'ended', 'superseded', 'reused', 'rolled_back', 'unknown', 'limit', 'blocked', 'stale_epoch'],
  ...['insufficient_authentication'],
])
const EXPIRED = new Set(['expired', 'expired_idle', 'expired_absolute'])

type Ok = Extract<Answer, { is: 'ok' }>
type Said<A extends Answer> = Call & { readonly answer: A }
const isOk = (call: Call): call is Said<Ok> => call.answer.is === 'ok'
const isFail = (call: Call): call is Said<Extract<Answer, { is: 'fail' }>> => call.answer.is === 'fail'
/** It was done, or nobody knows. */
const mayHave = ({ answer }: Call) => answer.is === 'ok' || (answer.is === 'info' && answer.isOpen)
const isDone = ({ answer }: Said<Ok>) => answer.durability !== 'queued'

/** Everything about one session. */
interface Story {
  readonly sid: string
  readonly subject: string
  /** The call that made it, if that was answered. */
  readonly made: Said<Ok> | undefined
  readonly calls: readonly Call[]
  /** Calls that end it, or may. */
  readonly endings: readonly Call[]
}

export function check(calls: readonly Call[], rules: Rules): Violation[] {
  const found: Violation[] = []
  for (const story of storiesOf(calls)) {
    const { sid, subject } = story
    const violated: Tell = (invariant, what, ...calls) =>
      found.push({ invariant, what: `…${sid.slice(-6)} ${what}`, calls, sid, subject })
    revoked(story, rules, violated)
    successors(story, violated)
    written(story, rules, violated)
    young(story, rules, violated)
    owned(story, violated)
    denied(story, rules, violated)
  }
  withoutStore(calls, rules, (invariant, what, call) => {
    const { sid, subject } = call
    found.push({ invariant, what, calls: [call], sid, subject })
  })
  return found
}

type Tell = (invariant: Invariant, what: string, ...calls: readonly Call[]) => void

function storiesOf(calls: readonly Call[]): Story[] {
  const bySid = new Map<string, Call[]>()
  const everything = new Map<string, Call[]>()
  const add = (map: Map<string, Call[]>, key: string, call: Call) => {
    const list = map.get(key)
    if (list) list.push(call)
    else map.set(key, [call])
  }
  for (const call of calls) {
    const sid = call.sid ?? (isOk(call) ? call.answer.sid : undefined)
    if (sid !== undefined) add(bySid, sid, call)
    if (call.verb === 'revokeAll') add(everything, call.subject, call)
  }
  return [...bySid].map(([sid, own]) => {
    const made = own.find((call): call is Said<Ok> => call.verb === 'issue' && isOk(call))
    const subject = made?.subject ?? own[0]!.subject
    // A session that was opened while everything was ended may be older or younger than that. What was queued is done
    // later, and ends what there is then.
    const all = (everything.get(subject) ?? []).filter(
      (call) => call.endedMs >= (made?.invokedMs ?? 0) || (isOk(call) && !isDone(call)),
    )
    return { sid, subject, made, calls: own, endings: [...own.filter(({ verb }) => verb === 'revoke'), ...all] }
  })
}

/** I1. */
function revoked({ made, calls, endings }: Story, rules: Rules, violated: Tell): void {
  const certain = endings.filter(
    (call): call is Said<Ok> =>
      isOk(call) && (call.verb === 'revoke' || (made !== undefined && made.endedMs <= call.invokedMs)),
  )
  if (certain.length === 0) return
  for (const call of calls) {
    if (!isOk(call) || !LIVE.has(call.verb)) continue
    const by = certain.find(
      (ending) =>
        call.invokedMs > ending.endedMs + boundOf(call, ending, rules) &&
        // One that only waits holds in the process where it waits.
        (isDone(ending) || ending.node === call.node) &&
        !isLost(ending, call, rules),
    )
    if (!by) continue
    const lateMs = (call.invokedMs - by.endedMs).toFixed(0)
    const said = `${call.verb} on node ${call.node} was accepted ${lateMs} ms after ${by.verb} was acknowledged`
    violated('I1', said, by, call)
  }
}
/** How old an answer may be: a process reads what it wrote itself, and whoever asks the store reads what is there. */
const boundOf = (call: Call, write: Call, { staleMs }: Rules) =>
  call.verb === 'verify' && call.node !== write.node ? staleMs : 0
/** What only a live session answers. */
const LIVE = new Set(['verify', 'refresh', 'update', 'look'])

/** Whether a loss of the store may have undone a call, as another saw it, which may have been asked before the loss. */
function isLost({ invokedMs, answer }: Said<Ok>, seenBy: Call, rules: Rules): boolean {
  if (rules.outlasts?.(answer.durability)) return false
  return (rules.losses ?? []).some(
    ({ fromMs, untilMs, healedMs }) => invokedMs <= untilMs && fromMs <= seenBy.endedMs && seenBy.invokedMs < healedMs,
  )
}
const wasLost = ({ invokedMs, answer }: Said<Ok>, rules: Rules): boolean =>
  !rules.outlasts?.(answer.durability) && (rules.losses ?? []).some(({ untilMs }) => invokedMs <= untilMs)

/** I2. */
function successors({ calls }: Story, violated: Tell): void {
  const byGeneration = new Map<number, { readonly hash: string; readonly call: Call }>()
  for (const call of calls) {
    const token = isOk(call) ? call.answer.token : undefined
    if (token === undefined) continue
    const { generation, hash } = token
    const before = byGeneration.get(generation)
    if (before !== undefined && before.hash !== hash)
      violated('I2', `has two tokens of generation ${generation}`, before.call, call)
    byGeneration.set(generation, { hash, call })
  }
}

/** I3. */
function written({ calls }: Story, rules: Rules, violated: Tell): void {
  const final = calls.findLast((call): call is Said<Ok> => call.verb === 'look' && isOk(call))
  const operations = final?.answer.operations
  if (!final || operations === undefined) return
  const times = new Map<string, number>()
  for (const operation of operations) times.set(operation, (times.get(operation) ?? 0) + 1)
  const asked = new Map<string, Call[]>()
  for (const call of calls) {
    if (call.operation === undefined || call.invokedMs >= final.invokedMs) continue
    asked.set(call.operation, [...(asked.get(call.operation) ?? []), call])
  }
  for (const [operation, tries] of asked) {
    const seen = times.get(operation) ?? 0
    if (seen > 1) violated('I3', `${operation} is there ${seen} times`, ...tries, final)
    if (seen === 1 && !tries.some(mayHave)) violated('I3', `${operation} was refused and is there`, ...tries, final)
    const acknowledged = tries.find((call): call is Said<Ok> => isOk(call) && call.endedMs <= final.invokedMs)
    if (seen === 0 && acknowledged && !wasLost(acknowledged, rules))
      violated('I3', `${operation} was acknowledged and is not there`, acknowledged, final)
  }
  for (const operation of times.keys())
    if (!asked.has(operation)) violated('I3', `${operation} was never asked for`, final)
}

/** I4. */
function young({ calls, made }: Story, rules: Rules, violated: Tell): void {
  const writes = calls.filter((call): call is Said<Ok> => isOk(call) && call.verb === 'update')
  for (const call of calls) {
    if (!isOk(call) || call.verb === 'update') continue
    const { version } = call.answer
    const missed =
      version !== undefined &&
      writes.find(
        (write) =>
          write.endedMs + boundOf(call, write, rules) < call.invokedMs &&
          write.answer.version! > version &&
          !wasLost(write, rules),
      )
    if (missed) {
      const said = `${call.verb} said version ${version} after ${missed.answer.version} was acknowledged`
      violated('I4', said, missed, call)
    }
    const { lifetime } = rules
    if (lifetime && made && LIVE.has(call.verb) && call.invokedMs > made.endedMs + lifetime.ms + lifetime.errorMs) {
      const afterMs = (call.invokedMs - made.endedMs).toFixed(0)
      violated('I4', `${call.verb} was accepted ${afterMs} ms after the login`, made, call)
    }
  }
}

/** I5. */
function owned({ calls, subject }: Story, violated: Tell): void {
  const logins = calls.filter((call) => call.verb === 'issue' && isOk(call))
  if (logins.length > 1) violated('I5', 'was issued twice', ...logins)
  for (const call of calls) {
    const said = isOk(call) ? call.answer.subject : undefined
    if (said !== undefined && said !== subject) violated('I5', `of ${subject} is said to be of ${said}`, call)
  }
}

/** I7. */
function denied({ calls, made, endings, subject }: Story, rules: Rules, tell: Tell): void {
  for (const call of calls) {
    if (!isFail(call)) continue
    const violated = (what: string) => tell('I7', what, ...(made ? [made, call] : [call]))
    const { reason } = call.answer
    if (typeof reason !== 'string' || !REASONS.has(reason)) {
      violated(`${call.verb} was refused with ${JSON.stringify(reason)}`)
      continue
    }
    const hasLoss = (rules.losses ?? []).some(({ fromMs }) => fromMs <= call.endedMs)
    const { lifetime } = rules
    const ended = endings.some((ending) => ending.invokedMs <= call.endedMs && mayHave(ending))
    // A login that nobody was told of is not known to the history.
    const isKnown = made !== undefined
    if (reason === 'ended' && isKnown && !ended && !hasLoss) violated(`${call.verb}: ended, and nobody ended it`)
    // The oldest tombstones of a subject go.
    const isForgotten = reason === 'unknown' && ended
    if (['unknown', 'rolled_back'].includes(reason) && isKnown && !hasLoss && !isForgotten)
      violated(`${call.verb}: ${reason}, and the store lost nothing`)
    if (reason === 'reused' && !hasLoss) violated(`${call.verb}: reused, and every client is honest`)
    if (EXPIRED.has(reason) && made && !(lifetime && call.endedMs >= made.invokedMs + lifetime.ms - lifetime.errorMs))
      violated(
        `${call.verb}: ${reason}, too early, ${(call.endedMs - made.invokedMs).toFixed(0)} ms after the login of ${subject}`,
      )
  }
}

/** I6. */
function withoutStore(
  calls: readonly Call[],
  rules: Rules,
  violated: (invariant: Invariant, what: string, about: Call) => void,
): void {
  for (const { fromMs, untilMs } of rules.outages ?? []) {
    for (const call of calls) {
      if (call.invokedMs < fromMs || call.endedMs > untilMs) continue
      const { answer, verb } = call
      const isFromCopy = verb === 'verify' && call.invokedMs <= fromMs + rules.staleMs
      if (answer.is === 'ok' && answer.durability !== 'queued' && !isFromCopy)
        violated('I6', `${verb} was ok without a store`, call)
      // What this process itself has asked to end, it may refuse.
      const isKnown = calls.some(
        (ending) =>
          ending.subject === call.subject &&
          (ending.verb === 'revoke' || ending.verb === 'revokeAll') &&
          ending.n < call.n,
      )
      if (answer.is === 'fail' && !isFromCopy && !isKnown && !EXPIRED.has(String(answer.reason)))
        violated('I6', `${verb} was refused without a store: an outage is not a logout`, call)
    }
  }
}
