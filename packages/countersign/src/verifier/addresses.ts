import { BlockList, isIP } from 'node:net'

const LOOPBACK = blockList(['127.0.0.0/8', '::1/128'])
const PRIVATE = blockList(['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '100.64.0.0/10', 'fc00::/7'])
/** Never the address of a service: this network, link-local (cloud metadata is there), documentation, multicast, reserved. */
const NOWHERE = blockList(
  ['0.0.0.0/8', '169.254.0.0/16', '192.0.0.0/24', '192.0.2.0/24', '198.18.0.0/15', '198.51.100.0/24'].concat([
    ...['203.0.113.0/24', '224.0.0.0/4', '240.0.0.0/4'],
    ...['::/128', '100::/64', '2001:db8::/32', 'fe80::/10', 'fec0::/10', 'ff00::/8'],
  ]),
)

export type Reach = 'public' | 'private' | 'loopback' | 'nowhere'

/**
 * What kind of network an address belongs to (RFC 6890). An IPv4 address inside an IPv6 one (mapped, translated or
 * 6to4) counts as what it is inside.
 */
export function reachOf(address: string): Reach {
  const family = isIP(address)
  if (family === 0) return 'nowhere'
  const inner = family === 6 ? embeddedIPv4(address) : undefined
  if (inner !== undefined) return reachOf(inner)
  const type = family === 6 ? 'ipv6' : 'ipv4'
  if (LOOPBACK.check(address, type)) return 'loopback'
  if (PRIVATE.check(address, type)) return 'private'
  return NOWHERE.check(address, type) ? 'nowhere' : 'public'
}

/** `::ffff:a.b.c.d`, `64:ff9b::a.b.c.d` and `2002:abcd:…`, in any of the ways to write them. */
function embeddedIPv4(address: string): string | undefined {
  const words = wordsOf(address)
  const at = (index: number) =>
    `${words[index]! >> 8}.${words[index]! & 255}.${words[index + 1]! >> 8}.${words[index + 1]! & 255}`
  if (words.slice(0, 5).every((word) => word === 0) && words[5] === 0xffff) return at(6)
  if (words[0] === 0x64 && words[1] === 0xff9b) return at(6)
  return words[0] === 0x2002 ? at(1) : undefined
}

/** The eight words of an IPv6 address that `isIP` has accepted. */
function wordsOf(address: string): number[] {
  const plain = address
    .split('%')[0]!
    .replace(/(\d+)\.(\d+)\.(\d+)\.(\d+)$/, (_, a, b, c, d) =>
      [Number(a) * 256 + Number(b), Number(c) * 256 + Number(d)].map((word) => word.toString(16)).join(':'),
    )
  const [left = '', right] = plain.split('::')
  const words = (text: string) => (text === '' ? [] : text.split(':').map((word) => Number.parseInt(word, 16)))
  if (right === undefined) return words(left)
  const [head, tail] = [words(left), words(right)]
  return [...head, ...new Array(8 - head.length - tail.length).fill(0), ...tail]
}

function blockList(ranges: readonly string[]): BlockList {
  const list = new BlockList()
  for (const range of ranges) {
    const [network = '', bits] = range.split('/')
    list.addSubnet(network, Number(bits), isIP(network) === 6 ? 'ipv6' : 'ipv4')
  }
  return list
}
