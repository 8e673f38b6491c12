import { CountersignError } from '../internal/errors.ts'
import type { Immutable } from '../internal/immutable.ts'
import { type SessionId, tagOfId } from '../session/ids.ts'
import { checkObject, checkText, checkTexts } from '../session/input.ts'
import { type Refused, refuse } from '../session/reasons.ts'
import type { SessionRecord } from '../session/record.ts'
import type { Checked, Context, Durability, Session } from '../session/types.ts'
import { sessionOf } from '../session/view.ts'
import type { DurableWish } from '../stores/contract.ts'
import { checkSessionId } from './check-id.ts'
import { type Core, tell } from './core.ts'
import { checkDurable, newRecord } from './issue.ts'
import { judgeGone, judgeRecord } from './judge.ts'
import { type Minted, mint } from './mint.ts'
import { remedied } from './verify.ts'

/** Lost races after which `update` gives up. Each waits a little longer, so this is seconds of somebody else being faster. */
const MAX_ATTEMPTS = 200
const MAX_PAUSE_MS = 20

/** A live record, or why there is none. One round trip. */
export async function readLive(
  core: Core,
  id: SessionId,
): Promise<{ readonly ok: true; readonly record: SessionRecord } | Refused> {
  checkSessionId(id)
  await core.ready()
  const [found, floor] = await Promise.all([core.sessions.read(id), core.floor.fresh()])
  if (found.is !== 'live') return remedied(core, judgeGone(found))
  return judgeRecord(found.record, floor, core.nowMs()) ?? { ok: true, record: found.record }
}

/** `Records.get`. */
export async function get(core: Core, id: SessionId): Promise<Checked<Session<any>>> {
  const live = await readLive(core, id)
  return live.ok ? { ok: true, session: sessionOf(await core.data.current(live.record), core.data) } : live
}

/** `Records.update`. */
export async function update(
  core: Core,
  id: SessionId,
  change: (data: Immutable<any>) => Immutable<any>,
  options: { operationId?: string; durable?: DurableWish; context?: Context },
): Promise<Checked<Session<any>> & { readonly durability?: Durability; readonly replicas?: number }> {
  const durable = checkDurable(options.durable)
  const operationId = options.operationId === undefined ? undefined : checkText(options.operationId, 'operationId', 64)
  const live = await readLive(core, id)
  if (!live.ok) return live
  let record = await core.data.current(live.record)
  for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt++) {
    if (operationId !== undefined && record.operations.includes(operationId)) {
      // This process's own write, told only now: its copies may still be from before it.
      core.near.dropSession(id)
      return { ok: true, session: sessionOf(record, core.data) }
    }
    const { data, ...written } = await core.data.encode(change(core.data.decode(record.data) as Immutable<any>))
    if (data === null) throw new CountersignError('ERR_DATA_INVALID', '"data" needs the option "data" with its schema')
    const done = await core.sessions.update(
      id,
      { data, ...written, ...(operationId !== undefined && { operationId }), ...durable },
      record.version,
      core.nowMs(),
    )
    switch (done.is) {
      case 'stored':
      case 'repeated':
        record = await core.data.current(done.record)
        return {
          ok: true,
          session: sessionOf(record, core.data),
          durability: done.durability,
          ...(done.replicas !== undefined && { replicas: done.replicas }),
        }
      case 'conflict':
        record = await core.data.current(done.record)
        await pause(core, attempt)
        break
      case 'expired':
        return judgeRecord(done.record, await core.floor.fresh(), core.nowMs()) ?? refuse('expired_idle')
      default:
        return judgeGone(done)
    }
  }
  throw new CountersignError('ERR_STORE_CONFLICT', `the data was changed by others ${MAX_ATTEMPTS} times in a row`, {
    retryable: true,
  })
}

/** Waits a random moment, longer with each lost race, so that many writers do not keep losing to each other. */
function pause(core: Core, attempt: number): Promise<void> {
  const [byte] = core.runtime.random(1)
  const ms = (byte! / 255) * Math.min(attempt, MAX_PAUSE_MS)
  return new Promise((resolve) => core.runtime.timers.setTimeout(resolve, ms))
}

/** `Records.stepUp`. */
export async function stepUp(
  core: Core,
  id: SessionId,
  proof: { acr: string; amr: readonly string[] },
  options: { durable?: DurableWish; context?: Context },
): Promise<Minted | Refused> {
  const { context } = options
  const durable = checkDurable(options.durable)
  checkObject(proof, 'proof')
  if (!core.acrLevels.includes(proof.acr)) {
    throw new CountersignError('ERR_INPUT_INVALID', '"acr" is not one of the option "acrLevels"')
  }
  const amr = checkTexts(proof.amr, 'amr', 16, 32)
  const live = await readLive(core, id)
  if (!live.ok) return live
  const old = live.record
  const floor = await core.floor.fresh()
  const nowMs = Math.max(core.nowMs(), floor.notBeforeMs + 1)
  const { record, secret } = newRecord(
    core,
    { tag: tagOfId(id), subject: old.subject, ...(old.tenant !== undefined && { tenant: old.tenant }) },
    {
      acr: proof.acr,
      amr,
      authTimeMs: nowMs,
      audience: old.audience,
      clientId: old.clientId,
      device: old.device,
      delivery: old.delivery,
      persistent: old.persistent,
      roles: old.roles,
      data: old.data,
      ...(old.dataVersion !== undefined && { dataVersion: old.dataVersion }),
      context,
    },
    nowMs,
  )
  const done = await core.sessions.replace(
    id,
    record,
    { accessMs: core.options.accessMs, floorMs: floor.notBeforeMs, ...durable },
    nowMs,
  )
  switch (done.is) {
    case 'replaced': {
      const { subject, tenant } = done.record
      const about = { id: done.record.id, subject, ...(tenant !== undefined && { tenant }) }
      tell(core, { type: 'session_stepped_up', acr: proof.acr, replaces: id }, about, context)
      return mint(core, await core.data.current(done.record), secret, { ...done, rotation: 'first' })
    }
    case 'expired':
      return judgeRecord(done.record, floor, nowMs) ?? refuse('expired_idle')
    case 'blocked':
      return refuse('blocked')
    case 'exists':
      throw new CountersignError('ERR_INPUT_INVALID', '"runtime.random" made the same session id twice')
    default:
      return judgeGone(done)
  }
}
