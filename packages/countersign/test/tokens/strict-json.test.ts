import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseStrictObject } from '../../src/tokens/strict-json.ts'

const parse = (text: string | Uint8Array) => parseStrictObject(typeof text === 'string' ? Buffer.from(text) : text)
const deep = (levels: number) => `{"a":${'['.repeat(levels)}${']'.repeat(levels)}}`

describe('one JSON object, read in one way only (RFC 8725 section 3.7)', () => {
  test.each([
    ['an array', '[]'],
    ['a string', '"x"'],
    ['null', 'null'],
    ['nothing', ''],
    ['trailing text', '{"a":1}x'],
    ['a duplicate member', '{"a":1,"a":2}'],
    ['a duplicate hidden by an escape', '{"a":1,"\\u0061":2}'],
    ['a duplicate deeper down', '{"x":[{"a":1,"a":1}]}'],
    ['an infinite number', '{"exp":1e400}'],
    ['a negative infinite number deeper down', '{"x":{"y":[-1e400]}}'],
    ['half a surrogate pair in a value', '{"a":"\\ud800"}'],
    ['half a surrogate pair in a name', '{"\\udc00":1}'],
    ['a byte order mark', Buffer.from([0xef, 0xbb, 0xbf, 0x7b, 0x7d])],
    ['invalid UTF-8', Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d])],
    ['UTF-16', Buffer.from('{"a":1}', 'utf16le')],
    ['too many levels', deep(16)],
    ['far too many levels', deep(2_000)],
  ])('refuses %s', (_, text) => {
    expect(parse(text)).toBeUndefined()
  })

  test.each([
    ['white space', ' {\n"a" : [ 1 , {"b":\ttrue} ] }\r\n', { a: [1, { b: true }] }],
    ['escapes', '{"\\u0061lg":"x\\u0041\\n\\"","u":"\\ud83d\\ude00"}', { alg: 'xA\n"', u: '😀' }],
    ['empty containers', '{ "a": [ ], "b": { } }', { a: [], b: {} }],
    ['names like integers', '{"b":1,"2":2,"1":3}', { b: 1, 2: 2, 1: 3 }],
    ['sixteen levels', deep(15), JSON.parse(deep(15))],
  ])('accepts %s', (_, text, value) => {
    expect(parse(text)).toEqual(value)
  })

  test('a member named __proto__ changes no prototype', () => {
    const value = parse('{"__proto__":{"admin":true}}')
    expect((value as { admin?: boolean }).admin).toBeUndefined()
    expect(({} as { admin?: boolean }).admin).toBeUndefined()
  })

  test('whatever JSON.stringify writes is read back, with and without white space', () => {
    const object = fc.dictionary(fc.string({ unit: 'grapheme' }), fc.jsonValue({ maxDepth: 6 }))
    fc.assert(
      fc.property(object, (value) => {
        const wellFormed = !/[\uD800-\uDFFF]/.test(JSON.stringify(value).replace(/[\uD800-\uDBFF][\uDC00-\uDFFF]/g, ''))
        fc.pre(wellFormed)
        const plain = JSON.stringify(value)
        expect(parse(plain)).toEqual(JSON.parse(plain))
        expect(parse(JSON.stringify(value, null, 2))).toEqual(JSON.parse(plain))
      }),
    )
  })
})
