import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { asTemplate, buildScripts, renderScripts } from './generate/lua.ts'
import { buildMigrations, renderMigrations } from './generate/sql.ts'

const good = `--[[ touch-session - notes that a session was used.
  KEYS[1] record
  ARGV[1] now, epoch ms
  Returns 1 touched, 0 unknown
]]
-- a comment of its own
  return redis.call('SET', KEYS[1], ARGV[1]) -- and one behind
`
/** What is left of it for Redis. */
const code = "return redis.call('SET', KEYS[1], ARGV[1])\n"
const build = (files: Record<string, string>) => buildScripts(new Map(Object.entries(files)))

describe('scripts', () => {
  it('gives each script a key, its SHA-1 and the flags for writers', () => {
    const [script] = build({ 'touch-session-1': good })
    expect(script).toMatchObject({ key: 'touchSession', name: 'touch-session', keys: 1 })
    expect(script!.source).toBe(`#!lua flags=allow-oom\n${code}`)
    expect(script!.sha1).toBe(createHash('sha1').update(script!.source).digest('hex'))
  })

  it('marks @readonly scripts, and refuses one that writes', () => {
    const reader = good.replace('notes', '@readonly notes')
    const reading = reader.replace("'SET', KEYS[1], ARGV[1]", "'GETRANGE', KEYS[1], 0, ARGV[1]")
    expect(build({ 'read-session-1': reading })[0]!.source).toMatch(/^#!lua flags=no-writes\n/)
    expect(() => build({ 'read-session-1': reader })).toThrow('marked @readonly but writes')
  })

  it('lets Redis refuse a script that @grows when memory is full', () => {
    const text = good.replace('notes', '@grows notes')
    expect(build({ 'touch-session-1': text })[0]!.source).toBe(`#!lua\n${code}`)
  })

  it('puts each include in once, also nested ones', () => {
    const [script] = build({
      'touch-session-1': good.replace(
        '-- a comment',
        '--- @include "includes/a"\n--- @include "includes/b"\n-- a comment',
      ),
      'includes/a': '--- @include "includes/b"\nlocal a = b\n',
      'includes/b': 'local b = 1',
    })
    expect(script!.source).toBe(`#!lua flags=allow-oom\nlocal b = 1\nlocal a = b\n${code}`)
  })

  it.each([
    [
      'an include cycle',
      { 'includes/a': '--- @include "includes/b"', 'includes/b': '--- @include "includes/a"' },
      'include cycle',
    ],
    ['a missing include', {}, 'does not exist'],
    ['an include nobody uses', { 'includes/a': '', 'includes/z': '' }, 'includes/z.lua: no script includes it'],
  ])('refuses %s', (_what, includes, message) => {
    const script = good.replace('-- a comment', '--- @include "includes/a"\n-- a comment')
    expect(() => build({ 'touch-session-1': script, ...includes })).toThrow(message)
  })

  it.each([
    ['a name without the number of keys', 'touch-session', good, 'verb-noun'],
    ['another number of keys than the name says', 'touch-session-2', good, 'the file name says 2 KEYS, the header 1'],
    ['no header', 'touch-session-1', 'return 1', 'must open with a header'],
    ['a header without Returns', 'touch-session-1', good.replace('Returns', ''), 'Returns'],
    [
      'an undocumented argument',
      'touch-session-1',
      `${good}local x = ARGV[2]`,
      'ARGV[2] is used but not in the header',
    ],
    ['an undocumented key', 'touch-session-1', `${good}local x = KEYS[2]`, 'KEYS[2] is used but not in the header'],
    [
      'a documented argument that is not used',
      'touch-session-1',
      good.replace(', ARGV[1])', ') -- ARGV[1]'),
      'ARGV[1] is in the header but not used',
    ],
    [
      'a documented key that is not used',
      'touch-session-2',
      good.replace('ARGV[1] now', 'KEYS[2] index\nARGV[1] now'),
      'KEYS[2] is in the header but not used',
    ],
    ['a gap in the arguments', 'touch-session-1', good.replaceAll('ARGV[1]', 'ARGV[2]'), 'gap below ARGV[2]'],
    ['a computed key', 'touch-session-1', `${good}local x = KEYS[i]`, 'KEYS is used without a plain number'],
    ['undocumented further arguments', 'touch-session-1', `${good}local n = #ARGV`, 'document it as ARGV[n...]'],
  ])('refuses %s', (_what, path, text, message) => {
    expect(() => build({ [path]: text })).toThrow(message)
  })

  it('accepts a documented rest of the arguments', () => {
    const text = good
      .replace('ms\n', 'ms   ARGV[2...] ids\n')
      .replace('return', 'for i = 2, #ARGV do use(ARGV[i]) end\nreturn')
    expect(build({ 'touch-session-1': text })).toHaveLength(1)
  })

  it('reports all problems of all files at once', () => {
    const message = /a-b-1\.lua: must open[\s\S]*c-d-1\.lua: must open/
    expect(() => build({ 'c-d-1': 'return 1', 'a-b-1': 'return 1' })).toThrow(message)
  })

  it('renders a module that holds the exact source', async () => {
    const [script] = build({ 'touch-session-1': `${good}-- \`tick\` \${x} back\\slash` })
    const module = renderScripts([script!]).replaceAll(' as string', '').replace(' as const', '')
    const loaded = await import(`data:text/javascript,${encodeURIComponent(module)}`)
    expect(loaded.scripts).toEqual({
      touchSession: { name: 'touch-session', keys: 1, sha1: script!.sha1, source: script!.source },
    })
  })
})

describe('migrations', () => {
  const sql = (files: Record<string, string>) => buildMigrations(new Map(Object.entries(files)))

  it('orders them by number', () => {
    const migrations = sql({ '0002-add-roles': 'B', '0001-start': 'A' })
    expect(migrations).toEqual([
      { id: 1, name: 'start', readableFrom: 1, sql: 'A\n' },
      { id: 2, name: 'add-roles', readableFrom: 2, sql: 'B\n' },
    ])
    const [line] = renderMigrations(migrations).match(/\{ id: 1.*/)!
    expect(line).toBe(`{ id: 1, name: 'start', readableFrom: 1, sql: ${asTemplate('A\n').slice(0, 2)}`)
  })

  it.each([
    ['a gap', { '0001-a': 'A', '0003-b': 'B' }, 'has number 3, expected 2'],
    ['a double', { '0001-a': 'A', '0001-b': 'B' }, 'has number 1, expected 2'],
    ['a bad name', { '1-a': 'A' }, 'NNNN-name.sql'],
    ['an empty file', { '0001-a': ' ' }, 'is empty'],
  ])('refuses %s', (_what, files, message) => {
    expect(() => sql(files)).toThrow(message)
  })
})
