import { invalidOption } from '../../internal/errors.ts'
import { type Endpoint, endpointOf, type Login, type RedisTls } from './endpoint.ts'
import { type IoredisClient, isIoredis } from './ioredis.ts'
import type { NodeRedisClient } from './node-redis.ts'
import type { RedisSentinels, RedisStoreOptions } from './options.ts'

/** Where the data is. */
export type RedisTarget =
  | { readonly kind: 'url'; readonly endpoint: Endpoint }
  | { readonly kind: 'nodes'; readonly seeds: readonly Endpoint[]; readonly login: Login }
  | {
      readonly kind: 'sentinels'
      readonly name: string
      readonly sentinels: readonly Endpoint[]
      readonly login: Login
    }
  | { readonly kind: 'node-redis'; readonly client: NodeRedisClient }
  | { readonly kind: 'ioredis'; readonly client: IoredisClient }

const TARGETS = ['url', 'nodes', 'sentinels', 'client'] as const
const MAX_NODES = 64
const TLS_MEMBERS = new Set(['ca', 'cert', 'key', 'passphrase', 'servername'])
const SENTINEL_MEMBERS = new Set(['name', 'nodes', 'username', 'password', 'database', 'tls'])

/** @throws CountersignError `ERR_CONFIG_INVALID` naming the option and never its value. */
export function resolveTarget(options: RedisStoreOptions): RedisTarget {
  const given = TARGETS.filter((name) => options[name] !== undefined)
  if (given.length === 0) throw invalidOption('url', 'is required, or "nodes", "sentinels" or "client" instead of it')
  if (given.length > 1) throw invalidOption(given[1]!, `cannot be given together with "${given[0]}"`)
  const tls = checkTls(options.tls)
  checkAddressMap(options)
  if (options.url !== undefined) return { kind: 'url', endpoint: endpointOf(options.url, 'url', tls) }
  if (options.nodes !== undefined) return clusterOf(options.nodes, tls)
  if (options.sentinels !== undefined) return sentinelsOf(options.sentinels, tls)
  return clientOf(options.client)
}

function clusterOf(nodes: unknown, tls: RedisTls | undefined): RedisTarget {
  const seeds = endpointsOf(nodes, 'nodes', tls)
  const [first] = seeds
  for (const [index, { login }] of seeds.entries()) {
    if (login.database !== undefined)
      throw invalidOption(`nodes[${index}]`, 'must not name a database: a cluster has only one')
    if (!isSameLogin(login, first!.login))
      throw invalidOption(`nodes[${index}]`, 'must have the same user, password and scheme as the first of "nodes"')
  }
  return { kind: 'nodes', seeds, login: first!.login }
}

function isSameLogin(a: Login, b: Login): boolean {
  return a.username === b.username && a.password === b.password && (a.tls === undefined) === (b.tls === undefined)
}

function sentinelsOf(sentinels: RedisSentinels, tls: RedisTls | undefined): RedisTarget {
  if (typeof sentinels !== 'object' || sentinels === null)
    throw invalidOption('sentinels', 'must be an object with "name" and "nodes"')
  for (const member of Object.keys(sentinels))
    if (!SENTINEL_MEMBERS.has(member)) throw invalidOption(`sentinels.${member}`, 'is not an option of redisStore')
  const { name, nodes, username, password, database = 0, tls: isTls = false } = sentinels
  if (typeof name !== 'string' || !/^[\w.-]{1,255}$/.test(name))
    throw invalidOption('sentinels.name', 'must be the name that the sentinels give the primary')
  const endpoints = endpointsOf(nodes, 'sentinels.nodes', tls, 26_379)
  for (const [index, { login }] of endpoints.entries())
    if (login.database !== undefined)
      throw invalidOption(`sentinels.nodes[${index}]`, 'must not name a database: that is "sentinels.database"')
  for (const [member, value] of Object.entries({ username, password }))
    if (value !== undefined && (typeof value !== 'string' || value === ''))
      throw invalidOption(`sentinels.${member}`, 'must be text, or absent')
  if (!Number.isInteger(database) || database < 0 || database > 99_999)
    throw invalidOption('sentinels.database', 'must be the number of a database')
  if (typeof isTls !== 'boolean')
    throw invalidOption('sentinels.tls', 'must be true or false; certificates are given as "tls"')
  const login: Login = {
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
    ...(database !== 0 && { database }),
    ...(isTls && { tls: tls ?? {} }),
  }
  return { kind: 'sentinels', name, sentinels: endpoints, login }
}

function clientOf(client: unknown): RedisTarget {
  if (isIoredis(client)) return { kind: 'ioredis', client }
  const has = (member: string) => typeof (client as Record<string, unknown> | null)?.[member] === 'function'
  if (has('nodeClient') || has('getMasterNode') || has('getSentinelNode'))
    throw invalidOption(
      'client',
      'cannot be a cluster or a Sentinel client of node-redis; give "nodes" or "sentinels" instead',
    )
  if (!has('sendCommand')) throw invalidOption('client', 'must be a client of node-redis or ioredis')
  return { kind: 'node-redis', client: client as NodeRedisClient }
}

function endpointsOf(urls: unknown, option: string, tls: RedisTls | undefined, defaultPort?: number): Endpoint[] {
  if (!Array.isArray(urls) || urls.length === 0 || urls.length > MAX_NODES)
    throw invalidOption(option, `must be a list of 1 to ${MAX_NODES} URLs`)
  return urls.map((url: unknown, index) => endpointOf(url, `${option}[${index}]`, tls, defaultPort))
}

function checkTls(tls: unknown): RedisTls | undefined {
  if (tls === undefined) return undefined
  if (typeof tls !== 'object' || tls === null) throw invalidOption('tls', 'must be an object with certificates')
  for (const member of Object.keys(tls))
    if (!TLS_MEMBERS.has(member)) throw invalidOption(`tls.${member}`, 'is not an option of redisStore')
  return tls
}

function checkAddressMap({ nodeAddressMap, nodes, sentinels }: RedisStoreOptions): void {
  if (nodeAddressMap === undefined) return
  if (nodes === undefined && sentinels === undefined)
    throw invalidOption('nodeAddressMap', 'is only for "nodes" and "sentinels"')
  const isAddress = (text: unknown) => typeof text === 'string' && /^([^\s:/@]+|\[[0-9a-fA-F:.]+\]):\d{1,5}$/.test(text)
  if (typeof nodeAddressMap !== 'object' || !Object.entries(nodeAddressMap).flat().every(isAddress))
    throw invalidOption('nodeAddressMap', 'must map host:port to host:port')
}
