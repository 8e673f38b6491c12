// Random histories, applied to the memory store and to the store under test: every answer and what is left must be
// the same. The memory store runs the steps that are the reference, so this holds scripts and SQL against them.
import { type OpenedStore, samples } from 'countersign/conformance'
import type {
  CreateRule,
  Found,
  LimitRule,
  SessionId,
  SessionRecord,
  Store,
  SubjectRef,
} from 'countersign/stores/contract'
import { memoryStore } from 'countersign/stores/memory'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { count } from '../../../../tools/test-support/counts.ts'

const {
  ACCESS,
  DAY,
  GRACE,
  HOUR,
  MINUTE,
  SECOND,
  T,
  hashOf,
  recordOf,
  rotationRule,
  sessionId,
  subjectRef,
  successorOf,
} = samples

const SUBJECTS = 2
const IDS = 14
const ROLES = ['user', 'moderator', 'admin']

const subject = fc.nat(SUBJECTS - 1)
const id = fc.nat(IDS - 1)
/** An id of the subject, or mostly one that fits the operation: a live one, or for `create` one not used so far. */
const target = { subject, id, fits: fc.integer({ min: 0, max: 9 }).map((n) => n < 8) }
const secret = fc.oneof({ weight: 20, arbitrary: fc.constant('right') }, { weight: 1, arbitrary: fc.constant('wrong') })
/** Generations relative to the one in force. */
const generation = fc.constantFrom(-2, ...Array(8).fill(-1), ...Array(8).fill(0), 1)
const lead = fc.constantFrom(-1, 0, 1, MINUTE, HOUR)

const operation = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({
      is: fc.constant('create' as const),
      ...target,
      stamped: fc.boolean(),
      persistent: fc.boolean(),
      max: fc.integer({ min: 1, max: 4 }),
      overflow: fc.constantFrom<LimitRule['overflow']>('reject', 'evict_oldest', 'evict_least_recent'),
      ifEpoch: fc.constantFrom('none', 'none', 'current', 'current', 'zero'),
      floor: fc.constantFrom(0, 0, 0, 0, 0, 0, -HOUR, 0, 1),
      idle: fc.constantFrom(MINUTE, 30 * MINUTE, ...Array(8).fill(DAY)),
      absolute: fc.constantFrom(30 * MINUTE, DAY, ...Array(6).fill(7 * DAY)),
      refresh: fc.constantFrom(HOUR, DAY),
    }),
  },
  {
    weight: 16,
    arbitrary: fc.record({
      is: fc.constant('rotate' as const),
      ...target,
      generation,
      secret,
      strict: fc.constantFrom(false, false, false, false, true),
      maxReplays: fc.constantFrom(0, 1, 5),
      floor: fc.constantFrom(0, 0, 0, 0, 0, 0, 0, 0, -HOUR),
      refresh: fc.constantFrom(HOUR, DAY, 30 * DAY),
      use: fc.option(fc.constantFrom(1, HOUR, 30 * DAY), { nil: undefined }),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      is: fc.constant('touch' as const),
      ...target,
      idle: fc.constantFrom(-HOUR, 1, MINUTE, HOUR, 30 * DAY),
      confirms: fc.option(generation, { nil: undefined }),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      is: fc.constant('update' as const),
      ...target,
      behind: fc.constantFrom(0, 0, 0, 1, -1),
      operationId: fc.constantFrom(undefined, 'op-1', 'op-2'),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      is: fc.constant('replace' as const),
      ...target,
      next: id,
      floor: fc.constantFrom(0, 0, -HOUR),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ is: fc.constant('end' as const), ...target, until: lead, stamped: fc.boolean() }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      is: fc.constant('endSubject' as const),
      subject,
      except: fc.option(id, { nil: undefined }),
      block: fc.constantFrom(undefined, undefined, true, false, false),
    }),
  },
  { weight: 2, arbitrary: fc.record({ is: fc.constant('setRoles' as const), subject, roles: fc.subarray(ROLES) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      is: fc.constant('deny' as const),
      subject,
      jti: fc.constantFrom('a', 'b'),
      until: fc.constantFrom(1, MINUTE, DAY),
    }),
  },
  { weight: 1, arbitrary: fc.record({ is: fc.constant('look' as const), subject }) },
)
type Operation = typeof operation extends fc.Arbitrary<infer O> ? O : never

/** Answers that come up dozens of times in 150 histories. */
const USUAL = [
  ...['created', 'limit', 'stale_epoch', 'blocked', 'exists'].map((is) => `create: ${is}`),
  ...['rotated', 'replayed', 'current', 'reused', 'rolled_back', 'expired', 'ended'].map((is) => `rotate: ${is}`),
  ...['stored', 'conflict', 'expired', 'ended'].map((is) => `update: ${is}`),
  'replace: replaced',
]

