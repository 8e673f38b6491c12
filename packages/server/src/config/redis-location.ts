import type { RedisSentinels } from 'countersign/stores/redis'

/** A Redis that is not a single server. Whether its parts are right is for the library to say (`probe.ts`). */
export type RedisGroup =
  | ({ readonly kind: 'redis-cluster'; readonly nodes: readonly string[] } & Addresses)
  | ({ readonly kind: 'redis-sentinel'; readonly sentinels: RedisSentinels } & Addresses)
interface Addresses {
  readonly nodeAddressMap?: Readonly<Record<string, string>>
}

const HOSTS = '[^\\s,/?#@]+(?:,[^\\s,/?#@]+)*'
const GROUP = new RegExp(
  `^(rediss?)-(cluster|sentinel)://(?:([^\\s@/?#]*)@)?(${HOSTS})(?:/(\\d{1,5})?)?(?:\\?name=([\\w.-]{1,255}))?$`,
)

/**
 * `redis-cluster://user:password@host:port,host:port` and `redis-sentinel://user:password@host:port,…/database?name=main`,
 * with `rediss-` for TLS. The login of the latter is for the primary; sentinels with a login need the JSON file.
 */
export function redisGroupOf(text: string): RedisGroup | undefined {
  const match = GROUP.exec(text)
  if (!match) return undefined
  const [, scheme, kind, login, hosts, database, name] = match
  const list = hosts!.split(',')
  if (kind === 'cluster') {
    if (database !== undefined || name !== undefined) return undefined
    return {
      kind: 'redis-cluster',
      nodes: list.map((host) => `${scheme}://${login === undefined ? '' : `${login}@`}${host}`),
    }
  }
  if (name === undefined) return undefined
  const [username, password] = parts(login)
  if (username === null || password === null) return undefined
  return {
    kind: 'redis-sentinel',
    sentinels: {
      name,
      nodes: list.map((host) => `${scheme}://${host}`),
      ...(username && { username }),
      ...(password && { password }),
      ...(database !== undefined && { database: Number(database) }),
      ...(scheme === 'rediss' && { tls: true }),
    },
  }
}

/** User and password; `null` where the encoding is broken. */
function parts(login = ''): (string | null)[] {
  const colon = login.indexOf(':')
  const both = colon < 0 ? [login, ''] : [login.slice(0, colon), login.slice(colon + 1)]
  return both.map((part) => {
    try {
      return decodeURIComponent(part)
    } catch {
      return null
    }
  })
}

/** The object of the JSON file: `{ "nodes": […] }` or `{ "sentinels": {…} }`, as the options of the library. */
export function redisGroupIn(value: object): RedisGroup | undefined {
  const { nodes, sentinels, nodeAddressMap, ...unknown } = value as Record<string, never>
  if (Object.keys(unknown).length > 0 || (nodes === undefined) === (sentinels === undefined)) return undefined
  const more = nodeAddressMap === undefined ? {} : { nodeAddressMap }
  return nodes === undefined
    ? { kind: 'redis-sentinel', sentinels: sentinels!, ...more }
    : { kind: 'redis-cluster', nodes, ...more }
}

/** Without what must not be printed: of the URLs only the hosts. */
export function describeRedisGroup(group: RedisGroup): string {
  const urls = (group.kind === 'redis-cluster' ? group.nodes : group.sentinels.nodes).map((url) => new URL(url))
  const scheme = urls[0]!.protocol.replace(':', '')
  const hosts = urls.map(({ host }) => host).join(',')
  const isSecret = urls.some(({ username, password }) => username || password)
  if (group.kind === 'redis-cluster') return `${scheme}-cluster://${isSecret ? '***@' : ''}${hosts}`
  const { username, password, database = 0, name } = group.sentinels
  return `${scheme}-sentinel://${isSecret || username || password ? '***@' : ''}${hosts}/${database}?name=${name}`
}
