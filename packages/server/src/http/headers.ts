import { ANSWER_HEADERS } from 'countersign/http'
import type { FastifyReply } from 'fastify'

/** A year, with all subdomains (ASVS 3.4.1). */
const HSTS = 'max-age=31536000; includeSubDomains'

/** For the page at `/`: its own script and style, and calls to its own origin. No inline code, so no nonce is needed. */
export const PAGE_POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; object-src 'none'; " +
  "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"

/** Headers of every answer, errors included; pages of our own override the policy. Nothing names the software or its version. */
export function securityHeaders(overHttps: boolean): Readonly<Record<string, string>> {
  return {
    ...ANSWER_HEADERS,
    'cross-origin-opener-policy': 'same-origin',
    ...(overHttps && { 'strict-transport-security': HSTS }),
  }
}

/** For the few answers that hold nothing of anybody and may be kept for a while. */
export function mayBeCached(reply: FastifyReply, seconds: number): void {
  reply.header('cache-control', `public, max-age=${seconds}`)
}