/** The clock before an operation moves by this; now and then backwards, as between machines. */
const advance = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(0, 1, SECOND, GRACE - 1, GRACE) },
  { weight: 3, arbitrary: fc.constantFrom(MINUTE, 10 * MINUTE) },
  { weight: 1, arbitrary: fc.constantFrom(30 * MINUTE, 30 * MINUTE, HOUR, DAY, -1, -SECOND, -HOUR) },
)
const history = fc.array(fc.record({ advance, operation }), { minLength: 1, maxLength: 80, size: 'max' })

export function differentialSuite(name: string, open: () => Promise<OpenedStore>): void {
  describe(`${name} store beside the memory store`, () => {
    let opened: OpenedStore
    beforeAll(async () => {
      opened = await open()
      await opened.store.lifecycle!.ready('differential')
    })
    afterAll(() => opened?.dispose())

    test('differential: random histories give the same answers as the memory store', async () => {
      const store = opened.store as Store
      const reached = new Set<string>()
      const property = fc.asyncProperty(history, async (steps) => {
        const refs = Array.from({ length: SUBJECTS }, () => subjectRef())
        const ids = refs.map((ref) => Array.from({ length: IDS }, () => sessionId(ref)))
        const model = memoryStore()
        let nowMs = T
        for (const [index, step] of steps.entries()) {
          // Never before the real time, by which a server may expire keys.
          nowMs = Math.max(T - 6 * HOUR, nowMs + step.advance)
          const call = await plan(step.operation, refs, ids, model, nowMs, index)
          const expected = comparable(await call(model))
          reached.add(`${step.operation.is}: ${(expected as { is?: string } | undefined)?.is}`)
          expect(comparable(await call(store)), `step ${index}: ${step.operation.is}`).toEqual(expected)
        }
        for (const [i, ref] of refs.entries()) {
          expect(await stateOf(store, ref, ids[i]!, nowMs)).toEqual(await stateOf(model, ref, ids[i]!, nowMs))
        }
      })
      await fc.assert(property, { numRuns: count(150, 3_000), endOnFailure: false })
      // Histories that only meet what is absent would agree about everything.
      expect([...reached]).toEqual(expect.arrayContaining(USUAL))
    })
  })
}

