import { randomBytes } from 'node:crypto'
import { beforeEach, describe, expect, test } from 'vitest'
import { COPY_AGE_SPREAD_MS, MAX_COPY_AGE_MS } from '../../src/cache/known-tokens.ts'
import type { SessionId } from '../../src/session/ids.ts'
import type { Line } from '../../src/stores/contract.ts'
import { ended, idOf, liveOf, nearKit, turn } from './kit.ts'

const TOKEN = `token-${'x'.repeat(60)}`

let kit: ReturnType<typeof nearKit>
beforeEach(() => {
  kit = nearKit()
})

describe('a hit is checked again each time', () => {
  // Each row takes one guard away from an otherwise good copy. The row fails when the guard is not there.
  test.each<[string, () => void]>([
    ['the line is over', () => Object.assign(kit.line, { fencedMonotonicMs: Number.NEGATIVE_INFINITY })],
    ['its last fence is older than a second by the monotonic clock', () => (kit.clock.monotonic += 1_001)],
    // N11: the monotonic clock stands still in a suspended process.
    ['its last fence is older than a second by the wall clock', () => (kit.clock.wall += 1_001)],
    ['the floor is not known', () => kit.setFloor(undefined)],
    ['the floor is at the birth of the session', () => kit.setFloor({ notBeforeMs: 500, why: 'admin', marker: 'm' })],
    ['the keys have changed', () => kit.changeKeys()],
  ])('not served when %s', async (_why, take) => {
    await kit.kept(TOKEN, idOf())
    take()
    expect(kit.isHit(TOKEN)).toBe(false)
  })

  test.each([
    ['the token has expired', { untilMs: 1_000_050 }, 49, 50],
    ['the session is over', { overMs: 1_000_050 }, 49, 50],
  ])('not served when %s', async (_why, times, before, after) => {
    await kit.kept(TOKEN, idOf(), times)
    kit.pass(before)
    expect(kit.isHit(TOKEN)).toBe(true)
    kit.pass(after - before)
    expect(kit.isHit(TOKEN)).toBe(false)
  })

  test('not served before its time', async () => {
    const id = idOf()
    const checked = kit.check(TOKEN, id, { sinceMs: 1_000_010 })
    kit.asked[0]!.answer(liveOf(id))
    await checked
    expect(kit.isHit(TOKEN)).toBe(false)
    kit.pass(10)
    expect(kit.isHit(TOKEN)).toBe(true)
  })

  test('a lease that ran out comes back with the next fence: nothing was missed meanwhile', async () => {
    await kit.kept(TOKEN, idOf())
    kit.pass(1_001)
    expect(kit.isHit(TOKEN)).toBe(false)
    kit.fence()
    expect(kit.isHit(TOKEN)).toBe(true)
  })

  describe.each(['wall', 'monotonic'] as const)('of age, by the %s clock, whatever the fences say', (which) => {
    const isHitAt = (token: string, ageMs: number) => {
      const before = kit.clock[which]
      kit.clock[which] += ageMs
      kit.fence()
      const isHit = kit.isHit(token)
      kit.clock[which] = before
      return isHit
    }

    test('never older than 30 s', async () => {
      await kit.kept(TOKEN, idOf())
      expect(isHitAt(TOKEN, MAX_COPY_AGE_MS - COPY_AGE_SPREAD_MS)).toBe(true)
      expect(isHitAt(TOKEN, MAX_COPY_AGE_MS + 1)).toBe(false)
      expect(kit.near.health().drops.aged).toBe(1)
    })

    test('what was read all at once is not too old all at once', async () => {
      const tokens = Array.from({ length: 200 }, (_, n) => `${n}`.padStart(64, '0'))
      for (const token of tokens)
        await kit.kept(token, `AAAAAAAAAAAA${randomBytes(16).toString('base64url')}` as SessionId)
      const sizes: number[] = []
      for (let ageMs = MAX_COPY_AGE_MS - COPY_AGE_SPREAD_MS; ageMs <= MAX_COPY_AGE_MS; ageMs += COPY_AGE_SPREAD_MS / 10)
        sizes.push(tokens.filter((token) => isHitAt(token, ageMs)).length)
      const ended = sizes.slice(1).map((size, at) => sizes[at]! - size)
      expect(sizes[0]).toBe(tokens.length)
      // A tenth of them in each tenth, if they were spread evenly.
      expect(Math.max(...ended)).toBeLessThan(tokens.length / 4)
    })
  })

  test('a token that differs only before its last 12 characters is another token', async () => {
    await kit.kept(TOKEN, idOf())
    expect(kit.isHit(`y${TOKEN.slice(1)}`)).toBe(false)
    expect(kit.isHit(TOKEN.slice(-12))).toBe(false)
    expect(kit.isHit(TOKEN)).toBe(true)
  })

  test('a line that is asked at each use is asked before its copy is served', async () => {
    const id = idOf()
    let probes = 0
    let isOther = false
    const line: Line = {
      fencedMonotonicMs: Number.POSITIVE_INFINITY,
      fencedWallMs: Number.POSITIVE_INFINITY,
      probe() {
        probes++
        if (isOther) kit.listener.sessionChanged(id)
      },
    }
    const checked = kit.check(TOKEN, id)
    kit.asked[0]!.answer(liveOf(id), line)
    await checked
    expect(kit.isHit(TOKEN)).toBe(true)
    expect(probes).toBe(1)
    isOther = true
    expect(kit.isHit(TOKEN)).toBe(false)
    expect(probes).toBe(2)
  })
})

