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

/** The classes of the package by which its errors are told apart. */
export interface NodeRedisErrors {
  readonly ErrorReply: abstract new (...args: never[]) => Error
  readonly SocketTimeoutError: abstract new (...args: never[]) => Error
}

/**
 * Makes a client with the settings that the promises depend on (`redis-and-reliability.md` §1.7). They are not options:
 * the defaults cost three quarters of the throughput, wait for ever on a silent connection, and stay closed after a
 * time-out.
 *
 * @param silenceMs - A connection on which nothing moves for so long is broken off. Pings go every 400 ms.
 */
export async function createNodeRedis(
  url: string,
  random: Runtime['random'],
  silenceMs = 1_000,
): Promise<NodeRedisClient> {
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
      socketTimeout: silenceMs,
      keepAliveInitialDelay: 5_000,
      reconnectStrategy: (attempt: number) => Math.min(50 * 2 ** attempt, 1_000) + jitterMs(random, 200),
    },
  })
  return client as NodeRedisClient
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
