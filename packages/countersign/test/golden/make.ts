/**
 * Writes the golden files of a release, from the built package: `npx tsx packages/countersign/test/golden/make.ts 0.2`.
 * Once per release, and never over the files of one that has been published: README.md says when.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { generateKeyring, loadKeyring, rotateKeyring } from 'countersign'
import { GOLDEN_STORES } from './stores.ts'
import { layersOver, madeUpRuntime, tell } from './story.ts'

const [release = ''] = process.argv.slice(2)
if (!/^\d+\.\d+$/.test(release)) throw new Error('name the release: major.minor')
const folder = join(import.meta.dirname, release)
const write = (name: string, value: unknown) => writeFileSync(join(folder, name), `${JSON.stringify(value, null, 2)}\n`)

mkdirSync(folder, { recursive: true })
const keysFile = join(folder, 'keyring.json')
if (!existsSync(keysFile)) {
  const made = generateKeyring({ signing: ['HS256', 'ES256', 'Ed25519'], sealing: true })
  // With a key behind each that is in use, as in every deployment that is not new.
  const keys = (['mac', 'rotation'] as const).reduce((file, use) => rotateKeyring(file, use).file, made)
  write('keyring.json', keys)
}
for (const [name, open] of Object.entries(GOLDEN_STORES)) {
  const { runtime, advance } = madeUpRuntime(release)
  const golden = await open(runtime)
  try {
    const keyring = await loadKeyring(JSON.parse(readFileSync(keysFile, 'utf8')))
    const held = await tell(layersOver(golden.store, keyring, runtime), advance)
    write(`${name}.json`, { held, dump: await golden.dump() })
  } finally {
    await golden.dispose()
  }
}
