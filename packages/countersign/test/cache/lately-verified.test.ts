// What may be said in an outage: how certain it is, and what makes it void. On a clock of both kinds that the test moves.
import { describe, expect, test } from 'vitest'
import { LatelyVerified } from '../../src/cache/lately-verified.ts'
import type { Reading } from '../../src/cache/reads.ts'
import type { SessionId } from '../../src/session/ids.ts'
import type { Line } from '../../src/stores/contract.ts'
import { idOf, TAG } from './kit.ts'

function setUp({ maxEntries = 1_000, maxBytes = 2 ** 24 } = {}) {
  const clock = { wall: 1_000_000, monotonic: 5_000 }
  const lately = new LatelyVerified(
    { nowMs: () => clock.wall, monotonicMs: () => clock.monotonic },
    { maxEntries, maxBytes },
  )
  lately.switchOn()
  const now = () => ({ wallMs: clock.wall, monotonicMs: clock.monotonic })
  const standing = (id: SessionId) => ({
    id,
    session: Object.freeze({
      sessionId: id,
      subject: 'anna',
      audience: ['api'],
      roles: ['admin'],
      acr: 'aal3',
      amr: ['otp'],
      authTimeMs: 1,
      expiresAtMs: 2,
      data: { cart: [] },
    }),
    bornMs: 0,
    overMs: 10 ** 9,
    dueMs: 0,
    use: undefined,
    bytes: 0,
  })
  return {
    clock,
    lately,
    now,
    pass(ms: number) {
      clock.wall += ms
      clock.monotonic += ms
    },
    /** Asks and is told yes, with what happens in between. */
    confirm(token: string, id: SessionId, { meanwhile = () => {}, line = undefined as Line | undefined } = {}) {
      const asking = lately.begin(id.slice(0, 12))!
      const asked = now()
      meanwhile()
      const reading = { asked: () => asked, keepable: () => line && { line, asked } } as Reading<unknown>
      lately.confirmed(token, standing(id), asking, reading)
      lately.end(asking)
    },
    ageOf: (token: string, withinMs = 300_000) => lately.find(token, withinMs)?.ageMs,
  }
}
const lineAt = (clock: { wall: number; monotonic: number }) => ({
  fencedMonotonicMs: clock.monotonic,
  fencedWallMs: clock.wall,
})

describe('what the store has confirmed', () => {
  test('is as old as the question, and not told when that is too old', () => {
    const { confirm, ageOf, pass } = setUp()
    confirm('t', idOf(), { meanwhile: () => pass(700) })
    expect(ageOf('t')).toBe(700)
    pass(29_300)
    expect(ageOf('t', 30_000)).toBe(30_000)
    pass(1)
    expect(ageOf('t', 30_000)).toBeUndefined()
  })

  test.each(['wall', 'monotonic'] as const)('is too old when the %s clock says so', (which) => {
    const { confirm, ageOf, clock } = setUp()
    confirm('t', idOf())
    clock[which] += 30_001
    expect(ageOf('t', 30_000)).toBeUndefined()
  })

  test('says whose it is, and nothing that decides what somebody may do', () => {
    const { confirm, lately } = setUp()
    const id = idOf()
    confirm('t', id)
    const session = lately.find('t', 1_000)!.session
    expect(session).toEqual({ sessionId: id, subject: 'anna', audience: ['api'], expiresAtMs: 2 })
    expect(Object.isFrozen(session)).toBe(true)
  })

  test('is not remembered until somebody asks for it', () => {
    const { lately } = setUp()
    const off = new LatelyVerified({ nowMs: () => 0, monotonicMs: () => 0 }, { maxEntries: 10, maxBytes: 10 ** 6 })
    expect(off.begin(TAG)).toBeUndefined()
    expect(lately.begin(TAG)).toBeDefined()
  })
})

describe('a line that tells of changes', () => {
  test('keeps it certain with each fence, for as long as a copy would be served, and no longer than it lasts', () => {
    const { clock, confirm, ageOf, pass, lately } = setUp()
    const line = lineAt(clock)
    confirm('t', idOf(), { line })
    pass(20_000)
    Object.assign(line, lineAt(clock))
    pass(200)
    expect(ageOf('t')).toBe(200)
    lately.lineOver(line)
    // Whatever the line says from now on.
    pass(5_000)
    Object.assign(line, lineAt(clock))
    expect(ageOf('t')).toBe(5_200)
  })

  test('proves nothing beyond the age at which a copy is read again', () => {
    const { clock, confirm, ageOf, pass } = setUp()
    const line = lineAt(clock)
    confirm('t', idOf(), { line })
    pass(50_000)
    Object.assign(line, lineAt(clock))
    expect(ageOf('t')).toBe(20_000)
  })

  test('proves nothing in between where it has to be asked at each use', () => {
    const { confirm, ageOf, pass } = setUp()
    const line = { fencedMonotonicMs: Infinity, fencedWallMs: Infinity, probe: () => {} }
    confirm('t', idOf(), { line })
    pass(7_000)
    expect(ageOf('t')).toBe(7_000)
  })
})

describe('a word of a change', () => {
  const ID = idOf()
  const words = {
    'of the session': ({ lately }: ReturnType<typeof setUp>) => lately.dropSession(ID),
    'of the subject': ({ lately }: ReturnType<typeof setUp>) => lately.dropSubject(TAG),
    'of everybody': ({ lately }: ReturnType<typeof setUp>) => lately.dropAll(),
  }
  test.each(Object.entries(words))('%s makes void what was confirmed before', (_what, word) => {
    const kit = setUp()
    kit.confirm('t', ID)
    word(kit)
    expect(kit.ageOf('t')).toBeUndefined()
    expect(kit.lately.size).toBe(0)
    kit.confirm('t', ID)
    expect(kit.ageOf('t')).toBe(0)
  })

  test.each(Object.entries(words))('%s makes void what was asked before it', (_what, word) => {
    const kit = setUp()
    kit.confirm('t', ID, { meanwhile: () => word(kit) })
    expect(kit.ageOf('t')).toBeUndefined()
  })

  test('of others leaves it', () => {
    const kit = setUp()
    kit.confirm('t', ID)
    kit.lately.dropSession(idOf())
    kit.lately.dropSubject('BBBBBBBBBBBB')
    expect(kit.ageOf('t')).toBe(0)
  })
})

describe('the bounds', () => {
  test('hold: by number, and by a quarter of the bytes', () => {
    for (const bounds of [{ maxEntries: 50 }, { maxEntries: 10 ** 6, maxBytes: 4 * 900 * 50 }]) {
      const { confirm, lately, ageOf } = setUp(bounds)
      for (let n = 0; n < 500; n++) confirm(`t${n}`, idOf(`${String(n % 70).padStart(12, 'C')}`))
      expect(lately.size).toBe(50)
      expect([ageOf('t449'), ageOf('t450')]).toEqual([undefined, 0])
    }
  })

  test('what is of no use to anybody is let go', () => {
    const { confirm, lately, pass } = setUp()
    for (let n = 0; n < 100; n++) confirm(`t${n}`, idOf())
    pass(330_001)
    confirm('t', idOf())
    expect(lately.size).toBe(1)
  })
})

test('a session that is served all the time is told of once a minute', () => {
  const { confirm, lately, pass } = setUp()
  const id = idOf()
  let told = 0
  for (let n = 0; n < 180; n++) {
    confirm('t', id)
    if (lately.serve(lately.find('t', 1_000)!)) told++
    pass(1_000)
  }
  expect([lately.served, told]).toEqual([180, 3])
})
