import { refuseUnknown, resolveAudience, resolveJwtOptions } from './options.ts'
import type { Jwt, Strategy } from './strategy.ts'

export type { Jwt, ResolvedStrategyOptions, Strategy } from './strategy.ts'

/**
 * A random token and a record: the classic session. The record is read per request; a revocation takes effect at once;
 * roles come from the record. There is no refresh token: using the session slides its idle timeout.
 *
 * @param options.audience - Audiences that the session is good for. Default `['web']`.
 */
export function opaque(options: { audience?: string | readonly string[] } = {}): Strategy<'record', false, 'sessions'> {
  refuseUnknown(options, new Set(['audience']), 'opaque')
  return Object.freeze({
    name: 'opaque',
    reads: 'record',
    renews: false,
    needs: ['sessions'] as const,
    options: Object.freeze({
      issuer: '',
      audience: resolveAudience(options.audience ?? 'web', 'opaque.audience'),
      algs: [],
      clientId: 'web',
      sealed: false,
      accessMs: 0,
      refreshMs: 0,
      graceMs: 0,
      replay: 'until_seen',
    }),
  })
}

/**
 * A signed JWT whose session record must exist: structure, signature and claims are checked before the store is asked,
 * so a forged token costs no store call. A revocation takes effect at once; roles come from the record. Recommended.
 */
export function allowlist<const F extends boolean = true>(options: Jwt<F>): Strategy<'record', F, 'sessions'> {
  return jwtStrategy('allowlist', 'record', ['sessions'], options)
}

/**
 * A signed JWT, checked against the subject's revocation record. A revocation takes effect at once; roles come from the
 * token, and a role change makes older tokens `superseded`. Needs a store that never evicts.
 */
export function denylist<const F extends boolean = true>(
  options: Jwt<F>,
): Strategy<'token', F, 'sessions' | 'revocations'> {
  return jwtStrategy('denylist', 'token', ['sessions', 'revocations'], options)
}

/**
 * A signed JWT and nothing else: no store is read per request, and a revocation takes effect when the token expires.
 * With `refresh: false` there is no store at all, and only `issue` and `verify`.
 */
export function stateless<const F extends boolean = true>(
  options: Jwt<F>,
): Strategy<'token', F, F extends true ? 'sessions' : never> {
  const needs = (options.refresh ?? true) ? (['sessions'] as const) : []
  return jwtStrategy('stateless', 'token', needs as never, options)
}

function jwtStrategy<S extends Strategy<any, any, any>>(
  name: S['name'],
  reads: S['reads'],
  needs: S['needs'],
  options: Jwt<boolean>,
): S {
  const resolved = resolveJwtOptions(name, options)
  return Object.freeze({ name, reads, renews: options.refresh ?? true, needs, options: resolved }) as unknown as S
}
