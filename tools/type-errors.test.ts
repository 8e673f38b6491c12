import { expect, it } from 'vitest'
import { expectedErrors, parseErrors } from './type-errors.ts'

it('reads errors with and without a place', () => {
  const output = "misuse/use.ts(4,13): error TS2345: no.\n  More about it.\nerror TS5023: Unknown option 'x'.\n"
  expect(parseErrors(output).map((error) => error.place)).toEqual(['misuse/use.ts:4', ''])
})

it('blanks the directives and keeps the lines', () => {
  const { withoutDirectives, lines } = expectedErrors(
    'a\n  // @ts-expect-error why\nb\n// a word on @ts-expect-error\n',
  )
  expect(withoutDirectives).toBe('a\n//\nb\n// a word on @ts-expect-error\n')
  expect(lines).toEqual([3])
})
