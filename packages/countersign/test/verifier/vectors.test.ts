import { basename, join, relative } from 'node:path'
import { expect, test } from 'vitest'
import { filesBelow, root } from '../../../../tools/files.ts'
import { DEVIATIONS } from '../../../../tools/vectors/deviations.ts'
import { runFile } from '../../../../tools/vectors/run.ts'

const folder = 'packages/countersign/test/vectors'
const files = filesBelow(folder).filter((path) => path.endsWith('.json') && !path.includes('/schemas/'))
const seen = new Set<string>()

test.each(files.map((path) => [relative(folder, path), path]))('all vectors of %s', async (_, path) => {
  const { failures, deviations, passed } = await runFile(join(root, path))
  for (const { file, id } of deviations) {
    expect(basename(path)).toBe(`${file}_test.json`)
    seen.add(`${file} ${id}`)
  }
  expect(failures).toEqual([])
  expect(passed).toBeGreaterThan(0)
})

test('every pinned deviation was met, so the list is no longer than it has to be', () => {
  expect([...seen].sort()).toEqual(DEVIATIONS.map(({ file, id }) => `${file} ${id}`).sort())
  expect(seen.size).toBe(10)
})
