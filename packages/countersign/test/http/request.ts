import type { RequestFacts } from 'countersign/http'

/** A request with these header fields, lower case; an array stands for a repeated field. */
export function request(headers: Record<string, string | string[]> = {}, method = 'POST'): RequestFacts {
  return { method, header: (name) => headers[name] }
}
