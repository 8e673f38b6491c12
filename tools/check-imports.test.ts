import { describe, expect, it } from 'vitest'
import { checkImports } from './imports/check.ts'

const packages = {
  dependencies: { server: ['countersign', 'fastify'] },
  librarySubpaths: ['countersign', 'countersign/http'],
}

/** Keys are paths below `packages/countersign/src/`, or below the repository when they start with `packages/`. */
function rulesBroken(files: Record<string, string>): string[] {
  const sources = new Map<string, string>()
  for (const [path, source] of Object.entries(files)) {
    sources.set(path.startsWith('packages/') ? path : `packages/countersign/src/${path}`, source)
  }
  return checkImports(sources, packages).map((v) => `${v.rule} ${v.path.split('/src/')[1]}:${v.line}`)
}

const importOf = (path: string) => `import { a } from '${path}'\n`

describe('import direction', () => {
  it('accepts the directions of the table of rules', () => {
    const files = {
      'internal/bytes.ts': '',
      'internal/errors.ts': importOf('./bytes.ts'),
      'session/types.ts': importOf('../internal/bytes.ts'),
      'tokens/jws.ts': importOf('../session/types.ts'),
      'stores/contract.ts': "import type { A } from '../session/types.ts'\n",
      'stores/steps/end.ts': importOf('../contract.ts'),
      'stores/redis/sessions.ts': importOf('../steps/end.ts') + importOf('redis'),
      'strategies/opaque.ts': importOf('../tokens/jws.ts') + importOf('../stores/contract.ts'),
      'verbs/issue.ts': importOf('../strategies/opaque.ts') + importOf('node:crypto'),
      'create-sessions.ts': importOf('./verbs/issue.ts'),
      'http/guard.ts': importOf('../create-sessions.ts'),
      'index.ts': "export { a } from './create-sessions.ts'\n",
      'packages/server/src/app.ts': importOf('countersign/http') + importOf('fastify'),
    }
    expect(rulesBroken(files)).toEqual([])
  })

  it.each([
    ['internal imports something of ours', 'internal/a.ts', '../session/b.ts'],
    ['session imports more than internal', 'session/a.ts', '../tokens/b.ts'],
    ['the store contract imports a store', 'stores/contract.ts', './redis/b.ts'],
    ['a store imports another store', 'stores/redis/a.ts', '../sqlite/b.ts'],
    ['a shared store step imports a store', 'stores/steps/a.ts', '../memory/b.ts'],
    ['a store imports a strategy', 'stores/redis/a.ts', '../../strategies/b.ts'],
    ['the cache imports a store', 'cache/a.ts', '../stores/redis/b.ts'],
    ['tokens import a strategy', 'tokens/a.ts', '../strategies/b.ts'],
    ['a strategy imports a verb', 'strategies/a.ts', '../verbs/b.ts'],
    ['a strategy imports a store', 'strategies/a.ts', '../stores/memory/b.ts'],
    ['a verb imports the wiring', 'verbs/a.ts', '../create-sessions.ts'],
    ['the wiring imports HTTP', 'create-sessions.ts', './http/b.ts'],
  ])('refuses that %s', (_what, from, to) => {
    const target = new URL(to, `file:///${from}`).pathname.slice(1)
    expect(rulesBroken({ [from]: importOf(to), [target]: '' })).toEqual([`layer ${from}:1`])
  })

  it.each([
    ['import type', "import type { A } from '../session/b.ts'"],
    ['export from', "export { a } from '../session/b.ts'"],
    ['export *', "export * from '../session/b.ts'"],
    ['import()', "const b = await import('../session/b.ts')"],
    ['an import type node', "type A = import('../session/b.ts').A"],
    ['require', "const b = require('../session/b.ts')"],
  ])('sees %s', (_how, source) => {
    expect(rulesBroken({ 'internal/a.ts': source, 'session/b.ts': '' })).toEqual(['layer internal/a.ts:1'])
  })

  it('lets browser code import types only', () => {
    const files = { 'session/b.ts': '', 'browser/ok.ts': "import type { A } from '../session/b.ts'" }
    expect(rulesBroken({ ...files, 'browser/a.ts': importOf('../session/b.ts') })).toEqual(['layer browser/a.ts:1'])
  })

  it('wants every file in a part', () => {
    expect(rulesBroken({ 'helpers/a.ts': '' })).toEqual(['part helpers/a.ts:1'])
  })

  it('refuses imports of index.ts', () => {
    const files = { 'http/index.ts': '', 'http/guard.ts': importOf('./index.ts') }
    expect(rulesBroken(files)).toEqual(['index http/guard.ts:1'])
  })

  it('reports an import that leads nowhere', () => {
    expect(rulesBroken({ 'session/a.ts': importOf('./gone.ts') })).toEqual(['unresolved session/a.ts:1'])
  })
})

