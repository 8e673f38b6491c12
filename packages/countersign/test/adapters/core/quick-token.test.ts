import fc from 'fast-check'
import { expect, test } from 'vitest'
import { quickToken } from '../../../src/adapters/core/quick-token.ts'
import { COOKIE_NAMES } from '../../../src/http/cookie-options.ts'
import { findCredentials } from '../../../src/http/credentials.ts'

const { access, refresh } = COOKIE_NAMES

/** The way of every request that the quick one does not take. */
function carefully(authorization: string | undefined, cookie: string | undefined) {
  const header = (name: string) => ({ authorization, cookie })[name]
  return findCredentials({ method: 'GET', header })
}

test.each([
  [undefined, `${access}=abc`, 'abc'],
  [undefined, `a=1; ${access}=abc; b=2`, 'abc'],
  [undefined, `${access}=abc; ${refresh}=def`, 'abc'],
  [undefined, `${refresh}=def; ${access}=abc`, 'abc'],
  ['Bearer abc', undefined, 'abc'],
  ['Bearer abc', `${refresh}=def`, 'abc'],
])('takes the plain case: %s, %s', (authorization, cookie, token) => {
  expect(quickToken(authorization, cookie, COOKIE_NAMES)).toBe(token)
})

test('never takes a token that the careful way would refuse, or another one', () => {
  const value = fc.constantFrom('abc', 'x=y', access, `${access}=z`, '', 'a b', '"abc"')
  const name = fc.constantFrom(access, refresh, 'other', `x${access}`, `${access}x`, access.toLowerCase(), ` ${access}`)
  const part = fc.tuple(name, fc.constantFrom('=', ' =', ''), value).map((one) => one.join(''))
  const cookie = fc.option(
    fc.array(part, { maxLength: 4 }).chain((parts) => fc.constantFrom('; ', ';', ' ;  ').map((by) => parts.join(by))),
    { nil: undefined },
  )
  const authorization = fc.option(
    fc.tuple(fc.constantFrom('Bearer ', 'bearer ', 'Bearer', 'Basic ', 'Bearer  '), value).map((one) => one.join('')),
    { nil: undefined },
  )
  let taken = 0
  fc.assert(
    fc.property(authorization, cookie, (header, cookies) => {
      const token = quickToken(header, cookies, COOKIE_NAMES)
      if (token === undefined || token === '') return
      // What no verifier knows as a token is not let in by it, and what is refused goes the careful way again.
      if (!/^[\w.~+/-]+=*$/.test(token)) return
      taken++
      const found = carefully(header, cookies)
      // The value of the refresh cookie is nobody's business here: only whether it is there twice.
      if (!found.ok && found.reason === 'malformed' && cookies?.includes(refresh)) return
      expect(found.ok && found.access?.token).toBe(token)
    }),
    { numRuns: 5_000 },
  )
  expect(taken).toBeGreaterThan(30)
})
