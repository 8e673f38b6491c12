import { describe, expect, test } from 'vitest'
import { droppingOwnWrites } from '../../src/cache/own-writes.ts'
import type { SessionId } from '../../src/session/ids.ts'
import type { SessionStore } from '../../src/stores/contract.ts'
import { idOf, TAG, turn } from './kit.ts'

const ID = idOf()
const REF = { tag: TAG, subject: 's' }
const any = {} as never

/** Every write of both stores, with what it drops. */
const WRITES: readonly [name: string, drops: string, args: readonly unknown[]][] = [
  ['touch', ID, [ID, any, 0]],
  ['update', ID, [ID, any, 1, 0]],
  ['create', TAG, [{ id: ID }, any, 0]],
  ['rotate', TAG, [ID, any, any, any, 0]],
  ['replace', TAG, [ID, any, any, 0]],
  ['end', TAG, [ID, 'logout', any, 0]],
  ['endSubject', TAG, [REF, 'admin', any, 0]],
  ['setRoles', TAG, [REF, [], 0]],
  ['deny', TAG, [REF, 'jti', 0, 0]],
  ['raiseFloor', 'all', ['admin', 0]],
]
const READS = ['read', 'subject', 'list', 'floor', 'sweep']

function setup() {
  const happened: string[] = []
  let settle: { resolve(value: unknown): void; reject(error: Error): void } | undefined
  const call =
    (name: string) =>
    (...args: unknown[]) => {
      happened.push(`${name}(${args.length})`)
      return new Promise((resolve, reject) => {
        settle = { resolve, reject }
      })
    }
  const methods = [...WRITES.map(([name]) => name), ...READS]
  const sessions = Object.fromEntries(methods.filter((name) => name !== 'deny').map((name) => [name, call(name)]))
  const drop = (what: string) => happened.push(`drop ${what}`)
  const stores = droppingOwnWrites(
    { sessions: sessions as unknown as SessionStore, revocations: { read: call('read'), deny: call('deny') } as never },
    { dropSession: drop, dropSubject: drop, dropAll: () => drop('all') },
  )
  const run = (name: string, args: readonly unknown[]): Promise<unknown> =>
    ((name === 'deny' ? stores.revocations : stores.sessions) as any)[name](...args)
  return { happened, run, stores, settle: () => settle! }
}

describe('what this process writes is dropped before it is sent and after it has ended', () => {
  test.each(WRITES)('%s drops %s', async (name, drops, args) => {
    const { happened, run, settle } = setup()
    const written = run(name, args)
    const sent = `${name}(${args.length})`
    expect(happened).toEqual([`drop ${drops}`, sent])
    settle().resolve('done')
    let seen: string[] = []
    expect(
      await written.then((done) => {
        seen = [...happened]
        return done
      }),
    ).toBe('done')
    // Before the caller knows that it was acknowledged.
    expect(seen).toEqual([`drop ${drops}`, sent, `drop ${drops}`])
  })

  test.each(WRITES)('%s that fails may have happened all the same', async (name, drops, args) => {
    const { happened, run, settle } = setup()
    const written = run(name, args)
    settle().reject(new Error('no answer'))
    await expect(written).rejects.toThrow('no answer')
    expect(happened.filter((one) => one === `drop ${drops}`)).toHaveLength(2)
  })
})

test('reads, the floor that is read and sweeps drop nothing, and reach the store as they are', async () => {
  const { happened, run, stores } = setup()
  for (const name of READS) void run(name, [1, 2, 3, 4].slice(0, stores.sessions[name as 'read'].length))
  await turn()
  expect(happened.filter((one) => one.startsWith('drop'))).toEqual([])
  expect(happened).toHaveLength(READS.length)
})

test('a store without sweep or changes gets none', () => {
  const stores = droppingOwnWrites(
    { sessions: { read: async (_id: SessionId) => ({ is: 'unknown' }) } as never },
    { dropSession: () => {}, dropSubject: () => {}, dropAll: () => {} },
  )
  expect('sweep' in stores.sessions).toBe(false)
  expect('changes' in stores.sessions).toBe(false)
  expect(stores.revocations).toBeUndefined()
})
