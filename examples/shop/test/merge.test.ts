// A cart of three into a cart of two, under parallel logins and with a crash at each step: exactly once, nothing lost.
import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { count } from '../../../tools/test-support/counts.ts'
import { type RedisCluster, startRedisCluster } from '../../../tools/test-support/redis-cluster.ts'
import { createCarts, type Items } from '../data/carts.ts'
import { openCluster, type ShopCluster } from '../data/cluster.ts'
import { type MergeStep, mergeGuest } from '../data/merge.ts'

const STEPS: readonly MergeStep[] = ['before', 'marked', 'applied', 'buried']
const ROUNDS = count(20, 500)
const THREE: Items = { kettle: 1, lamp: 2, mug: 1 }
const TWO: Items = { mug: 2, tea: 1 }
const TOGETHER: Items = { kettle: 1, lamp: 2, mug: 3, tea: 1 }

describe('the cart of a guest', () => {
  let cluster: RedisCluster
  /** As two processes would have them. */
  let clients: readonly [ShopCluster, ShopCluster]
  beforeAll(async () => {
    cluster = await startRedisCluster()
    clients = [openCluster(cluster.urls), openCluster(cluster.urls)]
  })
  afterAll(async () => {
    for (const client of clients ?? []) client.close()
    await cluster?.stop()
  })

  async function prepared() {
    const [guest, subject] = [`guest:${randomUUID()}`, `user-${randomUUID()}`]
    const carts = createCarts(clients[0])
    const fill = async (owner: string, items: Items) => {
      for (const [article, quantity] of Object.entries(items))
        await carts.change(owner, article, quantity, randomUUID())
    }
    await Promise.all([fill(guest, THREE), fill(subject, TWO)])
    return { guest, subject, carts }
  }
  const logins = (guest: string, subject: string, count: number) =>
    Promise.all(Array.from({ length: count }, (_, i) => mergeGuest(clients[i % 2]!, guest, subject)))
  /** Breaks off at a step. */
  const crash = (guest: string, subject: string, step: MergeStep) =>
    mergeGuest(clients[1], guest, subject, (at) => {
      if (at === step) throw new Error(`crash: ${step}`)
    })

  it.each(STEPS)('is merged once by parallel logins, one of which breaks off at "%s"', async (step) => {
    for (let round = 0; round < ROUNDS; round++) {
      const { guest, subject, carts } = await prepared()
      const broken = expect(crash(guest, subject, step)).rejects.toThrow('crash')
      // In every other round the crash comes first, so that the others find what it left.
      if (round % 2 === 0) await broken
      const moved = await logins(guest, subject, 4)
      await broken
      expect(await carts.read(subject)).toEqual(TOGETHER)
      // Whoever added it says so; the one that broke off may have been it.
      expect(moved.filter((count) => count === 3).length).toBeLessThanOrEqual(1)
      expect(await carts.read(guest)).toEqual({})
      expect((await carts.change(guest, 'tea', 1, randomUUID())).value).toBe('moved')
      await logins(guest, subject, 2)
      expect(await carts.read(subject)).toEqual(TOGETHER)
    }
  })

  it('is merged once although the process of a login is killed, at each step', async () => {
    const child = fileURLToPath(new URL('merge-child.ts', import.meta.url))
    await Promise.all(
      STEPS.map(async (step) => {
        const { guest, subject, carts } = await prepared()
        const login = spawn(
          process.execPath,
          ['--import', 'tsx', child, cluster.urls.join(','), guest, subject, step],
          { stdio: 'ignore' },
        )
        expect((await once(login, 'exit'))[1]).toBe('SIGKILL')
        expect(await carts.read(subject)).toEqual(step === 'applied' || step === 'buried' ? TOGETHER : TWO)
        await logins(guest, subject, 2)
        expect(await carts.read(subject)).toEqual(TOGETHER)
      }),
    )
  })

  it('loses nothing that was put into it while it is merged', async () => {
    for (let round = 0; round < ROUNDS; round++) {
      const { guest, subject, carts } = await prepared()
      const adds = Array.from({ length: 12 }, () => carts.change(guest, 'rope', 1, randomUUID()))
      await Promise.all([logins(guest, subject, 3), ...adds])
      const done = (await Promise.all(adds)).filter(({ value }) => value === 'done').length
      expect(await carts.read(subject)).toEqual({ ...TOGETHER, ...(done > 0 && { rope: done }) })
    }
  })

  it('goes to one account when two log in with it', async () => {
    for (let round = 0; round < ROUNDS; round++) {
      const { guest, subject, carts } = await prepared()
      const other = `user-${randomUUID()}`
      await Promise.all([logins(guest, subject, 2), logins(guest, other, 2)])
      const [one, two] = [await carts.read(subject), await carts.read(other)]
      expect([TWO, TOGETHER]).toContainEqual(one)
      expect(two).toEqual(one.kettle ? {} : THREE)
    }
  })

  it('a change that is repeated happens once, and those of two devices both land', async () => {
    const { subject, carts } = await prepared()
    const operation = randomUUID()
    const answers = await Promise.all([1, 2, 3].map(() => carts.change(subject, 'rope', 1, operation)))
    expect(answers.map(({ value }) => value).sort()).toEqual(['done', 'repeated', 'repeated'])
    const phone = createCarts(clients[1])
    await Promise.all(
      Array.from({ length: 20 }, (_, i) => (i % 2 ? carts : phone).change(subject, 'rope', 1, randomUUID())),
    )
    expect((await carts.read(subject)).rope).toBe(21)
  })
})
