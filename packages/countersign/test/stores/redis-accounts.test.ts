// Registration on Redis writes two slots. It is stopped after each of its requests, and two of them meet at each point:
// an identifier never has two owners, and nobody keeps it for longer than the lease without an account.

import { samples } from 'countersign/conformance'
import { createClient } from 'redis'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type RedisServer, startRedis } from '../../../../tools/test-support/redis-server.ts'
import { systemRuntime } from '../../src/internal/runtime.ts'
import type { Account } from '../../src/stores/contract.ts'
import type { Executor, Requests } from '../../src/stores/redis/executor.ts'
import { keysWith } from '../../src/stores/redis/keys.ts'
import { resolveRedisOptions } from '../../src/stores/redis/options.ts'
import { LEASE_MS, redisAccounts } from '../../src/stores/redis/redis-accounts.ts'
import { transportTo } from '../../src/stores/redis/transport.ts'

const { subjectRef } = samples

const keys = keysWith('cs')
const { clock } = systemRuntime
let server: RedisServer
let executor: Executor
let raw: ReturnType<typeof createClient>

beforeAll(async () => {
  server = await startRedis()
  executor = transportTo(resolveRedisOptions({ url: server.url })).executor
  await executor.connect()
  raw = createClient({ url: server.url })
  await raw.connect()
})
afterAll(async () => {
  raw?.destroy()
  await executor?.close()
  await server?.stop()
})

const plain = () => redisAccounts({ executor, keys, clock })
let made = 0
const accountFor = (identifier: string, changes: Partial<Account> = {}): Account => ({
  ...subjectRef(`user:${++made}`),
  identifier,
  version: 1,
  passwordHash: 'hash',
  passwordChangedAtMs: 1,
  roles: [],
  blocked: null,
  createdAtMs: 1,
  unsettled: null,
  ...changes,
})

/** Calls `before(n)` before the n-th request, from 1. */
function watched(before: (request: number) => unknown): Requests {
  let n = 0
  const step = async <T>(request: () => Promise<T>): Promise<T> => {
    await before(++n)
    return request()
  }
  return {
    run: (...args) => step(() => executor.run(...args)),
    get: (...args) => step(() => executor.get(...args)),
    read: (...args) => step(() => executor.read(...args)),
    send: (...args) => step(() => executor.send(...args)),
  }
}

class Died extends Error {}
/** A process that ends after its first `requests` requests. */
const dying = (requests: number) =>
  redisAccounts({
    keys,
    clock,
    executor: watched((request) => {
      if (request > requests) throw new Died()
    }),
  })

it('stopped before it has done anything, leaves nothing', async () => {
  const account = accountFor('zero@example.com')
  await expect(dying(0).create(account)).rejects.toThrow(Died)
  expect(await plain().subjectOf(account)).toBeNull()
  expect(await plain().create(accountFor('zero@example.com'))).toEqual({ is: 'created' })
})

it('stopped after the identifier, keeps it for the lease and no longer', async () => {
  const [account, other] = [accountFor('one@example.com'), accountFor('one@example.com')]
  await expect(dying(1).create(account)).rejects.toThrow(Died)
  expect(await plain().subjectOf(account)).toBeNull()
  expect(await plain().bySubject(account)).toBeNull()
  expect(await plain().create(other)).toEqual({ is: 'exists' })
  const leaseMs = await raw.pTTL(keys.identifier(account))
  expect(leaseMs).toBeGreaterThan(LEASE_MS - 5_000)
  expect(leaseMs).toBeLessThanOrEqual(LEASE_MS)
  // The same registration may go on where it was.
  expect(await plain().create(account)).toEqual({ is: 'created' })
  expect(await raw.pTTL(keys.identifier(account))).toBe(-1)

  const abandoned = accountFor('gone@example.com')
  await expect(dying(1).create(abandoned)).rejects.toThrow(Died)
  await raw.pExpire(keys.identifier(abandoned), 1)
  await new Promise((resolve) => setTimeout(resolve, 20))
  expect(await plain().create(accountFor('gone@example.com'))).toEqual({ is: 'created' })
})

