import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { normalIdentifier } from '../../src/accounts/identifier.ts'
import { COMMON_WORDS } from '../../src/accounts/passwords/common-words.ts'
import { contextWordsOf, isEasyToGuess } from '../../src/accounts/passwords/easy-to-guess.ts'
import { isWeaker, parsePhc } from '../../src/accounts/passwords/phc.ts'

describe('the normal form of an identifier', () => {
  test.each([
    ['Alice@Example.ORG', 'alice@example.org'],
    ['  alice \t\n', 'alice'],
    ['\u00a0alice\u3000', 'alice'],
    ['ａｌｉｃｅ', 'alice'],
    ['zoe\u0308', 'zo\u00eb'],
    ['İ', 'i\u0307'],
    ['J\u030c', '\u01f0'],
    ['K', 'k'],
    ['mary ann', 'mary ann'],
    ['x'.repeat(254), 'x'.repeat(254)],
    ['ı', 'ı'],
  ])('of %j is %j', (input, normal) => {
    expect(normalIdentifier(input)).toBe(normal)
  })

  test.each([
    '',
    ' \t',
    'a\0b',
    'a\nb',
    'a\u007fb',
    'a\u200bb',
    'a\u202eb',
    '\ufeffalice\u2060',
    'a\ud800',
    'a\ue000',
    'a\u0378',
    'a\u2028b',
    'x'.repeat(255),
    'x'.repeat(100_000),
    '\ufdfa'.repeat(15),
  ])('of %j does not exist', (input) => {
    expect(normalIdentifier(input)).toBeUndefined()
  })

  test('is its own normal form, whatever was typed', () => {
    // Where cases and compositions are many; most other code points are unassigned and would be refused.
    const ranges = [
      [0x20, 0x24f],
      [0x2b0, 0x3ff],
      [0x1e00, 0x1fff],
      [0x2100, 0x218f],
      [0xff00, 0xffef],
      [0x1d400, 0x1d7ff],
    ] as const
    const point = fc.oneof(...ranges.map(([min, max]) => fc.integer({ min, max })))
    const text = fc.array(point, { maxLength: 12 }).map((points) => String.fromCodePoint(...points))
    let named = 0
    fc.assert(
      fc.property(text, (input) => {
        const normal = normalIdentifier(input)
        if (normal === undefined) return true
        named++
        return normalIdentifier(normal) === normal
      }),
      { numRuns: 5_000 },
    )
    expect(named).toBeGreaterThan(1_000)
  })
})

describe('passwords that are easy to guess', () => {
  test.each([
    'passwordpassword',
    'Password1234567',
    'P@ssw0rd!P@ssw0rd!',
    'password12345678',
    'passwordpassword1',
    'adminadminadmin',
    '123456789012345',
    '1234567890123456789',
    '987654321987654321',
    '111111111111111',
    'aaaaaaaaaaaaaaaa',
    'abcabcabcabcabc',
    'xkqxkqxkqxkqxkqxk',
    'qwertyuiopasdfgh',
    'qwertyuiopasdfghjkl',
    'qwertyuiop[]asdf',
    'qwertzuiop12345',
    'azertyuiop123456',
    '1qaz2wsx3edc4rfv',
    'zaq12wsxcde34rfv',
    'iloveyouforever',
    'iloveyou1234567',
    'ILoveYou-ILoveYou',
    'letmeinletmein1',
    'welcome-welcome',
    'Summer-2024-Summer',
    'administrator123',
    'abcdefghijklmnop',
    'zyxwvutsrqponmlk',
    '!@#$%^&*()!@#$%',
    'trustno1trustno1',
    'football-baseball',
    'starwars-startrek',
    'q1w2e3r4t5y6u7i8',
    'jesuschrist2020',
    'michaeljackson1',
    'manchesterunited',
    'correct battery staple',
  ])('%s is one', (password) => {
    expect(isEasyToGuess(password)).toBe(true)
  })

  test.each([
    'plinth-gavotte-ossify-73',
    'xqvzkwpjrmbtyns',
    'zq7Kp0vXn2mWd9r',
    'my password is under the third mat',
    'correct horse battery staple tortoise',
    'dragon eats eleven lampposts',
    'love#$%&^*~!)(_+|',
    '829174650382915',
    'the cat sat on my new hat',
  ])('%s is none: rules on the kinds of characters there are not (ASVS 6.2.5)', (password) => {
    expect(isEasyToGuess(password)).toBe(false)
  })

  test('are more than 3000 of those that meet the default minimum (ASVS 6.2.4), and of the lower one too', () => {
    const endings = ['1', '12', '123', '1234', '12345', '123456789', '!', '1!', '2024', '2025', '01', '007']
    const doubled = COMMON_WORDS.flatMap((word) => [`${word}${word}${word}`, `${word}-${word}`, `${word}123456789`])
    const ended = COMMON_WORDS.flatMap((word) => endings.map((ending) => `password${word}${ending}`))
    const lower = COMMON_WORDS.flatMap((word) => endings.map((ending) => `${word}${ending}`))
    for (const min of [8, 15]) {
      const fit = [...new Set([...doubled, ...ended, ...lower])].filter((password) => password.length >= min)
      expect(fit.length).toBeGreaterThan(3_000)
      expect(fit.filter((password) => !isEasyToGuess(password))).toEqual([])
    }
  })

  test.each([
    ['1', 1_023],
    ['1', 127],
    ['123', 42],
    ['1234567890', 12],
    ['aaab', 255],
  ])('are told apart quickly, also when %s is written %i times', (text, times) => {
    // The best of five, and as the process has computed: the machine may be busy. Without a bound on the length the first
    // one takes 250 ms.
    const took = Array.from({ length: 5 }, () => {
      const started = process.cpuUsage()
      expect(isEasyToGuess(`${text.repeat(times)}ж`)).toBe(false)
      const { user, system } = process.cpuUsage(started)
      return (user + system) / 1_000
    })
    expect(Math.min(...took)).toBeLessThan(125)
  })

  test('the words of an identifier', () => {
    expect(contextWordsOf('nell.o.brien@example.org')).toEqual([
      'nell.o.brien@example.org',
      'nell',
      'brien',
      'example',
      'org',
    ])
    expect(isEasyToGuess('brien-brien-nell', contextWordsOf('nell.o.brien@example.org'))).toBe(true)
    expect(isEasyToGuess('brien-brien-nell')).toBe(false)
  })
})

