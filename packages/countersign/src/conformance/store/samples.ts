// What the cases are made of: records, ids and rules with harmless values, and a start time. Published as `samples`, for
// cases of your own beside the suite. Chains of refresh tokens here are `secret 0`, `secret 1`, …
import { createHash } from 'node:crypto'
import { toBase64url } from '../../internal/bytes.ts'
import { systemRuntime } from '../../internal/runtime.ts'
import type { SessionId, SubjectRef } from '../../session/ids.ts'
import type { SessionRecord } from '../../session/record.ts'
import type {
  CreateRule,
  EndRule,
  Presented,
  ReplaceRule,
  Rotated,
  RotationRule,
  Store,
  Successor,
} from '../../stores/contract.ts'
import { equals } from '../checks.ts'

/** The parts of a store that the helpers below need. */
type WithSessions = Pick<Store, 'sessions'>

const { clock, random } = systemRuntime

export const SECOND = 1_000
export const MINUTE = 60_000
export const HOUR = 3_600_000
export const DAY = 86_400_000

/** Ahead of the real time, so that a store whose server expires keys by its own clock keeps them during the test. */
export const T = Math.floor(clock.nowMs() / SECOND) * SECOND + DAY

/** The grace of {@link rotationRule}. */
export const GRACE = 10 * SECOND
/** Life of an access token in all rules. */
export const ACCESS = 10 * MINUTE
/** The most that any verifier may allow; what ended is remembered that much longer where tokens are stamped. */
export const LEEWAY = 5 * MINUTE

/** A subject that nobody else uses, with a random tag. */
export function subjectRef(subject = `user:${toBase64url(random(6))}`, tenant?: string): SubjectRef {
  return { tag: toBase64url(random(9)), subject, ...(tenant !== undefined && { tenant }) }
}

/** A new id of that subject. */
export function sessionId(ref: SubjectRef): SessionId {
  return (ref.tag + toBase64url(random(16))) as SessionId
}

/** SHA-256, as stores keep it of a secret. */
export function hashOf(secret: string): Uint8Array {
  return new Uint8Array(createHash('sha256').update(secret).digest())
}

/** A record as `issue` would give it to `create`: 30 minutes idle, 7 days in all, with a refresh token for a day. */
export function recordOf(ref: SubjectRef, changes: Partial<SessionRecord> = {}): SessionRecord {
  const createdAtMs = changes.createdAtMs ?? T
  return {
    id: sessionId(ref),
    subject: ref.subject,
    ...(ref.tenant !== undefined && { tenant: ref.tenant }),
    authTimeMs: createdAtMs,
    acr: 'aal1',
    amr: ['pwd'],
    audience: ['https://api.example.com'],
    clientId: 'web',
    device: { id: 'd1', label: 'Laptop', class: 'browser' },
    delivery: 'cookie',
    persistent: false,
    stamped: false,
    version: 1,
    data: '{"items":[]}',
    operations: [],
    roles: ['user'],
    pendingRoles: null,
    rolesGeneration: 0,
    createdAtMs,
    lastSeenAtMs: createdAtMs,
    idleAtMs: createdAtMs + 30 * MINUTE,
    absoluteAtMs: createdAtMs + 7 * DAY,
    refreshAtMs: createdAtMs + DAY,
    lastExpMs: 0,
    generation: 0,
    hash: hashOf('secret 0'),
    previousHash: null,
    rotationKey: 0,
    macKey: 1,
    rotatedAtMs: createdAtMs,
    handedOutAtMs: createdAtMs,
    confirmedAtMs: 0,
    replays: 0,
    origin: { ip: '192.0.2.1', userAgent: 'Test/1' },
    ...changes,
  }
}

/** Rules that refuse nothing. */
export const createRule: CreateRule = {
  limit: { max: 100, overflow: 'reject' },
  ifEpoch: null,
  floorMs: 0,
  accessMs: ACCESS,
}
export const rotationRule: RotationRule = {
  graceMs: GRACE,
  replay: 'until_seen',
  maxReplays: 5,
  accessMs: ACCESS,
  floorMs: 0,
  use: null,
}
export const replaceRule: ReplaceRule = { accessMs: ACCESS, floorMs: 0 }
export const endRule: EndRule = { unknownUntilMs: T + DAY, stamped: false }

/** The token of a generation, and below what a refresh with it would make. */
export function presented(generation: number, secret = `secret ${generation}`): Presented {
  return { generation, hash: hashOf(secret) }
}
export function successorOf(generation: number, changes: Partial<Successor> = {}): Successor {
  return {
    hash: hashOf(`secret ${generation + 1}`),
    rotationKey: 1,
    macKey: 1,
    refreshAtMs: T + 2 * DAY,
    origin: { ip: '198.51.100.7', userAgent: 'Test/2' },
    ...changes,
  }
}

/** Presents the token of `generation` for a refresh. */
export function refresh(
  store: WithSessions,
  id: SessionId,
  generation: number,
  nowMs: number,
  rule: Partial<RotationRule> = {},
  successor: Partial<Successor> = {},
): Promise<Rotated> {
  const next = successorOf(generation, successor)
  return store.sessions.rotate(id, presented(generation), next, { ...rotationRule, ...rule }, nowMs)
}

/** Creates a session and returns its record as stored. */
export async function created(
  store: WithSessions,
  ref: SubjectRef,
  changes: Partial<SessionRecord> = {},
  rule: Partial<CreateRule> = {},
  nowMs = changes.createdAtMs ?? T,
): Promise<SessionRecord> {
  const record = recordOf(ref, changes)
  const done = await store.sessions.create(record, { ...createRule, ...rule }, nowMs)
  equals(done.is, 'created')
  return live(store, record.id)
}

/** The record of a session that must be live. */
export async function live(store: WithSessions, id: SessionId): Promise<SessionRecord> {
  const found = await store.sessions.read(id)
  if (found.is !== 'live') throw new Error(`expected a live session, found ${found.is}`)
  return found.record
}

export function idsOf(records: readonly { readonly id: SessionId }[]): SessionId[] {
  return records.map((record) => record.id)
}

/** Why a session ended, as its tombstone says. */
export async function endedBy(store: WithSessions, id: SessionId): Promise<string> {
  const found = await store.sessions.read(id)
  return found.is === 'ended' ? found.tombstone.why : found.is
}

/** Ids of the live sessions, as `list` gives them. */
export async function listed(store: WithSessions, ref: SubjectRef, nowMs: number, floorMs = 0): Promise<SessionId[]> {
  return idsOf((await store.sessions.list(ref, null, { limit: 1_000, floorMs }, nowMs)).items)
}