it('stopped after the account, is made up for by whoever looks the identifier up', async () => {
  const account = accountFor('two@example.com')
  await expect(dying(2).create(account)).rejects.toThrow(Died)
  expect(await raw.pTTL(keys.identifier(account))).toBeGreaterThan(0)
  const { tag, subject } = account
  expect(await plain().subjectOf(account)).toEqual({ tag, subject })
  expect(await raw.pTTL(keys.identifier(account))).toBe(-1)
  expect(await plain().bySubject(account)).toEqual(account)
  expect(await plain().create(accountFor('two@example.com'))).toEqual({ is: 'exists' })
})

it('stopped after the account, is made up for by the same registration as well', async () => {
  const account = accountFor('again@example.com')
  await expect(dying(2).create(account)).rejects.toThrow(Died)
  expect(await plain().create(account)).toEqual({ is: 'exists' })
  expect(await raw.pTTL(keys.identifier(account))).toBe(-1)
})

it('that finds the subject taken gives the identifier back at once', async () => {
  const first = accountFor('first@example.com')
  await plain().create(first)
  const second: Account = { ...first, identifier: 'second@example.com' }
  expect(await plain().create(second)).toEqual({ is: 'exists' })
  expect(await raw.exists([keys.identifier(second)])).toBe(0)
  expect((await plain().bySubject(first))?.identifier).toBe('first@example.com')
})

it.each([2, 3])(
  'of another account between its requests: only one has the identifier (before request %i)',
  async (at) => {
    const identifier = `race${at}@example.com`
    const [slow, quick] = [accountFor(identifier), accountFor(identifier)]
    const accounts = redisAccounts({
      keys,
      clock,
      executor: watched(async (request) => {
        if (request !== at) return
        // The lease runs out while this process stands still, and somebody else registers.
        await raw.del(keys.identifier(slow))
        expect(await plain().create(quick)).toEqual({ is: 'created' })
      }),
    })
    expect(await accounts.create(slow)).toEqual({ is: 'exists' })
    expect(await plain().subjectOf({ identifier })).toEqual({ tag: quick.tag, subject: quick.subject })
    expect(await plain().bySubject(slow)).toBeNull()
  },
)

it('whose lease ran out unnoticed takes the identifier again if nobody else has', async () => {
  const account = accountFor('lapsed@example.com')
  const accounts = redisAccounts({
    keys,
    clock,
    executor: watched(async (request) => {
      if (request === 3) await raw.del(keys.identifier(account))
    }),
  })
  expect(await accounts.create(account)).toEqual({ is: 'created' })
  expect(await plain().subjectOf(account)).toMatchObject({ tag: account.tag })
  expect(await raw.pTTL(keys.identifier(account))).toBe(-1)
})

it('does not write the account when it comes back half a lease later', async () => {
  const account = accountFor('late@example.com')
  let nowMs = 0
  const accounts = redisAccounts({
    executor: watched(() => {
      nowMs += LEASE_MS
    }),
    keys,
    clock: { ...clock, monotonicMs: () => nowMs },
  })
  await expect(accounts.create(account)).rejects.toMatchObject({ code: 'ERR_STORE_TIMEOUT' })
  expect(await plain().bySubject(account)).toBeNull()
})

it('by forty processes at once has one winner', async () => {
  const rivals = Array.from({ length: 40 }, () => accountFor('rush@example.com'))
  const answers = await Promise.all(rivals.map((account) => plain().create(account)))
  const winners = rivals.filter((_account, n) => answers[n]!.is === 'created')
  expect(winners).toHaveLength(1)
  expect(await plain().subjectOf({ identifier: 'rush@example.com' })).toMatchObject({ tag: winners[0]!.tag })
  for (const account of rivals) {
    expect((await plain().bySubject(account)) !== null).toBe(account === winners[0])
  }
})

it('keeps identifiers of different tenants apart, whatever they are', async () => {
  const refs = [
    { identifier: 'a' },
    { identifier: 'a', tenant: 't' },
    { identifier: 'ta' },
    { identifier: '', tenant: 'ta' },
    { identifier: '{x}:i' },
    { identifier: 'a\u0000' },
  ]
  expect(new Set(refs.map((ref) => keys.identifier(ref))).size).toBe(refs.length)
})
