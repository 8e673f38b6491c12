import { type RedisServer, startRedis } from '../../tools/test-support/redis-server.ts'

/**
 * A Redis for a demonstration: a free port, nothing on disk, gone with this process however that ends. It is in a group of its own,
 * so Ctrl-C in a terminal reaches only the application, which can say good-bye to it in order.
 */
export function startDemoRedis(): Promise<Pick<RedisServer, 'url' | 'pid' | 'dir' | 'stop'>> {
  return startRedis({ policy: 'noeviction', ownGroup: true })
}
