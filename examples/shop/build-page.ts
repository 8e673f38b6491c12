import { fileURLToPath } from 'node:url'
import { build } from 'vite'

/** Builds the page. Answers the folder that it is in. */
export async function buildPage(): Promise<string> {
  const root = fileURLToPath(new URL('page', import.meta.url))
  await build({ root, configFile: `${root}/vite.config.ts`, logLevel: 'error' })
  return `${root}/dist`
}
