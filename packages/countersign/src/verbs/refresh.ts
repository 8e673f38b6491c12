import { equalBytes, sha256 } from '../internal/bytes.ts'
import { CountersignError } from '../internal/errors.ts'
import { elapsedMs, type Moment, momentOf } from '../internal/runtime.ts'
import { type SessionId, tagOfId } from '../session/ids.ts'
import { originOf } from '../session/input.ts'
import { idleDeadlineMs } from '../session/lifetimes.ts'
import { type Refused, refuse } from '../session/reasons.ts'
import type { Origin, SessionRecord } from '../session/record.ts'
import type { Context } from '../session/types.ts'
import type { DurableWish, Rotated, RotationRule } from '../stores/contract.ts'
import { type MacToken, readMacToken } from '../tokens/mac-token.ts'
import { successorOf } from '../tokens/successor.ts'
import { type Core, tell, windowOf } from './core.ts'
import { checkDurable } from './issue.ts'
import { judgeGone, judgeRecord } from './judge.ts'
import { type Minted, mint } from './mint.ts'

/** Repeats later than the grace, per generation, before more proof is demanded. */
const MAX_REPLAYS = 5

/** A shorter grace is shorter than a first connection may take: no refresh counts as held for less than this. */
const LEAST_HELD_MS = 1_000

/** `Sessions.refresh`. The decision is the store's, in one step; this derives, and writes the tokens of what was decided. */
export async function refresh(
  core: Core,
  text: string,
  options: { audience?: string; durable?: DurableWish; context?: Context },
): Promise<Minted | Refused> {
  const { context } = options
  const begun = momentOf(core.runtime.clock)
  const durable = checkDurable(options.durable)
  if (text === '' || typeof text !== 'string') return refuse('missing')
  const token = readMacToken('csr_', text, core.keys)
  if (!token.ok) {
    tell(core, { type: 'session_refused', reason: token.reason }, {}, context)
    return refuse(token.reason)
  }
  if (options.audience !== undefined && !core.options.audience.includes(options.audience))
    return refuse('claim_mismatch')
  await core.ready()
  const floor = await core.floor.fresh()
  throwIfLate(core, begun)
  const nowMs = core.nowMs()

  const rotationKey = core.keys.rotation.active.number
  const successor = successorOf(core.keys, rotationKey, token.sessionId, token.generation + 1, token.secret)
  const done = await core.sessions.rotate(
    token.sessionId,
    { generation: token.generation, hash: sha256(token.secret) },
    {
      hash: sha256(successor),
      rotationKey,
      macKey: core.keys.mac.active.number,
      refreshAtMs: nowMs + core.options.refreshMs,
      origin: originOf(context),
    },
    {
      graceMs: core.options.graceMs,
      replay: core.options.replay,
      maxReplays: MAX_REPLAYS,
      accessMs: core.options.accessMs,
      floorMs: floor.notBeforeMs,
      use: core.strategy.reads === 'token' ? idleDeadlines(core, nowMs) : null,
      ...trustIn(core, token.sessionId),
      ...durable,
    },
    nowMs,
  )
  report(core, token, done, context)

  switch (done.is) {
    case 'rotated':
    case 'replayed':
    case 'current': {
      const { record, stamp, durability, replicas } = done
      const narrowed = options.audience
      if (narrowed !== undefined && !record.audience.includes(narrowed)) return refuse('claim_mismatch')
      const secret = done.is === 'current' ? token.secret : secretOf(core, token, record)
      const audience = narrowed === undefined ? record.audience : [narrowed]
      const how = { stamp, durability, ...(replicas !== undefined && { replicas }), rotation: done.is, audience }
      return mint(core, await core.data.current(record), secret, how)
    }
    case 'reused':
    case 'rolled_back':
      return refuse(done.is, done.is)
    case 'too_many_replays':
      return refuse('insufficient_authentication')
    case 'expired':
      // The refresh token itself can be over while the session is not: then only a login helps.
      return judgeRecord(done.record, floor, nowMs) ?? { ...refuse('expired'), remedy: 'sign_in' }
    default:
      // A token that a step-up replaced is not mended by presenting it again. Whoever shares a cookie jar with the tab
      // that stepped up has the new one by now, which the adapter that wrote the cookie knows.
      return { ...judgeGone(done), remedy: 'sign_in' }
  }
}

