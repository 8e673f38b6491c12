// Another release of the library, as a folder of sources that a node can be started from: the present ones, with files of an
// older release put over them, or with changes that a newer one might make.
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { root } from '../../../../tools/files.ts'
import { buildScripts, renderScripts } from '../../../../tools/generate/lua.ts'
import { buildMigrations, renderMigrations } from '../../../../tools/generate/sql.ts'

export interface ReleaseChanges {
  /** Folder with files that take the place of those of the same name. */
  readonly over?: string
  /** Texts that are replaced, each of which must be there exactly once. */
  readonly edits?: readonly { readonly file: string; readonly from: string; readonly to: string }[]
  readonly files?: Readonly<Record<string, string>>
  /** Migrations that it knows. Default all. */
  readonly schema?: { readonly sqlite: number; readonly postgres: number }
}

const SOURCES = 'packages/countersign/src'
/** Inside the repository, so that the packages are found that the sources import. */
const CACHE = join(root, 'node_modules', '.cache')

/** Writes the sources of a release. `dispose` removes them. */
export function writeRelease({ over, edits = [], files = {}, schema }: ReleaseChanges) {
  mkdirSync(CACHE, { recursive: true })
  const folder = mkdtempSync(join(CACHE, 'countersign-release-'))
  cpSync(join(root, SOURCES), folder, { recursive: true })
  // Below node_modules nobody's package.json says what kind of modules these are.
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }')
  if (over !== undefined) cpSync(over, folder, { recursive: true })
  for (const [file, text] of Object.entries(files)) writeFileSync(join(folder, file), text)
  for (const { file, from, to } of edits) {
    const text = readFileSync(join(folder, file), 'utf8')
    const found = text.split(from).length - 1
    if (found !== 1) throw new Error(`${file} holds ${found} times: ${from}`)
    writeFileSync(
      join(folder, file),
      text.replace(from, () => to),
    )
  }
  for (const store of ['sqlite', 'postgres'] as const) {
    const path = `stores/${store}/migrations`
    for (const name of readdirSync(join(folder, path)))
      if (schema && Number(name.slice(0, 4)) > schema[store]) rmSync(join(folder, path, name))
    const sql = textsIn(folder, path, '.sql')
    writeFileSync(join(folder, `${path}.generated.ts`), renderMigrations(buildMigrations(sql)))
  }
  const scripts = buildScripts(textsIn(folder, 'stores/redis/scripts', '.lua'))
  writeFileSync(join(folder, 'stores/redis/scripts.generated.ts'), renderScripts(scripts))
  return { url: pathToFileURL(folder).href, dispose: () => rmSync(folder, { recursive: true, force: true }) }
}

function textsIn(folder: string, path: string, ext: string): Map<string, string> {
  const below = readdirSync(join(folder, path), { recursive: true }) as string[]
  const named = below.filter((name) => name.endsWith(ext))
  return new Map(named.map((name) => [name.slice(0, -ext.length), readFileSync(join(folder, path, name), 'utf8')]))
}
