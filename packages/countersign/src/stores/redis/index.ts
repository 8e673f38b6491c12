export type { NodeRedisClient } from './node-redis.ts'
export type { RedisStoreOptions } from './options.ts'
export { redisStore } from './redis-store.ts'
