// When calls go to the store, and when they fail at once. On a clock that stands still until the test moves it.
import { describe, expect, test } from 'vitest'
import { CountersignError } from '../../src/internal/errors.ts'
import { Breaker } from '../../src/outage/breaker.ts'

function setUp() {
  let nowMs = 50_000
  const told: (readonly [string, ...unknown[]])[] = []
  const breaker = new Breaker(
    { clock: { nowMs: () => nowMs, monotonicMs: () => nowMs } },
    { opened: (...what) => told.push(['opened', ...what]), closed: (...what) => told.push(['closed', ...what]) },
    'redis',
  )
  let asked = 0
  const silent = (code: 'ERR_STORE_TIMEOUT' | 'ERR_STORE_UNAVAILABLE' = 'ERR_STORE_TIMEOUT', tookMs = 0) =>
    breaker
      .call(async () => {
        asked++
        nowMs += tookMs
        throw new CountersignError(code, 'no answer', { store: 'redis' })
      })
      .catch((error: CountersignError) => error)
  const failing = (error: Error) => breaker.call(() => Promise.reject(error)).catch((thrown: unknown) => thrown)
  const answering = () =>
    breaker
      .call(async () => {
        asked++
        return 'answer'
      })
      .catch((error: CountersignError) => error)
  return {
    breaker,
    told,
    silent,
    failing,
    answering,
    pass: (ms: number) => {
      nowMs += ms
    },
    asked: () => asked,
    state: () => breaker.health().state,
    /** Until it is open, and no probe is due. */
    async open() {
      for (let n = 0; n < 5; n++) await silent('ERR_STORE_TIMEOUT', 250)
    },
  }
}

describe('a store that does not answer', () => {
  test('is not asked any more after five calls in a row, over a second', async () => {
    const { silent, state, told, asked, pass } = setUp()
    for (let n = 0; n < 4; n++) await silent('ERR_STORE_TIMEOUT', 250)
    expect(state()).toBe('closed')
    await silent('ERR_STORE_UNAVAILABLE', 250)
    expect(state()).toBe('open')
    expect(told).toEqual([['opened', 'ERR_STORE_UNAVAILABLE', 1_250]])
    pass(100)
    const fault = (await silent()) as CountersignError
    expect(asked()).toBe(5)
    expect(fault).toMatchObject({
      code: 'ERR_STORE_UNAVAILABLE',
      store: 'redis',
      retryable: true,
      retryAfterMs: 150,
      cause: { code: 'ERR_STORE_UNAVAILABLE' },
    })
    expect(fault.answered).toBeUndefined()
    expect(fault.message).toContain('1.4 s')
  })

  test('is asked on while all that happened is that one connection broke, with a thousand calls on it', async () => {
    const { silent, state, pass, answering } = setUp()
    await Promise.all(Array.from({ length: 1_000 }, () => silent('ERR_STORE_UNAVAILABLE')))
    pass(900)
    await silent()
    expect(state()).toBe('closed')
    expect(await answering()).toBe('answer')
  })

  test('is asked on when the faults are far apart, or one answer came in between', async () => {
    const { silent, state, pass, answering } = setUp()
    for (let n = 0; n < 20; n++) {
      await silent('ERR_STORE_TIMEOUT', 2_000)
      pass(10_001)
    }
    expect(state()).toBe('closed')
    for (let n = 0; n < 20; n++) {
      if (n % 4 === 0) await answering()
      await silent('ERR_STORE_TIMEOUT', 2_000)
    }
    expect(state()).toBe('closed')
  })

  test('counts the silence from the last answer, however long ago the call was made that has none', async () => {
    const { breaker, answering, silent, state } = setUp()
    let fail!: (error: Error) => void
    const old = breaker.call(() => new Promise((_, reject) => (fail = reject))).catch(() => undefined)
    await silent('ERR_STORE_TIMEOUT', 5_000)
    await answering()
    fail(new CountersignError('ERR_STORE_TIMEOUT', 'no answer'))
    await old
    for (let n = 0; n < 4; n++) await silent()
    expect(state()).toBe('closed')
  })
})

describe('one that answers', () => {
  const refusal = new CountersignError('ERR_STORE_UNAVAILABLE', 'the memory is full', { answered: true })
  const others = [
    new CountersignError('ERR_STORE_CORRUPT', 'x'),
    new CountersignError('ERR_CLOSED', 'x'),
    new CountersignError('ERR_STORE_MISCONFIGURED', 'x'),
    new TypeError('a mistake in this program'),
  ]
  test.each([refusal, ...others])('with %s is asked on, for ever', async (error) => {
    const { failing, state, pass } = setUp()
    for (let n = 0; n < 50; n++) {
      pass(200)
      expect(await failing(error)).toBe(error)
    }
    expect(state()).toBe('closed')
  })

  test.each([
    ['yes', (kit: ReturnType<typeof setUp>) => kit.answering()],
    ['no', (kit: ReturnType<typeof setUp>) => kit.failing(refusal)],
  ])('%s is back at once', async (_what, answer) => {
    const kit = setUp()
    await kit.open()
    await kit.answering()
    kit.pass(250)
    expect(kit.state()).toBe('half_open')
    await answer(kit)
    expect(kit.state()).toBe('closed')
    expect(kit.told.at(-1)).toEqual(['closed', 1_500, 1])
    expect(kit.breaker.health()).toEqual({ state: 'closed', opened: 1, refused: 1 })
  })
})

describe('while it is open', () => {
  test('two calls go through every 250 ms, however many want to', async () => {
    const { open, silent, asked, pass, breaker } = setUp()
    await open()
    const before = asked()
    for (let ms = 0; ms < 10_000; ms += 50) {
      await Promise.all(Array.from({ length: 20 }, () => silent()))
      pass(50)
    }
    expect(asked() - before).toBeLessThanOrEqual((2 * 10_000) / 250)
    expect(asked() - before).toBeGreaterThanOrEqual((2 * 10_000) / 250 - 4)
    expect(breaker.health().opened).toBe(1)
  })

  test('a probe that hangs does not keep the next from finding that the store is back', async () => {
    const { breaker, open, answering, pass, state } = setUp()
    await open()
    pass(250)
    void breaker.call(() => new Promise(() => {}))
    void breaker.call(() => new Promise(() => {}))
    expect(await answering()).toMatchObject({ code: 'ERR_STORE_UNAVAILABLE' })
    pass(250)
    expect(await answering()).toBe('answer')
    expect(state()).toBe('closed')
  })

  test('a store that is said to be back is asked at once', async () => {
    const { breaker, open, answering, state } = setUp()
    await open()
    breaker.probeNow()
    expect(state()).toBe('half_open')
    expect(await answering()).toBe('answer')
  })
})
