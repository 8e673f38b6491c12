// A client of the servers under test: no cookies, no retries, and a deadline after which a server hangs.
import type { Answered, Tokens } from '../sides/told.ts'

export interface Reply {
  /** 0: no answer within the deadline, or none at all. */
  readonly status: number
  readonly body: Answered
}

export const DEADLINE_MS = 4_000

export class Client {
  readonly url: string

  constructor(url: string) {
    this.url = url
  }

  get(path: string, bearer = '', deadlineMs = DEADLINE_MS): Promise<Reply> {
    return this.#send(path, { headers: { authorization: `Bearer ${bearer}` } }, deadlineMs)
  }

  post(path: string, body: object, bearer = '', deadlineMs = DEADLINE_MS): Promise<Reply> {
    const headers = { authorization: `Bearer ${bearer}`, 'content-type': 'application/json' }
    return this.#send(path, { method: 'POST', headers, body: JSON.stringify(body) }, deadlineMs)
  }

  /** What a login answers, or an error that says what came instead. */
  async login(subject: string, more: object = {}): Promise<Tokens> {
    const reply = await this.post('/login', { subject, ...more }, '', 10_000)
    if (reply.status !== 200) throw new Error(`login: ${reply.status} ${reply.body.reason ?? ''}`)
    return reply.body as Tokens
  }

  async #send(path: string, init: RequestInit, deadlineMs: number): Promise<Reply> {
    try {
      const answer = await fetch(`${this.url}${path}`, { ...init, signal: AbortSignal.timeout(deadlineMs) })
      return { status: answer.status, body: (await answer.json()) as Answered }
    } catch (error) {
      return { status: 0, body: { reason: (error as Error).name } }
    }
  }
}