/** Decides what to call from the state of the model, once, so that both stores get the same arguments. */
async function plan(
  operation: Operation,
  refs: readonly SubjectRef[],
  ids: readonly (readonly SessionId[])[],
  model: Store,
  nowMs: number,
  index: number,
): Promise<(store: Store) => Promise<unknown>> {
  const ref = refs[operation.subject]!
  const idAt = (place: number) => ids[operation.subject]![place]!
  const found = await Promise.all(ids[operation.subject]!.map((one) => model.sessions.read(one)))
  const fitting = (is: Found['is']): SessionId => {
    const fits = ids[operation.subject]!.filter((_, place) => found[place]!.is === is)
    if (!('fits' in operation && operation.fits) || fits.length === 0) return idAt('id' in operation ? operation.id : 0)
    return fits[operation.id % fits.length]!
  }
  const targetId = fitting(operation.is === 'create' ? 'unknown' : 'live')
  const current = found[ids[operation.subject]!.indexOf(targetId)]!
  const record: SessionRecord | undefined = current.is === 'live' ? current.record : undefined
  const floorMs = (floor: number) => (floor === 0 ? 0 : nowMs + floor)

  switch (operation.is) {
    case 'create': {
      const { max, overflow, stamped, persistent } = operation
      const { epoch } = await model.sessions.subject(ref, nowMs)
      const rule: CreateRule = {
        limit: { max, overflow },
        ifEpoch: operation.ifEpoch === 'none' ? null : operation.ifEpoch === 'zero' ? 0 : epoch,
        floorMs: floorMs(operation.floor),
        accessMs: ACCESS,
      }
      const absoluteAtMs = nowMs + operation.absolute
      const next = recordOf(ref, {
        id: targetId,
        createdAtMs: nowMs,
        stamped,
        persistent,
        absoluteAtMs,
        idleAtMs: Math.min(nowMs + operation.idle, absoluteAtMs),
        refreshAtMs: Math.min(nowMs + operation.refresh, absoluteAtMs),
        ...writtenBy(index),
      })
      return (store) => store.sessions.create(next, rule, nowMs)
    }
    case 'rotate': {
      const generation = Math.max(0, (record?.generation ?? 0) + operation.generation)
      const presented = { generation, hash: hashOf(`${operation.secret === 'right' ? '' : 'no '}secret ${generation}`) }
      const next = successorOf(generation, {
        rotationKey: 1 + (index % 3),
        refreshAtMs: nowMs + operation.refresh,
        origin: { ip: `192.0.2.${index}` },
      })
      const { strict, maxReplays, use } = operation
      const rule = {
        ...rotationRule,
        replay: strict ? ('never' as const) : ('until_seen' as const),
        maxReplays,
        floorMs: floorMs(operation.floor),
        use: use === undefined ? null : { idleAtMs: nowMs + use, persistentIdleAtMs: nowMs + 2 * use },
      }
      return (store) => store.sessions.rotate(targetId, presented, next, rule, nowMs)
    }
    case 'touch': {
      const { confirms } = operation
      const seen = {
        idleAtMs: nowMs + operation.idle,
        ...(confirms !== undefined && { generation: Math.max(0, (record?.generation ?? 0) + confirms) }),
      }
      return (store) => store.sessions.touch(targetId, seen, nowMs)
    }
    case 'update': {
      const version = (record?.version ?? 1) - operation.behind
      const { operationId } = operation
      const { dataVersion } = writtenBy(index)
      const change = {
        data: `${index}`,
        ...(dataVersion !== undefined && { dataVersion }),
        ...(operationId !== undefined && { operationId }),
      }
      return (store) => store.sessions.update(targetId, change, version, nowMs)
    }
    case 'replace': {
      const next = recordOf(ref, {
        id: operation.fits
          ? (ids[operation.subject]!.find((_, place) => found[place]!.is === 'unknown') ?? targetId)
          : idAt(operation.next),
        createdAtMs: nowMs,
        stamped: record?.stamped ?? false,
        acr: 'aal2',
        ...writtenBy(index + 1),
      })
      const rule = { accessMs: ACCESS, floorMs: floorMs(operation.floor) }
      return (store) => store.sessions.replace(targetId, next, rule, nowMs)
    }
    case 'end': {
      const rule = { unknownUntilMs: nowMs + operation.until, stamped: operation.stamped }
      return (store) => store.sessions.end(targetId, `reason ${index}`, rule, nowMs)
    }
    case 'endSubject': {
      const { except, block } = operation
      const rule = { ...(except !== undefined && { except: idAt(except) }), ...(block !== undefined && { block }) }
      return (store) => store.sessions.endSubject(ref, `reason ${index}`, rule, nowMs)
    }
    case 'setRoles':
      return (store) => store.sessions.setRoles(ref, operation.roles, nowMs)
    case 'deny':
      return (store) => store.revocations.deny(ref, operation.jti, nowMs + operation.until, nowMs)
    case 'look':
      return (store) => stateOf(store, ref, ids[operation.subject]!, nowMs)
  }
}

/** All that can be read of a subject, with the list in pages of two. */
async function stateOf(store: Store, ref: SubjectRef, ids: readonly SessionId[], nowMs: number): Promise<unknown> {
  const pages: unknown[] = []
  for (let after: string | null = null, more = true; more; more = after !== null) {
    const page = await store.sessions.list(ref, after, { limit: 2, floorMs: T - HOUR }, nowMs)
    pages.push(page)
    after = page.next
  }
  return comparable({
    pages,
    found: await Promise.all(ids.map((id) => store.sessions.read(id))),
    gate: await store.sessions.subject(ref, nowMs),
    revocations: await store.revocations.read(ref.tag),
  })
}

/** By whom and how safely something was written, and what one store alone tells for the case of a failover. */
const HOW_WRITTEN = new Set(['durability', 'by', 'replicas', 'ended'])

/** Without what stores may differ in: how durable a write is, and the order of a set of ids. */
function comparable(answer: unknown): unknown {
  if (answer instanceof Uint8Array) return Buffer.from(answer).toString('hex')
  if (answer instanceof Map) return new Map([...answer].sort())
  if (answer instanceof Set) return new Set([...answer].sort())
  if (Array.isArray(answer)) return answer.map(comparable)
  if (typeof answer !== 'object' || answer === null) return answer
  const members = Object.entries(answer).filter(([name]) => !HOW_WRITTEN.has(name))
  return Object.fromEntries(
    members.map(([name, value]) => [name, name === 'ids' ? [...(value as string[])].sort() : comparable(value)]),
  )
}

/** Records of this release, of an application with a newer schema, and of newer releases. */
function writtenBy(index: number): Partial<SessionRecord> {
  const text = index % 2 === 0 ? '' : `{"probe":${index}}`
  return {
    ...(index % 3 === 0 && { dataVersion: index + 2 }),
    ...(index % 4 === 0 && { more: { format: 1 + 16 * (1 + (index % 5)), text } }),
    ...(index % 4 === 1 && { more: { format: 1, text: `{"probe":${index}}` } }),
  }
}
