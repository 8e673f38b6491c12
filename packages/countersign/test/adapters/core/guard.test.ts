import { describe, expect, it } from 'vitest'
import type { Exchange } from '../../../src/adapters/core/exchange.ts'
import { enterThen, type Guard } from '../../../src/adapters/core/guard.ts'

const wrong = new Error('it goes wrong')
const throws = () => {
  throw wrong
}
/** What `go` and `fail` are called with, in order. */
async function calls(enter: Guard['enter'], go: () => void = () => {}): Promise<unknown[]> {
  const seen: unknown[] = []
  const note = (answer: unknown) => {
    seen.push(['go', answer])
    go()
  }
  enterThen({ cacheable: false, enter }, {} as Exchange, note, (error) => seen.push(['fail', error]))
  await new Promise((resolve) => setImmediate(resolve))
  return seen
}

describe('a guard where a framework goes on by callbacks', () => {
  it.each([
    ['at once', () => undefined],
    ['later', async () => undefined],
  ])('lets in %s, and fails with what goes wrong after it', async (_when, enter) => {
    expect(await calls(enter)).toEqual([['go', undefined]])
    expect(await calls(enter, throws)).toEqual([
      ['go', undefined],
      ['fail', wrong],
    ])
  })

  it.each([
    ['thrown', throws],
    ['rejected', async () => throws()],
  ])('fails with a fault that is %s, and does not go on', async (_how, enter) => {
    expect(await calls(enter)).toEqual([['fail', wrong]])
  })
})
