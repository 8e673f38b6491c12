import { expect, test } from 'vitest'
import { reachOf } from '../../src/verifier/addresses.ts'

test.each([
  ['127.0.0.1', 'loopback'],
  ['127.255.255.254', 'loopback'],
  ['::1', 'loopback'],
  ['::ffff:127.0.0.1', 'loopback'],
  ['::ffff:7f00:1', 'loopback'],
  ['64:ff9b::7f00:1', 'loopback'],
  ['64:ff9b::127.0.0.1', 'loopback'],
  ['2002:7f00:1::', 'loopback'],
  ['10.1.2.3', 'private'],
  ['172.16.0.1', 'private'],
  ['172.31.255.255', 'private'],
  ['192.168.1.1', 'private'],
  ['100.64.0.1', 'private'],
  ['fc00::1', 'private'],
  ['fdff:1::2', 'private'],
  ['::ffff:10.0.0.1', 'private'],
  ['169.254.169.254', 'nowhere'],
  ['::ffff:169.254.169.254', 'nowhere'],
  ['::ffff:a9fe:a9fe', 'nowhere'],
  ['fe80::1', 'nowhere'],
  ['0.0.0.0', 'nowhere'],
  ['::', 'nowhere'],
  ['255.255.255.255', 'nowhere'],
  ['224.0.0.1', 'nowhere'],
  ['ff02::1', 'nowhere'],
  ['example.com', 'nowhere'],
  ['', 'nowhere'],
  ['1.1.1.1', 'public'],
  ['172.32.0.1', 'public'],
  ['100.128.0.1', 'public'],
  ['2606:4700::1111', 'public'],
  ['::ffff:8.8.8.8', 'public'],
])('%s is %s', (address, reach) => {
  expect(reachOf(address)).toBe(reach)
})
