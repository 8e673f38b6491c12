import { createVerifier, generateKeyring, loadKeyring, systemRuntime } from 'countersign'
import { expect, test } from 'vitest'
import { count } from '../../../../tools/test-support/counts.ts'
import { Random } from '../../../../tools/test-support/random.ts'
import { signJws } from '../../src/tokens/jws.ts'
import { keysOf, loadKeyring as loadPrivately } from '../../src/tokens/keyring.ts'
import { AUDIENCE, claimsAt, ISSUER } from '../verifier/issuer.ts'

const NOW = 1_800_000_000
const isText = (value: unknown) => typeof value === 'string' && value !== ''
const isTexts = (value: unknown) => Array.isArray(value) && value.every(isText)
const isTime = (value: unknown) => typeof value === 'number' && value >= 0 && value <= 2 ** 53 - 1
const optional = (is: (value: unknown) => boolean) => (value: unknown) => value === undefined || is(value)

/** What each claim has to be, said once more and in another way than in the library. Leeway 5 s, lifetime one day. */
const RULES: Readonly<Record<string, (value: any) => boolean>> = {
  iss: (value) => value === ISSUER,
  aud: (value) => value === AUDIENCE || (isTexts(value) && value.includes(AUDIENCE)),
  sub: isText,
  client_id: isText,
  jti: (value) => isText(value) && value.length <= 128,
  exp: (value) => isTime(value) && value + 5 > NOW,
  iat: (value) => isTime(value) && value - 5 <= NOW,
  nbf: optional((value) => isTime(value) && (value as number) - 5 <= NOW),
  auth_time: optional(isTime),
  gen: optional((value) => isTime(value) && Number.isInteger(value)),
  stamp: optional(isTime),
  sid: optional(isText),
  tenant: optional(isText),
  acr: optional(isText),
  amr: optional(isTexts),
  roles: optional(isTexts),
  act: optional((value) => isText((value as { sub?: unknown } | null)?.sub)),
  events: (value) => value === undefined,
  cnf: (value) => value === undefined,
  // What nobody has heard of is not looked at.
  unheard: () => true,
}

const POOL: readonly unknown[] = [
  ...[undefined, null, true, false, 0, 1, -1, 0.5, NOW, NOW - 5, NOW - 6, NOW + 5, NOW + 6, NOW + 300, NOW + 86_400],
  ...[NOW + 1e6, 2 ** 53 - 1, 2 ** 53, 1e300, '', 'x', ISSUER, `${ISSUER}/`, AUDIENCE, `${AUDIENCE}x`, 'admin'],
  ...['1800000300', 'x'.repeat(128), 'x'.repeat(129), [], [AUDIENCE], [AUDIENCE, 'x'], ['x'], [AUDIENCE, 1]],
  ...[[AUDIENCE, ''], [[AUDIENCE]], {}, { sub: 'x' }, { sub: 1 }, { $ne: null }, { [AUDIENCE]: 1 }, ['admin'], [null]],
]

test(`of ${count(10_000, 1_000_000)} signed sets of claims exactly the right ones are accepted, and told as they are`, async () => {
  const file = generateKeyring({ signing: ['HS256'] })
  const key = keysOf(await loadPrivately(file)).signWith('HS256')!
  const clock = { nowMs: () => NOW * 1_000, monotonicMs: () => 0 }
  const verifier = createVerifier({
    issuer: ISSUER,
    audience: AUDIENCE,
    keys: await loadKeyring(file),
    runtime: { ...systemRuntime, clock },
  })
  const random = new Random()
  const names = Object.keys(RULES)
  let accepted = 0
  const inputs = count(10_000, 1_000_000)
  for (let done = 0; done < inputs; done++) {
    const claims: Record<string, unknown> = claimsAt(NOW * 1_000)
    for (let changes = random.below(4); changes > 0; changes--) claims[random.pick(names)] = random.pick(POOL)
    const { exp, iat } = claims as { exp: number; iat: number }
    const isRight = names.every((name) => RULES[name]!(claims[name])) && exp > iat && exp - iat <= 86_400
    const checked = verifier.verifyNow(signJws(claims, 'at+jwt', key))
    if (checked?.ok !== isRight) throw new Error(`seed ${random.seed}: ${checked?.ok} for ${JSON.stringify(claims)}`)
    if (!checked?.ok) continue
    accepted++
    const { session } = checked
    if (
      session.subject !== claims.sub ||
      session.audience.join() !== [claims.aud].flat().join() ||
      session.roles.join() !== ((claims.roles as string[]) ?? []).join() ||
      session.tenant !== claims.tenant ||
      session.actor !== (claims.act as { sub?: string } | undefined)?.sub ||
      session.acr !== (claims.acr ?? '') ||
      session.authTimeMs !== ((claims.auth_time as number) ?? 0) * 1_000
    )
      throw new Error(`seed ${random.seed}: ${JSON.stringify(session)} for ${JSON.stringify(claims)}`)
  }
  expect(accepted).toBeGreaterThan(inputs / 4)
  expect(accepted).toBeLessThan(inputs)
})
