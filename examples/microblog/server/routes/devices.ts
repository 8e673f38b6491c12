import { parseSessionId } from 'countersign'
import { Router } from 'express'
import type { Device } from '../../shared/types.ts'
import { type Blog, by, refuse, who } from '../blog.ts'

/** The sessions of whoever asks. The id of a session is a handle and no secret, so it may be shown and sent back. */
export function deviceRoutes({ auth, sessions }: Blog): Router {
  const router = Router()

  router.get('/devices', auth.guard(), async (request, response) => {
    const { sessionId, subject } = who(request)
    const devices: Device[] = []
    for await (const session of sessions.list(subject)) {
      devices.push({
        id: session.sessionId,
        current: session.sessionId === sessionId,
        userAgent: session.origin.userAgent ?? '',
        ip: session.origin.ip ?? '',
        since: session.createdAtMs,
        seen: session.lastSeenAtMs,
      })
    }
    response.json(devices)
  })

  router.delete('/devices/:id', auth.guard(), async (request, response) => {
    const id = parseSessionId(String(request.params.id))
    const found = id && (await sessions.get(id))
    // Somebody else's session is answered like one that is not there.
    if (!found?.ok || found.session.subject !== who(request).subject) return refuse(response, 404, 'not_found')
    await sessions.revoke(found.session.sessionId, { reason: 'device_ended', context: by(request) })
    response.status(204).end()
  })

  return router
}
