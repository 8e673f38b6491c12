// The stored form of sessions and tombstones: everything comes back as it was, everything else is refused.
import { readFileSync } from 'node:fs'
import { serialize } from 'node:v8'
import { samples } from 'countersign/conformance'
import type { SessionRecord } from 'countersign/stores/contract'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decodeAccount, decodeClaim, encodeAccount, encodeClaim } from '../../src/stores/redis/account-codec.ts'
import { OUTCOMES } from '../../src/stores/redis/outcome.ts'
import { decodeKept, encodeRecord as encode } from '../../src/stores/redis/record-codec.ts'

const { DAY, MINUTE, recordOf, subjectRef } = samples

// The types of the built package and of the sources have brands of their own.
const encodeRecord = (original: SessionRecord) => encode(original as never)

const NOW = 1_795_000_000_000
const text = (max: number) => fc.string({ unit: 'grapheme', maxLength: max })
const near = fc.integer({ min: NOW - 2 ** 39 + 1, max: NOW + 2 ** 39 - 1 })
const time = fc.oneof(fc.constant(NOW), near)
const hash = fc.uint8Array({ minLength: 32, maxLength: 32 })
const role = fc.stringMatching(/^[!-+\-./0-9A-Za-z:_]{1,20}$/)
const roles = fc.array(role, { maxLength: 5 })
const optional = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined })

const record = fc
  .record({
    subject: text(30),
    tenant: optional(text(10)),
    authTimeMs: time,
    acr: fc.constantFrom('aal1', 'aal2', 'x'),
    amr: fc.array(text(5), { maxLength: 3 }),
    audience: fc.array(text(30), { maxLength: 3 }),
    clientId: fc.constantFrom('web', 'cli', ''),
    device: fc.record({
      id: text(10),
      label: optional(text(300)),
      class: optional(fc.constantFrom<NonNullable<SessionRecord['device']['class']>>('browser', 'mobile', 'cli')),
    }),
    delivery: fc.constantFrom<SessionRecord['delivery']>('cookie', 'browser', 'bearer'),
    persistent: fc.boolean(),
    stamped: fc.boolean(),
    version: fc.integer({ min: 1, max: 2 ** 32 - 1 }),
    data: fc.option(text(400)),
    operations: fc.array(text(300), { maxLength: 16 }),
    roles,
    pendingRoles: fc.option(roles),
    rolesGeneration: fc.nat(2 ** 31),
    lastSeenAtMs: time,
    idleAtMs: time,
    absoluteAtMs: time,
    refreshAtMs: time,
    lastExpMs: fc.oneof(fc.constant(0), time),
    generation: fc.constantFrom(0, 1, 2 ** 32 - 1),
    hash,
    previousHash: fc.option(hash),
    rotationKey: fc.nat(255),
    macKey: fc.nat(255),
    rotatedAtMs: time,
    handedOutAtMs: time,
    confirmedAtMs: fc.oneof(fc.constant(0), time),
    replays: fc.nat(65_535),
    origin: fc.record({ ip: optional(text(20)), userAgent: optional(text(300)) }),
  })
  .map((fields) => withoutUndefined({ ...fields, id: ID, createdAtMs: NOW }) as SessionRecord)

const ID = `${'t'.repeat(12)}${'r'.repeat(22)}` as never

function withoutUndefined(value: unknown): unknown {
  if (Array.isArray(value) || value instanceof Uint8Array || typeof value !== 'object' || value === null) return value
  const members = Object.entries(value).filter(([, member]) => member !== undefined)
  return Object.fromEntries(members.map(([name, member]) => [name, withoutUndefined(member)]))
}

