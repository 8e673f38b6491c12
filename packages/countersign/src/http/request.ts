/** What the HTTP part needs to know of a request, whatever framework received it. */
export interface RequestFacts {
  readonly method: string
  /**
   * The value of a header field, by its lower-case name. An array when the field came more than once: then give all of
   * them (Node's `headers` drops repeated ones, `headersDistinct` does not), because two answers to one question are refused.
   */
  header(name: string): string | readonly string[] | undefined
}

/** The one value of a field that may come once: `undefined` when it is absent, `'several'` when it came more than once. */
export function singleHeader(request: RequestFacts, name: string): { readonly value: string | undefined } | 'several' {
  const value = request.header(name)
  if (typeof value === 'string' || value === undefined) return { value }
  return value.length > 1 ? 'several' : { value: value[0] }
}

/** Methods that change nothing (RFC 9110 section 9.2.1), so that they need no proof of origin. */
export function isSafeMethod(method: string): boolean {
  return method === 'GET' || method === 'HEAD' || method === 'OPTIONS'
}
