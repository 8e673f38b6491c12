// What clients asked for and what they were told, on one clock. An answer is `ok`, `fail` (a refusal: nothing was done)
// or `info` (a fault: nobody can say whether it was done), as in Jepsen's histories.
import { createHash } from 'node:crypto'

export type Verb = 'issue' | 'verify' | 'refresh' | 'update' | 'revoke' | 'revokeAll' | 'look'

/** What is asked for. `look` reads the record past all copies: once all is quiet, it tells the final state. */
export interface Question {
  readonly verb: Verb
  /** The process that asks. */
  readonly node: number
  readonly subject: string
  readonly sid?: string
  /** `update`: what is added, once, however often it is asked for. */
  readonly operation?: string
}

export type Answer =
  | {
      readonly is: 'ok'
      readonly sid?: string
      /** Whom the session belongs to, as the answer says. */
      readonly subject?: string
      readonly version?: number
      /** All operations that the data holds. */
      readonly operations?: readonly string[]
      /** The refresh token that was handed out. */
      readonly token?: Fingerprint
      readonly durability?: string
      /** From a copy in the process. */
      readonly isCopy?: boolean
    }
  | { readonly is: 'fail'; readonly reason: unknown; readonly remedy?: unknown }
  /** `isOpen` = nobody knows whether it was done; else it was not. */
  | { readonly is: 'info'; readonly code: string; readonly isOpen: boolean }

/** A refresh token without its secret. */
export interface Fingerprint {
  readonly generation: number
  readonly hash: string
}

export type Call = Question & {
  readonly n: number
  readonly invokedMs: number
  /** `Infinity` while it is not answered. */
  endedMs: number
  answer: Answer
}

const UNANSWERED: Answer = { is: 'info', code: 'no answer', isOpen: true }

export class History {
  readonly calls: Call[] = []
  /** What was done to the system, for the trace. */
  readonly notes: { readonly atMs: number; readonly what: string }[] = []
  readonly #nowMs: () => number

  /** @param nowMs - The one clock: no process under test has it. */
  constructor(nowMs: () => number) {
    this.#nowMs = nowMs
  }

  get nowMs(): number {
    return this.#nowMs()
  }

  note(what: string): void {
    this.notes.push({ atMs: this.#nowMs(), what })
  }

  /** Makes the call. Faults are answers; whatever else is thrown is a bug of the library or of the scenario, and thrown. */
  async record(question: Question, ask: () => Promise<Answer> | Answer): Promise<Answer> {
    const call: Call = {
      ...question,
      n: this.calls.length,
      invokedMs: this.#nowMs(),
      endedMs: Number.POSITIVE_INFINITY,
      answer: UNANSWERED,
    }
    this.calls.push(call)
    call.answer = await this.#answerTo(ask)
    call.endedMs = this.#nowMs()
    return call.answer
  }

  async #answerTo(ask: () => Promise<Answer> | Answer): Promise<Answer> {
    try {
      return await ask()
    } catch (error) {
      const { name, code, retryable } = error as { name?: string; code?: string; retryable?: boolean }
      if (name !== 'CountersignError' || code === undefined) throw error
      return { is: 'info', code, isOpen: retryable !== true && code !== 'ERR_STORE_CONFLICT' }
    }
  }

  /**
   * The lines about a session and its subject up to a few after the calls in question, which are marked and always there.
   *
   * @param most - Lines at most.
   */
  trace(
    about: { readonly sid?: string | undefined; readonly subject?: string | undefined },
    inQuestion: readonly Call[] = [],
    most = 60,
  ): string[] {
    const calls = this.calls.filter(
      (call) =>
        inQuestion.includes(call) ||
        (call.subject === about.subject &&
          (about.sid === undefined || call.verb === 'revokeAll' || sidOf(call) === about.sid)),
    )
    const lines = [
      ...this.notes.map(({ atMs, what }) => ({ atMs, line: `  ${ms(atMs)} -- ${what}`, isAsked: false })),
      ...calls.map((call) => {
        const isAsked = inQuestion.includes(call)
        return { atMs: call.invokedMs, line: `${isAsked ? '>' : ' '} ${lineOf(call)}`, isAsked }
      }),
    ].sort((a, b) => a.atMs - b.atMs)
    const last = lines.findLastIndex(({ isAsked }) => isAsked)
    const end = last < 0 ? lines.length : Math.min(lines.length, last + 1 + LINES_AFTER)
    const earlier = (from: number) => lines.slice(0, from).filter(({ isAsked }) => isAsked)
    let start = Math.max(0, end - most)
    // What is shown of before, and the line that says how much is not, take their room.
    while (start > 0 && start < end && end - start + earlier(start).length + 1 > most) start++
    const before = earlier(start)
    const gap = start - before.length
    return [
      ...before.map(({ line }) => line),
      ...(gap > 0 ? [`  … ${gap} lines`] : []),
      ...lines.slice(start, end).map(({ line }) => line),
    ]
  }
}

/** What happened right after the calls in question often tells why. */
const LINES_AFTER = 5

const sidOf = ({ sid, answer }: Call) => sid ?? (answer.is === 'ok' ? answer.sid : undefined)

const ms = (at: number) => `${at.toFixed(1).padStart(10)} ms`

export function lineOf(call: Call): string {
  const { answer, sid } = call
  const short = sid === undefined ? '' : ` …${sid.slice(-6)}`
  const until = Number.isFinite(call.endedMs) ? `+${(call.endedMs - call.invokedMs).toFixed(1)}` : 'never'
  const said =
    answer.is === 'ok'
      ? [
          'ok',
          answer.isCopy ? 'copy' : '',
          answer.version === undefined ? '' : `v${answer.version}`,
          answer.token ? `g${answer.token.generation} ${answer.token.hash.slice(0, 6)}` : '',
          answer.durability ?? '',
        ]
      : answer.is === 'fail'
        ? ['fail', String(answer.reason)]
        : ['info', answer.code, answer.isOpen ? 'unknown' : 'not done']
  const what = `${call.verb}${short}${call.operation === undefined ? '' : ` ${call.operation}`}`
  return `${ms(call.invokedMs)} ${until.padStart(8)} node ${call.node} ${what}: ${said.filter(Boolean).join(' ')}`
}

/** Bytes of a refresh token before its generation: version, number of the MAC key, session id. */
const BEFORE_GENERATION = 1 + 1 + 25

export function fingerprint(refreshToken: string): Fingerprint {
  const bytes = Buffer.from(refreshToken.replace(/^csr_/, ''), 'base64url')
  return {
    generation: bytes.readUInt32BE(BEFORE_GENERATION),
    hash: createHash('sha256').update(refreshToken).digest('hex').slice(0, 16),
  }
}
