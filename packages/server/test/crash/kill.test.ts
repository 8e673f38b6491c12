// kill -9 of the real service under load over HTTP, and of its Redis: after the restart every acknowledged login, rotation
// and logout is there, and a request without an answer happened once or not at all.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { count } from '../../../../tools/test-support/counts.ts'
import type { Loss } from '../../../../tools/test-support/crash/check.ts'
import { EARLY_COMMIT } from '../../../../tools/test-support/crash/faults.ts'
import type { History } from '../../../../tools/test-support/crash/history.ts'
import { Random } from '../../../../tools/test-support/random.ts'
import { startRedis } from '../../../../tools/test-support/redis-server.ts'
import { runCommand } from '../../../../tools/test-support/server-process.ts'
import { crashUnderLoad, expectAll, lossesIn, serve } from './rounds.ts'

const TIMEOUT_MS = count(180_000, 3_600_000)

function freshFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-kill-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

test('on SQLite: a service that is killed loses nothing that it had acknowledged', {
  timeout: TIMEOUT_MS,
}, async () => {
  const flags = ['--data', freshFolder()]
  const random = new Random()
  const histories: History[] = []
  let server = await serve(flags)
  for (let kill = 0; kill < count(4, 200); kill++) {
    const history = await crashUnderLoad(() => server.stop('SIGKILL'), server.url, random)
    server = await serve(flags)
    expect(await lossesIn([history], server.url)).toEqual([])
    histories.push(history)
  }
  await expectAll(histories, server.url)
})

test('on Redis: neither the service nor the Redis that is killed loses anything', { timeout: TIMEOUT_MS }, async () => {
  const redis = await startRedis({ appendonly: true, appendfsync: 'always', policy: 'noeviction' })
  onTestFinished(() => redis.stop())
  const keys = join(freshFolder(), 'keys.json')
  expect(await runCommand(['keys', 'generate', '--out', keys])).toMatchObject({ code: 0 })
  const flags = ['--store', redis.url, '--keys', keys]
  const random = new Random()
  const histories: History[] = []
  let server = await serve(flags)
  for (let kill = 0; kill < count(3, 200); kill++) {
    const isRedis = kill % 3 === 2
    const history = await crashUnderLoad(() => (isRedis ? redis.kill() : server.stop('SIGKILL')), server.url, random)
    if (isRedis) await redis.restart()
    else server = await serve(flags)
    await untilReady(server.url)
    expect(await lossesIn([history], server.url)).toEqual([])
    histories.push(history)
  }
  await expectAll(histories, server.url)
})

/** A service that goes on connects again by itself. */
async function untilReady(url: string): Promise<void> {
  await expect.poll(async () => (await fetch(`${url}/readyz`)).status, { timeout: 30_000 }).toBe(200)
}

test('a service that answers before it commits is found out', { timeout: TIMEOUT_MS }, async () => {
  const flags = ['--data', freshFolder()]
  const random = new Random()
  const lost = new Set<Loss['verb']>()
  for (let kill = 0; kill < 30 && !(lost.has('rotation') && lost.has('revoke')); kill++) {
    const faulty = await serve(flags, EARLY_COMMIT)
    const history = await crashUnderLoad(() => faulty.stop('SIGKILL'), faulty.url, random)
    const server = await serve(flags)
    for (const { verb } of await lossesIn([history], server.url)) lost.add(verb)
    await server.stop()
  }
  expect([...lost]).toEqual(expect.arrayContaining(['rotation', 'revoke']))
})
