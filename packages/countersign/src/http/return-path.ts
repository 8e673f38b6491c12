/** Longest path that is returned to, in characters. */
const MAX_LENGTH = 2_048

/**
 * A path of our own origin that a browser may be sent to, as it stands in the request target: `/orders?page=2`. Anything
 * else is `undefined`: another origin in whatever spelling, a scheme, control characters, backslashes, which browsers
 * read as slashes, and what is too long (ASVS 3.7.2).
 */
export function returnPath(text: unknown): string | undefined {
  if (typeof text !== 'string' || text.length > MAX_LENGTH) return undefined
  // One slash, and then neither a second one nor a backslash; from there on visible ASCII only, as a request target has it.
  if (!/^\/(?![/\\])[\x21\x23-\x5b\x5d-\x7e]*$/.test(text)) return undefined
  // What a browser makes of dots and empty segments at the beginning: `/.//host` is `//host` to nobody, but looks like it.
  const url = new URL(text, 'http://origin.invalid')
  return url.origin === 'http://origin.invalid' && !url.pathname.startsWith('//') ? text : undefined
}
