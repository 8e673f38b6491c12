import { invalidInput } from '../internal/errors.ts'
import type { SessionId, Subject } from '../session/ids.ts'
import { refuse } from '../session/reasons.ts'
import type { Explanation, Session } from '../session/types.ts'
import { sessionOf } from '../session/view.ts'
import { readAccessToken } from '../tokens/access-token.ts'
import { readMacToken } from '../tokens/mac-token.ts'
import { parseSessionId } from '../tokens/session-id.ts'
import { type Core, refOf } from './core.ts'
import { readLive } from './records.ts'
import { checkToken } from './verify.ts'

const PAGE = 100

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
    const checked = await checkToken(quiet(core), text, FRESH)
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
  const checked = await checkToken(quiet(core), text, FRESH)
  return checked.ok ? { ...about, accepted: true } : { ...about, accepted: false, refusal: checked }
}

/** Whoever explains wants to know what the store says now. */
const FRESH = { fresh: true }

/** The same without background writes and events: looking at a token is not using it. */
function quiet(core: Core): Core {
  const background = { run: () => undefined, settle: async () => undefined }
  return { ...core, background, events: { ...core.events, emit: () => undefined } }
}
