// How one setting is read, from the text of a flag or environment variable or from a value of the JSON file. A reader
// throws an `Error` whose message goes on after the name of the setting, and never repeats the value: it may be a secret.
import { isIP } from 'node:net'
import { describeRedisGroup, type RedisGroup, redisGroupIn, redisGroupOf } from './redis-location.ts'

export type Reader<T> = (value: unknown) => T

/** More than one thing is wrong with one setting. */
export class SeveralProblems extends Error {
  readonly problems: readonly string[]

  constructor(problems: readonly string[]) {
    super(problems.join('; '))
    this.problems = problems
  }
}

export const text =
  (max = 2_048): Reader<string> =>
  (value) => {
    if (typeof value !== 'string' || value === '' || value.length > max || /[\0\r\n]/.test(value)) {
      throw new Error(`must be a text of 1 to ${max} characters on one line`)
    }
    return value
  }

export const integer =
  (min: number, max: number): Reader<number> =>
  (value) => {
    const number = typeof value === 'string' && /^\d{1,9}$/.test(value) ? Number(value) : value
    if (!Number.isInteger(number) || (number as number) < min || (number as number) > max) {
      throw new Error(`must be a whole number from ${min} to ${max}`)
    }
    return number as number
  }

export const oneOf =
  <const T extends string>(...allowed: readonly T[]): Reader<T> =>
  (value) => {
    if (!allowed.includes(value as T)) throw new Error(`must be one of: ${allowed.join(', ')}`)
    return value as T
  }

/** A list: in JSON an array, in text separated by commas, as a flag also repeated. */
export const list =
  <T>(item: Reader<T>): Reader<readonly T[]> =>
  (value) => {
    const items = Array.isArray(value) ? value : typeof value === 'string' ? [value] : undefined
    if (!items) throw new Error('must be a list')
    return items
      .flatMap((one) => (typeof one === 'string' ? one.split(',').map((part) => part.trim()) : [one]))
      .map((one) => item(one))
  }

export const yesNo: Reader<boolean> = (value) => {
  if (value === true || value === 'true' || value === '1') return true
  if (value === false || value === 'false' || value === '0') return false
  throw new Error('must be true or false')
}

/** `scheme://host[:port]` of HTTP and nothing more. */
export const origin: Reader<string> = (value) => {
  const url = typeof value === 'string' && URL.canParse(value) ? new URL(value) : undefined
  if (!url || !/^https?:$/.test(url.protocol) || url.href !== `${url.origin}/`) {
    throw new Error('must be an address such as https://auth.example.com, without a path')
  }
  return url.origin
}

/** An address of a page, without what links put behind it. */
export const address: Reader<string> = (value) => {
  const url = typeof value === 'string' && URL.canParse(value) ? new URL(value) : undefined
  if (!url || !/^https?:$/.test(url.protocol) || url.username || url.password || url.hash || url.search) {
    throw new Error('must be an address such as https://app.example.com/account, without query and fragment')
  }
  return url.href
}

/** The path of a page, on whatever host: never an address, so never somebody else's. */
export const path: Reader<string> = (value) => {
  if (typeof value !== 'string' || value.length > 512 || !/^\/(?!\/)[\w.~/-]*$/.test(value)) {
    throw new Error('must be a path such as /login, without query and fragment')
  }
  return value
}

/** An IP address or a CIDR range. */
export const addresses: Reader<string> = (value) => {
  const [address = '', prefix, more] = typeof value === 'string' ? value.split('/') : []
  const family = isIP(address)
  const longest = family === 4 ? 32 : 128
  const isRange = prefix === undefined || (/^\d{1,3}$/.test(prefix) && Number(prefix) <= longest)
  if (family === 0 || !isRange || more !== undefined)
    throw new Error('must be IP addresses or ranges such as 10.0.0.0/8')
  return value as string
}

/** Where sessions and accounts are kept. */
export type StoreLocation =
  | { readonly kind: 'sqlite'; readonly file?: string }
  | { readonly kind: 'memory' }
  | { readonly kind: 'redis'; readonly url: string }
  | { readonly kind: 'postgres'; readonly url: string }
  | RedisGroup

export const storeLocation: Reader<StoreLocation> = (value) => {
  if (typeof value === 'string') {
    if (value === 'sqlite') return { kind: 'sqlite' }
    if (value === 'memory') return { kind: 'memory' }
    if (value.startsWith('sqlite:') && value.length > 7) return { kind: 'sqlite', file: value.slice(7) }
    if (/^rediss?:\/\/[^/]/.test(value) && URL.canParse(value)) return { kind: 'redis', url: value }
    // Without a host: that of a Unix socket is a parameter.
    if (/^postgres(ql)?:\/\/./.test(value) && URL.canParse(value)) return { kind: 'postgres', url: value }
  }
  const group =
    typeof value === 'string'
      ? redisGroupOf(value)
      : typeof value === 'object' && value !== null
        ? redisGroupIn(value)
        : undefined
  if (group) return group
  throw new Error(
    'must be sqlite, sqlite:FILE, memory, or an address such as redis://127.0.0.1:6379, postgres://127.0.0.1/auth, redis-cluster://HOST:PORT,HOST:PORT or redis-sentinel://HOST:PORT,HOST:PORT?name=NAME',
  )
}

/** The same without what must not be printed. */
export function describeStore(store: StoreLocation): string {
  if (store.kind === 'memory') return 'memory'
  if (store.kind === 'sqlite') return store.file === undefined ? 'sqlite' : `sqlite:${store.file}`
  if (!('url' in store)) return describeRedisGroup(store)
  const url = new URL(store.url)
  // The user name too: with some providers it is the key. And the query: it may hold anything.
  const login = url.username || url.password ? '***@' : ''
  return `${url.protocol}//${login}${url.host}${url.pathname}${url.search && '?***'}`
}
