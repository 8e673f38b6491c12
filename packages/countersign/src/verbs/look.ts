import { CountersignError, invalidInput } from '../internal/errors.ts'
import type { SessionId, Subject } from '../session/ids.ts'
import { type EndReason, refuse } from '../session/reasons.ts'
import type { Explanation, Session, WatchedEnd } from '../session/types.ts'
import { sessionOf } from '../session/view.ts'
import { readAccessToken } from '../tokens/access-token.ts'
import { readMacToken } from '../tokens/mac-token.ts'
import { parseSessionId } from '../tokens/session-id.ts'
import { checkSessionId } from './check-id.ts'
import { type Core, refOf } from './core.ts'
import { readLive } from './records.ts'
import { checkToken } from './verify.ts'

const PAGE = 100
const WATCH_EVERY_MS = 1_000
/** Ids read side by side by one `watch`. */
const WATCH_BATCH = 64

/** `Records.list`. */
export async function* list(core: Core, subject: Subject): AsyncGenerator<Session<any>> {
  const ref = refOf(core, subject)
  await core.ready()
  let after: string | null = null
  do {
    const floor = await core.floor.fresh()
    const page = await core.sessions.list(ref, after, { limit: PAGE, floorMs: floor.notBeforeMs }, core.nowMs())
    for (const record of page.items) yield sessionOf(await core.data.current(record), core.data)
    after = page.next
  } while (after !== null)
}

/** `Records.explain`. Uses nothing: no touch, no rotation, no event. */
export async function explain(core: Core, text: string): Promise<Explanation> {
  if (typeof text !== 'string') throw invalidInput('tokenOrId', 'must be a string')
  await core.ready()
  const id = parseSessionId(text)
  if (id !== undefined) return { kind: 'session_id', sessionId: id, ...(await explainSession(core, id)) }
  if (text.startsWith('cso_')) return explainMacToken(core, text, 'cso_')
  if (text.startsWith('csr_')) return explainMacToken(core, text, 'csr_')
  // Three parts when it is signed, five when it is sealed as well.
  if (text.split('.').length === (core.options.sealed ? 5 : 3)) return explainAccessToken(core, text)
  return { kind: 'unrecognised', accepted: false, refusal: refuse('malformed') }
}

async function explainSession(core: Core, id: SessionId): Promise<Omit<Explanation, 'kind'>> {
  const live = await readLive(core, id)
  if (!live.ok) return { accepted: false, refusal: live }
  const session = sessionOf(await core.data.current(live.record), core.data)
  return { accepted: true, subject: session.subject, ...(session.tenant && { tenant: session.tenant }), session }
}

async function explainMacToken(core: Core, text: string, prefix: 'cso_' | 'csr_'): Promise<Explanation> {
  const kind = prefix === 'cso_' ? 'opaque_token' : 'refresh_token'
  const token = readMacToken(prefix, text, core.keys)
  if (!token.ok) return { kind, accepted: false, refusal: refuse(token.reason) }
  const { sessionId, generation } = token
  const about = { kind, sessionId, generation } as const
  if (kind === 'opaque_token' && core.strategy.name === 'opaque') {
    const checked = await checkToken(quiet(core), text, FRESH, {})
    return checked.ok
      ? { ...about, accepted: true, subject: checked.session.subject, session: checked.session as Session<any> }
      : { ...about, accepted: false, refusal: checked }
  }
  const live = await readLive(core, sessionId)
  if (!live.ok) return { ...about, accepted: false, refusal: live }
  const { record } = live
  const { subject } = record
  const session = sessionOf(record, core.data)
  // Only the newest generation is certainly exchanged; whether an older one still is depends on the moment.
  if (!core.strategy.renews) return { ...about, accepted: false, subject, session, refusal: refuse('claim_mismatch') }
  if (generation === record.generation) return { ...about, accepted: true, subject, session }
  const refusal = refuse(generation > record.generation ? 'rolled_back' : 'superseded')
  return { ...about, accepted: false, subject, session, refusal }
}

async function explainAccessToken(core: Core, text: string): Promise<Explanation> {
  const kind = 'access_token'
  const token = readAccessToken(text, core.keys, core.options.issuer, core.nowMs(), core.options.sealed)
  if (!token.ok) return { kind, accepted: false, refusal: refuse(token.reason) }
  const { claims } = token
  const about = {
    kind,
    sessionId: claims.sid,
    subject: claims.sub,
    generation: claims.gen,
    claims: { ...claims },
  } as const
  if (core.strategy.name === 'opaque') return { ...about, accepted: false, refusal: refuse('claim_mismatch') }
  const checked = await checkToken(quiet(core), text, FRESH, {})
  return checked.ok ? { ...about, accepted: true } : { ...about, accepted: false, refusal: checked }
}

/** Whoever explains wants to know what the store says now. */
const FRESH = { fresh: true }

/** The same without background writes: looking at a token is not using it. */
function quiet(core: Core): Core {
  return { ...core, background: { run: () => undefined, settle: async () => undefined } }
}

/** `Records.watch`. An outage ends nothing: the ids are read again a second later. */
export async function* watch(core: Core, ids: Iterable<SessionId>, signal: AbortSignal): AsyncGenerator<WatchedEnd> {
  const watched = new Set(ids)
  for (const id of watched) checkSessionId(id)
  while (watched.size > 0 && !signal.aborted) {
    const all = [...watched]
    for (let start = 0; start < all.length; start += WATCH_BATCH) {
      for (const end of await Promise.all(all.slice(start, start + WATCH_BATCH).map((id) => endOf(core, id)))) {
        if (end && watched.delete(end.id)) yield end
        if (signal.aborted) return
      }
    }
    if (watched.size > 0) await sleep(core, signal)
  }
}

async function endOf(core: Core, id: SessionId): Promise<WatchedEnd | undefined> {
  try {
    const live = await readLive(core, id)
    if (live.ok) return undefined
    const endedBy: EndReason = live.endedBy ?? live.reason
    return { id, endedBy }
  } catch (error) {
    // An outage ends nothing. A store that is closed will never answer again.
    if (error instanceof CountersignError && error.code === 'ERR_CLOSED') throw error
    return undefined
  }
}

function sleep(core: Core, signal: AbortSignal): Promise<void> {
  const { timers } = core.runtime
  return new Promise((resolve) => {
    const done = () => {
      timers.clearTimeout(timer)
      signal.removeEventListener('abort', done)
      resolve()
    }
    const timer = timers.setTimeout(done, WATCH_EVERY_MS)
    signal.addEventListener('abort', done, { once: true })
  })
}
