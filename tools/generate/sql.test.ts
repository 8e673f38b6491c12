import { describe, expect, it } from 'vitest'
import { buildMigrations } from './sql.ts'

const sql = (text: string) => () => buildMigrations(new Map([['0001-a', text]]))
const good = `-- Moves it.
-- Params: p_tag whose; p_now_ms
CREATE FUNCTION countersign.move(p_tag text, p_now_ms bigint) RETURNS void LANGUAGE sql AS $$ SELECT 1 $$;
`

describe('functions in migrations', () => {
  it('say from which schema on they can be read; by default from their own', () => {
    const from = (line: string) =>
      buildMigrations(
        new Map([
          ['0001-a', good],
          ['0002-b', line + good],
        ]),
      )[1]!.readableFrom
    expect([from(''), from('-- @readable-from 1\n')]).toEqual([2, 1])
    for (const line of ['-- @readable-from 3\n', '-- @readable-from 0\n', '-- @readable-from one\n'])
      expect(() => from(line)).toThrow('@readable-from')
  })

  it('are documented and ask no clock', () => {
    expect(sql(good)()).toHaveLength(1)
    expect(sql(`-- never now(), and not UNLOGGED\n${good}`)()).toHaveLength(1)
  })

  it.each([
    ['a parameter that is not named', good.replace('; p_now_ms', ''), 'takes p_now_ms'],
    ['a parameter that is not there', good.replace('p_tag whose', 'p_tag whose, p_id'), 'does not take p_id'],
    ['no comment', good.replace(/^--.*\n/gm, ''), 'no comment'],
    ['the clock of the server', good.replace('SELECT 1', 'SELECT now()'), 'uses now()'],
    ['the same by another name', good.replace('SELECT 1', 'SELECT clock_timestamp ()'), 'uses clock_timestamp()'],
    ['and by a third', good.replace('SELECT 1', 'SELECT CURRENT_TIMESTAMP'), 'uses CURRENT_TIMESTAMP'],
    ['chance', good.replace('SELECT 1', 'SELECT random()'), 'uses random()'],
    ['a table that a crash empties', 'CREATE UNLOGGED TABLE t (a int);', 'uses UNLOGGED'],
  ])('refuses %s', (_what, text, message) => {
    expect(sql(text)).toThrow(message)
  })
})
