import { expect, test } from 'vitest'
import { clientAddress, resolveProxies } from '../../src/http/client-address.ts'
import { request as requestWith } from './request.ts'

const proxies = resolveProxies(['10.0.0.0/8', '192.0.2.7', 'fd00::/8'])
const from = (peer: string | undefined, forwarded?: string | string[]) =>
  clientAddress(requestWith(forwarded === undefined ? {} : { 'x-forwarded-for': forwarded }), peer, proxies)

test.each<[string, string | undefined, string | string[] | undefined, string | undefined]>([
  ['no proxy: the peer', '198.51.100.1', undefined, '198.51.100.1'],
  ['a stranger who says he is a proxy', '198.51.100.1', '203.0.113.9', '198.51.100.1'],
  ['a proxy of ours', '10.1.2.3', '203.0.113.9', '203.0.113.9'],
  ['what the client put to the left', '10.1.2.3', '127.0.0.1, 10.9.9.9, 203.0.113.9', '203.0.113.9'],
  ['two proxies of ours', '10.1.2.3', '203.0.113.9, 192.0.2.7', '203.0.113.9'],
  ['nothing but proxies', '10.1.2.3', '10.0.0.1, 192.0.2.7', '10.0.0.1'],
  ['several fields', '10.1.2.3', ['127.0.0.1', '203.0.113.9, 10.4.4.4'], '203.0.113.9'],
  ['something that is no address', '10.1.2.3', '203.0.113.9, unknown', '10.1.2.3'],
  ['something that is no address, to the left', '10.1.2.3', 'unknown, 192.0.2.7', '192.0.2.7'],
  ['a port', '10.1.2.3', '203.0.113.9:4711', '203.0.113.9'],
  ['IPv6 with a port', '10.1.2.3', '[2001:db8::9]:4711', '2001:db8::9'],
  ['IPv6', 'fd00::1', '2001:db8::9', '2001:db8::9'],
  ['IPv4 in IPv6, as dual sockets have it', '::ffff:10.1.2.3', '203.0.113.9', '203.0.113.9'],
  ['no peer: nothing is believed', undefined, '203.0.113.9', undefined],
  ['an empty field', '10.1.2.3', '', '10.1.2.3'],
])('%s', (_what, peer, forwarded, expected) => {
  expect(from(peer, forwarded)).toBe(expected)
})

test.each(['0.0.0.0/0', '::/0', 'localhost', '10.0.0.0/33', '*', '', 'true', '10.0.0.0/8/8'])(
  '%s is no proxy',
  (one) => {
    expect(() => resolveProxies([one])).toThrow(expect.objectContaining({ code: 'ERR_CONFIG_INVALID' }))
  },
)

test('without proxies nobody is one', () => {
  expect(resolveProxies()('127.0.0.1')).toBe(false)
})