describe('what is told makes copies void', () => {
  test('of that session only; a revocation record is of all sessions of its tag', async () => {
    const [one, two] = [idOf(), idOf()]
    const other = idOf('BBBBBBBBBBBB')
    const tokens = ['1', '2', '3'].map((n) => n.repeat(64))
    await kit.kept(tokens[0]!, one)
    await kit.kept(tokens[1]!, two)
    await kit.kept(tokens[2]!, other)
    const hits = () => tokens.map(kit.isHit)
    kit.listener.sessionChanged(one)
    expect(hits()).toEqual([false, true, true])
    kit.listener.revocationsChanged(two.slice(0, 12))
    expect(hits()).toEqual([false, false, true])
    expect(kit.near.health().drops.changed).toBe(2)
  })

  test('a reset is of everything that was read over that line, and of nothing else', async () => {
    const [one, two] = [idOf(), idOf()]
    await kit.kept(TOKEN, one)
    const other = { fencedMonotonicMs: kit.clock.monotonic, fencedWallMs: kit.clock.wall }
    const checked = kit.check('y'.repeat(64), two)
    kit.asked.at(-1)!.answer(liveOf(two), other)
    await checked
    kit.listener.reset(kit.line)
    expect([kit.isHit(TOKEN), kit.isHit('y'.repeat(64))]).toEqual([false, true])
  })

  test('a copy that went leaves the token known: it is not verified again', async () => {
    const id = await kit.kept(TOKEN, idOf())
    kit.listener.sessionChanged(id)
    expect(kit.near.find(TOKEN)?.proof).toBe('proof')
    expect(kit.near.find(TOKEN)?.copy).toBeUndefined()
  })
})

describe('an answer is kept only when nothing changed since it was asked for', () => {
  test.each<[string, (id: never) => void]>([
    ['the session changes', (id) => kit.listener.sessionChanged(id)],
    ['the line is reset', () => kit.listener.reset(kit.line)],
    ['another line is reset: which one the read goes over is not known yet', () => kit.listener.reset({} as Line)],
    ['this process writes the session', (id) => kit.near.dropSession(id)],
    ['this process writes the subject', (id) => kit.near.dropSubject((id as string).slice(0, 12))],
    ['the keys change', () => kit.changeKeys()],
    ['it is closed', () => void kit.near.close()],
  ])('not kept when %s', async (_why, change) => {
    const id = idOf()
    const before = kit.check(TOKEN, id)
    change(id as never)
    kit.asked[0]!.answer(liveOf(id))
    expect(await before).toBe('live')
    kit.fence()
    expect(kit.isHit(TOKEN)).toBe(false)
  })

  test('nor when it changes between the answer and the keeping, while the floor is still waited for', async () => {
    const id = idOf()
    const reading = kit.near.readSession(id)!
    const answer = reading.answer()
    kit.asked[0]!.answer(liveOf(id))
    await answer
    kit.near.dropSession(id)
    kit.keep(TOKEN, id, reading)
    reading.end()
    expect(kit.isHit(TOKEN)).toBe(false)
  })

  test('nor when no line tells of the next change', async () => {
    const id = idOf()
    const reading = kit.near.readSession(id)!
    const answer = reading.answer()
    kit.asked[0]!.answer(liveOf(id), null)
    await answer
    kit.keep(TOKEN, id, reading)
    expect(kit.isHit(TOKEN)).toBe(false)
  })

  test('what is about another session does not touch it', async () => {
    const id = idOf()
    const checked = kit.check(TOKEN, id)
    kit.listener.sessionChanged(idOf())
    kit.near.dropSubject('BBBBBBBBBBBB')
    kit.asked[0]!.answer(liveOf(id))
    await checked
    expect(kit.isHit(TOKEN)).toBe(true)
  })
})

