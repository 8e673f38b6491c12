import type { ServerSession } from './kit.ts'

/**
 * Who somebody is, for the upstream of a proxy. Subject, roles and tenant are percent-encoded (UTF-8) but for visible
 * ASCII without `%` and `,`, so that any subject fits into a header, `decodeURIComponent` undoes it, and a comma is always
 * between two roles. All are there in every case, if need be empty: a proxy that overwrites what a client sent by what we
 * send has to find it, and some write the name of a variable where there is nothing.
 */
export function identityHeaders(session: ServerSession, assertion = ''): Record<string, string> {
  return {
    'x-auth-subject': encoded(session.subject),
    'x-auth-session': session.sessionId,
    'x-auth-roles': session.roles.map(encoded).join(','),
    'x-auth-tenant': encoded(session.tenant ?? ''),
    'x-auth-assertion': assertion,
  }
}

function encoded(text: string): string {
  // Throws for half of a character pair, which has no UTF-8: two subjects must never look the same.
  return text.replace(/[^\x21-\x24\x26-\x2b\x2d-\x7e]+/gu, encodeURIComponent)
}
