// What an application adds to its bundle, and what comes with it. The built package, as a bundler of users sees it.
import { gzipSync } from 'node:zlib'
import { build } from 'esbuild'
import { describe, expect, it } from 'vitest'

async function bundle(contents: string) {
  const { outputFiles, metafile } = await build({
    stdin: { contents, resolveDir: import.meta.dirname },
    bundle: true,
    minify: true,
    format: 'esm',
    platform: 'browser',
    target: 'es2022',
    external: ['react'],
    write: false,
    metafile: true,
  })
  const inputs = Object.keys(metafile.inputs).filter((path) => path !== '<stdin>')
  const external = Object.values(metafile.inputs).flatMap(({ imports }) => imports.filter((one) => one.external))
  return { bytes: gzipSync(outputFiles[0]!.contents, { level: 9 }).length, inputs, external }
}

describe('the browser part', () => {
  it('is at most 3 KB, minified and compressed, and nothing comes with it', async () => {
    const { bytes, inputs, external } = await bundle(`export * from 'countersign/browser'`)
    expect(bytes).toBeLessThanOrEqual(3 * 1_024)
    expect(inputs.length).toBeGreaterThan(3)
    for (const path of inputs) expect(path).toContain('packages/countersign/dist/browser/')
    expect(external).toEqual([])
  })

  it('brings React to nobody who does not ask for it, and nothing but React to those who do', async () => {
    const { bytes, inputs, external } = await bundle(`export * from 'countersign/browser/react'`)
    expect(bytes).toBeLessThanOrEqual(1_024)
    expect(inputs).toEqual([expect.stringContaining('packages/countersign/dist/browser/react.js')])
    expect(new Set(external.map(({ path }) => path))).toEqual(new Set(['react']))
  })
})
