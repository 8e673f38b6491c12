import type { Problem } from '../http/problem.ts'
import type { Platform } from './platform.ts'
import type { SignedOutReason } from './types.ts'

/** Sends a `POST` of ours. Always as JSON, which no form of another origin can send. */
export function post(
  platform: Platform,
  path: string,
  body: object = {},
  token = '',
  signal?: AbortSignal,
): Promise<Response> {
  const headers = { 'content-type': 'application/json', ...(token && { authorization: bearer(token) }) }
  const init = { method: 'POST', headers, body: JSON.stringify(body), signal: signal ?? null }
  return platform.fetch(new Request(new URL(path, platform.baseUrl()), init))
}

export const bearer = (token: string): string => `Bearer ${token}`

/** The problem in an answer that is no success; undefined when somebody else than our server wrote it. */
export async function problemIn(response: Response): Promise<Problem | undefined> {
  if (response.ok || !/problem\+json/.test(response.headers.get('content-type')!)) return undefined
  // A copy: the caller of authFetch gets the answer too.
  const read = response.clone().json() as Promise<Problem>
  return read.catch(() => undefined)
}

export const reasonOf = (problem: Problem): SignedOutReason => problem.endedBy ?? problem.reason ?? problem.code
