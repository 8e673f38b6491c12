// The command, as somebody types it: what it prints, how it ends, and what it leaves.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { isLong } from '../../../tools/test-support/counts.ts'
import { startRedis } from '../../../tools/test-support/redis-server.ts'
import { PASSWORD } from '../server/seed.ts'

const ROOT = fileURLToPath(new URL('../../..', import.meta.url))

let folder: string
const started: ChildProcess[] = []
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'countersign-run-'))
})
afterEach(() => {
  for (const { pid, exitCode } of started.splice(0)) if (exitCode === null) process.kill(-pid!, 'SIGKILL')
})
afterAll(() => rmSync(folder, { recursive: true }))

async function start(args: readonly string[], env: NodeJS.ProcessEnv = {}) {
  // A group of its own, as a terminal gives it, and a folder to see what is left in.
  const child = spawn(process.execPath, ['--import', 'tsx', 'examples/microblog/main.ts', '--port', '0', ...args], {
    cwd: ROOT,
    env: { ...process.env, REDIS_URL: '', TMPDIR: folder, ...env },
    detached: true,
  })
  started.push(child)
  let output = ''
  child.stdout.on('data', (text) => (output += text))
  child.stderr.on('data', (text) => (output += text))
  const ended = once(child, 'exit')
  return {
    output: () => output,
    ended: async () => (await ended)[0] as number,
    async url(): Promise<string> {
      await vi.waitFor(() => expect(output).toContain('password of each'), { timeout: 120_000, interval: 50 })
      return /http:\S+/.exec(output)![0]
    },
    /** What Ctrl-C does: everybody in the group gets it. */
    interrupt: () => process.kill(-child.pid!, 'SIGINT'),
  }
}

const logIn = (url: string) =>
  fetch(`${url}/auth/login`, {
    method: 'POST',
    headers: { origin: url, 'content-type': 'application/json' },
    body: JSON.stringify({ identifier: 'ada', password: PASSWORD, delivery: 'bearer' }),
  })
const isRunning = (pid: number): boolean => {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

describe('npm run microblog', () => {
  test('prints where it is and who there is; Ctrl-C ends it, and its Redis, and leaves nothing', async () => {
    const run = await start(['--strategy', 'denylist'])
    const url = await run.url()
    expect(run.output()).toMatch(/strategy denylist.*\n[\s\S]*ada \(admin\), .*mo \(moderator\)/)
    expect((await logIn(url)).status).toBe(200)
    const [own] = readdirSync(folder).filter((name) => name.startsWith('countersign-redis-'))
    const pid = Number(/pid=(\d+)/.exec(readFileSync(join(folder, own!, 'redis.log'), 'utf8'))![1])
    expect(isRunning(pid)).toBe(true)
    run.interrupt()
    expect(await run.ended()).toBe(0)
    expect(isRunning(pid)).toBe(false)
    expect(readdirSync(folder).filter((name) => name.startsWith('countersign'))).toEqual([])
  })

  test('a strategy that there is not is said to be none', async () => {
    const run = await start(['--strategy', 'jwt'])
    expect(await run.ended()).toBe(2)
    expect(run.output()).toContain('opaque, stateless, denylist, allowlist')
  })

  // Two more starts.
  if (isLong)
    test('with a Redis that stays, sessions outlive the server', async () => {
      const redis = await startRedis()
      const keys = mkdtempSync(join(tmpdir(), 'countersign-keys-'))
      try {
        const args = ['--keys', join(keys, 'keys.json')]
        const first = await start(args, { REDIS_URL: redis.url })
        const { accessToken } = (await (await logIn(await first.url())).json()) as { accessToken: string }
        first.interrupt()
        expect(await first.ended()).toBe(0)
        const second = await start(args, { REDIS_URL: redis.url })
        const headers = { authorization: `Bearer ${accessToken}` }
        const posts = await fetch(`${await second.url()}/api/posts`, { headers })
        expect(((await posts.json()) as unknown[]).length).toBe(6)
        second.interrupt()
        expect(await second.ended()).toBe(0)
      } finally {
        await redis.stop()
        rmSync(keys, { recursive: true })
      }
    })
})
