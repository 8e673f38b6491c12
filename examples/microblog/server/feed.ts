// News for open pages. It goes through Redis, so that it reaches the pages of all processes.
import type { EventStream } from 'countersign/sse'
import type { News } from '../shared/types.ts'
import type { Redis } from './repository.ts'

const CHANNEL = 'mb:news'

type Stream = EventStream<{ readonly subject: string }>

export async function openFeed(redis: Redis) {
  const streams = new Set<Stream>()
  const listener = redis.duplicate()
  // It connects again by itself; pages that missed something ask when they are connected again.
  listener.on('error', () => {})
  await listener.connect()
  await listener.subscribe(CHANNEL, (text) => {
    const news = JSON.parse(text) as News
    for (const stream of streams) {
      if (news.kind !== 'renew' || news.to === stream.session.subject) stream.send({ event: 'news', data: text })
    }
  })
  return {
    add(stream: Stream): void {
      streams.add(stream)
      void stream.closed.then(() => streams.delete(stream))
    },
    async tell(news: News): Promise<void> {
      await redis.publish(CHANNEL, JSON.stringify(news))
    },
    close: () => listener.destroy(),
  }
}

export type Feed = Awaited<ReturnType<typeof openFeed>>
