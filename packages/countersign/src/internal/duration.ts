import { invalidInput, invalidOption } from './errors.ts'

/** A length of time with its unit: `'90s'`, `'10m'`, `'12h'`, `'7d'`. A bare number has no unit and does not compile. */
export type Duration = `${number}${'s' | 'm' | 'h' | 'd'}`

const UNIT_MS = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const

/**
 * Milliseconds of a {@link Duration}. Whole or decimal digits, then one of `s m h d`; more than zero unless `min` says otherwise.
 *
 * @param option - The name of the option, for the message.
 * @param min - Smallest value allowed, in milliseconds. Default 1.
 * @param max - Largest value allowed, in milliseconds. Default 400 days, the longest life a browser grants a cookie.
 * @throws CountersignError `ERR_CONFIG_INVALID` when it is anything else.
 */
export function durationMs(value: unknown, option: string, min = 1, max = 400 * UNIT_MS.d): number {
  return parse(value, option, min, max, invalidOption)
}

/** The same for an argument of a call: throws `ERR_INPUT_INVALID`. */
export function inputDurationMs(value: unknown, name: string, min = 1, max = 400 * UNIT_MS.d): number {
  return parse(value, name, min, max, invalidInput)
}

function parse(value: unknown, name: string, min: number, max: number, invalid: typeof invalidOption): number {
  const match = typeof value === 'string' ? /^(\d{1,9}(?:\.\d{1,3})?)([smhd])$/.exec(value) : null
  if (!match) throw invalid(name, "must be a number with a unit, such as '90s', '10m', '12h' or '7d'")
  const ms = Math.round(Number(match[1]) * UNIT_MS[match[2] as keyof typeof UNIT_MS])
  if (ms < min) throw invalid(name, `must be at least ${describeMs(min)}`)
  if (ms > max) throw invalid(name, `must be at most ${describeMs(max)}`)
  return ms
}

/** Milliseconds in the largest unit that divides them, for messages. */
export function describeMs(ms: number): string {
  for (const unit of ['d', 'h', 'm', 's'] as const) {
    if (ms >= UNIT_MS[unit] && ms % UNIT_MS[unit] === 0) return `${ms / UNIT_MS[unit]}${unit}`
  }
  return `${ms}ms`
}
