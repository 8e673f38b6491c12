import type { Client, History, Known, Verb, Verbs } from './history.ts'

/** An acknowledged call that is not there, or one that happened more than once. */
export interface Loss {
  readonly verb: 'login' | 'rotation' | 'update' | 'revoke'
  readonly what: string
}

/**
 * Compares what clients were told with what is there. Settles calls without an answer by what it finds, so that a later
 * check of the same history holds it to that.
 */
export async function check(histories: readonly History[], verbs: Verbs): Promise<Loss[]> {
  const losses: Loss[] = []
  for (const { clients } of histories) {
    losses.push(...(await Promise.all([...clients].map((client) => checkClient(...client, verbs)))).flat())
  }
  return losses
}

/** Why a check of these histories would mean little: too few calls of some kind, refusals, weaker answers than `fsynced`. */
export function weaknesses(histories: readonly History[], kinds: readonly Verb[]): string[] {
  const problems = histories.flatMap(({ refusals }) => refusals)
  for (const { durabilities } of histories) {
    for (const durability of durabilities) if (durability !== 'fsynced') problems.push(`an answer said ${durability}`)
  }
  for (const kind of kinds) {
    const acknowledged = histories.reduce((sum, { counts }) => sum + counts[kind], 0)
    if (acknowledged < histories.length) problems.push(`only ${acknowledged} of ${kind} were acknowledged`)
  }
  return problems
}

async function checkClient(subject: string, client: Client, verbs: Verbs): Promise<Loss[]> {
  const { pending } = client
  const losses: Loss[] = []
  for (const session of client.sessions.values()) {
    const { id } = session.tokens
    const mayHave = pending?.verb === 'revokeAll' || pending?.id === id ? pending?.verb : undefined
    const loss = session.isEnded ? await checkEnded(session, verbs) : await checkLive(session, verbs, mayHave)
    if (loss) losses.push({ ...loss, what: `${subject} ${id}: ${loss.what}; unanswered: ${mayHave ?? 'nothing'}` })
  }
  client.pending = undefined

  const live = [...client.sessions.values()].filter(({ isEnded }) => !isEnded).map(({ tokens }) => tokens)
  if (live.length === 0 || losses.length > 0) return losses
  const listed = await verbs.list(subject, live[0]!)
  const missing = live.filter(({ id }) => !listed.includes(id))
  const strangers = listed.filter((id) => !client.sessions.has(id))
  if (missing.length > 0) losses.push({ verb: 'login', what: `${subject}: ${missing.length} sessions are in no list` })
  const most = client.strangers + (pending?.verb === 'login' ? 1 : 0)
  if (strangers.length > most) {
    losses.push({ verb: 'login', what: `${subject}: ${strangers.length} sessions that nobody was told of` })
  }
  client.strangers = strangers.length
  return losses
}

async function checkEnded(session: Known, verbs: Verbs): Promise<Loss | undefined> {
  for (const answer of [await verbs.look(session.tokens), await verbs.refresh(session.tokens.refresh)]) {
    if (answer.ok) return { verb: 'revoke', what: 'ended, and accepted' }
    if (answer.reason !== 'ended') return { verb: 'revoke', what: `ended, and refused as ${answer.reason}` }
  }
  return undefined
}

async function checkLive(session: Known, verbs: Verbs, mayHave: string | undefined): Promise<Loss | undefined> {
  const seen = await verbs.look(session.tokens)
  if (!seen.ok) {
    if (seen.reason === 'ended' && (mayHave === 'revoke' || mayHave === 'revokeAll')) {
      session.isEnded = true
      return checkEnded(session, verbs)
    }
    return { verb: seen.reason === 'rolled_back' ? 'rotation' : 'login', what: `live, and refused as ${seen.reason}` }
  }
  if (seen.updates !== undefined) {
    const most = session.updates + (mayHave === 'update' ? 1 : 0)
    if (seen.updates < session.updates || seen.updates > most) {
      return { verb: 'update', what: `${session.updates} updates, and ${seen.updates} are there` }
    }
    session.updates = seen.updates
  }
  // The newest token that was acknowledged, or the one whose rotation was not: either yields the one successor.
  const next = await verbs.refresh(session.tokens.refresh)
  if (!next.ok) return { verb: 'rotation', what: `its newest refresh token is refused as ${next.reason}` }
  session.tokens = next.tokens
  const again = await verbs.refresh(next.tokens.refresh)
  if (!again.ok) return { verb: 'rotation', what: `the successor is refused as ${again.reason}` }
  session.tokens = again.tokens
  return undefined
}