describe('cycles', () => {
  it('reports a cycle of any length once', () => {
    const files = {
      'verbs/a.ts': importOf('./b.ts'),
      'verbs/b.ts': importOf('./c.ts'),
      'verbs/c.ts': importOf('./a.ts'),
    }
    expect(rulesBroken(files)).toEqual(['cycle verbs/a.ts:1'])
  })

  it('ignores type-only imports, but not inline `type`, which leaves a real import behind', () => {
    const b = { 'verbs/b.ts': importOf('./a.ts') }
    expect(rulesBroken({ 'verbs/a.ts': "import type { B } from './b.ts'", ...b })).toEqual([])
    expect(rulesBroken({ 'verbs/a.ts': "import { type B } from './b.ts'", ...b })).toEqual(['cycle verbs/a.ts:1'])
  })
})

describe('packages', () => {
  it.each([
    ['a peer outside its subpath', 'verbs/a.ts', 'redis'],
    ['a type of a peer outside its subpath', 'stores/contract.ts', 'redis'],
    ['one store using the peer of another', 'stores/sqlite/a.ts', 'redis'],
    ['jose outside the verifier', 'tokens/a.ts', 'jose/jwt/verify'],
    ['a built-in without node:', 'verbs/a.ts', 'crypto'],
    ['the library importing itself by name', 'verbs/a.ts', 'countersign'],
    ['an undeclared dependency of the server', 'packages/server/src/a.ts', 'express'],
    ['a library path that is not exported', 'packages/server/src/a.ts', 'countersign/dist/x.js'],
  ])('refuses %s', (_what, path, name) => {
    expect(rulesBroken({ [path]: `import type { A } from '${name}'` })).toEqual([
      `package ${path.split('/src/').pop()}:1`,
    ])
  })

  it('refuses computed module names and reaching into another package', () => {
    expect(rulesBroken({ 'stores/redis/a.ts': 'await import(name)' })).toEqual(['package stores/redis/a.ts:1'])
    const reach = { 'packages/server/src/a.ts': importOf('../../countersign/src/index.ts'), 'index.ts': '' }
    expect(rulesBroken(reach)).toEqual(['package a.ts:1'])
  })
})

describe('clock, random and timers', () => {
  it.each([
    ['Date.now()'],
    ['const now = Date.now'],
    ['new Date()'],
    ['new Date'],
    ['Date()'],
    ['performance.now()'],
    ['process.hrtime.bigint()'],
    ['Math.random()'],
    ["import { randomUUID } from 'node:crypto'"],
    ["import { randomBytes as bytes } from 'node:crypto'"],
    ["import * as c from 'node:crypto'; c.randomBytes(1)"],
    ['crypto.randomUUID()'],
    ['globalThis.crypto.subtle'],
    ["import { webcrypto } from 'node:crypto'"],
    ['setTimeout(f, 1)'],
    ['globalThis.setTimeout(f, 1)'],
    ['const timers = { setTimeout }'],
    ['setInterval(f, 1)'],
    ['setImmediate(f)'],
    ["import { setTimeout as sleep } from 'node:timers/promises'"],
  ])('refuses %s', (source) => {
    expect(rulesBroken({ 'verbs/a.ts': source })).toContain('forbidden verbs/a.ts:1')
    expect(rulesBroken({ 'internal/runtime.ts': source })).toEqual([])
  })

  it.each([
    ['new Date(nowMs)'],
    ['runtime.timers.setTimeout(f, 1)'],
    ['const timers = { setTimeout: (f: () => void) => f() }'],
    ['interface Timers { setTimeout(fn: () => void, ms: number): unknown }'],
    ['// Date.now() and Math.random()'],
    ["const text = 'Date.now()'"],
    ['type Timer = ReturnType<typeof setTimeout>'],
  ])('accepts %s', (source) => {
    expect(rulesBroken({ 'verbs/a.ts': source })).toEqual([])
  })

  it('lets the server use the clock, but not predictable ids', () => {
    expect(rulesBroken({ 'packages/server/src/a.ts': 'setTimeout(f, Date.now())' })).toEqual([])
    expect(rulesBroken({ 'packages/server/src/a.ts': 'Math.random()' })).toEqual(['forbidden a.ts:1'])
    expect(rulesBroken({ 'packages/server/src/a.ts': 'crypto.randomUUID()' })).toEqual(['forbidden a.ts:1'])
  })
})

describe('what is for tests', () => {
  it('is imported by no part of the library, and not by the service', () => {
    const made = { 'testing/test-clock.ts': '', 'conformance/checks.ts': '' }
    for (const from of ['verbs/a.ts', 'http/a.ts', 'stores/memory/a.ts', 'index.ts']) {
      const up = '../'.repeat(from.split('/').length - 1) || './'
      for (const to of Object.keys(made)) {
        expect(rulesBroken({ ...made, [from]: importOf(up + to) })).toEqual([`layer ${from}:1`])
      }
    }
    for (const name of ['countersign/testing', 'countersign/conformance']) {
      expect(rulesBroken({ 'packages/server/src/a.ts': importOf(name) })).toContain('forbidden a.ts:1')
    }
  })
})

describe('length', () => {
  it('refuses more than 400 lines, generated files excepted', () => {
    const lines = (n: number) => '//\n'.repeat(n)
    expect(rulesBroken({ 'verbs/a.ts': lines(400) })).toEqual([])
    expect(rulesBroken({ 'verbs/a.ts': lines(401) })).toEqual(['length verbs/a.ts:401'])
    expect(rulesBroken({ 'stores/redis/scripts.generated.ts': lines(401) })).toEqual([])
  })
})
