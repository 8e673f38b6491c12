import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Deployment, deploy } from './deployment.ts'
import { KINDS } from './kinds.ts'
import { PLACES, type PlaceName } from './places.ts'

// ASVS 9.2.2, RFC 8725 section 3.12: a token is good for what it was made for, and for nothing else.
let deployment: Deployment
beforeAll(async () => {
  deployment = await deploy()
})
afterAll(() => deployment.stop())

describe.each(Object.entries(KINDS))('%s', (_, { make, home }) => {
  test.each(Object.entries(PLACES))('%s', async (name, place) => {
    const { ok } = await place(deployment, await make(deployment))
    expect(ok).toBe(home.includes(name as PlaceName))
  })
})

test('every place is the home of some kind, so that no place refuses whatever comes', () => {
  const homes = new Set(Object.values(KINDS).flatMap(({ home }) => home))
  expect([...homes].sort()).toEqual(Object.keys(PLACES).sort())
})
