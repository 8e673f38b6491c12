// Promise 7: a dump of the store without the keyring, a log, a trace or a list call holds no secret that lets anyone in
// (ASVS 16.2.5).
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { searchSecrets } from '../../../../tools/test-support/secret-search.ts'
import { type FullRun, fullRun } from './full-run.ts'
import { type Backing, postgresBacking, redisBacking, sqliteBacking } from './places.ts'

const BACKINGS: Readonly<Record<string, (dir: string) => Promise<Backing>>> = {
  sqlite: sqliteBacking,
  redis: redisBacking,
  postgres: postgresBacking,
}
/** What is filled whatever the store is. */
const EVERYWHERE = ['log of the server', 'command line', 'problems', 'lists', 'events', 'explanations', 'errors']

describe.each(Object.entries(BACKINGS))('on %s', (_name, open) => {
  const folders: string[] = []
  const once = async (leak: boolean) => {
    const dir = mkdtempSync(join(tmpdir(), 'countersign-rest-'))
    folders.push(dir)
    const backing = await open(dir)
    try {
      return { backing, ...(await fullRun(backing, dir, leak)) }
    } finally {
      await backing.stop()
    }
  }
  let clean: FullRun & { backing: Backing }
  beforeAll(async () => {
    clean = await once(false)
  }, 600_000)
  afterAll(() => {
    for (const dir of folders) rmSync(dir, { recursive: true, force: true })
  })

  test('no secret of a full run is in any place', () => {
    const { vault, places } = clean
    expect(searchSecrets(vault.secrets, places)).toEqual([])
  })

  test('and the run was full: every kind of secret, every place, the real successors', () => {
    const { vault, places, backing } = clean
    const kinds = new Set(vault.secrets.map(({ name }) => name.replace(/ [^ ]+ \(\d+\)$| \(\d+\)$/, '')))
    for (const kind of ['access token', 'refresh token', 'opaque token', 'password', 'placement key', 'mac key'])
      expect(
        [...kinds].some((one) => kind.startsWith(one)),
        kind,
      ).toBe(true)
    expect(vault.secrets.length).toBeGreaterThan(150)
    expect(vault.successorsSeen).toBeGreaterThan(8)
    for (const name of [...EVERYWHERE, ...backing.told]) {
      const size = places.filter((place) => place.name === name).reduce((sum, { content }) => sum + content.length, 0)
      expect(size, name).toBeGreaterThan(500)
    }
  })

  test('a store that keeps one raw, a client that sends one as its name: found in every place that was told', async () => {
    const { vault, places, backing } = await once(true)
    const hits = searchSecrets(vault.secrets, places)
    const hit = new Set(hits.map(({ place }) => place))
    for (const name of [...backing.told, 'log of the server', 'lists', 'events']) expect(hit, name).toContain(name)
    // Whole places hold whole values: there, each of the three forms that were stored is found.
    for (const name of backing.told.filter((one) => !one.endsWith('SLOWLOG'))) {
      const forms = hits.filter(({ place }) => place === name).map(({ form }) => form.split('+')[0])
      expect(new Set(forms), name).toEqual(new Set(['raw', 'hex', 'base64', 'base64url']))
    }
  }, 600_000)
})
