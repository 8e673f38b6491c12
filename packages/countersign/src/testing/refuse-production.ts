import { CountersignError } from '../internal/errors.ts'

/** What is made for tests must not carry a service: a clock that stands still, keys that nobody keeps. */
export function refuseProduction(name: string): void {
  if (process.env.NODE_ENV !== 'production') return
  throw new CountersignError('ERR_CONFIG_UNSAFE', `${name} is for tests only, and NODE_ENV is "production"`)
}
