// What clients did until something was killed: each call when it was made, and its answer if one came. A call without
// an answer may have happened or not.

/** What a load and its check ask of whatever is tested: the library on a store, or a server over HTTP. */
export interface Verbs {
  /** Makes a subject that can log in, where that is needed. Not part of the history. */
  prepare?(subject: string): Promise<void>
  login(subject: string): Promise<Answer<{ readonly tokens: Tokens }>>
  refresh(refreshToken: string): Promise<Answer<{ readonly tokens: Tokens }>>
  revoke(session: Tokens): Promise<Answer>
  revokeAll(subject: string, by: Tokens): Promise<Answer>
  /** Adds one to the number that the session keeps. Absent where sessions keep no data. */
  update?(id: string): Promise<Answer>
  /** A write that may be lost with the power. Not part of the history. */
  touch?(id: string): Promise<Answer>
  /** What the access token is worth; `updates` is the number that the session keeps. */
  look(session: Tokens): Promise<Answer<{ readonly updates?: number }>>
  /** Ids of the live sessions. */
  list(subject: string, by: Tokens): Promise<readonly string[]>
}
export interface Tokens {
  readonly id: string
  readonly access: string
  readonly refresh: string
}
export type Answer<T = {}> = ({ readonly ok: true; readonly durability?: string } & T) | Refusal
export interface Refusal {
  readonly ok: false
  readonly reason: string
}
/** Thrown by verbs: nobody can say whether the call was executed. */
export class Unanswered extends Error {}

export type Verb = 'login' | 'refresh' | 'revoke' | 'revokeAll' | 'update'
export type Entry =
  | { readonly is: 'invoke'; readonly subject: string; readonly verb: Verb; readonly id?: string }
  | { readonly is: 'ok'; readonly subject: string; readonly tokens?: Tokens; readonly durability?: string }
  /** No client here does anything that may be refused. */
  | { readonly is: 'refused'; readonly subject: string; readonly reason: string }

/** One session as its client knows it. */
export interface Known {
  tokens: Tokens
  updates: number
  isEnded: boolean
}
export interface Client {
  readonly sessions: Map<string, Known>
  /** The call that was not answered. */
  pending?: { readonly verb: Verb; readonly id?: string } | undefined
  /** Sessions that it was not told of, because its login was not answered. The check counts them. */
  strangers: number
}

/** Takes in entries in their order, and knows what has to hold after them. A subject makes one call at a time. */
export class History {
  readonly clients = new Map<string, Client>()
  /** Acknowledged calls of each verb. */
  readonly counts: Record<Verb, number> = { login: 0, refresh: 0, revoke: 0, revokeAll: 0, update: 0 }
  /** Every durability that an answer promised. */
  readonly durabilities = new Set<string>()
  /** What was refused although it was right. */
  readonly refusals: string[] = []
  #answers = 0
  #waiting: { readonly answers: number; readonly resolve: () => void }[] = []

  /** Resolves when so many calls have been answered. */
  answered(answers: number): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push({ answers, resolve })
      this.#wake()
    })
  }

  add(entry: Entry): void {
    const client = this.#client(entry.subject)
    if (entry.is === 'invoke') {
      const { verb, id } = entry
      client.pending = { verb, ...(id !== undefined && { id }) }
      return
    }
    const { verb, id } = client.pending!
    if (entry.is === 'refused') {
      this.refusals.push(`${verb}: ${entry.reason}`)
      return
    }
    client.pending = undefined
    if (entry.durability !== undefined) this.durabilities.add(entry.durability)
    const session = id === undefined ? undefined : client.sessions.get(id)
    // Soon after a rotation the same token comes again: nothing was rotated.
    if (verb !== 'refresh' || session!.tokens.refresh !== entry.tokens!.refresh) this.counts[verb]++
    if (verb === 'login') client.sessions.set(entry.tokens!.id, { tokens: entry.tokens!, updates: 0, isEnded: false })
    if (verb === 'refresh') session!.tokens = entry.tokens!
    if (verb === 'update') session!.updates++
    if (verb === 'revoke') session!.isEnded = true
    if (verb === 'revokeAll') for (const one of client.sessions.values()) one.isEnded = true
    this.#answers++
    this.#wake()
  }

  #wake(): void {
    for (const { resolve } of this.#waiting.filter(({ answers }) => answers <= this.#answers)) resolve()
    this.#waiting = this.#waiting.filter(({ answers }) => answers > this.#answers)
  }

  #client(subject: string): Client {
    const client = this.clients.get(subject) ?? { sessions: new Map(), strangers: 0 }
    this.clients.set(subject, client)
    return client
  }
}
