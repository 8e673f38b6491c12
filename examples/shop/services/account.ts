// Who I am, my devices, my preferences.
import { parseSessionId } from 'countersign'
import type { FastifyAuth } from 'countersign/fastify'
import type { FastifyInstance } from 'fastify'
import { tellChange } from '../data/changes.ts'
import { LANGUAGES, type Preferences, SCHEMES } from '../data/preferences.ts'
import { DEVICE_LIMIT, type ShopSessions, type Stack } from '../stack.ts'
import { whoIs } from './app.ts'
import { problem } from './problem.ts'

export function addAccount(app: FastifyInstance, auth: FastifyAuth<ShopSessions>, stack: Stack): void {
  const { sessions, accounts, preferences, data } = stack
  const onRequest = auth.guard()

  // Other devices show the list as well.
  for (const type of ['session_created', 'session_ended'] as const) {
    sessions.events.on(type, ({ subject }) => {
      if (subject !== undefined) void tellChange(data, subject, 'devices')
    })
  }

  app.get('/api/me', { onRequest }, async (request) => {
    const { subject, sessionId, roles, audience, expiresAtMs } = whoIs(request)
    const account = await accounts.get(subject)
    return { session: { id: sessionId, subject, roles, audience }, name: account?.identifier, expiresAtMs }
  })

  app.get('/api/devices', { onRequest }, async (request) => {
    const mine = whoIs(request)
    const devices = []
    for await (const { sessionId, device, origin, createdAtMs, lastSeenAtMs } of sessions.list(mine.subject)) {
      const label = device.label ?? origin.userAgent ?? ''
      devices.push({ id: sessionId, label, createdAtMs, lastSeenAtMs, current: sessionId === mine.sessionId })
    }
    return { devices, limit: DEVICE_LIMIT }
  })
  app.delete<{ Params: { id: string } }>('/api/devices/:id', { onRequest }, async (request, reply) => {
    const id = parseSessionId(request.params.id)
    const found = id && (await sessions.get(id))
    // Of somebody else, or none: the same answer.
    if (!found?.ok || found.session.subject !== whoIs(request).subject) return problem(reply, 404, 'no_such_device')
    return sessions.revoke(id!, { reason: 'ended_by_owner', context: request.auth.context() })
  })
  app.post('/api/devices/others/end', { onRequest }, async (request) => {
    const { subject, sessionId } = whoIs(request)
    return sessions.revokeAll(subject, { reason: 'ended_by_owner', except: sessionId, context: request.auth.context() })
  })

  app.get('/api/preferences', { onRequest }, (request) => preferences.read(whoIs(request).subject))
  app.put<{ Body: Preferences }>('/api/preferences', { onRequest, schema: { body: PREFERENCES } }, async (request) => {
    const { subject } = whoIs(request)
    await preferences.set(subject, request.body)
    await tellChange(data, subject, 'preferences')
    return preferences.read(subject)
  })
}

const PREFERENCES = {
  type: 'object',
  additionalProperties: false,
  properties: { language: { enum: LANGUAGES }, scheme: { enum: SCHEMES } },
}
