// The session of this page. All other files get it from here.
import { createSessionClient, type SessionClient } from 'countersign/browser'
import { createCookieClient } from '../../../shared/page/cookie-client.ts'
import { settings } from '../settings.ts'
import { seen } from './copied-token.ts'

interface Kept {
  readonly client: SessionClient
  /** Asks for fresh credentials, and so for the roles as they are now. */
  renew(): Promise<unknown>
}

function tokenClient(): Kept {
  const client = createSessionClient({
    platform: {
      fetch(request) {
        seen(request.headers.get('authorization'))
        return fetch(request)
      },
    },
  })
  return { client, renew: () => client.exchange('/auth/refresh', {}) }
}

function cookieClient(): Kept {
  const client = createCookieClient()
  return { client, renew: client.start }
}

export const { client, renew } = settings.strategy === 'opaque' ? cookieClient() : tokenClient()
