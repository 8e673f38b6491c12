// A near cache in front of a store that the test plays: it answers when told to, tells of changes when told to, and
// proves its line when told to. One fake clock of both kinds for all of it.
import { NearCache } from '../../src/cache/near-cache.ts'
import { type NearCacheOptions, resolveNearCache } from '../../src/cache/options.ts'
import type { Reading } from '../../src/cache/reads.ts'
import type { SessionId } from '../../src/session/ids.ts'
import type { SessionRecord } from '../../src/session/record.ts'
import type { Principal } from '../../src/session/types.ts'
import type { ChangeFeed, FeedListener, Floor, Found, Line, Tracked } from '../../src/stores/contract.ts'

export const TAG = 'AAAAAAAAAAAA'
let made = 0
export function idOf(tag = TAG): SessionId {
  return `${tag}${String(++made).padStart(21, '0')}A` as SessionId
}
export const liveOf = (id: SessionId): Found => ({ is: 'live', record: { id } as SessionRecord })
export const ended = (id: SessionId): Found => ({
  is: 'ended',
  tombstone: { id, endedAtMs: 0, why: 'logout', keepUntilMs: 0 },
})

export interface TestLine extends Line {
  fencedMonotonicMs: number
  fencedWallMs: number
}

/** A read that the test answers. */
export interface Asked {
  readonly id: SessionId
  /** Over `line`, by default the one of the kit; `null` = over none. */
  answer(found: Found, line?: Line | null): void
  fail(error: Error): void
}

export function nearKit(options: NearCacheOptions = {}) {
  const clock = { wall: 1_000_000, monotonic: 5_000 }
  let keysVersion = 0
  let floor: Floor | undefined = { notBeforeMs: 0, why: 'admin', marker: 'm' }
  const near = new NearCache<string, undefined>({
    options: resolveNearCache(options),
    clock: { nowMs: () => clock.wall, monotonicMs: () => clock.monotonic },
    floorAt: () => floor,
    floorRead: () => undefined,
    keysVersion: () => keysVersion,
  })
  const asked: Asked[] = []
  let listener!: FeedListener
  let isClosed = false
  const line: TestLine = { fencedMonotonicMs: clock.monotonic, fencedWallMs: clock.wall }
  const feed: ChangeFeed = {
    mode: 'push',
    open: (told) => {
      listener = told
      return {
        read: (id) =>
          new Promise<Tracked<Found>>((resolve, reject) => {
            const answer = (found: Found, over: Line | null = line) => resolve({ found, ...(over && { line: over }) })
            asked.push({ id, answer, fail: reject })
          }),
        readRevocations: () => Promise.reject(new Error('not asked for in this test')),
        status: () => ({ lines: [], warnings: [] }),
        close: async () => {
          isClosed = true
        },
      }
    },
  }
  near.open(feed)

  const session = Object.freeze({ subject: 's' }) as unknown as Principal
  const kit = {
    near,
    clock,
    line,
    asked,
    get listener() {
      return listener
    },
    get isClosed() {
      return isClosed
    },
    pass(ms: number) {
      clock.wall += ms
      clock.monotonic += ms
    },
    /** An answered fence, asked now. */
    fence(over: TestLine = line) {
      over.fencedMonotonicMs = clock.monotonic
      over.fencedWallMs = clock.wall
    },
    setFloor(next: Floor | undefined) {
      floor = next
    },
    changeKeys() {
      keysVersion++
    },
    /** One check as the verbs make it: read, judge, keep. Resolves with what it was told. */
    async check(token: string, id: SessionId, times: { untilMs?: number; sinceMs?: number; overMs?: number } = {}) {
      const version = near.keysVersion
      const reading: Reading<Found> = near.readSession(id)!
      try {
        const found = await reading.answer()
        if (found.is === 'live') kit.keep(token, id, reading, version, times)
        return found.is
      } finally {
        reading.end()
      }
    },
    keep(
      token: string,
      id: SessionId,
      reading: Reading<unknown>,
      version = near.keysVersion,
      { untilMs = 2e12, sinceMs = 0, overMs = 2e12 }: { untilMs?: number; sinceMs?: number; overMs?: number } = {},
    ) {
      const known = near.remember(token, { proof: 'proof', sinceMs, untilMs, proofBytes: 1 }, version, clock.wall)
      const standing = { id, session, bornMs: 500, overMs, dueMs: 2e12, use: undefined, bytes: 1_000 }
      if (known) near.keep(known, standing, reading, clock.wall)
    },
    /** A token that is answered from its copy. */
    async kept(token: string, id: SessionId, times = {}) {
      const checked = kit.check(token, id, times)
      asked.at(-1)!.answer(liveOf(id))
      await checked
      if (!kit.isHit(token)) throw new Error('the copy was not kept')
      return id
    },
    isHit: (token: string) => near.hit(token, clock.wall) !== undefined,
  }
  return kit
}

/** Lets everything that waits for a promise go on. */
export const turn = () => new Promise((resolve) => setTimeout(resolve, 0))
