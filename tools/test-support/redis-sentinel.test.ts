import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { command, eventually } from './redis-command.ts'
import { type RedisSentinels, startRedisSentinels } from './redis-sentinel.ts'

describe('startRedisSentinels', () => {
  let group: RedisSentinels
  beforeAll(async () => {
    const args = ['--min-replicas-to-write', '1', '--min-replicas-max-lag', '2']
    group = await startRedisSentinels({ downAfterMs: 2_000, args, sentinelPassword: 'watch' })
  }, 120_000)
  afterAll(() => group?.stop())

  it('is a primary with two replicas, and three sentinels that know it', async () => {
    expect(await group.primary()).toBe(group.nodes[0])
    expect(await command(group.nodes[0]!.url, 'SET', 'k', 'v')).toBe('OK')
    await eventually(
      'the replica has it',
      () => command(group.nodes[1]!.url, 'GET', 'k'),
      (value) => value === 'v',
    )
  })

  it('lets an isolated primary serve whoever is on its side, while the others choose a new one', async () => {
    const [old] = group.nodes
    await group.isolate(old!)
    await eventually('another primary', group.primary, (now) => now !== old)
    expect(await command(old!.url, 'GET', 'k')).toBe('v')
    await eventually(
      'no writes on the old one',
      () => command(old!.url, 'SET', 'k', 'w').catch((error: Error) => error.message),
      (answer) => String(answer).startsWith('NOREPLICAS'),
    )
    const next = await group.settle()
    expect(await command(next.url, 'SET', 'k', 'new')).toBe('OK')
    await group.heal(old!)
    await group.settle()
    expect(await command(old!.url, 'GET', 'k')).toBe('new')
  }, 120_000)

  it('changes the primary when it is asked to', async () => {
    const before = await group.primary()
    expect(await group.failover()).not.toBe(before)
  })
})
