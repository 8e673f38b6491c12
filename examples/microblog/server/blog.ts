import type { SessionId } from 'countersign'
import type { ExpressAuth } from 'countersign/express'
import { problem } from 'countersign/http'
import type { Request, Response } from 'express'
import type { Settings } from '../shared/types.ts'
import type { Feed } from './feed.ts'
import type { Repository } from './repository.ts'
import type { BlogAccounts, BlogSessions } from './sessions.ts'

/** What the routes work with. */
export interface Blog {
  readonly sessions: BlogSessions
  readonly accounts: BlogAccounts
  readonly repository: Repository
  readonly feed: Feed
  readonly auth: ExpressAuth<BlogSessions>
  readonly settings: Settings
}

export interface Who {
  readonly sessionId: SessionId
  readonly subject: string
  readonly roles: readonly string[]
  readonly expiresAtMs: number
}

/** Who asks. Only behind a guard. */
export function who(request: Request): Who {
  const { sessionId, subject, roles, expiresAtMs } = request.auth.session!
  return { sessionId: sessionId!, subject, roles, expiresAtMs }
}

/** Who did it, for the events of the library. */
export const by = (request: Request) => ({ ...request.auth.context(), by: who(request).subject })

/** An answer in the form that the library's own refusals have. */
export function refuse(response: Response, status: number, code: string): void {
  const { headers, body } = problem(status, code, {})
  response.status(status).set(headers).send(JSON.stringify(body))
}
