import { BlockList, isIP } from 'node:net'
import { invalidOption } from '../internal/errors.ts'
import type { RequestFacts } from './request.ts'

/** Says whether an address is one of our proxies. From {@link resolveProxies}. */
export type ProxyList = (address: string) => boolean

/**
 * Which peers are proxies of ours, whose word about the client counts.
 *
 * @param proxies - Addresses and ranges: `10.0.0.7`, `10.0.0.0/8`, `fd00::/8`. No names, and nothing that stands for everybody.
 * @throws CountersignError `ERR_CONFIG_INVALID` for anything else, also for a range of all addresses.
 */
export function resolveProxies(proxies: readonly string[] = []): ProxyList {
  if (!Array.isArray(proxies)) throw invalidOption('trustedProxies', 'must be a list of addresses')
  const list = new BlockList()
  for (const one of proxies) {
    const [, address = '', bits] = /^([^/]*)(?:\/(\d{1,3}))?$/.exec(String(one)) ?? []
    const family = isIP(address)
    const longest = family === 4 ? 32 : 128
    const prefix = bits === undefined ? longest : Number(bits)
    if (family === 0 || prefix > longest || prefix === 0)
      throw invalidOption('trustedProxies', 'must be addresses or ranges such as "10.0.0.0/8"')
    list.addSubnet(address, prefix, family === 4 ? 'ipv4' : 'ipv6')
  }
  if (proxies.length === 0) return () => false
  return (address) => {
    const family = isIP(address)
    return family !== 0 && list.check(address, family === 4 ? 'ipv4' : 'ipv6')
  }
}

/**
 * The address that a request came from. `X-Forwarded-For` is looked at only when the peer is a proxy of ours, and read from
 * its right end, where our proxies write: the first address that is not one of them is the client's. What stands further to the
 * left was sent by the client itself and means nothing (ASVS 4.1.3).
 *
 * @param peer - Address of the socket's other end.
 * @returns `undefined` when the peer is unknown. The last address that can be believed when an entry is no address.
 */
export function clientAddress(request: RequestFacts, peer: string | undefined, isOurs: ProxyList): string | undefined {
  let believed = plainAddress(peer ?? '')
  if (believed === undefined || !isOurs(believed)) return believed
  const header = request.header('x-forwarded-for')
  if (header === undefined) return believed
  const hops = (typeof header === 'string' ? header : header.join(',')).split(',')
  for (const hop of hops.reverse()) {
    const address = plainAddress(hop.trim())
    if (address === undefined) return believed
    believed = address
    if (!isOurs(address)) return believed
  }
  return believed
}

/** An address without port, brackets, zone, or the IPv6 form of an IPv4 address. `undefined` when it is none. */
function plainAddress(text: string): string | undefined {
  const [, inBrackets] = /^\[([0-9a-f:.]+)\](?::\d{1,5})?$/i.exec(text) ?? []
  const [, beforePort] = /^([\d.]+):\d{1,5}$/.exec(text) ?? []
  const address = (inBrackets ?? beforePort ?? text).replace(/%.*$/, '').replace(/^::ffff:(?=[\d.]+$)/i, '')
  return isIP(address) === 0 ? undefined : address
}
