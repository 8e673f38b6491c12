// The command line against a real SQLite file, a real Redis and a real PostgreSQL.
import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type PostgresServer, startPostgres } from '../../../tools/test-support/postgres-server.ts'
import { type RedisServer, startRedis } from '../../../tools/test-support/redis-server.ts'
import { run } from './process.ts'
import { PASSWORD } from './support.ts'

const cwd = mkdtempSync(join(tmpdir(), 'countersign-cli-'))
let redis: RedisServer
let postgres: PostgresServer
beforeAll(async () => {
  redis = await startRedis({ appendonly: true, appendfsync: 'always', dir: mkdtempSync(join(cwd, 'redis-')) })
  postgres = await startPostgres()
})
afterAll(async () => {
  await redis.stop()
  await postgres.stop()
  rmSync(cwd, { recursive: true, force: true })
})
const command = (args: string[], input?: string, env?: Record<string, string>) =>
  run(args, { cwd, ...(input !== undefined && { input }), ...(env && { env }) })

describe('keys', () => {
  test('generate makes a file for the owner only, and never overwrites one', async () => {
    const made = await command(['keys', 'generate', '--out', 'keys.json'])
    expect([made.code, made.stderr]).toEqual([0, ''])
    expect(statSync(join(cwd, 'keys.json')).mode & 0o777).toBe(0o600)
    const content = readFileSync(join(cwd, 'keys.json'), 'utf8')
    const again = await command(['keys', 'generate', '--out', 'keys.json'])
    expect([again.code, again.stderr]).toEqual([4, 'countersign: keys.json is there already; it was not touched\n'])
    expect(readFileSync(join(cwd, 'keys.json'), 'utf8')).toBe(content)
    for (const secret of content.match(/"[kd]": "[^"]+"/g)!) expect(made.stdout).not.toContain(secret.slice(6, -1))
  })

  test('list shows every key and no secret', async () => {
    const listed = await command(['keys', 'list', '--keys', 'keys.json', '--json'])
    expect(listed.code).toBe(0)
    expect(JSON.parse(listed.stdout).map((key: any) => key.use)).toEqual(['placement', 'mac', 'rotation', 'signing'])
    const file = JSON.parse(readFileSync(join(cwd, 'keys.json'), 'utf8'))
    for (const { k, d } of [file.placement, ...file.mac, ...file.rotation, ...file.signing]) {
      expect(listed.stdout).not.toContain(k ?? d)
    }
    expect((await command(['keys', 'list', '--keys', 'keys.json'])).stdout).toMatch(
      /^USE +NUMBER +ALG +STATE +CREATED +KID\n/,
    )
  })

  test('a file that others may read is refused', async () => {
    writeFileSync(join(cwd, 'open.json'), readFileSync(join(cwd, 'keys.json')))
    chmodSync(join(cwd, 'open.json'), 0o644)
    const refused = await command(['keys', 'list', '--keys', 'open.json'])
    expect([refused.code, refused.stdout]).toEqual([2, ''])
    expect(refused.stderr).toBe(
      'countersign: the keyring file open.json is open to other users of this machine: chmod 600 it (ERR_CONFIG_UNSAFE)\n',
    )
  })

  test.each([
    ['not there', undefined, /is not there\. Make it once with: countersign keys generate/],
    ['not JSON', '{"k":"canary"', /is not JSON/],
    ['of another kind', '{}', /ERR_KEY_UNUSABLE/],
  ])('a file that is %s', async (_what, content, expected) => {
    const path = join(cwd, 'bad.json')
    rmSync(path, { force: true })
    if (content !== undefined) writeFileSync(path, content, { mode: 0o600 })
    const { code, stderr } = await command(['keys', 'list', '--keys', 'bad.json'])
    expect(code).toBe(2)
    expect(stderr).toMatch(expected)
    expect(stderr.trim().split('\n')).toHaveLength(1)
    expect(stderr).not.toContain('canary')
  })
})

describe.each(['sqlite', 'redis', 'postgres'] as const)('users and sessions on %s', (store) => {
  const url = () => (store === 'redis' ? redis.url : postgres.url)
  const where = () => (store === 'sqlite' ? [] : ['--store', url(), '--keys', 'keys.json'])
  const json = async (args: string[], input?: string) => {
    const done = await command([...args, ...where(), '--json'], input)
    return { ...done, value: done.stdout ? JSON.parse(done.stdout) : undefined }
  }

  test('add, show, role, ban, unban', async () => {
    const added = await json(
      ['users', 'add', 'Alice@example.com', '--role', 'user', '--role', 'admin'],
      `${PASSWORD}\n`,
    )
    expect([added.code, added.stderr]).toEqual([0, ''])
    expect(added.value).toMatchObject({ identifier: 'alice@example.com', roles: ['user', 'admin'], blocked: null })
    expect(added.stdout + added.stderr).not.toContain(PASSWORD)

    const twice = await json(['users', 'add', 'alice@example.com'], PASSWORD)
    expect([twice.code, twice.stderr]).toEqual([
      4,
      'countersign: Somebody has this identifier already (identifier_taken)\n',
    ])
    expect((await json(['users', 'add', 'bob@example.com'], 'short')).code).toBe(4)
    expect((await json(['users', 'add', 'bob@example.com'], '')).stderr).toBe('countersign: no password was given\n')
    expect((await json(['users', 'add', 'bob@example.com', '--role', 'root'], PASSWORD)).code).toBe(2)

    expect((await json(['users', 'role', 'alice@example.com', 'moderator'])).value).toEqual({
      roles: ['moderator'],
      changed: 0,
    })
    expect((await json(['users', 'show', 'ALICE@example.com'])).value.roles).toEqual(['moderator'])
    expect((await json(['users', 'role', 'alice@example.com'])).value.roles).toEqual([])

    const banned = await json(['users', 'ban', 'alice@example.com', '--reason', 'spam'])
    expect([banned.code, banned.value]).toEqual([
      0,
      { ended: 0, effectiveAt: expect.any(String), durability: 'fsynced' },
    ])
    expect((await json(['users', 'show', 'alice@example.com'])).value.blocked).toBe('spam')
    expect((await json(['users', 'unban', 'alice@example.com'])).value.blocked).toBeNull()
    expect((await json(['users', 'show', 'nobody@example.com'])).code).toBe(3)
    expect((await json(['users', 'ban', 'nobody@example.com'])).code).toBe(3)
  })

  test('sessions', async () => {
    expect((await json(['sessions', 'list', 'alice@example.com'])).value).toEqual({ items: [] })
    expect((await json(['sessions', 'list', 'nobody@example.com'])).code).toBe(3)
    expect((await json(['sessions', 'revoke', 'A'.repeat(34)])).code).toBe(3)
    expect((await json(['sessions', 'revoke', 'x'])).code).toBe(2)
    expect((await json(['sessions', 'revoke'])).code).toBe(2)
    expect((await json(['sessions', 'revoke', 'A'.repeat(34), '--everyone'])).code).toBe(2)
    expect((await json(['sessions', 'revoke', '--user', 'alice@example.com'])).value.ended).toBe(0)
    expect((await json(['sessions', 'revoke', '--everyone'])).code).toBe(0)
  })
})

test.each([
  ['Redis', () => startRedis()],
  ['PostgreSQL', () => startPostgres({ settings: { fsync: 'off' } })],
])('what a crash of %s could undo is said, and exits with 5', async (_name, start) => {
  const forgetful = await start()
  const where = ['--store', forgetful.url, '--keys', 'keys.json']
  await command(['users', 'add', 'alice@example.com', ...where], PASSWORD)
  const done = await command(['users', 'ban', 'alice@example.com', ...where])
  expect(done.code).toBe(5)
  expect(done.stdout).toContain('durability local')
  expect(done.stderr).toBe(
    'countersign: durability local: a crash of the store within the next moments could undo this\n',
  )
  await forgetful.stop()
})

describe('on SQLite', () => {
  test('the first command makes folder, keys and file for the owner only', () => {
    const folder = join(cwd, 'countersign-data')
    expect(statSync(folder).mode & 0o777).toBe(0o700)
    for (const name of ['keys.json', 'countersign.db']) expect(statSync(join(folder, name)).mode & 0o777).toBe(0o600)
  })

  test('two first starts at once agree on one keyring', async () => {
    const starts = Array.from({ length: 4 }, (_, i) =>
      command(['users', 'add', `u${i}@example.com`, '--data', 'race'], PASSWORD),
    )
    expect((await Promise.all(starts)).map(({ code, stderr }) => [code, stderr])).toEqual(Array(4).fill([0, '']))
    expect(
      JSON.parse((await command(['users', 'show', 'u0@example.com', '--data', 'race', '--json'])).stdout).identifier,
    ).toBe('u0@example.com')
  })

  test('another keyring is refused: no session would be found again', async () => {
    const { code, stderr } = await command(['users', 'show', 'alice@example.com', '--keys', 'keys.json'])
    expect(code).toBe(1)
    expect(stderr).toMatch(/^countersign: .*\(ERR_STORE_MISCONFIGURED\)\n$/)
  })

  test('a file that is no database is one clear line', async () => {
    writeFileSync(join(cwd, 'text.db'), 'this is not a database, it only has the name of one '.repeat(100))
    const { code, stderr } = await command(['users', 'show', 'x', '--store', `sqlite:${join(cwd, 'text.db')}`])
    expect(code).toBe(1)
    expect(stderr.trim().split('\n')).toHaveLength(1)
  })
})

describe('usage', () => {
  test('a wrong command line exits with 2 and a configuration names every problem', async () => {
    expect((await command(['nonsense'])).code).toBe(2)
    expect((await command(['serve', '--nonsense'])).code).toBe(2)
    expect((await command(['users', 'add'])).code).toBe(2)
    const { code, stderr } = await command(['serve', '--port', 'x', '--idle', '5', '--store', 'redis://127.0.0.1:1'])
    expect(code).toBe(2)
    expect(stderr.split('\n').filter((line) => line.startsWith('countersign: '))).toHaveLength(3)
    expect(stderr).toContain('countersign keys generate --out keys.json')
    expect(stderr).not.toMatch(/\n\s+at /)
  })

  test('help has examples and says the exit codes', async () => {
    for (const args of [
      ['--help'],
      ['serve', '--help'],
      ['users', 'add', '--help'],
      ['sessions', 'revoke', '--help'],
    ]) {
      const { code, stdout } = await command(args)
      expect(code).toBe(0)
      expect(stdout).toMatch(/Example/)
    }
    expect((await command(['--help'])).stdout).toContain('Exit codes: 0 done, 1 failed, 2 wrong command line')
  })

  test('config and serve --print-config show the same, without secrets', async () => {
    const args = ['--store', 'redis://:canary@127.0.0.1:1', '--keys', 'keys.json']
    const config = await command(['config', ...args])
    const printed = await command(['serve', '--print-config', ...args])
    expect([config.code, printed.stdout]).toEqual([0, config.stdout])
    expect(config.stdout).not.toContain('canary')
    expect(JSON.parse((await command(['config', '--json', ...args])).stdout)).toMatchObject({
      store: 'redis://***@127.0.0.1:1',
      port: 8080,
    })
  })

  test('the environment and a file count', async () => {
    writeFileSync(join(cwd, 'settings.json'), JSON.stringify({ idle: '15m', port: 1 }))
    const env = { COUNTERSIGN_CONFIG: 'settings.json', COUNTERSIGN_PORT: '2' }
    const { stdout } = await command(['config', '--json', '--grace', '5s'], undefined, env)
    expect(JSON.parse(stdout)).toMatchObject({ idle: '15m', port: 2, grace: '5s' })
  })

  test.each(['redis://:canary@127.0.0.1:1', 'postgres://canary:canary@127.0.0.1:1/canary'])(
    'a store that is not there is a fault, in one line and without waiting for ever: %s',
    async (location) => {
      const { code, stderr } = await command(['users', 'show', 'x', '--store', location, '--keys', 'keys.json'])
      expect(code).toBe(1)
      expect(stderr).toMatch(/^countersign: .*\(ERR_STORE_(UNAVAILABLE|TIMEOUT)\)\n$/)
      expect(stderr).not.toContain('canary')
    },
  )

  test('of the warnings of Node only the one about its SQLite is kept from the log', async () => {
    const code = `import { dropSqliteWarning } from ${JSON.stringify(new URL('../dist/cli/warnings.js', import.meta.url))}
      dropSqliteWarning()
      process.emitWarning('SQLite is an experimental feature', 'ExperimentalWarning')
      process.emitWarning('something else is, too', 'ExperimentalWarning')`
    const { stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', code], { encoding: 'utf8' })
    expect(stderr.match(/Warning: .*/g)).toEqual(['Warning: something else is, too'])
  })

  test('memory cannot be administered from outside', async () => {
    expect((await command(['users', 'show', 'x', '--store', 'memory'])).code).toBe(2)
    expect(existsSync(join(cwd, 'keys.json.new'))).toBe(false)
  })

  test('lab hands over to the lab of the clone, with its options and its exit code', async () => {
    const { code, stderr } = await command(['lab', '--only', 'nothing-such'])
    expect([code, stderr]).toEqual([2, expect.stringContaining('"--only" names nothing-such')])
  })
})
