// What every server of the comparison has in common: it reads what it is told from its only argument, makes its
// sessions, writes the header of each request to a file, says where it listens, and ends with the bench.
import { writeFileSync } from 'node:fs'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { KeyringFile } from 'countersign'
import Fastify, { type FastifyInstance } from 'fastify'
import type { createNodeRedis as CreateNodeRedis } from '../../packages/countersign/src/stores/redis/node-redis.ts'

/** What the bench tells a server. */
export interface Told {
  /** URL of the Redis server. */
  readonly redis: string
  /** Where the headers go, one request a line. */
  readonly headers: string
  /** Sessions to make. */
  readonly sessions: number
  /** Set up as its README says, or with the settings that make it fastest. */
  readonly tuned: boolean
  /** What else this server knows to do, by its own file. */
  readonly variant: string
  /** Where several servers share their sessions. */
  readonly keyring?: KeyringFile
  readonly prefix?: string
}

/** The first line that a server writes. */
export interface Ready {
  readonly port: number
}

export const told = JSON.parse(process.argv[2] ?? '{}') as Told

/** No logging, as every side has it. */
export const fastify = (): FastifyInstance => Fastify({ logger: false })

/** Listens with a Fastify app, or with whatever answers the requests of `node:http`. */
export async function serve(app: FastifyInstance | RequestListener, headers: readonly string[]): Promise<void> {
  writeFileSync(told.headers, `${headers.join('\n')}\n`, { mode: 0o600 })
  const port = await listen(app)
  // The bench holds the other end: however it ends, this ends too.
  process.stdin.resume().once('end', () => process.exit(0))
  process.stdout.write(`${JSON.stringify({ port } satisfies Ready)}\n`)
}

async function listen(app: FastifyInstance | RequestListener): Promise<number> {
  if (typeof app !== 'function') {
    await app.listen({ host: '127.0.0.1', port: 0 })
    return (app.server.address() as AddressInfo).port
  }
  const server = createServer(app)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as AddressInfo).port
}

/** `Cookie` header of what a response sets. */
export function cookieHeader(setCookie: string | readonly string[] | undefined): string {
  const all = typeof setCookie === 'string' ? [setCookie] : (setCookie ?? [])
  if (all.length === 0) throw new Error('the login set no cookie')
  return `cookie: ${all.map((one) => one.split(';', 1)[0]).join('; ')}`
}

export const bearerHeader = (token: string): string => `authorization: Bearer ${token}`

/** The client that the library makes for itself: RESP3, no time-out of the client's own, no offline queue. */
export async function ourRedisClient(url: string) {
  const built = new URL('../../packages/countersign/dist/stores/redis/node-redis.js', import.meta.url).href
  const { createNodeRedis } = (await import(built)) as { createNodeRedis: typeof CreateNodeRedis }
  const { hostname: host, port } = new URL(url)
  const endpoint = { host, port: Number(port), login: {} }
  const more = { commandOptions: { timeout: undefined } }
  const client = (await createNodeRedis(endpoint, (bytes) => new Uint8Array(bytes), more)) as unknown as RedisClient
  client.on('error', () => {})
  await client.connect()
  return client
}

/** What people write: `createClient({ url })`. */
export async function plainRedisClient(url: string): Promise<RedisClient> {
  const { createClient } = await import('redis')
  const client = createClient({ url })
  client.on('error', () => {})
  await client.connect()
  return client as unknown as RedisClient
}

export type RedisClient = ReturnType<typeof import('redis').createClient>

/** As the README of each rival has it, or with our settings where the side is tuned. */
export const redisClient = (): Promise<RedisClient> =>
  told.tuned ? ourRedisClient(told.redis) : plainRedisClient(told.redis)
