// Posts, likes and names in Redis. Accounts and sessions are kept by the library, in the same Redis.
//
//   mb:post:<id>    hash    author, name, text, at
//   mb:likes:<id>   set     subjects who like it
//   mb:posts        zset    ids by time
//   mb:next         number  the last id
//   mb:people       hash    subject → name
import { createClient } from 'redis'
import type { Post } from '../shared/types.ts'

const SHOWN = 50

export type Redis = ReturnType<typeof connect>

/** A client that fails at once while Redis is away, so that a request is answered instead of waiting. */
export const connect = (url: string) => createClient({ url, disableOfflineQueue: true })

export function createRepository(redis: Redis) {
  /** A post as `reader` sees it, `undefined` when there is none. */
  async function post(id: string, reader: string): Promise<Post | undefined> {
    const [fields, likes, liked] = await Promise.all([
      redis.hGetAll(`mb:post:${id}`),
      redis.sCard(`mb:likes:${id}`),
      redis.sIsMember(`mb:likes:${id}`, reader),
    ])
    const { author, name, text, at } = fields
    if (!author || !name || text === undefined) return undefined
    return { id, author, name, text, at: Number(at), likes, liked: liked === 1 }
  }

  return {
    post,

    /** The newest first. */
    async posts(reader: string): Promise<Post[]> {
      const ids = await redis.zRange('mb:posts', 0, SHOWN - 1, { REV: true })
      const found = await Promise.all(ids.map((id) => post(id, reader)))
      return found.filter((one) => one !== undefined)
    },

    async addPost(author: string, text: string, at = Date.now()): Promise<Post> {
      const [id, name] = await Promise.all([redis.incr('mb:next').then(String), redis.hGet('mb:people', author)])
      const fields = { author, name: name ?? '?', text, at }
      await redis.multi().hSet(`mb:post:${id}`, fields).zAdd('mb:posts', { score: at, value: id }).exec()
      return { id, ...fields, likes: 0, liked: false }
    },

    async removePost(id: string): Promise<void> {
      await redis
        .multi()
        .del([`mb:post:${id}`, `mb:likes:${id}`])
        .zRem('mb:posts', id)
        .exec()
    },

    /** Likes a post, or no more. Twice is once. */
    async like(id: string, subject: string, liked: boolean): Promise<number> {
      const key = `mb:likes:${id}`
      await (liked ? redis.sAdd(key, subject) : redis.sRem(key, subject))
      return redis.sCard(key)
    },

    async addPerson(subject: string, name: string): Promise<void> {
      await redis.hSet('mb:people', subject, name)
    },
    /** Subject → name. */
    people: () => redis.hGetAll('mb:people'),
  }
}

export type Repository = ReturnType<typeof createRepository>
