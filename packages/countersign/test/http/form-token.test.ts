import fc from 'fast-check'
import { expect, test } from 'vitest'
import { isFormToken, writeFormToken } from '../../src/http/form-token.ts'
import { generateKeyring, loadKeyring } from '../../src/index.ts'
import { systemRuntime } from '../../src/internal/runtime.ts'
import { keysOf } from '../../src/tokens/keyring.ts'

const keys = keysOf(await loadKeyring(generateKeyring()))
const others = keysOf(await loadKeyring(generateKeyring()))
const { random } = systemRuntime

test('is good for what it was made for, and for nothing else', () => {
  fc.assert(
    fc.property(fc.string({ minLength: 1 }), fc.string({ minLength: 1 }), (one, other) => {
      const token = writeFormToken(one, keys, random)
      expect(isFormToken(token, one, keys)).toBe(true)
      expect(isFormToken(token, other, keys)).toBe(one === other)
      expect(isFormToken(token, one, others)).toBe(false)
    }),
    { numRuns: 200 },
  )
})

test('is another one each time, so that nothing can be guessed from its length in a compressed page', () => {
  expect(writeFormToken('session:a', keys, random)).not.toBe(writeFormToken('session:a', keys, random))
})

test('every changed character is found', () => {
  const token = writeFormToken('session:a', keys, random)
  for (let i = 0; i < token.length; i++) {
    const changed = token.slice(0, i) + (token[i] === 'A' ? 'B' : 'A') + token.slice(i + 1)
    expect([i, isFormToken(changed, 'session:a', keys)]).toEqual([i, false])
  }
  for (const other of [undefined, null, 1, '', {}, [token], `${token}A`, token.slice(0, -1), ` ${token}`])
    expect(isFormToken(other, 'session:a', keys)).toBe(false)
})