/**
 * A process that stood still may hold a refresh for longer than the grace, and another tab may have gone on with the successor
 * meanwhile: the store would take an honest client for a thief, and end the session. A fault, as of a store that is late: nothing
 * has been asked, and whoever asks again presents the token that is current then. `reuse: 'strict'` has no grace to keep.
 */
function throwIfLate({ runtime, options }: Core, begun: Moment): void {
  if (options.graceMs > 0 && elapsedMs(runtime.clock, begun) > Math.max(options.graceMs, LEAST_HELD_MS))
    throw new CountersignError('ERR_STORE_TIMEOUT', 'this process stood still for longer than the grace', {
      retryable: true,
    })
}

/**
 * After a failover the store may have forgotten that a token was handed out a moment before, and an honest client may come
 * to hold one that is older than it may be: it presents that when its access token is over. Until then it is no theft.
 */
function trustIn(core: Core, id: SessionId): Pick<RotationRule, 'trusts'> {
  const { failovers } = core.sessions
  if (!failovers) return {}
  const tag = tagOfId(id)
  const { accessMs, graceMs } = core.options
  const isOld = (failovers.inChargeForMs(tag) ?? 0) > accessMs + graceMs
  return { trusts: isOld ? failovers.incarnationOf(tag)! : null }
}

/** Where no check touches the record, a refresh is the only sign of activity. */
function idleDeadlines(core: Core, nowMs: number) {
  const { absoluteMs } = core.lifetimes
  const deadline = (persistent: boolean) => idleDeadlineMs(windowOf(core, { persistent }), nowMs + absoluteMs, nowMs)
  return { idleAtMs: deadline(false), persistentIdleAtMs: deadline(true) }
}

/** The secret in force, derived again with the key that the record names: a repeat is the same, whoever makes it. */
function secretOf(core: Core, presented: MacToken, record: SessionRecord): Buffer {
  const secret = successorOf(core.keys, record.rotationKey, record.id, record.generation, presented.secret)
  if (equalBytes(sha256(secret), record.hash)) return secret
  throw new CountersignError(
    'ERR_KEY_UNUSABLE',
    `rotation key number ${record.rotationKey} is not the one that made this session's refresh token`,
  )
}

function report(core: Core, token: MacToken, done: Rotated, context: Context | undefined): void {
  const id = token.sessionId
  const { generation } = token
  if (!('record' in done)) {
    tell(core, { type: 'session_refused', reason: judgeGone(done).reason }, { id }, context)
    return
  }
  const { subject, tenant } = done.record
  const about = { id, subject, ...(tenant !== undefined && { tenant }) }
  switch (done.is) {
    case 'rotated':
      tell(core, { type: 'session_renewed', generation: done.record.generation }, about, context)
      break
    case 'replayed':
      tell(core, { type: 'refresh_replayed', generation, firstOrigin: done.previousOrigin }, about, context)
      break
    case 'reused':
      tell(core, { type: 'refresh_reused', generation }, about, context)
      tell(core, { type: 'session_ended', endedBy: 'reused' }, about, context)
      break
    case 'rolled_back':
      tell(core, { type: 'store_rollback', generation }, about, context)
      tell(core, { type: 'session_ended', endedBy: 'rolled_back' }, about, context)
      break
    case 'expired':
      tell(core, { type: 'session_refused', reason: 'expired' }, about, context)
      break
    case 'too_many_replays':
      tell(core, { type: 'session_refused', reason: 'insufficient_authentication' }, about, context)
      break
    case 'current':
      // Within the grace the same token is nothing strange, unless it comes from somewhere else.
      if (differs(originOf(context), done.previousOrigin)) {
        tell(core, { type: 'refresh_replayed', generation, firstOrigin: done.previousOrigin }, about, context)
      }
  }
}

function differs(a: Origin, b: Origin): boolean {
  return a.ip !== b.ip || a.userAgent !== b.userAgent
}
