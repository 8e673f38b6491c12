import { describe, expect, test } from 'vitest'
import type { Floor } from '../../src/stores/contract.ts'
import { watchFloor } from '../../src/verbs/floor-watch.ts'

function setup() {
  const clock = { wall: 0, monotonic: 0 }
  let asked = 0
  let answer: () => Promise<Floor> = async () => ({ notBeforeMs: asked, why: 'admin', marker: 'm' })
  const floor = watchFloor(
    {
      floor() {
        asked++
        return answer()
      },
    },
    { nowMs: () => clock.wall, monotonicMs: () => clock.monotonic },
  )
  return {
    floor,
    clock,
    asked: () => asked,
    answerWith: (next: typeof answer) => {
      answer = next
    },
    pass: (ms: number) => {
      clock.wall += ms
      clock.monotonic += ms
    },
  }
}
const turn = () => new Promise((resolve) => setTimeout(resolve, 0))

describe('the copy of the floor', () => {
  test('is asked for once, kept while young, renewed beside the calls, and asked for again when old', async () => {
    const { floor, asked, pass } = setup()
    expect(floor.now()).toBeUndefined()
    await Promise.all([floor.fresh(), floor.fresh(), floor.fresh()])
    expect(asked()).toBe(1)
    pass(249)
    await floor.fresh()
    expect(asked()).toBe(1)
    pass(1)
    expect(floor.now()?.notBeforeMs).toBe(1)
    await turn()
    expect(asked()).toBe(2)
    pass(1_000)
    expect(floor.now()).toBeUndefined()
    expect((await floor.fresh()).notBeforeMs).toBe(3)
  })

  test('the age counts from the question, not from the answer', async () => {
    const { floor, pass, answerWith } = setup()
    let release: (value: Floor) => void = () => {}
    answerWith(() => new Promise((resolve) => (release = resolve)))
    const slow = floor.fresh()
    pass(1_000)
    release({ notBeforeMs: 7, why: 'admin', marker: 'm' })
    expect((await slow).notBeforeMs).toBe(7)
    expect(floor.now()).toBeUndefined()
  })

  test('a question that hangs for a second is not shared any longer', async () => {
    const { floor, asked, pass, answerWith } = setup()
    answerWith(() => new Promise(() => {}))
    floor.fresh().catch(() => undefined)
    pass(999)
    floor.fresh().catch(() => undefined)
    expect(asked()).toBe(1)
    answerWith(async () => ({ notBeforeMs: 9, why: 'admin', marker: 'm' }))
    pass(1)
    expect((await floor.fresh()).notBeforeMs).toBe(9)
  })

  test('never goes down, and tells when the store has forgotten', async () => {
    let told: Floor = { notBeforeMs: 5, why: 'admin', marker: 'a' }
    let lost = 0
    let nowMs = 0
    const clock = { nowMs: () => nowMs, monotonicMs: () => nowMs }
    const floor = watchFloor({ floor: async () => told }, clock, () => {
      lost++
    })
    await floor.fresh()
    nowMs += 2_000
    told = { notBeforeMs: 0, why: 'admin', marker: 'b' }
    expect(await floor.fresh()).toEqual({ notBeforeMs: 5, why: 'admin', marker: 'b' })
    expect(lost).toBe(1)
    nowMs += 2_000
    told = { notBeforeMs: 9, why: 'logout', marker: 'b' }
    expect(await floor.fresh()).toEqual(told)
    expect(lost).toBe(1)
  })

  test('what a fence brings is as good as an answer, and nobody asks while fences come', async () => {
    const { floor, clock, asked, pass } = setup()
    for (let n = 1; n <= 20; n++) {
      pass(200)
      floor.told({ notBeforeMs: n, why: 'admin', marker: 'm' }, { wallMs: clock.wall, monotonicMs: clock.monotonic })
      expect((await floor.fresh()).notBeforeMs).toBe(n)
      expect(floor.at(clock.monotonic, clock.wall)?.notBeforeMs).toBe(n)
    }
    pass(1_000)
    expect(floor.at(clock.monotonic, clock.wall)).toBeUndefined()
    expect(asked()).toBe(0)
  })

  test('of two questions under way at once, the one that knew less has lost nothing', async () => {
    const clock = { wall: 0, monotonic: 0 }
    let lost = 0
    const floor = watchFloor(
      { floor: () => Promise.reject(new Error('nobody asks')) },
      { nowMs: () => clock.wall, monotonicMs: () => clock.monotonic },
      () => {
        lost++
      },
    )
    const at = (monotonicMs: number) => ({ wallMs: monotonicMs, monotonicMs })
    clock.monotonic = 100
    clock.wall = 100
    // Asked at 10 and at 20. The server answered the second one first, then raised the floor, then answered the first.
    floor.told({ notBeforeMs: 7, why: 'admin', marker: 'm' }, at(10))
    floor.told({ notBeforeMs: 0, why: 'admin', marker: 'm' }, at(20))
    expect(floor.now()).toMatchObject({ notBeforeMs: 7 })
    expect(lost).toBe(0)
    floor.told({ notBeforeMs: 0, why: 'admin', marker: 'm' }, at(100))
    expect(floor.now()).toMatchObject({ notBeforeMs: 7 })
    expect(lost).toBe(1)
  })

  test('a suspended process does not trust its copy: the wall clock counts as well', async () => {
    const { floor, clock } = setup()
    await floor.fresh()
    clock.wall += 5_000
    expect(floor.now()).toBeUndefined()
  })

  test('no answer is a fault for whoever needs it, and not before the copy is too old', async () => {
    const { floor, pass, answerWith } = setup()
    await floor.fresh()
    answerWith(() => Promise.reject(new Error('down')))
    pass(500)
    expect((await floor.fresh()).notBeforeMs).toBe(1)
    await turn()
    pass(600)
    await expect(floor.fresh()).rejects.toThrow('down')
  })
})
