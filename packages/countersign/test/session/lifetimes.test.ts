import { describe, expect, test } from 'vitest'
import { durationMs } from '../../src/internal/duration.ts'
import { idleDeadlineMs, idleWindowMs, resolveLifetimes, touchAfterMs } from '../../src/session/lifetimes.ts'

const HOUR = 3_600_000

describe('durations', () => {
  test.each([
    ['90s', 90_000],
    ['10m', 600_000],
    ['12h', 12 * HOUR],
    ['7d', 168 * HOUR],
    ['0.5s', 500],
  ])('%s', (text, ms) => {
    expect(durationMs(text, 'x')).toBe(ms)
  })
  test.each(['', '10', 10, 's', '-1s', '1w', '1 s', '1e3s', '0s', 'Infinitys', '401d', null, undefined])(
    'refuses %s',
    (value) => {
      expect(() => durationMs(value, 'x')).toThrow(
        expect.objectContaining({ code: 'ERR_CONFIG_INVALID', message: expect.stringContaining('"x"') }),
      )
    },
  )
})

describe('timeouts', () => {
  test('presets keep the limits of NIST SP 800-63B-4, the slack of touching included', () => {
    for (const [preset, absolute, idle] of [
      ['aal1', 720, null],
      ['aal2', 24, 1],
      ['aal3', 12, 0.25],
    ] as const) {
      const lifetimes = resolveLifetimes(preset)
      expect(lifetimes.absoluteMs).toBeLessThanOrEqual(absolute * HOUR)
      const latest = idleDeadlineMs(lifetimes.idleMs, Number.MAX_SAFE_INTEGER, 0)
      if (idle !== null) expect(latest).toBeLessThanOrEqual(idle * HOUR)
    }
  })

  test.each([[{}], [{ absolute: '1h', idle: '2h' }], [{ absolute: '1h', idel: '1m' }], ['aal4'], [null], [3600]])(
    'refuses %j',
    (value) => {
      expect(() => resolveLifetimes(value as never)).toThrow(expect.objectContaining({ code: 'ERR_CONFIG_INVALID' }))
    },
  )

  test('a use is written only after a tenth of the window, and the refusal falls between 1.0 and 1.1', () => {
    const windowMs = 100_000
    expect(10_000 > touchAfterMs(windowMs, 0)).toBe(false)
    expect(10_001 > touchAfterMs(windowMs, 0)).toBe(true)
    expect(touchAfterMs(null, 0)).toBe(Number.POSITIVE_INFINITY)
    // Used at 10 000 ms without being written: still good for a full window, and for no more than 1.1 of it.
    const deadline = idleDeadlineMs(windowMs, 1e12, 0)
    expect(deadline - 10_000).toBeGreaterThanOrEqual(windowMs)
    expect(deadline).toBeLessThanOrEqual(windowMs * 1.1)
    expect(idleDeadlineMs(windowMs, 50_000, 0)).toBe(50_000)
    expect(idleDeadlineMs(null, 50_000, 0)).toBe(50_000)
  })

  test('a persistent session is idle as long as its refresh token, or a week without one', () => {
    expect(idleWindowMs({ absoluteMs: 1, idleMs: 5, idleIsFirm: false }, true, 9)).toBe(9)
    expect(idleWindowMs({ absoluteMs: 1, idleMs: 5, idleIsFirm: false }, true, 0)).toBe(168 * HOUR)
    expect(idleWindowMs({ absoluteMs: 1, idleMs: 5, idleIsFirm: false }, false, 9)).toBe(5)
    expect(idleWindowMs(resolveLifetimes('aal3'), true, 168 * HOUR)).toBe(resolveLifetimes('aal3').idleMs)
  })
})
