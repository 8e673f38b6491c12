import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import pg from 'pg'
import { describe, expect, it, onTestFinished } from 'vitest'
import { findBinaries, startPostgres } from './postgres-server.ts'

describe('startPostgres', () => {
  it('gives a server of one’s own, with the settings asked for, and leaves nothing behind', async () => {
    const [a, b] = await Promise.all([startPostgres(), startPostgres({ settings: { fsync: 'off' } })])
    onTestFinished(() => Promise.all([a.stop(), b.stop()]).then(() => undefined))
    expect(a.port).not.toBe(b.port)
    expect([await a.query('SHOW fsync'), await b.query('SHOW fsync')]).toEqual([[{ fsync: 'on' }], [{ fsync: 'off' }]])
    const url = await a.createDatabase('mine')
    expect(new URL(url).pathname).toBe('/mine')
    expect(await a.query('SELECT current_database() AS name', 'mine')).toEqual([{ name: 'mine' }])
    const client = new pg.Client({ host: a.socket, port: a.port, user: 'postgres' })
    await client.connect()
    await client.end()
    await a.stop()
    await a.stop()
    expect(existsSync(dirname(a.data))).toBe(false)
    await expect(a.query('SELECT 1')).rejects.toMatchObject({ code: 'ECONNREFUSED' })
  })

  it.each(['SIGKILL', 'SIGQUIT'] as const)('comes back after %s with what was committed', async (signal) => {
    const server = await startPostgres()
    onTestFinished(() => server.stop())
    await server.query('CREATE TABLE t (n int); INSERT INTO t VALUES (1)')
    const { pid, port } = server
    await server.kill(signal)
    await expect(server.query('SELECT 1')).rejects.toThrow()
    await server.restart({ work_mem: '5MB' })
    expect(server.port).toBe(port)
    expect(server.pid).not.toBe(pid)
    expect(await server.query('SELECT n FROM t')).toEqual([{ n: 1 }])
    expect(await server.query('SHOW work_mem')).toEqual([{ work_mem: '5MB' }])
    expect(await server.log()).toMatch(/was not properly shut down|recovery/)
  })

  it('stands still as a whole, and goes on', async () => {
    const server = await startPostgres()
    onTestFinished(() => server.stop())
    const client = new pg.Client({ connectionString: server.url })
    await client.connect()
    onTestFinished(() => client.end())
    await server.kill('SIGSTOP')
    const answer = client.query('SELECT 1 AS one').then(({ rows }) => rows)
    const pause = new Promise((resolve) => setTimeout(() => resolve('nothing'), 200))
    expect(await Promise.race([answer, pause])).toBe('nothing')
    await server.kill('SIGCONT')
    expect(await answer).toEqual([{ one: 1 }])
  })

  it('lets nobody in without the password, when there is one', async () => {
    const server = await startPostgres({ password: 'p@ss/word' })
    onTestFinished(() => server.stop())
    expect(await server.query('SELECT 1 AS one')).toEqual([{ one: 1 }])
    const client = new pg.Client({ host: '127.0.0.1', port: server.port, user: 'postgres', password: 'x' })
    await expect(client.connect()).rejects.toMatchObject({ code: '28P01' })
  })
})

describe('findBinaries', () => {
  it('takes the newest version, and says what to install when there is none', () => {
    const base = mkdtempSync(join(tmpdir(), 'countersign-bin-'))
    onTestFinished(() => rmSync(base, { recursive: true }))
    expect(() => findBinaries(base)).toThrow('apt-get install postgresql')
    expect(() => findBinaries(join(base, 'absent'))).toThrow('apt-get install postgresql')
    for (const version of ['9', '15', '17']) {
      mkdirSync(join(base, version, 'bin'), { recursive: true })
      if (version !== '17') writeFileSync(join(base, version, 'bin/initdb'), '')
    }
    expect(findBinaries(base)).toBe(join(base, '15/bin'))
  })
})
