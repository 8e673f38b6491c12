import { sha256 } from '../internal/bytes.ts'
import { invalidInput } from '../internal/errors.ts'
import type { SubjectRef } from '../session/ids.ts'
import { checkDelivery, checkDevice, checkRoles, checkText, checkTexts, originOf } from '../session/input.ts'
import { idleDeadlineMs } from '../session/lifetimes.ts'
import { type Refused, refuse } from '../session/reasons.ts'
import type { Delivery, Device, SessionRecord } from '../session/record.ts'
import type { Context } from '../session/types.ts'
import type { DurableWish } from '../stores/contract.ts'
import { refuseUnknown, resolveAudience } from '../strategies/options.ts'
import { newSessionId } from '../tokens/session-id.ts'
import { type Core, refOf, tell, windowOf } from './core.ts'
import { epochOf } from './epoch.ts'
import { type Minted, mint } from './mint.ts'

/** `Issue` without its generics. */
export interface IssueInput {
  subject: string
  tenant?: string
  roles?: readonly string[]
  device?: Device
  delivery?: Delivery
  acr?: string
  amr?: readonly string[]
  authTimeMs?: number
  ifEpoch?: number
  persistent?: boolean
  audience?: string | readonly string[]
  clientId?: string
  durable?: DurableWish
  context?: Context
  data?: unknown
}

const INPUT = new Set([
  'subject',
  'tenant',
  'roles',
  'device',
  'delivery',
  'acr',
  'amr',
  'authTimeMs',
  'ifEpoch',
  'persistent',
  'audience',
  'clientId',
  'durable',
  'context',
  'data',
])
const NO_HASH = new Uint8Array(32)

/** `Sessions.issue`. */
export async function issue(core: Core, input: IssueInput): Promise<Minted | Refused> {
  // A misspelt `ifEpoch` would open the gate that it is there to close.
  refuseUnknown(input, INPUT, 'issue', invalidInput)
  const { subject, tenant, context } = input
  const ref = refOf(core, tenant === undefined ? subject : { subject, tenant })
  if (input.ifEpoch !== undefined && !Number.isSafeInteger(input.ifEpoch)) {
    throw invalidInput('ifEpoch', 'must be what epoch() returned')
  }
  const durable = checkDurable(input.durable)
  const identity = identityOf(core, input)
  const roles = checkRoles(input.roles, core.roles)
  const stored = await core.data.encode(input.data)
  await core.ready()

  const keepsRecord = core.strategy.needs.length > 0
  const floorMs = keepsRecord ? (await core.floor.fresh()).notBeforeMs : 0
  const nowMs = Math.max(core.nowMs(), floorMs + 1)
  const authTimeMs = input.authTimeMs ?? nowMs
  if (!Number.isSafeInteger(authTimeMs) || authTimeMs < 0 || authTimeMs > nowMs + 60_000) {
    throw invalidInput('authTimeMs', 'must be a time in the past')
  }
  const { record, secret } = newRecord(core, ref, { ...identity, ...stored, authTimeMs, roles, context }, nowMs)
  if (!keepsRecord) {
    const minted = mint(core, record, secret, { stamp: nowMs, durability: 'none', rotation: 'first' })
    tell(core, { type: 'session_created' }, { ...ref, id: record.id }, context)
    return minted
  }

  const created = await core.sessions.create(
    record,
    { limit: core.limit, ...ifEpochOf(core, input.ifEpoch), accessMs: core.options.accessMs, floorMs, ...durable },
    nowMs,
  )
  switch (created.is) {
    case 'created':
      for (const id of created.evicted) tell(core, { type: 'session_ended', endedBy: 'limit' }, { ...ref, id }, context)
      tell(core, { type: 'session_created' }, { ...ref, id: record.id }, context)
      return mint(core, record, secret, { ...created, rotation: 'first' })
    case 'exists':
      // 128 random bits: an id that exists means a broken random source, and that must not go on quietly.
      throw invalidInput('runtime.random', 'made the same session id twice')
    default:
      tell(core, { type: 'login_refused', reason: created.is }, ref, context)
      return refuse(created.is)
  }
}

