import { allowlist, createSessions, generateKeyring, loadKeyring } from 'countersign'
import { redisStore } from 'countersign/stores/redis'
import { describe, expect, test } from 'vitest'
import { codeBlocks, codesOf, tableBelow } from '../../../../tools/docs/markdown.ts'
import { startRedis } from '../../../../tools/test-support/redis-server.ts'
import { ask } from '../../../../tools/test-support/resp.ts'
import { checkServer } from '../../src/stores/redis/server-check.ts'
import { readRepositoryFile } from './source-types.ts'

const page = readRepositoryFile('docs/operations.md')
const block = (start: string) =>
  codeBlocks(page)
    .blocks.find(({ code }) => code.startsWith(start))!
    .code.trim()

describe('docs/operations.md', () => {
  const bad = new Map([
    ['maxmemory-policy', 'allkeys-lru'],
    ['appendonly', 'no'],
    ['min-replicas-to-write', '0'],
  ])
  const everysec = new Map([
    ['maxmemory-policy', 'noeviction'],
    ['appendonly', 'yes'],
    ['appendfsync', 'everysec'],
  ])
  const info = new Map([
    ['redis_version', '7.2.0'],
    ['connected_slaves', '1'],
  ])

  test('has a row for everything that the start check warns of', () => {
    const rows = tableBelow(page, 'Redis').map(([setting]) => codesOf(setting!)[0]?.split(' ')[0] ?? 'patch')
    const warnings = [bad, everysec].flatMap((config) => checkServer({ info, config }).warnings)
    const warned = warnings.map((warning) => rows.find((row) => warning.startsWith(row)) ?? 'patch')
    expect(new Set(warned)).toEqual(new Set(rows))
    expect(warnings.filter((warning) => warning.includes('CVE')).length).toBeGreaterThan(0)
  })

  test('recommends settings that leave no warning, and that count as fsynced', () => {
    const config = new Map(
      block('appendonly')
        .split('\n')
        .map((line) => line.split(' ') as [string, string]),
    )
    const newest = new Map([['redis_version', '8.4.0']])
    expect(checkServer({ info: newest, config })).toMatchObject({
      warnings: [],
      advice: [],
      durability: 'fsynced',
      keepsAll: true,
      staleForMs: 0,
    })
  })

  test.each([
    ['Redis Cluster', 'cluster', 'cluster-node-timeout', { 'cluster-node-timeout': '60000' }],
    ['Redis Sentinel', 'sentinel', 'min-replicas-to-write 1\nmin-replicas-max-lag 3', { 'min-replicas-max-lag': '0' }],
  ] as const)('says the same of a %s', (heading, deployment, start, worse) => {
    const settings = (text: string) => text.split('\n').map((line) => line.split(' ') as [string, string])
    const good = new Map([...settings(block('appendonly')), ...settings(block(start))])
    const newest = new Map([
      ['redis_version', '8.4.0'],
      ['connected_slaves', '1'],
    ])
    const { warnings, staleForMs } = checkServer({ info: newest, config: good }, deployment)
    expect(warnings).toEqual([])
    expect(staleForMs).toBe(deployment === 'cluster' ? 6_000 : 5_000)

    const bad = new Map([...good, ['min-replicas-to-write', '0'], ...Object.entries(worse)])
    const rows = tableBelow(page, heading).map(([setting]) => codesOf(setting!)[0]?.split(' ')[0] ?? 'replica')
    for (const info of [new Map([...newest, ['connected_slaves', '0']]), newest]) {
      for (const warning of checkServer({ info, config: bad }, deployment).warnings)
        expect(
          rows.some((row) => warning.startsWith(row) || warning.includes(row)),
          warning,
        ).toBe(true)
    }
  })

  test('grants a user everything that the store needs, and nothing beside it', async () => {
    const redis = await startRedis()
    const acl = block('ACL').split(' ')
    const password = acl.find((word) => word.startsWith('>'))!.slice(1)
    expect(await ask(redis.port, [acl])).toBe('+OK\r\n')
    const store = redisStore({ url: redis.url.replace('redis://', `redis://countersign:${password}@`) })
    const strategy = allowlist({ issuer: 'https://a', audience: 'https://b', reuse: 'strict' })
    const keyring = await loadKeyring(generateKeyring())
    const sessions = createSessions({ strategy, keyring, store, timeouts: 'aal2' })
    await sessions.ready()
    expect(sessions.health().warnings.filter((warning) => warning.includes('CONFIG'))).toEqual([])
    const issued = await sessions.issue({ subject: 'u' })
    if (!issued.ok) throw new Error(issued.reason)
    const next = await sessions.refresh(issued.refreshToken)
    expect(next).toMatchObject({ ok: true, rotation: 'rotated' })
    if (!next.ok) throw new Error(next.reason)
    // With the near cache, whose connection opens beside the first check.
    const isKept = async () => (await sessions.verify(next.accessToken)) && sessions.verifyNow(next.accessToken)?.ok
    await expect.poll(isKept, { timeout: 20_000 }).toBe(true)
    expect((await sessions.setRoles('u', ['r'])).ended).toBe(1)
    const up = await sessions.stepUp(issued.session.sessionId, { acr: 'aal2', amr: ['otp'] })
    if (!up.ok) throw new Error(up.reason)
    const listed = []
    for await (const session of sessions.list('u')) listed.push(session.sessionId)
    expect(listed).toEqual([up.session.sessionId])
    expect((await sessions.revoke(up.session.sessionId, { reason: 'logout' })).ended).toBe(1)
    await sessions.revokeAll('u', { reason: 'admin', block: true })
    await sessions.revokeEveryone({ reason: 'admin' })
    await sessions.close()

    const replies = await ask(redis.port, [
      ['AUTH', 'countersign', password],
      ['GET', 'other'],
      ['FLUSHALL'],
      ['KEYS', '*'],
      ['CONFIG', 'SET', 'maxmemory', '1'],
    ])
    const [hello, ...refused] = replies.trimEnd().split('\r\n')
    expect(hello).toBe('+OK')
    expect(refused.map((reply) => reply.split(' ')[0])).toEqual(['-NOPERM', '-NOPERM', '-NOPERM', '-NOPERM'])
    await redis.stop()
  })
})
