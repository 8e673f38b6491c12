/** Nothing in it may be run, framed, embedded or guessed at. */
export const API_POLICY = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; sandbox"

/** The bounce document: its own script, its own form, and nothing else. */
export const BOUNCE_POLICY =
  "default-src 'none'; script-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

/** Headers of every answer that is ours (ASVS 3.2.1, 3.4.4 to 3.4.6, 3.5.8, 14.3.2). Nothing names the software. */
export const ANSWER_HEADERS: Readonly<Record<string, string>> = Object.freeze({
  'cache-control': 'no-store',
  'content-security-policy': API_POLICY,
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
})

/** What a browser forgets at logout (ASVS 14.3.1). */
export const CLEAR_SITE_DATA = '"cache", "cookies", "storage"'
