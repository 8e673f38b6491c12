import type { OneTimeToken } from 'countersign/one-time'

/** What the page behind a link does with it. */
export type LinkKind = 'password_reset' | 'email_verification'

/**
 * A link with its token in the fragment, which browsers send to no server and pages can take out of the address bar
 * (ASVS 14.2.1). Its host comes from the configuration and from no request (FP-2).
 */
export function linkOf(base: string, kind: LinkKind, token: OneTimeToken): string {
  return `${base}#${kind}=${token}`
}

export function isLinkKind(purpose: string): purpose is LinkKind {
  return purpose === 'password_reset' || purpose === 'email_verification'
}
