import type { RequestFacts } from '../../http/request.ts'

/** What an adapter tells of a request. */
export interface RequestSource extends RequestFacts {
  /** Path and query as the browser sent them: `/orders?page=2`. */
  readonly target: string
  /** The `Authorization` field; `null` when it came more than once. */
  readonly authorization: string | null | undefined
  /** All `Cookie` fields as one. */
  readonly cookie: string | undefined
  /** Address of the other end of the socket, where it is known. */
  readonly peer: string | undefined
  /** The framework's name for the request, for events. */
  readonly requestId: string | undefined
  /** What the application has made of the body already; `undefined` when nobody has read it. */
  readonly parsedBody: unknown
  /** Sets a cookie on the answer, whoever writes it. */
  addCookie(line: string): void
  /**
   * Reads the body.
   *
   * @returns `undefined` when it is longer than that; no more of it is kept then.
   */
  readBody(maxBytes: number): Promise<string | undefined>
}
