import { ORIGIN_VARY } from '../../http/origin-proof.ts'
import type { Challenge } from '../../http/problem.ts'
import type { HttpRefused } from '../../http/refusals.ts'
import { isSafeMethod } from '../../http/request.ts'
import { inputDurationMs } from '../../internal/duration.ts'
import { invalidInput } from '../../internal/errors.ts'
import type { Degraded, OutagePolicy } from '../../session/types.ts'
import { refuseUnknown } from '../../strategies/options.ts'
import { checkOutage } from '../../verbs/outage.ts'
import { type Answer, withHeaders } from './answer.ts'
import { type Asked, type Exchange, GuardDemands } from './exchange.ts'
import { asFault, throwFault } from './fault.ts'
import { forgery } from './forgery.ts'
import { answerRefusal } from './refusal.ts'
import type { Demands } from './types.ts'

/** Who may pass. */
export interface GuardOptions<R extends string = string> extends Demands<R> {
  /**
   * What becomes of a request when the store does not answer. Default: the fault is thrown, 503. With `verifiedWithin`, a session that
   * this process found live so short a time ago passes as `degraded`, without roles and data; a guard that demands `roles`,
   * `acr`, `maxAge` or `fresh` answers 503 all the same.
   */
  readonly outage?: OutagePolicy
  /** Unsafe requests need a form token as well, in the field `form_token` of a body that is read already, or in `x-form-token`. */
  readonly form?: boolean
  /** The answer may be kept by browsers and proxies: `Cache-Control` is then the application's. Default `no-store`. */
  readonly cacheable?: boolean
}

const OPTIONS = new Set(['roles', 'acr', 'maxAge', 'audience', 'fresh', 'outage', 'form', 'cacheable'])

/** A guard with its options read once. */
export interface Guard {
  readonly cacheable: boolean
  /**
   * @returns `undefined` to let the request in, else the answer. A promise only when the store has to be asked.
   * @throws WebFault when the store did not answer.
   */
  enter(exchange: Exchange): undefined | Answer | Promise<undefined | Answer>
}

/** @throws CountersignError `ERR_INPUT_INVALID` for an option that is wrong: when the guard is made, not when a request comes. */
export function createGuard(options: GuardOptions = {}): Guard {
  refuseUnknown(options, OPTIONS, 'guard')
  const { form = false, cacheable = false, outage, ...demands } = options
  const { roles, maxAge } = demands
  if (roles !== undefined && !Array.isArray(roles)) throw invalidInput('roles', 'must be a list')
  const maxAgeMs = maxAge === undefined ? undefined : inputDurationMs(maxAge, 'maxAge')
  if (outage !== undefined) checkOutage(outage)
  const quickly = new GuardDemands(demands)
  const asked: Asked = Object.freeze({ ...demands, ...(outage !== undefined && { outage }) })
  const challenge: Challenge = {
    ...(demands.acr !== undefined && { acrValues: [demands.acr] }),
    ...(maxAgeMs !== undefined && { maxAgeSeconds: Math.floor(maxAgeMs / 1_000) }),
    ...(roles !== undefined && { scope: roles }),
  }

  const settle = (exchange: Exchange, checked: { readonly ok: true } | HttpRefused | Degraded): Answer | undefined => {
    try {
      const refused = checked.ok ? forgery(exchange, form) : checked
      return refused === undefined ? undefined : refuseHere(exchange, refused, challenge)
    } catch (error) {
      throw asFault(error)
    }
  }
  const checkNow = (exchange: Exchange) => {
    try {
      return exchange.checkNow(quickly)
    } catch (error) {
      throw asFault(error)
    }
  }
  return {
    cacheable,
    enter(exchange) {
      const now = checkNow(exchange)
      if (now !== undefined) return settle(exchange, now)
      // As few promises as can be: every request that asks the store pays for each.
      return exchange.ask(asked).then((checked) => settle(exchange, checked), throwFault)
    },
  }
}

/**
 * Enters where a framework goes on by callbacks: `go` gets what {@link Guard.enter} gives, and whatever fails, `go` included, goes
 * to `fail`.
 */
export function enterThen(
  guard: Guard,
  exchange: Exchange,
  go: (answer: Answer | undefined) => void,
  fail: (error: any) => void,
): void {
  const settle = (answer: Answer | undefined) => {
    try {
      go(answer)
    } catch (error) {
      fail(error)
    }
  }
  let answer: ReturnType<Guard['enter']>
  try {
    answer = guard.enter(exchange)
  } catch (error) {
    return void fail(error)
  }
  if (answer instanceof Promise) answer.then(settle, fail)
  else settle(answer)
}

function refuseHere(exchange: Exchange, refused: HttpRefused, challenge: Challenge): Answer {
  exchange.session = undefined
  exchange.degraded = undefined
  exchange.refused = refused
  const answer = answerRefusal(exchange, refused, challenge)
  return isSafeMethod(exchange.source.method) ? answer : withHeaders(answer, { vary: ORIGIN_VARY })
}
