import { BlockList, isIP } from 'node:net'
import type { FastifyRequest } from 'fastify'

/** Whether an address is that of a listed proxy. */
export type IsProxy = (address: string | undefined) => boolean

/** @param ranges - IP addresses and CIDR ranges, as the setting `trustedProxies` has them. */
export function proxyCheck(ranges: readonly string[]): IsProxy {
  const listed = new BlockList()
  for (const range of ranges) {
    const [address = '', prefix] = range.split('/')
    const family = isIP(address) === 4 ? 'ipv4' : 'ipv6'
    if (prefix === undefined) listed.addAddress(address, family)
    else listed.addSubnet(address, Number(prefix), family)
  }
  return (address) => {
    // An IPv4 peer of a server that listens on IPv6.
    const plain = address?.replace(/^::ffff:(?=\d+\.)/i, '') ?? ''
    const family = isIP(plain)
    return family !== 0 && listed.check(plain, family === 4 ? 'ipv4' : 'ipv6')
  }
}

/** Whoever holds the other end of the connection. Not `request.ip`, which is what a listed proxy says of its client. */
export function peerOf(request: FastifyRequest): string | undefined {
  return request.raw.socket.remoteAddress
}
