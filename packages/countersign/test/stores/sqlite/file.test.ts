// What the store does with its file, and with what it finds there.
import { spawnSync } from 'node:child_process'
import { chmodSync, cpSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { samples } from 'countersign/conformance'
import { type SqliteStoreOptions, sqliteStore } from 'countersign/stores/sqlite'
import { expect, onTestFinished, test } from 'vitest'
import { systemRuntime } from '../../../src/internal/runtime.ts'
import { loadDriver } from '../../../src/stores/sqlite/driver.ts'
import { migrations } from '../../../src/stores/sqlite/migrations.generated.ts'
import { prepareDatabase } from '../../../src/stores/sqlite/open-database.ts'
import { Turns } from '../../../src/stores/sqlite/turns.ts'
import { execute, freshFile, query } from './support.ts'

const { created, createRule, endedBy, endRule, live, recordOf, replaceRule, subjectRef, T } = samples

function open(file: string, options: Partial<SqliteStoreOptions> = {}) {
  const store = sqliteStore({ file, ...options })
  onTestFinished(() => store.lifecycle.close())
  return store
}
const misconfigured = (message: RegExp) => ({
  code: 'ERR_STORE_MISCONFIGURED',
  store: 'sqlite',
  message: expect.stringMatching(message),
})

test.skipIf(process.platform === 'win32')('the file and its folder are for the owner only', async () => {
  const file = freshFile()
  const before = process.umask(0)
  try {
    const store = open(file)
    await store.lifecycle.ready('fingerprint')
    await created(store, subjectRef())
    expect(statSync(dirname(file)).mode & 0o777).toBe(0o700)
    for (const suffix of ['', '-wal', '-shm']) expect(statSync(file + suffix).mode & 0o777).toBe(0o600)
    expect(store.lifecycle.health()).toEqual({ up: true, keepsAll: true, warnings: [] })
  } finally {
    process.umask(before)
  }
})

test.skipIf(process.platform === 'win32')('a file that others can read is reported', async () => {
  const file = freshFile()
  await open(file).lifecycle.ready('fingerprint')
  chmodSync(file, 0o644)
  const store = open(file)
  await store.lifecycle.ready('fingerprint')
  expect(store.lifecycle.health().warnings).toEqual([expect.stringContaining('0600')])
})

for (const [what, content] of [
  ['text', 'Dear diary,\n'.repeat(1_000)],
  ['a few bytes', 'x'],
  ['a damaged header', `SQLite format 4\0${'\0'.repeat(8_192)}`],
] as const) {
  test(`a file that is not a database is refused and left as it is (${what})`, async () => {
    const file = freshFile()
    mkdirSync(dirname(file))
    writeFileSync(file, content)
    await expect(open(file).lifecycle.ready('fingerprint')).rejects.toMatchObject(
      misconfigured(/not a SQLite database/),
    )
    expect(statSync(file).size).toBe(content.length)
  })
}

test('an empty file is taken', async () => {
  const file = freshFile()
  mkdirSync(dirname(file))
  writeFileSync(file, '', { mode: 0o600 })
  await open(file).lifecycle.ready('fingerprint')
})

test('a folder, or a place that cannot be made, is refused', async () => {
  const file = freshFile()
  mkdirSync(file, { recursive: true })
  await expect(open(file).lifecycle.ready('fingerprint')).rejects.toMatchObject(misconfigured(/not a file/))
  const below = freshFile()
  writeFileSync(dirname(below), '')
  await expect(open(below).lifecycle.ready('fingerprint')).rejects.toMatchObject(misconfigured(/cannot be made/))
})

test('the database of another application is refused and left as it is', async () => {
  for (const sql of ['CREATE TABLE sessions (id INTEGER) STRICT', 'PRAGMA application_id=7; CREATE TABLE a (b)']) {
    const file = freshFile()
    mkdirSync(dirname(file))
    await execute(file, sql)
    await expect(open(file).lifecycle.ready('fingerprint')).rejects.toMatchObject(misconfigured(/another application/))
    expect(await query(file, 'SELECT count(*) AS n FROM sqlite_schema')).toEqual([{ n: 1 }])
  }
})

test('the schema of a newer release is refused, unless that only added to it', async () => {
  const file = freshFile()
  const store = open(file)
  await store.lifecycle.ready('fingerprint')
  await store.lifecycle.close()
  await execute(file, `INSERT INTO migrations VALUES (99, 'from-the-future', 0, ${migrations.length})`)
  const older = open(file)
  await older.lifecycle.ready('fingerprint')
  await created(older, subjectRef())
  await older.lifecycle.close()
  await execute(file, 'UPDATE migrations SET readable_from = 99 WHERE id = 99')
  await expect(open(file).lifecycle.ready('fingerprint')).rejects.toMatchObject(misconfigured(/newer release/))
})

test('a file of schema 1 is brought up to date, and what is in it stays', async () => {
  const file = freshFile()
  const [first] = migrations
  const account = {
    ...subjectRef(),
    identifier: 'ada@example.com',
    version: 1,
    passwordHash: '$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA',
    passwordChangedAtMs: T,
    roles: ['user'],
    blocked: null,
    createdAtMs: T,
    unsettled: null,
  }
  mkdirSync(dirname(file), { recursive: true })
  await execute(
    file,
    `PRAGMA application_id=${0x4353474e};
     CREATE TABLE migrations (id INTEGER PRIMARY KEY, name TEXT NOT NULL, applied_at_ms INTEGER NOT NULL,
       readable_from INTEGER NOT NULL) STRICT;
     ${first.sql}
     INSERT INTO migrations VALUES (1, '${first.name}', 0, 1);
     INSERT INTO meta (id, marker) VALUES (1, 'kept');
     INSERT INTO accounts VALUES ('${account.tag}', '', '${account.identifier}', 1, '${JSON.stringify([1, account])}')`,
  )
  const store = open(file)
  await store.lifecycle.ready('fingerprint')
  expect((await store.sessions.floor()).marker).toBe('kept')
  expect(await store.accounts.bySubject(account)).toEqual(account)
  expect(await store.once.claim('scope', 'id', T + 1, T)).toBe(true)
  expect(await query(file, 'SELECT id, name FROM migrations')).toEqual([
    { id: 1, name: 'sessions-and-accounts' },
    { id: 2, name: 'once' },
  ])
})

test('a start that failed is tried again by the next call', async () => {
  const file = freshFile()
  mkdirSync(file, { recursive: true })
  const store = open(file)
  await expect(store.sessions.floor()).rejects.toMatchObject({ code: 'ERR_STORE_MISCONFIGURED' })
  expect(store.lifecycle.health().up).toBe(false)
  rmSync(file, { recursive: true })
  await store.lifecycle.ready('fingerprint')
  expect(store.lifecycle.health().up).toBe(true)
})

test('the log is on, and all writes but the weak ones wait for the disk, also after a weak one', async () => {
  const file = freshFile()
  await open(file).lifecycle.ready('fingerprint') // a second opening finds the log in the file, where the drivers differ
  const { DatabaseSync } = await loadDriver()
  const database = new DatabaseSync(file)
  const connection = await prepareDatabase(database, new Turns(systemRuntime, 2_000), systemRuntime)
  const pragmaOf = (pragma: string) => Object.values(database.prepare(`PRAGMA ${pragma}`).get() as object)[0] as unknown
  connection.statements.meta.get()
  expect([pragmaOf('journal_mode'), pragmaOf('synchronous'), pragmaOf('busy_timeout')]).toEqual(['wal', 2, 10])
  connection.write(() => undefined, true)
  expect(pragmaOf('synchronous')).toBe(1)
  connection.write(() => undefined, false)
  expect(pragmaOf('synchronous')).toBe(2)
  connection.close()
})

for (const [what, body] of [
  ['not JSON', '{'],
  ['no list', '{}'],
  ['a newer format', '[2, {}]'],
  ['a member missing', `[1, ${JSON.stringify({ ...recordOf(subjectRef()), idleAtMs: undefined, hash: '' })}]`],
  ['a hash too short', `[1, ${JSON.stringify({ ...recordOf(subjectRef()), hash: 'AAAA' })}]`],
] as const) {
  test(`a session that does not decode (${what}) is a fault, never a session, and can still be ended`, async () => {
    const file = freshFile()
    const store = open(file)
    const ref = subjectRef()
    const [one, other] = [await created(store, ref), await created(store, ref)]
    const fine = await created(store, ref)
    await execute(file, `UPDATE sessions SET body = '${body}' WHERE id IN ('${one.id}', '${other.id}')`)

    const code = what === 'a newer format' ? 'ERR_FORMAT_UNKNOWN' : 'ERR_STORE_CORRUPT'
    const unreadable = { code, store: 'sqlite' }
    const { sessions } = store
    for (const call of [
      () => sessions.read(one.id),
      () => sessions.update(one.id, { data: '1' }, 1, T),
      () => sessions.touch(one.id, { idleAtMs: T }, T),
      () => sessions.replace(one.id, recordOf(ref), replaceRule, T),
      () => sessions.create(recordOf(ref), createRule, T),
      () => sessions.list(ref, null, { limit: 9, floorMs: 0 }, T),
      () => sessions.setRoles(ref, [], T),
    ]) {
      await expect(call()).rejects.toMatchObject(unreadable)
    }
    expect(await live(store, fine.id)).toEqual(fine)
    // It is one row that is damaged: the store works.
    expect(store.lifecycle.health().up).toBe(true)

    await sessions.end(one.id, 'logout', endRule, T)
    expect(await endedBy(store, one.id)).toBe('logout')
    expect(await sessions.endSubject(ref, 'banned', {}, T)).toMatchObject({ ids: [fine.id] })
    expect((await sessions.read(other.id)).is).not.toBe('live')
    expect(await sessions.list(ref, null, { limit: 9, floorMs: 0 }, T)).toEqual({ items: [], next: null })
  })
}

test('members that this release does not know survive a write', async () => {
  const file = freshFile()
  const store = open(file)
  const { id } = await created(store, subjectRef())
  await execute(file, `UPDATE sessions SET body = json_set(body, '$[1].fromTheFuture', 7) WHERE id = '${id}'`)
  await store.sessions.update(id, { data: '"new"' }, 1, T)
  const [row] = await query(
    file,
    "SELECT body ->> '$[1].fromTheFuture' AS kept, body ->> '$[1].data' AS data FROM sessions",
  )
  expect(row).toEqual({ kept: 7, data: '"new"' })
})

test('wrong options are named', () => {
  for (const [options, message] of [
    [{}, /"file"/],
    [{ file: '' }, /"file"/],
    [{ file: 7 }, /"file"/],
    [{ file: 'a\0b' }, /"file"/],
    [{ file: ':memory:' }, /"file".*memoryStore/],
    [{ file: 'file:x.db?mode=ro' }, /"file"/],
    [{ file: 'x.db', busyDeadline: 2 }, /"busyDeadline"/],
    [{ file: 'x.db', busyDeadline: '10m' }, /"busyDeadline"/],
    [{ file: 'x.db', timeout: 5 }, /"timeout"/],
  ] as const) {
    const expected = expect.objectContaining({ code: 'ERR_CONFIG_INVALID', message: expect.stringMatching(message) })
    expect(() => sqliteStore(options as unknown as SqliteStoreOptions)).toThrow(expected)
  }
})

test('without a driver the first call says what to install', () => {
  // The built library in a folder with no node_modules above it.
  const folder = mkdtempSync(join(tmpdir(), 'countersign-nodriver-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  cpSync(fileURLToPath(new URL('../../../dist', import.meta.url)), join(folder, 'dist'), { recursive: true })
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}')
  const entry = pathToFileURL(join(folder, 'dist/stores/sqlite/index.js')).href
  const script = `
    const { sqliteStore } = await import(${JSON.stringify(entry)})
    const store = sqliteStore({ file: 'data/x.db' })
    await store.lifecycle.ready('p').then(() => console.log('opened'), (e) => console.log(e.code, e.message))`
  const { stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
    cwd: folder,
    encoding: 'utf8',
  })
  const hasOwn = process.getBuiltinModule('node:sqlite') !== undefined
  expect(stdout.trim()).toMatch(hasOwn ? /^opened$/ : /^ERR_CONFIG_INVALID .*npm install @photostructure\/sqlite/)
})
