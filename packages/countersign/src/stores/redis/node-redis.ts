import { CountersignError } from '../../internal/errors.ts'
import type { Runtime } from '../../internal/runtime.ts'
import type { Endpoint } from './endpoint.ts'

/** The part of a node-redis client (`redis` 6.3 or newer) that is used. */
export interface NodeRedisClient {
  readonly isOpen: boolean
  readonly isReady: boolean
  sendCommand(args: readonly (string | Buffer)[], options?: object): Promise<unknown>
  connect(): Promise<unknown>
  destroy(): void
  on(event: 'ready' | 'error', listener: (error: unknown) => void): unknown
  /** Only asked of clients that are made here. */
  subscribe?(channel: string, listener: () => void): Promise<unknown>
}

/** A client whose connection is tracked: it tells of keys that it has read and that are others now, `null` for all of them. */
export interface TrackedClient extends NodeRedisClient {
  on(event: 'ready' | 'error', listener: (error: unknown) => void): unknown
  on(event: 'invalidate', listener: (key: Buffer | string | null) => void): unknown
}

/** Options of node-redis. */
export interface MoreOptions {
  readonly socket?: object
  readonly [option: string]: unknown
}

/** The classes of the package by which its errors are told apart. */
export interface NodeRedisErrors {
  readonly ErrorReply: abstract new (...args: never[]) => Error
  readonly SocketTimeoutError: abstract new (...args: never[]) => Error
  readonly ClientOfflineError: abstract new (...args: never[]) => Error
}

/** Bulk strings (`$` in RESP) as buffers, so that nothing is lost in records; no time-out of the client's own, which would cost more than the call. */
export const COMMAND_OPTIONS = { typeMapping: { 36: Buffer }, timeout: undefined }

/** Silence after which a connection is given up, unless requests may wait longer for their answer. */
export const SILENT_MS = 1_000
/** So often a connection is asked whether it is there: it falls silent only when the server does. */
export const PING_MS = 400

/**
 * Makes a client with the settings that the promises depend on (`docs/design/0006-redis-topologies.md`). They are not options:
 * the defaults cost three quarters of the throughput, wait for ever on a silent connection, and stay closed after a
 * time-out.
 *
 * @param more - Options of node-redis on top of them, for connections that have another purpose than commands.
 */
export async function createNodeRedis(
  { host, port, login }: Endpoint,
  random: Runtime['random'],
  { socket, ...more }: MoreOptions = {},
): Promise<NodeRedisClient> {
  const { createClient } = await loadRedis()
  const { username, password, database, tls } = login
  const client = createClient({
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
    ...(database !== undefined && { database }),
    RESP: 3,
    maintNotifications: 'disabled',
    disableOfflineQueue: true,
    // With the client: given with a call they are merged in each call.
    commandOptions: COMMAND_OPTIONS,
    pingInterval: PING_MS,
    ...more,
    socket: {
      host,
      port,
      ...(tls && { ...tls, tls: true }),
      connectTimeout: 1_000,
      socketTimeout: SILENT_MS,
      keepAliveInitialDelay: 5_000,
      reconnectStrategy: (attempt: number) => Math.min(50 * 2 ** attempt, 1_000) + jitterMs(random, 200),
      ...socket,
    },
  } as object) as unknown as NodeRedisClient
  // One that is destroyed while it connects (6.3.1) becomes ready all the same, and pings for ever: a socket that nobody
  // closes, and a process that does not end.
  client.on('ready', () => {
    if (!client.isOpen) client.destroy()
  })
  return client
}

/**
 * For one tracked connection. It does not come back when it breaks: whatever was read over it is void then, and a new one is
 * made. No pings: the fences are some, and while nobody asks for those nothing is served either.
 */
export const TRACKED = {
  // Sends CLIENT TRACKING ON with the handshake.
  emitInvalidate: true,
  pingInterval: undefined,
  socket: { socketTimeout: undefined, reconnectStrategy: false },
}

export async function nodeRedisErrors(): Promise<NodeRedisErrors> {
  return loadRedis()
}

/** Fails with what to install when the optional peer is not there. */
async function loadRedis(): Promise<typeof import('redis')> {
  try {
    return await import('redis')
  } catch (cause) {
    throw new CountersignError('ERR_CONFIG_INVALID', 'redisStore needs the package "redis": npm install redis@6', {
      store: 'redis',
      cause,
    })
  }
}

/** 0 to `most` milliseconds: enough randomness that clients which lost one server do not come back in step. */
export function jitterMs(random: Runtime['random'], most: number): number {
  return Math.round((random(1)[0]! / 255) * most)
}