describe('PHC strings', () => {
  const of = (cost: string, salt = 'QCMdGGLeZinhcqqLmg52fg', hash = 'OhqBgCvw5ZVrmZFSK7ewuRZmI0p84cajo7UM1wWQ7Iw') =>
    `$argon2id$v=19$${cost}$${salt}$${hash}`

  test('are read', () => {
    expect(parsePhc(of('m=19456,t=2,p=1'))).toEqual({
      memoryKiB: 19_456,
      passes: 2,
      parallelism: 1,
      saltBytes: 16,
      hashBytes: 32,
    })
    expect(parsePhc(of('m=4096,t=3,p=1'))).toMatchObject({ memoryKiB: 4_096 })
  })

  test.each([
    of('m=262145,t=2,p=1'),
    of('m=19456,t=65,p=1'),
    of('m=19456,t=2,p=17'),
    of('m=019456,t=2,p=1'),
    of('m=0,t=2,p=1'),
    of('m=64,t=2,p=16'),
    of('m=19456,p=1,t=2'),
    of('m=19456,t=2,p=1', ''),
    of('m=19456,t=2,p=1', undefined, ''),
    `${of('m=19456,t=2,p=1')}=`,
    `${of('m=19456,t=2,p=1')}\n`,
    of('m=19456,t=2,p=1').replace('v=19', 'v=16'),
    of('m=19456,t=2,p=1').replace('id', 'd'),
    ` ${of('m=19456,t=2,p=1')}`,
  ])('%j is none that we compute', (text) => {
    expect(parsePhc(text)).toBeUndefined()
  })

  test('of two costs at most one is weaker than the other', () => {
    const cost = fc.record({
      memoryKiB: fc.integer({ min: 7_168, max: 262_144 }),
      passes: fc.integer({ min: 1, max: 64 }),
      parallelism: fc.constant(1),
    })
    const phc = (one: { memoryKiB: number; passes: number }) => parsePhc(of(`m=${one.memoryKiB},t=${one.passes},p=1`))!
    fc.assert(
      fc.property(cost, cost, (a, b) => {
        expect(isWeaker(phc(a), b) && isWeaker(phc(b), a)).toBe(false)
        expect(isWeaker(phc(a), a)).toBe(false)
      }),
    )
    const wanted = { memoryKiB: 19_456, passes: 2, parallelism: 1 }
    expect(isWeaker(phc({ memoryKiB: 7_168, passes: 5 }), wanted)).toBe(true)
    expect(isWeaker(phc({ memoryKiB: 47_104, passes: 1 }), wanted)).toBe(false)
    expect(isWeaker(parsePhc(of('m=19456,t=2,p=1', 'QCMdGGLeZik'))!, wanted)).toBe(true)
  })
})
