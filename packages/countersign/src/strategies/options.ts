import { durationMs } from '../internal/duration.ts'
import { CountersignError, invalidOption } from '../internal/errors.ts'
import type { SigningAlg } from '../tokens/key-material.ts'
import type { Jwt, ResolvedStrategyOptions } from './strategy.ts'

const JWT_OPTIONS = new Set([
  'issuer',
  'audience',
  'alg',
  'clientId',
  'accessLifetime',
  'longAccessLifetimeBecause',
  'refresh',
  'refreshLifetime',
  'grace',
  'reuse',
  'sealed',
])
const ALGS = ['HS256', 'ES256', 'Ed25519'] as const satisfies readonly SigningAlg[]
const MAX_CASUAL_ACCESS_MS = 900_000

/** Checks the options of a JWT strategy and fills in the defaults. */
export function resolveJwtOptions(name: string, options: Jwt<boolean>): ResolvedStrategyOptions {
  refuseUnknown(options, JWT_OPTIONS, name)
  const at = (option: string) => `${name}.${option}`
  if (typeof options.issuer !== 'string' || options.issuer === '')
    throw invalidOption(at('issuer'), 'must be a non-empty string')
  const algs = resolveAlgs(options.alg ?? 'HS256', at('alg'), ALGS)
  const renews = options.refresh ?? true
  if (typeof renews !== 'boolean') throw invalidOption(at('refresh'), 'must be true or false')
  const reuse = options.reuse ?? 'replay'
  if (reuse !== 'replay' && reuse !== 'strict') throw invalidOption(at('reuse'), "must be 'replay' or 'strict'")
  const sealed = options.sealed ?? false
  if (typeof sealed !== 'boolean') throw invalidOption(at('sealed'), 'must be true or false')
  const clientId = options.clientId ?? 'web'
  if (typeof clientId !== 'string' || clientId === '' || clientId.length > 256)
    throw invalidOption(at('clientId'), 'must be a string of 1 to 256 characters')

  const accessMs = durationMs(options.accessLifetime ?? '10m', at('accessLifetime'), 1_000, 86_400_000)
  if (name === 'stateless' && accessMs > MAX_CASUAL_ACCESS_MS && !options.longAccessLifetimeBecause?.trim()) {
    throw new CountersignError(
      'ERR_CONFIG_UNSAFE',
      `"${at('accessLifetime')}" over 15m means that a logout takes that long: say why in "longAccessLifetimeBecause"`,
    )
  }
  return Object.freeze({
    issuer: options.issuer,
    audience: resolveAudience(options.audience, at('audience')),
    algs,
    clientId,
    sealed,
    accessMs,
    refreshMs: renews ? durationMs(options.refreshLifetime ?? '7d', at('refreshLifetime'), 1_000) : 0,
    graceMs: reuse === 'strict' ? 0 : durationMs(options.grace ?? '10s', at('grace'), 1, 60_000),
    replay: reuse === 'strict' ? 'never' : 'until_seen',
  })
}

/** One or several algorithms as a frozen list. */
export function resolveAlgs<A extends SigningAlg>(
  alg: A | readonly A[],
  option: string,
  known: readonly A[],
): readonly A[] {
  const list: readonly A[] = Array.isArray(alg) ? alg : [alg as A]
  if (list.length === 0 || !list.every((one) => known.includes(one))) {
    throw invalidOption(option, `must be one or several of ${known.map((one) => `'${one}'`).join(', ')}`)
  }
  return Object.freeze([...list])
}

/** One or several audiences as a frozen list without repetition. */
export function resolveAudience(audience: unknown, option: string, invalid = invalidOption): readonly string[] {
  const list: readonly unknown[] = Array.isArray(audience) ? audience : [audience]
  if (
    list.length === 0 ||
    list.length > 32 ||
    !list.every((one) => typeof one === 'string' && one !== '' && one.length <= 512)
  ) {
    throw invalid(option, 'must name 1 to 32 audiences')
  }
  return Object.freeze([...new Set(list as string[])])
}

/** A misspelt option would silently be a default, and some of the defaults are about safety. */
export function refuseUnknown(
  options: object,
  known: ReadonlySet<string>,
  where: string,
  invalid = invalidOption,
): void {
  if (typeof options !== 'object' || options === null) throw invalid(where, 'must be an object')
  for (const name of Object.keys(options)) {
    if (!known.has(name)) throw invalid(`${where}.${name}`, 'is not an option')
  }
}
