import type { Standing } from '../cache/known-tokens.ts'
import type { SessionId } from '../session/ids.ts'
import { idleDeadlineMs, touchAfterMs } from '../session/lifetimes.ts'
import { type Refused, refuse } from '../session/reasons.ts'
import { deadlineMs, type SessionRecord } from '../session/record.ts'
import type { Checked, Session, VerifyOptions } from '../session/types.ts'
import { sessionOf } from '../session/view.ts'
import type { Floor, Found } from '../stores/contract.ts'
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

/** What noting a use takes. */
export interface Use {
  readonly windowMs: number | null
  readonly absoluteAtMs: number
  /** The generation that the use confirms. */
  readonly confirms: number | undefined
}

/** Of an access token: what its record is compared with, beside whose it is. */
export type AccessFacts = Pick<AccessClaims, 'gen' | 'aud' | 'exp'>
/** Whose a token says it is. */
type Whose = { readonly subject?: string; readonly tenant?: string }

/** The last step of `allowlist`, after structure, signature and claims: the record must exist, and decides. */
export async function checkByRecord(
  side: RecordSide,
  claims: AccessClaims,
  demands: VerifyOptions,
): Promise<Checked<Session<any>>> {
  const [found, floor] = await Promise.all([side.sessions.read(claims.sid), side.floor.fresh()])
  const nowMs = side.nowMs()
  const { sub: subject, tenant } = claims
  const whose = { subject, ...(tenant !== undefined && { tenant }) }
  let standing = standByAccess(side, whose, claims, found, floor, nowMs)
  if ('ok' in standing) return standing
  const renewed = underOurSchema(side, found)
  if (renewed) standing = standByAccess(side, whose, claims, await renewed, floor, nowMs)
  if ('ok' in standing) return standing
  const refused = judgeDemands(side, standing.session, demands, nowMs)
  if (refused) return refused
  note(side, standing, nowMs)
  return { ok: true, session: standing.session as Session<any> }
}

/** What was read, with its data as our schema has it. `undefined` when it was written under that version. */
export function underOurSchema({ data }: Pick<Core, 'data'>, found: Found): Promise<Found> | undefined {
  if (found.is !== 'live') return undefined
  const record = data.current(found.record)
  return record === found.record
    ? undefined
    : Promise.resolve(record).then((current) => ({ is: 'live', record: current }))
}

/** What the record makes of an access token. Nothing in it depends on the call. */
export function standByAccess(
  side: RecordSide,
  whose: Whose,
  claims: AccessFacts,
  found: Found,
  floor: Floor,
  nowMs: number,
): Standing<Use> | Refused {
  if (found.is !== 'live') return judgeGone(found)
  const { record } = found
  // The id carries the tag of its subject; a record of somebody else under it is not ours to serve.
  if (record.subject !== whose.subject || record.tenant !== whose.tenant) return refuse('unknown')
  const refused = judgeRecord(record, floor, nowMs) ?? judgeGeneration(claims, record)
  if (refused) return refused
  return standingOf(side, record, sessionOf(record, side.data, claims.aud, claims.exp * 1_000), claims.gen)
}

function judgeGeneration(claims: AccessFacts, record: SessionRecord): Refused | undefined {
  if (claims.gen > record.generation) return refuse('rolled_back')
  if (claims.gen < record.rolesGeneration) return refuse('superseded')
  return undefined
}

/** @param generation - Of the token that was presented, where its use may confirm one. */
export function standingOf(
  side: RecordSide,
  record: SessionRecord,
  session: Session<any, any>,
  generation: number | undefined,
): Standing<Use> {
  const windowMs = side.windowOf(record)
  const confirms =
    side.renews && generation === record.generation && record.generation > 0 && record.confirmedAtMs === 0
  return {
    id: record.id,
    session,
    bornMs: record.createdAtMs,
    overMs: deadlineMs(record),
    dueMs: confirms ? Number.NEGATIVE_INFINITY : touchAfterMs(windowMs, record.lastSeenAtMs),
    use:
      windowMs === null && !confirms
        ? undefined
        : { windowMs, absoluteAtMs: record.absoluteAtMs, confirms: confirms ? record.generation : undefined },
    bytes: STANDING_BYTES + BYTES_PER_CHARACTER * (record.data?.length ?? 0),
  }
}

/** Heap of a copy without data, and of a character of JSON: measured, see `bench/near/heap.ts`. */
const STANDING_BYTES = 1_400
const BYTES_PER_CHARACTER = 4

/** Notes a use of the session, if it is due, without making the caller wait. */
export function note(
  side: Pick<RecordSide, 'background' | 'sessions'>,
  { id, dueMs, use }: Pick<Standing<Use>, 'id' | 'dueMs' | 'use'>,
  nowMs: number,
): void {
  if (use === undefined || nowMs <= dueMs) return
  const idleAtMs = idleDeadlineMs(use.windowMs, use.absoluteAtMs, nowMs)
  const touch = use.confirms === undefined ? { idleAtMs } : { idleAtMs, generation: use.confirms }
  side.background.run(id, () => side.sessions.touch(id as SessionId, touch, nowMs))
}
