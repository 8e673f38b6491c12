import fc from 'fast-check'
import { expect, test } from 'vitest'
import { returnPath } from '../../src/http/return-path.ts'

test.each(['/', '/orders?page=2', '/a/b/../c', '/x@y', '/a//b', '/%2F%2Fevil', '/?next=https://evil.test'])(
  '%s leads back',
  (path) => {
    expect(returnPath(path)).toBe(path)
  },
)

test.each([
  '//evil.test',
  '///evil.test',
  '/\\evil.test',
  '\\\\evil.test',
  '/\t/evil.test',
  '/\n/evil.test',
  ' //evil.test',
  'https://evil.test',
  'https:evil.test',
  'javascript:alert(1)',
  'evil.test',
  '',
  '/.//evil.test',
  '/..//evil.test',
  '/é',
  `/${'a'.repeat(2_048)}`,
  undefined,
  null,
  7,
  ['/'],
])('%j does not', (path) => {
  expect(returnPath(path)).toBeUndefined()
})

test('whatever comes through stays on our origin, as browsers read it', () => {
  const pieces = fc.array(
    fc.oneof(
      fc.constantFrom(
        '/',
        '//',
        '\\',
        '.',
        '..',
        '@',
        ':',
        '%2f',
        '%5c',
        '\t',
        '\n',
        'evil.test',
        'https:',
        '?',
        '#',
        ' ',
      ),
      fc.string({ maxLength: 3 }),
    ),
    { maxLength: 8 },
  )
  fc.assert(
    fc.property(pieces, (parts) => {
      const path = returnPath(`/${parts.join('')}`)
      if (path === undefined) return
      const url = new URL(path, 'https://app.example.com/any/page')
      expect(url.origin).toBe('https://app.example.com')
      expect(url.href.startsWith('https://app.example.com//')).toBe(false)
    }),
    { numRuns: 3_000 },
  )
})
