import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, describe, expect, it } from 'vitest'
import { type RedisOptions, type RedisServer, startRedis } from './redis-server.ts'
import { ask } from './resp.ts'

const started: RedisServer[] = []
const start = async (options?: RedisOptions) => {
  const redis = await startRedis(options)
  started.push(redis)
  return redis
}
afterEach(async () => {
  for (const redis of started.splice(0)) await redis.stop()
})

const isAlive = (pid: number) => {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

describe('startRedis', () => {
  it('answers on a port of its own, and leaves nothing behind', async () => {
    const [a, b] = await Promise.all([start(), start()])
    expect(a.port).not.toBe(b.port)
    expect(await ask(a.port, [['SET', 'k', 'v']])).toBe('+OK\r\n')
    expect(await ask(b.port, [['GET', 'k']])).toBe('$-1\r\n')
    await a.stop()
    await a.stop()
    expect(isAlive(a.pid)).toBe(false)
    expect(existsSync(a.dir)).toBe(false)
    expect(isAlive(b.pid)).toBe(true)
  })

  it('passes its options on', async () => {
    const redis = await start({
      requirepass: 'p@ss word',
      maxmemory: '32mb',
      policy: 'noeviction',
      appendonly: true,
      appendfsync: 'always',
      args: ['--databases', '3'],
    })
    expect(decodeURIComponent(new URL(redis.url).password)).toBe('p@ss word')
    expect(await ask(redis.port, [['PING']])).toContain('NOAUTH')
    const expected = {
      maxmemory: '33554432',
      'maxmemory-policy': 'noeviction',
      appendonly: 'yes',
      appendfsync: 'always',
    }
    for (const [name, value] of Object.entries({ ...expected, databases: '3' })) {
      expect(
        await ask(redis.port, [
          ['AUTH', 'p@ss word'],
          ['CONFIG', 'GET', name],
        ]),
      ).toContain(`\r\n${value}\r\n`)
    }
  })

  it('keeps its data through kill and restart when it is told to be durable', async () => {
    const redis = await start({ appendonly: true, appendfsync: 'always' })
    await ask(redis.port, [['SET', 'k', 'v']])
    const before = redis.pid
    await redis.kill()
    await expect(ask(redis.port, [['PING']])).rejects.toThrow('ECONNREFUSED')
    await redis.restart()
    expect(redis.pid).not.toBe(before)
    expect(await ask(redis.port, [['STRLEN', 'k']])).toBe(':1\r\n')
  })

  it('leaves a folder it was given', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'countersign-given-'))
    const redis = await start({ dir })
    await redis.stop()
    expect(existsSync(dir)).toBe(true)
    rmSync(dir, { recursive: true })
  })

  it('can be frozen and still be stopped', async () => {
    const redis = await start()
    await redis.kill('SIGSTOP')
    await expect(ask(redis.port, [['PING']])).rejects.toThrow('no answer')
    await redis.stop()
    expect(isAlive(redis.pid)).toBe(false)
  })

  it('says why it did not start', async () => {
    await expect(start({ args: ['--no-such-option', 'x'] })).rejects.toThrow('ended before it answered')
  })

  it('fails clearly without redis-server', async () => {
    const path = process.env.PATH
    process.env.PATH = '/nonexistent'
    try {
      await expect(start()).rejects.toThrow('redis-server is not installed')
    } finally {
      process.env.PATH = path
    }
  })

  it.each(['SIGKILL', 'SIGTERM'] as const)('ends the server when the test process gets %s', async (signal) => {
    const module = new URL('./redis-server.ts', import.meta.url).href
    const code = `import { startRedis } from '${module}'
      const { pid, dir } = await startRedis()
      console.log(JSON.stringify({ pid, dir }))
      setInterval(() => {}, 1000)`
    const owner = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', code])
    const line = await new Promise<string>((resolve) => owner.stdout.once('data', (data) => resolve(String(data))))
    const { pid, dir } = JSON.parse(line) as { pid: number; dir: string }
    expect(isAlive(pid)).toBe(true)
    owner.kill(signal)
    for (let i = 0; i < 200 && (isAlive(pid) || existsSync(dir)); i++) await sleep(25)
    expect(isAlive(pid)).toBe(false)
    expect(existsSync(dir)).toBe(false)
  })
})
