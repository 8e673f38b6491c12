import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type RedisCluster, startRedisCluster } from './redis-cluster.ts'
import { command, eventually } from './redis-command.ts'

describe('startRedisCluster', () => {
  let cluster: RedisCluster
  beforeAll(async () => {
    cluster = await startRedisCluster({ nodeTimeoutMs: 2_000 })
  }, 120_000)
  afterAll(() => cluster?.stop())

  it('is three primaries with a replica each, and every slot has one owner', async () => {
    expect(cluster.nodes).toHaveLength(6)
    for (const slot of [0, 5_461, 5_462, 16_383]) await cluster.ownerOf(slot)
    for (const primary of cluster.nodes.slice(0, 3)) expect(await cluster.replicasOf(primary)).toHaveLength(1)
    expect(await cluster.slotOf('{user1000}.following')).toBe(await cluster.slotOf('{user1000}.followers'))
  })

  it('moves a slot, key by key', async () => {
    const slot = await cluster.slotOf('{moving}a')
    const from = await cluster.ownerOf(slot)
    const to = cluster.nodes.slice(0, 3).find((node) => node !== from)!
    for (const key of ['{moving}a', '{moving}b']) await command(from.url, 'SET', key, key)
    const move = await cluster.beginMove(slot, to)
    expect(await move.keys(1)).toBe(1)
    await expect(command(from.url, 'DEL', '{moving}a', '{moving}b')).rejects.toThrow('TRYAGAIN')
    await move.finish()
    expect(await cluster.ownerOf(slot)).toBe(to)
    expect(await command(to.url, 'GET', '{moving}a')).toBe('{moving}a')
    await expect(command(from.url, 'GET', '{moving}a')).rejects.toThrow('MOVED')
    await cluster.settle()
  })

  it('replaces a primary that is asked to leave, and one that is killed', { timeout: 120_000 }, async () => {
    const primary = await cluster.ownerOf(0)
    const [replica] = await cluster.replicasOf(primary)
    await cluster.failover(replica!)
    await cluster.settle()
    expect(await cluster.ownerOf(0)).toBe(replica)
    await replica!.kill()
    await eventually(
      'the first one is back',
      () => cluster.ownerOf(0, primary),
      (owner) => owner === primary,
    )
    await cluster.settle()
    await replica!.restart()
    await cluster.settle()
    expect(await cluster.replicasOf(primary)).toEqual([replica])
  })
})

it('can be a single node without replicas', async () => {
  const cluster = await startRedisCluster({ primaries: 1, replicas: 0, requirepass: 'p@ss' })
  try {
    expect(await command(cluster.urls[0]!, 'SET', 'k', 'v')).toBe('OK')
  } finally {
    await cluster.stop()
  }
  expect(cluster.nodes[0]!.isRunning).toBe(false)
})
