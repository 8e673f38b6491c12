import type { ConnectionOptions } from 'node:tls'
import { invalidOption } from '../../internal/errors.ts'

/** Certificates for connections over TLS. What Node trusts by itself needs none of it. There is no way to trust anybody. */
export type RedisTls = Pick<ConnectionOptions, 'ca' | 'cert' | 'key' | 'passphrase' | 'servername'>

/** As whom, and over what. May hold a password. */
export interface Login {
  readonly username?: string
  readonly password?: string
  /** Number of the database. Absent = 0. */
  readonly database?: number
  /** Present = TLS. */
  readonly tls?: RedisTls
}

export interface Place {
  readonly host: string
  readonly port: number
}

/** How one server is reached. */
export interface Endpoint extends Place {
  readonly login: Login
}

/** `host:port`, with brackets around an IPv6 address. What messages, warnings and the map of addresses name a server by. */
export function addressOf({ host, port }: Place): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`
}

/** The inverse. */
export function placeOf(address: string): Place {
  const colon = address.lastIndexOf(':')
  return { host: address.slice(0, colon).replace(/^\[(.*)\]$/, '$1'), port: Number(address.slice(colon + 1)) }
}

/** Where a server is reached that announces `announced`. */
export function mappedPlace(announced: Place, map: Readonly<Record<string, string>>): Place {
  const address = addressOf(announced)
  return Object.hasOwn(map, address) ? placeOf(map[address]!) : announced
}

/**
 * @param option - What to call it in messages, which never repeat the URL.
 * @param tls - Certificates, for `rediss://`.
 */
export function endpointOf(url: unknown, option: string, tls: RedisTls | undefined, defaultPort = 6_379): Endpoint {
  const parsed = typeof url === 'string' && URL.canParse(url) ? new URL(url) : undefined
  if (!parsed || !['redis:', 'rediss:'].includes(parsed.protocol) || parsed.hostname === '') {
    throw invalidOption(option, `must be a URL such as redis://host:${defaultPort}, or rediss:// for TLS`)
  }
  if (!/^\/?\d{0,5}$/.test(parsed.pathname))
    throw invalidOption(option, 'must have the number of a database as its path, or none')
  const database = Number(parsed.pathname.slice(1))
  return {
    host: parsed.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: parsed.port === '' ? defaultPort : Number(parsed.port),
    login: {
      ...(parsed.username !== '' && { username: decoded(parsed.username, option) }),
      ...(parsed.password !== '' && { password: decoded(parsed.password, option) }),
      ...(database !== 0 && { database }),
      ...(parsed.protocol === 'rediss:' && { tls: tls ?? {} }),
    },
  }
}

function decoded(part: string, option: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    throw invalidOption(option, 'must have its user and password percent-encoded')
  }
}
