// What every feed of changes promises (stores/change-feed.ts), by whatever means: for stores that have `changes`.
import { isDeepStrictEqual } from 'node:util'
import { systemRuntime } from 'countersign'
import { samples } from 'countersign/conformance'
import type { Feed, Line, SessionId, Store, SubjectRef } from 'countersign/stores/contract'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { count } from '../../../../tools/test-support/counts.ts'

const { created, createRule, DAY, endRule, HOUR, recordOf, refresh, replaceRule, sessionId, subjectRef, T } = samples

export interface FeedBench {
  /** The store whose feed is read. */
  readonly reader: Store
  /** The same data, as another process has it; the same store where there cannot be another. */
  readonly writer: Store
  readonly dispose: () => Promise<void>
}

/** Everything that was told, and a feed that it was told by. */
function listen(store: Store) {
  const sessions = new Set<string>()
  const revocations = new Set<string>()
  const resets = new Set<Line>()
  let uses = 0
  /** Forgets what was told until now. */
  const forget = () => {
    for (const told of [sessions, revocations, resets]) told.clear()
  }
  /** Whether it was told of this one, or of all of them. */
  const isTold = (told: Set<string>, what: string, line: Line) => {
    line.probe?.()
    return told.has(what) || resets.has(line)
  }
  const feed: Feed = store.sessions.changes!.open(
    {
      sessionChanged: (id) => sessions.add(id),
      revocationsChanged: (tag) => revocations.add(tag),
      reset: (line) => resets.add(line),
      floorRead: () => undefined,
      // In use all the time, so that fences keep coming.
      uses: () => ++uses,
    },
    systemRuntime.clock,
  )
  return { feed, sessions, revocations, resets, forget, isTold }
}

const poll = (is: () => unknown) => expect.poll(is, { timeout: 20_000, interval: 5 })

