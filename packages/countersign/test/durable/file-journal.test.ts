/** A journal in a file outlives its process: what it held is done again, and what waited goes on, at the next start. */
import { fork } from 'node:child_process'
import { appendFileSync, existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { fileJournal } from 'countersign'
import { memoryStore } from 'countersign/stores/memory'
import { redisStore } from 'countersign/stores/redis'
import { createClient } from 'redis'
import { afterEach, describe, expect, test } from 'vitest'
import { startReplicated } from '../../../../tools/test-support/redis-replicas.ts'
import { startRedis } from '../../../../tools/test-support/redis-server.ts'
import { cleanUpAll, keyringFile, later, onRedis, openSessions, scratchFolder, until, verdict } from './kit.ts'

afterEach(cleanUpAll)

const fileIn = (folder: string) => join(folder, 'journal', 'revocations.jsonl')

async function startChild(url: string, file: string) {
  const child = fork(fileURLToPath(new URL('./child.ts', import.meta.url)), {
    execArgv: ['--import', 'tsx'],
    env: { ...process.env, JOURNAL_CHILD: JSON.stringify({ url, file, keyring: keyringFile }) },
  })
  later(() => child.kill('SIGKILL'))
  const next = () =>
    new Promise<unknown>((resolve, reject) => {
      child.once('message', resolve)
      child.once('exit', (code) => reject(new Error(`the child ended with ${code}`)))
    })
  await next()
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  return {
    ask(call: 'revoke' | 'ban' | 'demote', argument: string) {
      child.send({ call, argument })
      return next()
    },
    async kill() {
      child.kill('SIGKILL')
      await ended
    },
  }
}

test('kill -9 of the process, then a failover: the next process with the file does it again', async () => {
  const redis = await startReplicated(1)
  later(() => redis.stop())
  const file = fileIn(scratchFolder())
  const before = await onRedis(redis.url)
  const [a, b] = [await before.login('a'), await before.login('b')]
  const c = await before.login('c', ['user', 'admin'])
  await redis.inSync()
  redis.replicas[0]!.link.pause()
  const child = await startChild(redis.url, file)
  expect(await child.ask('revoke', a.id)).toMatchObject({ ended: 1, durability: 'local' })
  expect(await child.ask('ban', 'b')).toMatchObject({ ended: 1, durability: 'local' })
  expect(await child.ask('demote', 'c')).toMatchObject({ ended: 1, durability: 'local' })
  await child.kill()
  await before.sessions.close()
  await redis.primary.kill()
  await redis.promote(redis.replicas[0]!)

  const after = openSessions(redisStore({ url: redis.url }), { journal: fileJournal({ file }) })
  await after.sessions.ready()
  // Before the first request is served.
  expect(after.seen('journal_reapplied')).toEqual([expect.objectContaining({ subjects: 3, lost: 3, ended: 2 })])
  expect(await verdict(after.sessions, a.accessToken)).toBe('ended by logout')
  expect(await verdict(after.sessions, b.accessToken)).toBe('ended by banned')
  expect(await after.sessions.issue({ subject: 'b', data: { n: 0 } })).toMatchObject({ reason: 'blocked' })
  expect(await after.sessions.verify(c.accessToken)).toMatchObject({ ok: true, session: { roles: ['user'] } })
  await after.sessions.close()

  // And once: the primary is the one that was told.
  const again = openSessions(redisStore({ url: redis.url }), { journal: fileJournal({ file }) })
  await again.sessions.ready()
  expect(again.seen('journal_reapplied')).toEqual([])
})

test('kill -9 of the process with revocations that wait: the next one refuses at once, and goes on', async () => {
  const server = await startRedis()
  later(() => server.stop())
  const raw = await createClient({ url: server.url }).connect()
  later(() => raw.destroy())
  const file = fileIn(scratchFolder())
  const before = await onRedis(server.url)
  const [a, b] = [await before.login('a'), await before.login('b')]
  const child = await startChild(server.url, file)
  await raw.configSet('min-replicas-to-write', '1')
  const queued = { ended: 0, effectiveAtMs: null, durability: 'queued' }
  expect(await child.ask('revoke', a.id)).toEqual(queued)
  expect(await child.ask('ban', 'b')).toEqual(queued)
  await child.kill()
  await raw.configSet('min-replicas-to-write', '0')

  const after = openSessions(redisStore({ url: server.url }), { journal: fileJournal({ file }) })
  await after.sessions.ready()
  expect(await verdict(after.sessions, a.accessToken)).toBe('ended by logout')
  expect(await verdict(after.sessions, b.accessToken)).toBe('ended by banned')
  await until(() => after.seen('revocation_done').length === 2)
  expect(await verdict(before.sessions, a.accessToken)).toBe('ended by logout')
  await after.sessions.close()
  const again = openSessions(redisStore({ url: server.url }), { journal: fileJournal({ file }) })
  await again.sessions.ready()
  expect(again.sessions.health()).toMatchObject({ queued: 0 })
})

test('closing with revocations that wait leaves them to the next start', async () => {
  const server = await startRedis()
  later(() => server.stop())
  const file = fileIn(scratchFolder())
  const { sessions, login, seen } = await onRedis(server.url, {}, { journal: fileJournal({ file }) })
  const { id } = await login('u')
  await server.kill()
  expect(await sessions.revoke(id, { reason: 'logout' })).toMatchObject({ durability: 'queued' })
  await sessions.close()
  expect(seen('revocations_left')).toEqual([expect.objectContaining({ waiting: 1, kept: true })])
  expect(existsSync(`${file}.lock`)).toBe(false)
  expect(readFileSync(file, 'utf8')).toContain('"queued":1')
})

test('the file is its owner’s, and holds no secret', async () => {
  const server = await startRedis()
  later(() => server.stop())
  const file = fileIn(scratchFolder())
  const { sessions, login } = await onRedis(server.url, {}, { journal: fileJournal({ file }) })
  const { id, accessToken, refreshToken } = await login('ada@example.com')
  await sessions.revoke(id, { reason: 'logout', context: { ip: '192.0.2.77', userAgent: 'canary' } })
  await sessions.revokeAll('ada@example.com', { reason: 'banned', block: true })
  await server.kill()
  await sessions.revokeAll('ada@example.com', { reason: 'banned', context: { ip: '192.0.2.77' } })
  const text = readFileSync(file, 'utf8')
  expect(text.trimEnd().split('\n').length).toBeGreaterThanOrEqual(3)
  for (const secret of [accessToken, refreshToken, ...accessToken.split('.'), refreshToken.slice(4, 60)]) {
    expect(text).not.toContain(secret)
  }
  expect(text).not.toMatch(/192\.0\.2\.77|canary/)
  expect(statSync(file).mode & 0o777).toBe(0o600)
})

describe('fileJournal', () => {
  const open = (file = fileIn(scratchFolder())) => {
    const journal = fileJournal({ file })
    later(() => journal.close())
    return { file, journal }
  }

  test('gives back what was appended, in order', async () => {
    const { file, journal } = open()
    expect(await journal.open()).toEqual([])
    await Promise.all(Array.from({ length: 200 }, (_, n) => journal.append([`{"n":${n}}`])))
    await journal.append([])
    await journal.close()
    const again = open(file)
    expect(await again.journal.open()).toEqual(Array.from({ length: 200 }, (_, n) => `{"n":${n}}`))
  })

  test('a line that was cut off by a crash is dropped, and harms no other', async () => {
    const { file, journal } = open()
    await journal.open()
    await journal.append(['{"n":1}'])
    await journal.close()
    appendFileSync(file, '{"n":2')
    const again = open(file)
    expect(await again.journal.open()).toEqual(['{"n":1}'])
    await again.journal.append(['{"n":3}'])
    expect(readFileSync(file, 'utf8')).toBe('{"n":1}\n{"n":3}\n')
  })

  test('replaces all of it, or nothing', async () => {
    const { file, journal } = open()
    await journal.open()
    await journal.append(['{"n":1}', '{"n":2}'])
    const replaced = journal.replace(['{"n":2}'])
    const appended = journal.append(['{"n":3}'])
    await Promise.all([replaced, appended])
    expect(readFileSync(file, 'utf8')).toBe('{"n":2}\n{"n":3}\n')
    expect(existsSync(`${file}.new`)).toBe(false)
  })

  test('belongs to one process at a time; what a killed one left is taken over', async () => {
    const { file, journal } = open()
    await journal.open()
    await expect(open(file).journal.open()).rejects.toMatchObject({ code: 'ERR_CONFIG_INVALID' })
    await journal.close()
    // The parent of this process is alive.
    writeFileSync(`${file}.lock`, String(process.ppid))
    await expect(open(file).journal.open()).rejects.toMatchObject({
      code: 'ERR_CONFIG_INVALID',
      message: expect.stringContaining(String(process.ppid)),
    })
    // No process has this number: it is above what Linux gives out.
    writeFileSync(`${file}.lock`, '4194305')
    await open(file).journal.open()
    expect(readFileSync(`${file}.lock`, 'utf8')).toBe(String(process.pid))
  })

  test('refuses options that are none', () => {
    expect(() => fileJournal({ file: '' })).toThrow(expect.objectContaining({ code: 'ERR_CONFIG_INVALID' }))
    expect(() => fileJournal({ file: 'x', path: 'y' } as never)).toThrow(/"path"/)
    expect(() => openSessions(memoryStore(), { journal: {} as never })).toThrow(/"journal"/)
  })

  test('one that cannot be written is told, and what it lacks is written when it can be again', async () => {
    const server = await startRedis()
    later(() => server.stop())
    const folder = scratchFolder()
    const real = fileJournal({ file: join(folder, 'j') })
    let isFull = false
    const journal = {
      ...real,
      append: async (lines: readonly string[]) => {
        if (isFull) throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' })
        return real.append(lines)
      },
    }
    const { sessions, login, seen } = await onRedis(server.url, {}, { journal })
    const [a, b, c] = [await login('a'), await login('b'), await login('c')]
    isFull = true
    expect(await sessions.revoke(a.id, { reason: 'logout' })).toMatchObject({ ended: 1, durability: 'local' })
    expect(seen('journal_failed')).toEqual([expect.objectContaining({ code: 'ENOSPC' })])
    expect(sessions.health().warnings).toContainEqual(expect.stringMatching(/^the journal cannot be written/))
    isFull = false
    await sessions.revoke(b.id, { reason: 'logout' })
    await sessions.revoke(c.id, { reason: 'logout' })
    expect(sessions.health().warnings.filter((warning) => warning.includes('journal'))).toEqual([])
    const text = readFileSync(join(folder, 'j'), 'utf8')
    for (const { id } of [a, b, c]) expect(text).toContain(id)
  })

  test('stays short, however much is revoked', async () => {
    const server = await startRedis()
    later(() => server.stop())
    const file = fileIn(scratchFolder())
    const { sessions } = await onRedis(server.url, {}, { journal: fileJournal({ file }) })
    for (let n = 0; n < 40; n++) {
      await Promise.all(Array.from({ length: 100 }, (_, k) => sessions.setRoles(`u${k}`, [])))
    }
    // 4 000 calls about 100 subjects.
    expect(readFileSync(file, 'utf8').trimEnd().split('\n').length).toBeLessThan(1_500)
  })
})
