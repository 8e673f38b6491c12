// Where the data is: options of every topology that are wrong, and never repeated in the message.
import { redisStore } from 'countersign/stores/redis'
import { createClient, createCluster, createSentinel } from 'redis'
import { describe, expect, it } from 'vitest'
import { addressOf, endpointOf, mappedPlace, placeOf } from '../../src/stores/redis/endpoint.ts'
import { SLOTS, slotOf } from '../../src/stores/redis/slots.ts'

const SECRET = 'canary'
const node = (n: number) => `redis://user:${SECRET}@10.0.0.${n}:7000`
const sentinels = { name: 'main', nodes: [`redis://:${SECRET}@10.0.0.1:26379`], password: SECRET }

describe('options', () => {
  it.each<[string, object, string]>([
    ['nothing', {}, '"url" is required, or "nodes", "sentinels" or "client" instead of it'],
    ['two of them', { url: node(1), nodes: [node(1)] }, '"nodes" cannot be given together with "url"'],
    ['a client and a URL', { url: node(1), client: createClient() }, '"client" cannot be given together with "url"'],
    ['a URL of another scheme', { url: `http://:${SECRET}@a` }, '"url" must be a URL such as redis://host:6379'],
    ['a URL with a path', { url: `${node(1)}/a` }, '"url" must have the number of a database'],
    [
      'a URL that is half encoded',
      { url: `redis://u:${SECRET}%zz@a` },
      '"url" must have its user and password percent-encoded',
    ],
    ['no nodes', { nodes: [] }, '"nodes" must be a list of 1 to 64 URLs'],
    ['nodes as text', { nodes: node(1) }, '"nodes" must be a list'],
    ['a node that is no URL', { nodes: [node(1), 'a:7000'] }, '"nodes[1]" must be a URL'],
    ['a node with a database', { nodes: [`${node(1)}/1`] }, '"nodes[0]" must not name a database'],
    [
      'nodes with two logins',
      { nodes: [node(1), 'redis://10.0.0.2:7000'] },
      '"nodes[1]" must have the same user, password and scheme',
    ],
    [
      'nodes with and without TLS',
      { nodes: [node(1), node(2).replace('redis', 'rediss')] },
      '"nodes[1]" must have the same user',
    ],
    ['sentinels as a list', { sentinels: [node(1)] }, '"sentinels.0" is not an option'],
    ['sentinels as text', { sentinels: node(1) }, '"sentinels" must be an object with "name" and "nodes"'],
    ['sentinels without a name', { sentinels: { nodes: sentinels.nodes } }, '"sentinels.name" must be the name'],
    ['no sentinels', { sentinels: { name: 'main' } }, '"sentinels.nodes" must be a list'],
    [
      'a sentinel that is no URL',
      { sentinels: { ...sentinels, nodes: ['a'] } },
      '"sentinels.nodes[0]" must be a URL such as redis://host:26379',
    ],
    [
      'a sentinel with a database',
      { sentinels: { ...sentinels, nodes: [`${sentinels.nodes[0]}/2`] } },
      '"sentinels.nodes[0]" must not name a database: that is "sentinels.database"',
    ],
    [
      'an empty password',
      { sentinels: { ...sentinels, password: '' } },
      '"sentinels.password" must be text, or absent',
    ],
    [
      'a database that is none',
      { sentinels: { ...sentinels, database: -1 } },
      '"sentinels.database" must be the number',
    ],
    [
      'certificates in the wrong place',
      { sentinels: { ...sentinels, tls: {} } },
      '"sentinels.tls" must be true or false',
    ],
    ['an unknown member', { sentinels: { ...sentinels, quorum: 2 } }, '"sentinels.quorum" is not an option'],
    [
      'trust in anybody',
      { url: node(1), tls: { rejectUnauthorized: false } },
      '"tls.rejectUnauthorized" is not an option',
    ],
    ['certificates as text', { url: node(1), tls: SECRET }, '"tls" must be an object with certificates'],
    [
      'a map without a cluster',
      { url: node(1), nodeAddressMap: {} },
      '"nodeAddressMap" is only for "nodes" and "sentinels"',
    ],
    [
      'a map of URLs',
      { nodes: [node(1)], nodeAddressMap: { 'a:1': node(1) } },
      '"nodeAddressMap" must map host:port to host:port',
    ],
    ['no client', { client: {} }, '"client" must be a client of node-redis or ioredis'],
    [
      'a cluster client',
      { client: createCluster({ rootNodes: [] }) },
      '"client" cannot be a cluster or a Sentinel client of node-redis; give "nodes"',
    ],
    [
      'a Sentinel client',
      { client: createSentinel({ name: 'main', sentinelRootNodes: [] }) },
      '"client" cannot be a cluster or a Sentinel client',
    ],
  ])('refuses %s', (_what, options, message) => {
    const make = () => redisStore(options as never)
    expect(make).toThrow(
      expect.objectContaining({ code: 'ERR_CONFIG_INVALID', message: expect.stringContaining(message) }),
    )
    expect(make).not.toThrow(SECRET)
  })

  it('takes one of each kind', () => {
    redisStore({ url: 'redis://user:p%40ss@[::1]:6380/3' })
    redisStore({ url: 'rediss://a', tls: { ca: 'x', servername: 'b' } })
    redisStore({ nodes: [node(1), node(2)], nodeAddressMap: { '10.0.0.1:7000': '[::1]:7001' } })
    redisStore({ sentinels })
    redisStore({ client: createClient() })
  })
})

describe('endpoints', () => {
  it('have the parts of their URL', () => {
    expect(endpointOf('redis://u%40:p%2F@[::1]:6380/3', 'url', undefined)).toEqual({
      host: '::1',
      port: 6380,
      login: { username: 'u@', password: 'p/', database: 3 },
    })
    expect(endpointOf('rediss://a', 'url', undefined, 26_379)).toEqual({ host: 'a', port: 26_379, login: { tls: {} } })
  })

  it('are named by host and port, and found again by that', () => {
    for (const place of [
      { host: '::1', port: 1 },
      { host: 'a.example', port: 65_535 },
    ])
      expect(placeOf(addressOf(place))).toEqual(place)
    const map = { '10.0.0.1:7000': '[::1]:7001' }
    expect(mappedPlace({ host: '10.0.0.1', port: 7_000 }, map)).toEqual({ host: '::1', port: 7_001 })
    expect(mappedPlace({ host: '10.0.0.2', port: 7_000 }, map)).toEqual({ host: '10.0.0.2', port: 7_000 })
  })
})

describe('slots', () => {
  // "123456789" is the check value of the CRC in the specification of the cluster: 0x31C3.
  it('are those of the specification', () => {
    expect(slotOf('123456789')).toBe(0x31c3)
    expect(slotOf('{user1000}.following')).toBe(slotOf('user1000'))
    expect(slotOf('foo{}{bar}')).not.toBe(slotOf('bar'))
    expect(slotOf('foo{{bar}}zap')).toBe(slotOf('{bar'))
    expect(slotOf('foo{bar}{zap}')).toBe(slotOf('bar'))
    expect(SLOTS).toBe(16_384)
  })
})
