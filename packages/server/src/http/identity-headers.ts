import type { ServerSession } from './kit.ts'

/**
 * Who somebody is, for the upstream of a proxy. Subject and roles are percent-encoded (UTF-8) but for visible ASCII
 * without `%` and `,`, so that any subject fits into a header, `decodeURIComponent` undoes it, and a comma is always
 * between two roles. All but tenant and assertion are there in every case: a proxy that overwrites what a client sent by
 * what we send must find it.
 */
export function identityHeaders(session: ServerSession, assertion: string | undefined): Record<string, string> {
  return {
    'x-auth-subject': encoded(session.subject),
    'x-auth-session': session.sessionId,
    'x-auth-roles': session.roles.map(encoded).join(','),
    ...(session.tenant !== undefined && { 'x-auth-tenant': encoded(session.tenant) }),
    ...(assertion !== undefined && { 'x-auth-assertion': assertion }),
  }
}

function encoded(text: string): string {
  // Throws for half of a character pair, which has no UTF-8: two subjects must never look the same.
  return text.replace(/[^\x21-\x24\x26-\x2b\x2d-\x7e]+/gu, encodeURIComponent)
}
