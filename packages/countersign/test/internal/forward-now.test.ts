import { expect, test } from 'vitest'
import { forwardNow } from '../../src/internal/forward-now.ts'

test('the time goes on by the faster of the two clocks and never back', () => {
  const clock = { wall: 1_000_000.7, monotonic: 50 }
  const nowMs = forwardNow({ nowMs: () => clock.wall, monotonicMs: () => clock.monotonic })
  const after = (wall: number, monotonic: number) => {
    clock.wall += wall
    clock.monotonic += monotonic
    return nowMs()
  }
  expect(after(0, 0)).toBe(1_000_000)
  expect(after(10, 10)).toBe(1_000_010)
  expect(after(-3_600_000, 5)).toBe(1_000_015) // set back an hour: goes on by the monotonic clock
  expect(after(5, 5)).toBe(1_000_020)
  expect(after(3_600_000 + 5_000, 0)).toBe(1_005_015) // suspended for 5 s: the wall clock knows
  expect(after(0, 0)).toBe(1_005_015)
})