/** A read whose next change is told. A line over a network opens beside the first. */
async function tracked<T>(read: () => Promise<{ found: T; line?: Line }>): Promise<{ found: T; line: Line }> {
  for (const untilMs = Date.now() + 20_000; Date.now() < untilMs; ) {
    const { found, line } = await read()
    if (line) return { found, line }
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  throw new Error('no line opened within 20 s')
}

/** Until the line has proved that it has told everything that was acknowledged before now. */
async function fenced(line: Line): Promise<void> {
  const nowMs = systemRuntime.clock.monotonicMs()
  await poll(() => {
    line.probe?.()
    return line.fencedMonotonicMs > nowMs || line.fencedMonotonicMs === Number.NEGATIVE_INFINITY
  }).toBe(true)
}

type Write = (store: Store, ref: SubjectRef, id: SessionId) => Promise<unknown>
const AT = T + HOUR
const WRITES: Readonly<Record<string, Write>> = {
  touch: ({ sessions }, _ref, id) => sessions.touch(id, { idleAtMs: T + 2 * DAY }, AT),
  update: ({ sessions }, _ref, id) => sessions.update(id, { data: '{"items":[1]}' }, 1, AT),
  rotate: (store, _ref, id) => refresh(store, id, 0, AT),
  replace: ({ sessions }, ref, id) => sessions.replace(id, recordOf(ref), replaceRule, AT),
  end: ({ sessions }, _ref, id) => sessions.end(id, 'logout', { ...endRule, stamped: true }, AT),
  endSubject: ({ sessions }, ref) => sessions.endSubject(ref, 'admin', {}, AT),
  setRoles: ({ sessions }, ref) => sessions.setRoles(ref, ['admin'], AT),
  'create that evicts': ({ sessions }, ref) =>
    sessions.create(
      recordOf(ref, { stamped: true, createdAtMs: T + 1 }),
      { ...createRule, limit: { max: 1, overflow: 'evict_oldest' } },
      AT,
    ),
}
/** Writes that leave the revocation record of a stamped session as it is. */
const OF_SESSION_ONLY = ['touch', 'update']

export function feedSuite(name: string, open: () => Promise<FeedBench>): void {
  describe(`the feed of ${name}`, () => {
    let bench: FeedBench
    let told: ReturnType<typeof listen>
    beforeAll(async () => {
      bench = await open()
      await bench.reader.lifecycle.ready('suite')
      await bench.writer.lifecycle.ready('suite')
      told = listen(bench.reader)
    })
    afterAll(async () => {
      await told?.feed.close()
      await bench?.dispose()
    })
    const stamped = { stamped: true, idleAtMs: T + DAY }

    test.each(Object.keys(WRITES))('tells of the session: %s', async (verb) => {
      const ref = subjectRef()
      const { id } = await created(bench.writer, ref, stamped)
      const { found, line } = await tracked(() => told.feed.read(id))
      expect(found.is).toBe('live')
      told.forget()
      await WRITES[verb]!(bench.writer, ref, id)
      await poll(() => told.isTold(told.sessions, id, line)).toBe(true)
      // What is read after it was told is what was written.
      const { found: now } = await told.feed.read(id)
      expect(isDeepStrictEqual(now, await bench.writer.sessions.read(id))).toBe(true)
      expect(isDeepStrictEqual(now, found)).toBe(false)
    })

    test.each(
      Object.keys(WRITES)
        .filter((verb) => !OF_SESSION_ONLY.includes(verb))
        .concat('deny'),
    )('tells of the revocation record: %s', async (verb) => {
      const ref = subjectRef()
      const { id } = await created(bench.writer, ref, stamped)
      const { found, line } = await tracked(() => told.feed.readRevocations(ref.tag))
      expect(found.is).toBe('known')
      told.forget()
      const write = WRITES[verb] ?? (({ revocations }) => revocations.deny(ref, 'jti-1', T + DAY, AT))
      await write(bench.writer, ref, id)
      await poll(() => told.isTold(told.revocations, ref.tag, line)).toBe(true)
      const { found: now } = await told.feed.readRevocations(ref.tag)
      expect(now).toEqual(await bench.writer.revocations.read(ref.tag))
    })

    test('tells of an id that comes to be', async () => {
      const ref = subjectRef()
      const record = recordOf(ref, { id: sessionId(ref) })
      const session = await tracked(() => told.feed.read(record.id))
      const revocations = await tracked(() => told.feed.readRevocations(ref.tag))
      expect(session.found).toEqual({ is: 'unknown' })
      expect(revocations.found).toEqual({ is: 'lost' })
      told.forget()
      await bench.writer.sessions.create({ ...record, stamped: true }, createRule, T)
      await poll(() => told.isTold(told.sessions, record.id, session.line)).toBe(true)
      await poll(() => told.isTold(told.revocations, ref.tag, revocations.line)).toBe(true)
    })

    test('an id that nobody can have made is unknown, and asks nobody', async () => {
      expect((await told.feed.read('../x' as SessionId)).found).toEqual({ is: 'unknown' })
    })

    test('after a fence that was asked later, what was not told of is what the store says', async () => {
      const refs = Array.from({ length: 4 }, () => subjectRef())
      const ids: { ref: SubjectRef; id: SessionId }[] = []
      for (const ref of refs) {
        for (let n = 0; n < 3; n++) ids.push({ ref, id: (await created(bench.writer, ref, stamped)).id })
      }
      const verbs = Object.keys(WRITES).filter((verb) => verb !== 'create that evicts')
      const pick = <T>(list: readonly T[]): T => list[Math.floor(Math.random() * list.length)]!
      const copies = new Map<SessionId, { found: unknown; line: Line }>()
      let compared = 0
      for (let round = 0; round < count(12, 200); round++) {
        // What was changed at the end of the round before is told now, if it has not been.
        await told.feed.read(ids[0]!.id)
        for (const [id, { line }] of copies) if (told.resets.has(line)) copies.delete(id)
        told.resets.clear()
        for (const { id } of ids) {
          if (copies.has(id)) continue
          told.sessions.delete(id)
          const { found, line } = await tracked(() => told.feed.read(id))
          // Told of while it was read: not kept.
          if (!told.sessions.has(id)) copies.set(id, { found, line })
        }
        // A feed that knows no more than that something has changed voids everything in each round that writes.
        const writes = Array.from({ length: round % 3 === 2 ? 0 : 5 }, () => {
          const { ref, id } = pick(ids)
          return WRITES[pick(verbs)]!(bench.writer, ref, id)
        })
        await Promise.all(writes)
        await fenced(copies.values().next().value!.line)
        for (const [id, { found, line }] of copies) {
          if (told.sessions.has(id) || told.resets.has(line)) copies.delete(id)
          else {
            expect(found, `round ${round}`).toEqual(await bench.writer.sessions.read(id))
            compared++
          }
        }
        // Subjects whose sessions are all over get new ones.
        for (const ref of refs) {
          const mine = ids.filter((one) => one.ref === ref)
          const found = await Promise.all(mine.map(({ id }) => bench.writer.sessions.read(id)))
          if (!found.some(({ is }) => is === 'live'))
            ids.push({ ref, id: (await created(bench.writer, ref, stamped)).id })
        }
      }
      expect(compared).toBeGreaterThan(20)
    })

    test('closed, its lines are over and reset, and it says so', async () => {
      const own = listen(bench.reader)
      const ref = subjectRef()
      const { id } = await created(bench.writer, ref)
      const { line } = await tracked(() => own.feed.read(id))
      await fenced(line)
      expect(own.feed.status().lines.some(({ isOpen }) => isOpen)).toBe(true)
      await own.feed.close()
      await own.feed.close()
      expect(own.resets.has(line)).toBe(true)
      expect(line.fencedMonotonicMs).toBe(Number.NEGATIVE_INFINITY)
      expect(own.feed.status().lines.some(({ isOpen }) => isOpen)).toBe(false)
    })
  })
}
