// docs/http-api.md and docs/configuration.md against the code they describe.
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { codesOf, tableBelow } from '../../../tools/docs/markdown.ts'
import { EXIT } from '../src/cli/exit.ts'
import { FIELDS, type Field } from '../src/config/fields.ts'
import { describeApi } from '../src/describe-api.ts'
import { OAUTH_ERRORS } from '../src/http/oauth-errors.ts'
import { ACCOUNT_ANSWERS, OWN_ANSWERS } from '../src/http/problems.ts'
import { run } from './process.ts'

const page = (name: string) => readFileSync(new URL(`../../../docs/${name}`, import.meta.url), 'utf8')
const api = page('http-api.md')
const configuration = page('configuration.md')

describe('docs/http-api.md', () => {
  test('has every route and no other', async () => {
    const { paths } = (await describeApi()) as { paths: Record<string, Record<string, unknown>> }
    const real = Object.entries(paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path.replace(/\{(\w+)\}/g, ':$1')}`),
    )
    const documented = tableBelow(api, 'Routes').map((cells) => codesOf(cells[0]!)[0])
    expect([...documented].sort()).toEqual(real.filter((route) => !route.startsWith('HEAD ')).sort())
  })

  test('says of every body which members it may have', async () => {
    const { paths } = (await describeApi()) as { paths: Record<string, Record<string, any>> }
    for (const [route, , body] of tableBelow(api, 'Routes').map((cells) => cells.map((cell) => codesOf(cell)[0]))) {
      const [method, path] = route!.split(' ')
      const operation = paths[path!.replace(/:(\w+)/g, '{$1}')]![method!.toLowerCase()]
      const schema = operation.requestBody?.content['application/json']?.schema
      if (!schema) continue
      const members = Object.keys(schema.properties).map((name) =>
        schema.required?.includes(name) ? name : `${name}?`,
      )
      expect([route, body]).toEqual([route, members.length === 0 ? '{}' : `{ ${members.join(', ')} }`])
      expect(schema.additionalProperties).toBe(false)
    }
  })

  test('has every error of OAuth with its status', () => {
    const section = api.slice(api.indexOf('| Error | Status |'), api.indexOf('## Problems'))
    const documented = [...section.matchAll(/^\| `(\w+)` \| (\d+) \|/gm)].map(([, code, status]) => [
      code,
      Number(status),
    ])
    expect(documented).toEqual(Object.entries(OAUTH_ERRORS))
  })

  test('has every code of the server’s own with its status', () => {
    const documented = tableBelow(api, 'Problems').map((cells) => [codesOf(cells[0]!)[0], Number(cells[1])])
    expect(documented).toEqual(Object.entries(OWN_ANSWERS).map(([code, { status }]) => [code, status]))
  })
})

test('docs/errors.md has the status of every account refusal', () => {
  const documented = tableBelow(page('errors.md'), 'Refusals of accounts').map((cells) => [
    codesOf(cells[0]!)[0],
    Number(cells[2]),
  ])
  expect(Object.fromEntries(documented)).toEqual(
    Object.fromEntries(Object.entries(ACCOUNT_ANSWERS).map(([reason, { status }]) => [reason, status])),
  )
})

describe('docs/configuration.md', () => {
  test('has every setting with flag, environment and default', () => {
    const documented = tableBelow(configuration, 'Configuration of the server').map((cells) =>
      cells.slice(0, 4).map(codesOf),
    )
    const real = Object.entries(FIELDS as unknown as Record<string, Field<unknown>>).map(([name, field]) => {
      const { fallback, print } = field
      const shown = fallback === undefined ? '' : print ? print(fallback as object) : String(fallback)
      return [
        [name],
        field.flag === null ? [] : [field.flag.split(' ')[0]],
        [...field.env],
        shown === '' ? [] : [shown],
      ]
    })
    expect(documented).toEqual(real)
  })

  test('has every command and exit code', async () => {
    const tables = configuration.slice(configuration.indexOf('## Commands'))
    const [commands = '', codes = ''] = tables.split('| Exit code')
    const documented = tableBelow(commands, 'Commands').map((cells) => codesOf(cells[0]!)[0]!)
    const real: string[] = []
    const below = async (path: string[]) => {
      const { stdout } = await run([...path, '--help'], { cwd: '.' })
      const names = [...(stdout.split('Commands:\n')[1] ?? '').split('\n\n')[0]!.matchAll(/^ {2}([\w-]+)/gm)].map(
        (match) => match[1]!,
      )
      for (const name of names.filter((one) => one !== 'help')) {
        if (['users', 'sessions', 'keys', 'one-time'].includes(name)) await below([...path, name])
        else real.push([...path, name].join(' '))
      }
    }
    await below([])
    expect([...documented].sort()).toEqual(real.sort())
    const numbers = [...codes.matchAll(/^\| `(\d)` \|/gm)].map((match) => Number(match[1]))
    expect(numbers).toEqual(Object.values(EXIT))
  })
})
