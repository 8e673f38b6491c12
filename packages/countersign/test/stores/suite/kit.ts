// What every case needs: records, ids and rules with harmless values, and a start time.
import { createHash, randomBytes } from 'node:crypto'
import type {
  CreateRule,
  EndRule,
  Presented,
  ReplaceRule,
  Rotated,
  RotationRule,
  SessionStore,
  Store,
  Successor,
} from 'countersign/stores/contract'
import { expect } from 'vitest'

/** The types of the built package, by way of the contract. */
export type SessionRecord = Parameters<SessionStore['create']>[0]
export type SessionId = SessionRecord['id']
export type SubjectRef = Parameters<SessionStore['endSubject']>[0]

/** What a file of cases is given. A case that needs a store of its own (to close it, say) opens one. */
export interface Bench {
  readonly store: Store
  readonly test: (name: string, run: () => Promise<void>) => void
  readonly open: () => Promise<Opened>
}
export interface Opened {
  readonly store: Store
  /** Closes the store and opens it again on the same data. Absent where data does not outlive the store. */
  readonly reopen?: () => Promise<Store>
  readonly dispose: () => Promise<void>
}

export const SECOND = 1_000
export const MINUTE = 60_000
export const HOUR = 3_600_000
export const DAY = 86_400_000

/** Ahead of the real time, so that a store whose server expires keys by its own clock keeps them during the test. */
export const T = Math.floor(Date.now() / SECOND) * SECOND + DAY

export const GRACE = 10 * SECOND
export const ACCESS = 10 * MINUTE
export const LEEWAY = 5 * MINUTE

export function subjectRef(subject = `user:${randomBytes(6).toString('hex')}`, tenant?: string): SubjectRef {
  return { tag: randomBytes(9).toString('base64url'), subject, ...(tenant !== undefined && { tenant }) }
}

export function sessionId(ref: SubjectRef): SessionId {
  return (ref.tag + randomBytes(16).toString('base64url')) as SessionId
}

export function hashOf(secret: string): Uint8Array {
  return new Uint8Array(createHash('sha256').update(secret).digest())
}

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

/** The token of a generation, and what a refresh with it would make. Chains here are `secret 0`, `secret 1`, … */
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
  store: Store,
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
  store: Store,
  ref: SubjectRef,
  changes: Partial<SessionRecord> = {},
  rule: Partial<CreateRule> = {},
  nowMs = changes.createdAtMs ?? T,
): Promise<SessionRecord> {
  const record = recordOf(ref, changes)
  const done = await store.sessions.create(record, { ...createRule, ...rule }, nowMs)
  expect(done.is).toBe('created')
  return live(store, record.id)
}

export async function live(store: Store, id: SessionId): Promise<SessionRecord> {
  const found = await store.sessions.read(id)
  if (found.is !== 'live') throw new Error(`expected a live session, found ${found.is}`)
  return found.record
}

export function idsOf(records: readonly { readonly id: SessionId }[]): SessionId[] {
  return records.map((record) => record.id)
}

/** Why a session ended, as its tombstone says. */
export async function endedBy(store: Store, id: SessionId): Promise<string> {
  const found = await store.sessions.read(id)
  return found.is === 'ended' ? found.tombstone.why : found.is
}

export async function listed(store: Store, ref: SubjectRef, nowMs: number, floorMs = 0): Promise<SessionId[]> {
  return idsOf((await store.sessions.list(ref, null, { limit: 1_000, floorMs }, nowMs)).items)
}
