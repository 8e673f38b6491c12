// Turns the Lua and SQL files of the stores into TypeScript modules, which are committed. With --check it writes
// nothing and fails when a module is not what its files would give: an edited script that was never generated.
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { filesBelow, root } from './files.ts'
import { buildScripts, renderScripts } from './generate/lua.ts'
import { buildMigrations, renderMigrations } from './generate/sql.ts'

const stores = 'packages/countersign/src/stores'
const lua = (files: Map<string, string>) => renderScripts(buildScripts(files))
const sql = (files: Map<string, string>) => renderMigrations(buildMigrations(files))

const outputs = [
  { from: `${stores}/redis/scripts`, ext: '.lua', to: `${stores}/redis/scripts.generated.ts`, render: lua },
  { from: `${stores}/sqlite/migrations`, ext: '.sql', to: `${stores}/sqlite/migrations.generated.ts`, render: sql },
  { from: `${stores}/postgres/migrations`, ext: '.sql', to: `${stores}/postgres/migrations.generated.ts`, render: sql },
]

const checkOnly = process.argv.includes('--check')
for (const { from, ext, to, render } of outputs) {
  const files = new Map<string, string>()
  for (const path of filesBelow(from)) {
    if (!path.endsWith(ext)) continue
    files.set(path.slice(from.length + 1, -ext.length), readFileSync(join(root, path), 'utf8'))
  }
  const current = existsSync(join(root, to)) ? readFileSync(join(root, to), 'utf8') : undefined
  // A store that has no such files yet needs no module.
  if (files.size === 0 && current === undefined) continue
  try {
    const next = render(files)
    if (current === next) console.log(`${to}: up to date`)
    else if (checkOnly) fail(`${to}: differs from ${from}/*${ext}; run npm run generate`)
    else {
      writeFileSync(join(root, to), next)
      console.log(`${to}: written`)
    }
  } catch (error) {
    fail(`${from}:\n${(error as Error).message}`)
  }
}

function fail(message: string): void {
  console.error(message)
  process.exitCode = 1
}