/** The gate that the store compares, and the primary that told it where another one could take over. */
function ifEpochOf(core: Core, visible: number | undefined): { ifEpoch: number | null; ifPrimary?: number } {
  if (visible === undefined) return { ifEpoch: null }
  const { epoch, primary } = epochOf(visible)
  return { ifEpoch: epoch, ...(core.sessions.failovers && { ifPrimary: primary }) }
}

export function checkDurable(durable: unknown): { durable?: DurableWish } {
  if (durable !== undefined && durable !== 'replicated') throw invalidInput('durable', "must be 'replicated'")
  return durable === undefined ? {} : { durable }
}

function identityOf(core: Core, input: IssueInput) {
  const acr = input.acr ?? core.acrLevels[0]!
  if (!core.acrLevels.includes(acr)) throw invalidInput('acr', 'is not one of the option "acrLevels"')
  const amr = checkTexts(input.amr ?? [], 'amr', 16, 32)
  const audience =
    input.audience === undefined ? core.options.audience : resolveAudience(input.audience, 'audience', invalidInput)
  const foreign = audience.find((one) => !core.options.audience.includes(one))
  if (foreign !== undefined) throw invalidInput('audience', 'holds one that the strategy does not have')
  return {
    acr,
    amr,
    audience,
    clientId: input.clientId === undefined ? core.options.clientId : checkText(input.clientId, 'clientId', 256),
    device: checkDevice(input.device),
    delivery: checkDelivery(input.delivery ?? 'cookie'),
    persistent: input.persistent === true,
  }
}

/** What differs from one new record to the next. */
export type RecordSeed = Pick<
  SessionRecord,
  | 'acr'
  | 'amr'
  | 'audience'
  | 'clientId'
  | 'device'
  | 'delivery'
  | 'persistent'
  | 'authTimeMs'
  | 'roles'
  | 'data'
  | 'dataVersion'
> & { readonly context: Context | undefined }

/** A record of generation 0 with a fresh id and, where the strategy has one, a fresh random secret. */
export function newRecord(
  core: Core,
  ref: SubjectRef,
  { context, ...seed }: RecordSeed,
  nowMs: number,
): { readonly record: SessionRecord; readonly secret: Uint8Array } {
  const { strategy, options, lifetimes, runtime } = core
  const hasSecret = strategy.name === 'opaque' || strategy.renews
  const secret = hasSecret ? runtime.random(32) : NO_HASH
  const absoluteAtMs = nowMs + lifetimes.absoluteMs
  const idleAtMs = idleDeadlineMs(windowOf(core, seed), absoluteAtMs, nowMs)
  const record: SessionRecord = {
    ...seed,
    id: newSessionId(ref.tag, runtime.random),
    subject: ref.subject,
    ...(ref.tenant !== undefined && { tenant: ref.tenant }),
    stamped: strategy.name === 'denylist',
    version: 1,
    operations: [],
    pendingRoles: null,
    rolesGeneration: 0,
    createdAtMs: nowMs,
    lastSeenAtMs: nowMs,
    idleAtMs,
    absoluteAtMs,
    refreshAtMs: strategy.renews ? Math.min(nowMs + options.refreshMs, absoluteAtMs) : idleAtMs,
    lastExpMs: 0,
    generation: 0,
    hash: hasSecret ? sha256(secret) : NO_HASH,
    previousHash: null,
    rotationKey: 0,
    macKey: core.keys.mac.active.number,
    rotatedAtMs: nowMs,
    handedOutAtMs: nowMs,
    confirmedAtMs: 0,
    replays: 0,
    origin: originOf(context),
  }
  return { record, secret }
}
