import { CountersignError } from '../../internal/errors.ts'
import type { Runtime } from '../../internal/runtime.ts'

/** The part of a node-redis client (`redis` 6.3 or newer) that is used. */
export interface NodeRedisClient {
  readonly isOpen: boolean
  readonly isReady: boolean
  sendCommand(args: readonly (string | Buffer)[], options?: object): Promise<unknown>
  connect(): Promise<unknown>
  destroy(): void
  on(event: 'ready' | 'error', listener: (error: unknown) => void): unknown
}

/** A client whose connection is tracked: it tells of keys that it has read and that are others now, `null` for all of them. */
export interface TrackedClient extends NodeRedisClient {
  on(event: 'ready' | 'error', listener: (error: unknown) => void): unknown
  on(event: 'invalidate', listener: (key: Buffer | string | null) => void): unknown
}

/** The classes of the package by which its errors are told apart. */
export interface NodeRedisErrors {
  readonly ErrorReply: abstract new (...args: never[]) => Error
  readonly SocketTimeoutError: abstract new (...args: never[]) => Error
}

/**
 * Makes a client with the settings that the promises depend on (`redis-and-reliability.md` §1.7). They are not options:
 * the defaults cost three quarters of the throughput, wait for ever on a silent connection, and stay closed after a
 * time-out.
 */
export async function createNodeRedis(url: string, random: Runtime['random']): Promise<NodeRedisClient> {
  const { createClient } = await loadRedis()
  const client: unknown = createClient({
    url,
    RESP: 3,
    maintNotifications: 'disabled',
    disableOfflineQueue: true,
    // Switches off an AbortSignal per command; the deadlines are our own.
    commandOptions: { timeout: undefined } as object,
    pingInterval: 400,
    socket: {
      connectTimeout: 1_000,
      socketTimeout: 1_000,
      keepAliveInitialDelay: 5_000,
      reconnectStrategy: (attempt: number) => Math.min(50 * 2 ** attempt, 1_000) + jitterMs(random, 200),
    },
  })
  return client as NodeRedisClient
}

/**
 * Makes a client for one tracked connection. It does not come back when it breaks: whatever was read over it is void then,
 * and a new one is made. No pings: the fences are some, and while nobody asks for those nothing is served either.
 */
export async function createTrackedNodeRedis(url: string): Promise<TrackedClient> {
  const { createClient } = await loadRedis()
  const client: unknown = createClient({
    url,
    RESP: 3,
    // Sends CLIENT TRACKING ON with the handshake.
    emitInvalidate: true,
    maintNotifications: 'disabled',
    disableOfflineQueue: true,
    commandOptions: { timeout: undefined } as object,
    socket: { connectTimeout: 1_000, keepAliveInitialDelay: 5_000, reconnectStrategy: false },
  })
  return client as TrackedClient
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
