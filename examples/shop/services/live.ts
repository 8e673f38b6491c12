// One stream of events per open page. It ends with its session, in whatever process that was ended, and says why.
import { liveConnections } from 'countersign/live'
import { type EventStream, eventStreams } from 'countersign/sse'
import type { FastifyInstance } from 'fastify'
import { onChange } from '../data/changes.ts'
import type { Stack } from '../stack.ts'

export async function addLive(app: FastifyInstance, { sessions, data }: Stack, origin: string): Promise<void> {
  const live = liveConnections({ sessions })
  const streams = eventStreams({ live, origins: [origin] })
  const open = new Map<string, Set<EventStream<{ readonly subject: string }>>>()

  app.get('/api/events', async (request, reply) => {
    reply.hijack()
    const stream = await streams.open(request.raw, reply.raw)
    if (!stream) return
    const { subject } = stream.session
    const all = open.get(subject) ?? new Set()
    open.set(subject, all.add(stream))
    await stream.closed
    all.delete(stream)
    if (all.size === 0) open.delete(subject)
  })
  const stop = await onChange(data, (subject, what) => {
    for (const stream of open.get(subject) ?? []) stream.send({ event: 'changed', data: what })
  })
  app.addHook('preClose', async () => {
    stop()
    await live.close()
  })
}
