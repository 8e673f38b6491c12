import { idleDeadlineMs, isTouchDue } from '../session/lifetimes.ts'
import { type Refused, refuse } from '../session/reasons.ts'
import type { SessionRecord } from '../session/record.ts'
import type { Checked, Session, VerifyOptions } from '../session/types.ts'
import { sessionOf } from '../session/view.ts'
import type { AccessClaims } from '../tokens/access-token.ts'
import type { Core } from './core.ts'
import { judgeDemands, judgeGone, judgeRecord } from './judge.ts'

/** What a check by record works with: of the verbs, or of a verifier that reads the record of somebody else's sessions. */
export interface RecordSide extends Pick<Core, 'sessions' | 'floor' | 'data' | 'acrLevels' | 'background' | 'nowMs'> {
  /** The promised idle window of a record. `null` = nothing to extend. */
  windowOf(record: SessionRecord): number | null
  /** Whether there are refresh tokens, whose generation a presented access token confirms. */
  readonly renews: boolean
}

/** The last step of `allowlist`, after structure, signature and claims: the record must exist, and decides. */
export async function checkByRecord(
  side: RecordSide,
  claims: AccessClaims,
  demands: VerifyOptions,
): Promise<Checked<Session<any>>> {
  const [found, floor] = await Promise.all([side.sessions.read(claims.sid), side.floor.fresh()])
  if (found.is !== 'live') return judgeGone(found)
  const { record } = found
  const nowMs = side.nowMs()
  // The id carries the tag of its subject; a record of somebody else under it is not ours to serve.
  if (record.subject !== claims.sub || record.tenant !== claims.tenant) return refuse('unknown')
  const refused = judgeRecord(record, floor, nowMs) ?? judgeGeneration(claims, record)
  if (refused) return refused
  const session = sessionOf(await side.data.current(record), side.data, claims.aud, claims.exp * 1_000)
  return judgeDemands(side, session, demands, nowMs) ?? seen(side, record, session, claims.gen, nowMs)
}

function judgeGeneration(claims: AccessClaims, record: SessionRecord): Refused | undefined {
  if (claims.gen > record.generation) return refuse('rolled_back')
  if (claims.gen < record.rolesGeneration) return refuse('superseded')
  return undefined
}

/** Accepted: notes the use, if it is due, without making the caller wait. */
export function seen(
  side: RecordSide,
  record: SessionRecord,
  session: Session<any, any>,
  generation: number | undefined,
  nowMs: number,
): Checked<Session<any>> {
  const windowMs = side.windowOf(record)
  const confirms =
    side.renews && generation === record.generation && record.generation > 0 && record.confirmedAtMs === 0
  if (confirms || isTouchDue(windowMs, record.lastSeenAtMs, nowMs)) {
    const idleAtMs = idleDeadlineMs(windowMs, record.absoluteAtMs, nowMs)
    const touch = confirms ? { idleAtMs, generation: record.generation } : { idleAtMs }
    side.background.run(record.id, () => side.sessions.touch(record.id, touch, nowMs))
  }
  return { ok: true, session }
}
