import type { Platform } from './platform.ts'
import type { SessionInfo, SignedOutReason } from './types.ts'

/** What the server answers to a login, a refresh and a step-up, with the delivery `browser`. */
export interface Credentials {
  readonly session: SessionInfo
  readonly accessToken: string
  /** Seconds. */
  readonly expiresIn: number
  readonly durability?: string
}

/** What one tab tells the others. Each of them may come late, so each says which session it is about. */
export type Message =
  /** New credentials, and how many milliseconds they may be old. */
  | { readonly is: 'in'; readonly credentials: Credentials; readonly ageMs: number }
  /** This session is over. */
  | { readonly is: 'out'; readonly id: string; readonly reason: SignedOutReason }
  /** Nobody renews now: I am getting other credentials. Followed by any of the other three. */
  | { readonly is: 'hold' }
  | { readonly is: 'free' }

/** What is no answer of ours, like the page of a captive portal, holds none. */
export async function credentialsIn(response: Response): Promise<Credentials | undefined> {
  const body: unknown = response.ok && (await response.json().catch(() => false))
  return isCredentials(body) ? body : undefined
}

function isCredentials(value: any): value is Credentials {
  return (
    typeof value?.accessToken === 'string' &&
    typeof value.expiresIn === 'number' &&
    typeof value.session?.id === 'string'
  )
}

/** Whether something from the channel may be one of our messages (ASVS 3.5.5); whoever writes there runs in this origin. */
function isMessage(value: any): value is Message {
  return value?.is === 'in' ? value.ageMs >= 0 && isCredentials(value.credentials) : typeof value?.is === 'string'
}

/** A line to the other tabs that can be closed and opened again: an open channel may keep a page out of the back/forward cache. */
export function createTabs(platform: Platform, name: string, receive: (message: Message) => void) {
  let channel: ReturnType<Platform['channel']>
  return {
    open() {
      channel ??= platform.channel(name)
      if (channel) channel.onmessage = ({ data }) => isMessage(data) && receive(data)
    },
    close() {
      channel?.close()
      channel = undefined
    },
    tell: (message: Message) => channel?.postMessage(message),
  }
}
