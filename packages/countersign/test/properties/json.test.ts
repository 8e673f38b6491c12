import { expect, test } from 'vitest'
import { count } from '../../../../tools/test-support/counts.ts'
import { Random } from '../../../../tools/test-support/random.ts'
import { parseStrictObject } from '../../src/tokens/strict-json.ts'

/**
 * Writes JSON by its own hand and remembers whether it put in anything that must be refused. So the expected answer
 * comes from how the text was made, not from another parser.
 */
class Writer {
  readonly #random: Random
  #defects = false

  constructor(random: Random) {
    this.#random = random
  }

  object(): { text: string; isStrict: boolean } {
    this.#defects = false
    const text = this.#members(1)
    return { text: this.#space() + text + this.#space(), isStrict: !this.#defects }
  }

  #members(depth: number): string {
    if (depth > 16) this.#defects = true
    const names = new Map<string, string>()
    for (let left = this.#random.below(5); left > 0; left--) {
      const name = this.#name()
      // A value that is not written must not count, should it hold a defect.
      if (!names.has(name)) names.set(name, this.#value(depth))
    }
    const members = [...names].map(([name, value]) => this.#member(name, value))
    const repeated = [...names.keys()][0]
    if (repeated !== undefined && this.#random.chance(40)) {
      this.#defects = true
      members.push(this.#member(repeated, this.#random.chance(2) ? names.get(repeated)! : '1'))
    }
    return `{${members.join(`${this.#space()},${this.#space()}`)}${this.#space()}}`
  }

  #member(name: string, value: string): string {
    return `${this.#space()}${this.#string(name)}${this.#space()}:${this.#space()}${value}`
  }

  #value(depth: number): string {
    switch (this.#random.below(8)) {
      case 0:
        return depth > 17 ? '{}' : this.#members(depth + 1)
      case 1: {
        if (depth + 1 > 16) this.#defects = true
        const items = Array.from({ length: this.#random.below(4) }, () => (depth > 17 ? '0' : this.#value(depth + 1)))
        return `[${this.#space()}${items.join(`${this.#space()},`)}${this.#space()}]`
      }
      case 2:
        return this.#nest(depth)
      case 3:
        return this.#number()
      case 4:
        return this.#random.pick(['true', 'false', 'null'])
      default:
        return this.#half() ?? this.#string(this.#name())
    }
  }

  #nest(depth: number): string {
    const levels = this.#random.chance(20) ? 1 + this.#random.below(20) : 1
    if (depth + levels > 16) this.#defects = true
    return '['.repeat(levels) + ']'.repeat(levels)
  }

  #number(): string {
    if (this.#random.chance(60)) {
      this.#defects = true
      return this.#random.pick(['1e400', '-1e400', '9'.repeat(310)])
    }
    return this.#random.pick(['0', '-0', '1.50', '1e3', '-2E-3', '9007199254740993', String(this.#random.below(1e6))])
  }

  #half(): string | undefined {
    if (!this.#random.chance(60)) return undefined
    this.#defects = true
    return this.#random.pick(['"\\ud800"', '"x\\udfffy"', '"\\ud83d\\u0041"', '"\\ude00\\ud83d"'])
  }

  #name(): string {
    return (
      this.#random.pick([
        'a',
        'b',
        'alg',
        'kid',
        '__proto__',
        'constructor',
        '',
        '1',
        'é',
        '😀',
        '"',
        '\\',
        '\n',
        ':',
        '{',
      ]) + (this.#random.chance(3) ? String(this.#random.below(9)) : '')
    )
  }

  /** The same string in one of many ways. */
  #string(text: string): string {
    if (!this.#random.chance(4)) return JSON.stringify(text)
    const escaped = Array.from(
      { length: text.length },
      (_, at) => `\\u${text.charCodeAt(at).toString(16).padStart(4, '0')}`,
    )
    return `"${escaped.join('')}"`
  }

  #space(): string {
    return this.#random.chance(6) ? this.#random.pick([' ', '\n', '\t', '\r', '  ']) : ''
  }
}

const inputs = count(20_000, 1_000_000)
const polluted = () => Object.keys({}).length + [...'admin'].filter((name) => name in {}).length

test(`of ${inputs} JSON objects exactly those without a defect are read, and as JSON.parse reads them`, () => {
  const random = new Random()
  const writer = new Writer(random)
  let strict = 0
  for (let done = 0; done < inputs; done++) {
    const { text, isStrict } = writer.object()
    const value = parseStrictObject(Buffer.from(text))
    if ((value !== undefined) !== isStrict)
      throw new Error(`seed ${random.seed}: ${isStrict ? 'refused' : 'read'} ${text}`)
    if (value !== undefined && done % 16 === 0) expect(value).toEqual(JSON.parse(text))
    if (isStrict) strict++
  }
  expect(strict).toBeGreaterThan(inputs / 4)
  expect(strict).toBeLessThan(inputs)
  expect(polluted()).toBe(0)
})

test(`${inputs} changed and random texts: nothing is thrown, and what is read is what JSON.parse reads`, () => {
  const random = new Random()
  const writer = new Writer(random)
  let read = 0
  for (let done = 0; done < inputs; done++) {
    const bytes = random.chance(10) ? random.bytes(random.below(60)) : Buffer.from(writer.object().text)
    for (let changes = random.below(3); changes > 0 && bytes.length > 0; changes--)
      bytes[random.below(bytes.length)] = random.chance(2)
        ? random.below(256)
        : random.pick([...Buffer.from('{}[]",:\\u0 1e')])
    let value: unknown
    try {
      value = parseStrictObject(bytes)
    } catch (error) {
      throw new Error(`seed ${random.seed}: threw ${error} at ${bytes.toString('hex')}`)
    }
    if (value === undefined) continue
    read++
    if (done % 16 === 0) expect(value).toEqual(JSON.parse(bytes.toString()))
  }
  expect(read).toBeGreaterThan(inputs / 20)
  expect(polluted()).toBe(0)
})
