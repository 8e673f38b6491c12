import { COOKIE_NAMES, readCookies, setCookie } from 'countersign/http'
import { expect, test } from 'vitest'
import { count } from '../../../../tools/test-support/counts.ts'
import { Random } from '../../../../tools/test-support/random.ts'
import { request } from '../http/request.ts'

const { access, refresh } = COOKIE_NAMES
const VALUE = 'ABCabc019-_.'
const NOISE = 'aZ09 =;,"\\\t\r\n\0é\u{1f600}%&'
const inputs = count(20_000, 1_000_000)

/**
 * The rule once more, by another way: of all parts between semicolons, those whose name is exactly ours.
 */
function expected(header: string): { is: 'ok' | 'malformed' | 'duplicate_cookie'; access?: string; refresh?: string } {
  const found: Record<string, string[]> = { [access]: [], [refresh]: [] }
  for (const part of header.split(';')) {
    const [, name = '', value = ''] = /^[ \t]*([^=]*?)[ \t]*(?:=[ \t]*(.*?)[ \t]*)?$/s.exec(part) ?? []
    if (Object.hasOwn(found, name)) found[name]!.push(value)
  }
  const all = [...found[access]!, ...found[refresh]!]
  const bad = all.some((value) => value === '' || /[^!#-+\--:<-[\]-~]/.test(value))
  const twice = found[access]!.length > 1 || found[refresh]!.length > 1
  if (!bad && !twice) return { is: 'ok', access: found[access]![0]!, refresh: found[refresh]![0]! }
  if (bad && twice) return { is: 'malformed' } // either reason is right; see below
  return { is: bad ? 'malformed' : 'duplicate_cookie' }
}

test(`of ${inputs} cookie headers each is read as the rule says, and nothing is thrown`, () => {
  const random = new Random()
  const seen = { ok: 0, malformed: 0, duplicate_cookie: 0 }
  for (let done = 0; done < inputs; done++) {
    const parent = {
      access: random.text(VALUE, 1 + random.below(40)),
      refresh: random.text(VALUE, 1 + random.below(40)),
    }
    const written = (['access', 'refresh'] as const).map((use) => setCookie(use, parent[use]).split(';')[0]!)
    const right = written.join('; ')
    expect(done % 8 === 0 ? readCookies(request({ cookie: right })) : { ok: true, ...parent }).toEqual({
      ok: true,
      ...parent,
    })

    const header = mutate(right, random)
    const rule = expected(header)
    const got = readCookies(request({ cookie: header }))
    const is = got.ok ? 'ok' : got.reason
    const both = rule.is === 'malformed' && is === 'duplicate_cookie'
    if (is !== rule.is && !both)
      throw new Error(`seed ${random.seed}: ${is}, not ${rule.is}, for ${JSON.stringify(header)}`)
    if (got.ok && (got.access !== rule.access || got.refresh !== rule.refresh))
      throw new Error(`seed ${random.seed}: ${JSON.stringify(got)} for ${JSON.stringify(header)}`)
    seen[is as keyof typeof seen]++
  }
  for (const [reason, times] of Object.entries(seen)) expect(times, reason).toBeGreaterThan(inputs / 100)
})

function mutate(header: string, random: Random): string {
  const where = random.below(header.length)
  const name = random.pick([access, refresh])
  switch (random.below(10)) {
    case 0:
      return `${header}; ${name}=${random.text(VALUE, random.below(4))}`
    case 1:
      return `${name}=x${random.pick([';', '; ', ' ;', ';;', ','])}${header}`
    case 2:
      return header.slice(0, where) + random.pick([...NOISE]) + header.slice(where)
    case 3:
      return header.slice(0, where) + header.slice(where + 1)
    case 4:
      return header.replace(
        name,
        random.pick([name.toLowerCase(), name.toUpperCase(), ` ${name}`, `x${name}`, `${name}x`]),
      )
    case 5:
      return header.replace('=', random.pick([' = ', '==', '', '\t=\t']))
    case 6:
      return random.text(NOISE, random.below(120))
    case 7:
      return `theme=dark; ${header}; ${random.text(NOISE.replace(';', ''), random.below(30))}`
    case 8:
      return header
        .split('; ')
        .reverse()
        .join(random.pick(['; ', ';', ';  ']))
    default:
      return Array.from(
        { length: random.below(60) },
        () => `${random.pick([access, refresh, 'a', ''])}=${random.text(VALUE, random.below(3))}`,
      ).join('; ')
  }
}