describe('who may share a read', () => {
  test('callers who come while it is under way, and young', async () => {
    const id = idOf()
    const [one, two] = [kit.check(TOKEN, id), kit.check(TOKEN, id)]
    expect(kit.asked).toHaveLength(1)
    kit.pass(1_000)
    const three = kit.check(TOKEN, id)
    expect(kit.asked).toHaveLength(1)
    // Promise 2: a second later it may be older than a revocation that has been acknowledged a second ago.
    kit.pass(1)
    const late = kit.check(TOKEN, id)
    expect(kit.asked).toHaveLength(2)
    kit.asked[0]!.answer(liveOf(id))
    expect(await Promise.all([one, two, three])).toEqual(['live', 'live', 'live'])
    kit.asked[1]!.answer(ended(id))
    expect(await late).toBe('ended')
  })

  test('nobody who comes after something was told: a read that was sent before it is not joined', async () => {
    const id = idOf()
    const before = kit.check(TOKEN, id)
    kit.near.dropSession(id)
    const after = kit.check(TOKEN, id)
    expect(kit.asked).toHaveLength(2)
    kit.asked[0]!.answer(liveOf(id))
    kit.asked[1]!.answer(ended(id))
    expect([await before, await after]).toEqual(['live', 'ended'])
  })

  test('nobody who came before the change and after the question: they ask once more, together', async () => {
    const id = idOf()
    const first = kit.check(TOKEN, id)
    const joined = [kit.check(TOKEN, id), kit.check(TOKEN, id)]
    expect(kit.asked).toHaveLength(1)
    kit.listener.sessionChanged(id)
    kit.asked[0]!.answer(liveOf(id))
    expect(await first).toBe('live')
    await turn()
    expect(kit.asked).toHaveLength(2)
    // Whatever happens from here on, this one was sent after they came.
    kit.listener.sessionChanged(id)
    kit.asked[1]!.answer(ended(id))
    expect(await Promise.all(joined)).toEqual(['ended', 'ended'])
    expect(kit.asked).toHaveLength(2)
  })

  test('nobody where no change would be told', async () => {
    const id = idOf()
    const first = kit.check(TOKEN, id)
    const joined = kit.check(TOKEN, id)
    kit.asked[0]!.answer(liveOf(id), null)
    expect(await first).toBe('live')
    await turn()
    kit.asked[1]!.answer(ended(id), null)
    expect(await joined).toBe('ended')
  })

  test('a fault goes to everybody who waits, and the next caller asks again', async () => {
    const id = idOf()
    const both = [kit.check(TOKEN, id), kit.check(TOKEN, id)]
    kit.asked[0]!.fail(new Error('down'))
    for (const one of both) await expect(one).rejects.toThrow('down')
    const next = kit.check(TOKEN, id)
    kit.asked[1]!.answer(liveOf(id))
    expect(await next).toBe('live')
  })

  test('leaving early, also in the middle of asking again, leaves nothing behind', async () => {
    const id = idOf()
    const first = kit.check(TOKEN, id)
    const early = kit.near.readSession(id)!
    const answer = early.answer()
    early.end()
    kit.listener.sessionChanged(id)
    kit.asked[0]!.answer(liveOf(id))
    expect([await first, (await answer).is]).toEqual(['live', 'live'])
    await turn()
    expect(kit.asked).toHaveLength(1)
    void kit.check(TOKEN, id)
    expect(kit.asked).toHaveLength(2)
  })
})

test('closed, it serves nothing, keeps nothing and lets go of the feed', async () => {
  await kit.kept(TOKEN, idOf())
  await kit.near.close()
  expect(kit.isHit(TOKEN)).toBe(false)
  expect(kit.isClosed).toBe(true)
  expect(
    kit.near.remember('z'.repeat(64), { proof: 'p', sinceMs: 0, untilMs: 2e12, proofBytes: 1 }, 0, kit.clock.wall),
  ).toBeUndefined()
  expect(kit.near.health()).toMatchObject({ isOn: false, entries: 0, bytes: 0, warnings: ['the sessions are closed'] })
})

test('switched off, or in front of a store that does not tell, it says why', () => {
  const off = nearKit(false as never)
  expect(off.near.health().warnings).toEqual(['the option "nearCache" is false'])
  expect(off.near.readSession(idOf())).toBeUndefined()
})
