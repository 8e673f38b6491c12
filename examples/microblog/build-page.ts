import { fileURLToPath } from 'node:url'
import react from '@vitejs/plugin-react'
import { build } from 'vite'

/** Builds the page, and answers where it is. */
export async function buildPage(outDir = fileURLToPath(new URL('dist/', import.meta.url))): Promise<string> {
  await build({
    configFile: false,
    root: fileURLToPath(new URL('page/', import.meta.url)),
    plugins: [react()],
    logLevel: 'warn',
    build: { outDir, emptyOutDir: true, chunkSizeWarningLimit: 1_000 },
  })
  return outDir
}
