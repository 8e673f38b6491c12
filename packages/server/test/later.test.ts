import { expect, test } from 'vitest'
import { createLater } from '../src/http/later.ts'

test('work is done after this turn, a few at a time, and failures are told', async () => {
  const failed: unknown[] = []
  const later = createLater((error) => failed.push(error))
  let running = 0
  let most = 0
  let done = 0
  for (let i = 0; i < 40; i++) {
    later.add(async () => {
      most = Math.max(most, ++running)
      await new Promise((resolve) => setTimeout(resolve, 1))
      running--
      done++
      if (i % 10 === 0) throw new Error(`failed ${i}`)
    })
  }
  expect(most).toBe(0)
  await later.settled()
  expect([done, most, failed.length]).toEqual([40, 4, 4])
  await later.settled()
})

test('what is added by work is done before it is settled', async () => {
  const later = createLater(() => undefined)
  let done = false
  later.add(async () => {
    later.add(async () => {
      done = true
    })
  })
  await later.settled()
  expect(done).toBe(true)
})

test('a flood is told to come again, and what waits is done all the same', async () => {
  const later = createLater(() => undefined)
  let done = 0
  const add = () =>
    later.add(async () => {
      done++
    })
  for (let i = 0; i < 1_000; i++) add()
  expect(add).toThrow(expect.objectContaining({ code: 'ERR_BUSY' }))
  await later.settled()
  expect(done).toBe(1_000)
})