describe('record', () => {
  it('comes back as it was, whatever is in it', () => {
    fc.assert(
      fc.property(record, (original) => {
        expect(decodeKept(ID, encodeRecord(original))).toStrictEqual({ is: 'live', record: original })
      }),
      { numRuns: 500 },
    )
  })

  it('ASCII text comes back with a byte for each character, also behind a long one', () => {
    const data = JSON.stringify({ text: 'x'.repeat(180) })
    const kept = decodeKept(ID, encodeRecord({ ...recordOf(subjectRef()), id: ID, data } as SessionRecord))
    if (kept.is !== 'live') throw new Error('not live')
    // V8 writes strings as it keeps them: `"` for one byte a character, `c` for two. Two cost memory, and every answer in
    // which such a subject stands is then converted when it is sent.
    const kinds = [kept.record.subject, kept.record.data].map((text) => String.fromCharCode(serialize(text)[2]!))
    expect(kinds).toEqual(['"', '"'])
  })

  it('is refused as corrupt when it is cut or when something follows, and never ends the process', () => {
    const bytes = encodeRecord(recordOf(subjectRef(), { pendingRoles: ['a'], operations: ['x'], generation: 1 }))
    for (let length = 0; length < bytes.length; length++) {
      expect(() => decodeKept(ID, bytes.subarray(0, length)), `${length} bytes`).toThrow(corrupt)
    }
    expect(() => decodeKept(ID, Buffer.concat([bytes, Buffer.of(0)]))).toThrow(corrupt)
  })

  it('is either read or a fault when bytes are changed', () => {
    const bytes = encodeRecord(recordOf(subjectRef()))
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(bytes.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 }),
        (changes) => {
          const changed = Buffer.from(bytes)
          for (const [at, value] of changes) changed[at] = value
          try {
            decodeKept(ID, changed)
          } catch (error) {
            expect(error).toMatchObject({ code: changed[0]! % 16 === 1 ? 'ERR_STORE_CORRUPT' : 'ERR_FORMAT_UNKNOWN' })
          }
        },
      ),
      { numRuns: 500 },
    )
  })

  it('of another major is a fault that names both formats, and of a newer minor it is read', () => {
    const bytes = encodeRecord(recordOf(subjectRef()))
    bytes[0] = 2
    expect(() => decodeKept(ID, bytes)).toThrow('has format 2.0, which another release wrote; this one reads 1.x')
    bytes[0] = 1 + 3 * 16
    expect(decodeKept(ID, bytes)).toMatchObject({ is: 'live', record: { more: { format: 49, text: '' } } })
  })

  it.each<[string, Partial<SessionRecord>]>([
    ['"macKey"', { macKey: 256 }],
    ['"version"', { version: 1.5 }],
    ['"createdAtMs"', { createdAtMs: -1 }],
    ['"idleAtMs"', { idleAtMs: Number.NaN }],
    ['"lastSeenAtMs"', { lastSeenAtMs: NOW + 0.5 }],
    ['"refreshAtMs"', { refreshAtMs: NOW + 2 ** 40 }],
    ['"hash"', { hash: new Uint8Array(31) }],
    ['"previousHash"', { previousHash: new Uint8Array(33) }],
    ['"roles"', { roles: ['a,b'] }],
    ['"roles"', { pendingRoles: [''] }],
    ['"subject"', { subject: '\ud800' }],
    ['"data"', { data: '"\udc00"' }],
  ])('is not written with a %s that does not fit', (name, changes) => {
    expect(() => encodeRecord(recordOf(subjectRef(), { createdAtMs: NOW, ...changes }))).toThrow(
      expect.objectContaining({ code: 'ERR_INPUT_INVALID', message: expect.stringContaining(name) }),
    )
  })

  it('of a fresh session without device spends at most 125 bytes on all but subject and data', () => {
    const lean = { device: { id: '' }, amr: ['pwd'], origin: {}, subject: '', data: '', lastExpMs: NOW + 60_000 }
    expect(encodeRecord(recordOf(subjectRef(), { createdAtMs: NOW, ...lean })).length).toBeLessThanOrEqual(125)
  })
})

it('docs/storage-schema.md shows a session as it is stored', () => {
  const schema = readFileSync(new URL('../../../../docs/storage-schema.md', import.meta.url), 'utf8')
  const hex = /```hex\n([\da-f\n]+)```/.exec(schema)![1]!.replaceAll('\n', '')
  const kept = decodeKept(ID, Buffer.from(hex, 'hex'))
  expect(kept).toMatchObject({
    is: 'live',
    record: {
      subject: 'u_01JD8',
      createdAtMs: 0x01a1ee565e00,
      absoluteAtMs: 0x01a1ee565e00 + 7 * DAY,
      idleAtMs: 0x01a1ee565e00 + 30 * MINUTE,
      lastExpMs: 0x01a1ee565e00 + 10 * MINUTE,
      amr: ['pwd'],
      audience: ['https://api.example.com'],
      origin: { ip: '192.0.2.1' },
      roles: ['user'],
      data: '{"cart":[]}',
    },
  })
  if (kept.is === 'live') expect(encode(kept.record).toString('hex')).toBe(hex)
})

describe('account', () => {
  const account = {
    ...subjectRef('user:1', 'acme'),
    identifier: 'jörg@example.com',
    version: 7,
    passwordHash: '$argon2id$…',
    passwordChangedAtMs: NOW,
    roles: ['admin'],
    blocked: null,
    createdAtMs: NOW,
    unsettled: 'roles' as const,
  }

  it('comes back as it was', () => {
    expect(decodeAccount(account.tag, encodeAccount(account))).toStrictEqual(account)
    const subject = { tag: account.tag, subject: account.subject, tenant: 'acme' }
    for (const leased of [true, false]) {
      expect(decodeClaim(encodeClaim({ leased, subject }))).toStrictEqual({ leased, subject })
    }
  })

  it('is refused as corrupt when it is cut or is something else', () => {
    const bytes = encodeAccount(account)
    for (let length = 0; length < bytes.length; length++) {
      expect(() => decodeAccount(account.tag, bytes.subarray(0, length))).toThrow(corrupt)
    }
    const wrong = Buffer.from(bytes.toString('latin1').replace('"roles":["admin"]', '"roles":"admin!!"'), 'latin1')
    expect(() => decodeAccount(account.tag, wrong)).toThrow(corrupt)
    for (const claim of ['', '=', '={}', '!{"tag":"a","subject":"b"}', '=null', '={"tag":1,"subject":"b"}']) {
      expect(() => decodeClaim(Buffer.from(claim)), claim).toThrow(corrupt)
    }
  })
})

it('scripts and the store number the outcomes alike', () => {
  const lua = readFileSync(new URL('../../src/stores/redis/scripts/includes/outcome.lua', import.meta.url), 'utf8')
  const inLua = [...lua.matchAll(/^ {2}(\w+) = (\d+),$/gm)].map(([, name, code]) => [name, Number(code)])
  expect(inLua).toEqual(OUTCOMES.map((name, code) => [name, code]))
})

const corrupt = expect.objectContaining({ code: 'ERR_STORE_CORRUPT', store: 'redis' }) as Error
