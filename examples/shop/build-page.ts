import { fileURLToPath } from 'node:url'
import { build } from 'vite'

const ROOT = fileURLToPath(new URL('page', import.meta.url))

/** Builds the page. Answers the folder that it is in. */
export async function buildPage(outDir = `${ROOT}/dist`): Promise<string> {
  await build({ root: ROOT, configFile: `${ROOT}/vite.config.ts`, logLevel: 'error', build: { outDir } })
  return outDir
}
