// What is asked. Ids never change, since results are compared over time by them.

export interface Question {
  readonly id: string
  /** Head of the column: two or three words. */
  readonly head: string
  /** The question, for a reader who sees nothing else. */
  readonly about: string
  /** Of a price: what the figure is in, and whether less of it is better. */
  readonly unit?: string
  readonly better?: 'less' | 'more'
}

export interface QuestionGroup {
  readonly id: string
  readonly title: string
  /** How it is asked. */
  readonly how: string
  readonly questions: readonly Question[]
}

export const GROUPS: readonly QuestionGroup[] = [
  {
    id: 'revocation',
    title: 'When does it take effect?',
    how: 'Two servers on one store (one for memory). Both know the token; then something happens at the first, and the token is presented to both, every few milliseconds, until both refuse it. The time runs from the answer of the first.',
    questions: [
      { id: 'logout', head: 'logout', about: 'After a logout, is the token dead?' },
      { id: 'ban', head: 'ban', about: 'After a ban, is the token dead, and the next login refused?' },
      {
        id: 'demotion',
        head: 'demotion',
        about: 'An admin who is none any more: is the old token still let into the admin page?',
      },
      { id: 'password', head: 'password', about: 'After a password change, is the other device out, and this one in?' },
      { id: 'limit', head: '3rd device', about: 'Two devices are allowed and a third logs in: is the oldest out?' },
      {
        id: 'stale',
        head: 'stale data',
        about: 'A preference is changed on one device: when does the other one see it?',
      },
      { id: 'bystander', head: 'bystander', about: 'Somebody else logs in and out: am I still logged in?' },
    ],
  },
  {
    id: 'renewal',
    title: 'Secrets that may be used once',
    how: 'A thief has a copy. The victim goes on as a browser does; then the thief comes.',
    questions: [
      {
        id: 'stolen-refresh',
        head: 'stolen refresh',
        about:
          'A refresh token was copied and the victim has renewed twice since: is the copy refused, and the session ended?',
      },
      {
        id: 'one-time',
        head: 'one-time',
        about: 'A link to reset a password: does it work twice, or in two tabs at once?',
      },
    ],
  },
  {
    id: 'forgery',
    title: 'Tokens that nobody should accept',
    how: 'A real token is taken apart, changed, and put together again. Where the signature is not the point (another audience, a claim left out, a token that is too long) it is signed with the real key.',
    questions: [
      { id: 'alg-none', head: 'alg none', about: 'No signature, `alg` none in three spellings, and the role admin' },
      { id: 'confusion', head: 'alg confusion', about: 'HS256 with the public key, in five forms, as its secret' },
      { id: 'audience', head: 'audience', about: 'A token for another service of the same house' },
      { id: 'claims', head: 'claims', about: 'A token that lacks one of the claims it should have: one try for each' },
      { id: 'oversize', head: '12 kB token', about: 'A token of 12 000 characters' },
    ],
  },
  {
    id: 'trouble',
    title: 'When the store is in trouble',
    how: 'Real servers are killed. Tokens live for minutes here, so that nothing ends by itself.',
    questions: [
      {
        id: 'down',
        head: 'store down',
        about:
          'The store is killed: is a live session answered with a fault (503), and not logged out, and is a session that had been logged out still refused?',
      },
      {
        id: 'evicting',
        head: 'evicting',
        about: 'Redis has too little memory and evicts: does a session come back that was logged out?',
      },
      {
        id: 'failover',
        head: 'fail-over',
        about: 'The primary that holds the session is killed: does a logout survive it, and does a live session?',
      },
    ],
  },
  {
    id: 'price',
    title: 'The price',
    how: 'Against a handler that checks nothing, in turns, in one run; median of the rounds. Calls are counted, memory is the difference before and after 1 000 logins.',
    questions: [
      {
        id: 'bytes',
        head: 'bytes',
        about: 'Characters of the token that each request carries',
        unit: 'bytes',
        better: 'less',
      },
      {
        id: 'calls',
        head: 'calls',
        about: 'Calls to the store for a request, when each asks',
        unit: 'calls',
        better: 'less',
      },
      {
        id: 'calls-near',
        head: 'calls, near',
        about: 'The same with the near cache, sessions known',
        unit: 'calls',
        better: 'less',
      },
      {
        id: 'speed',
        head: 'speed',
        about: 'Requests per second, as a part of those of the bare handler, when each asks',
        unit: 'of bare',
        better: 'more',
      },
      { id: 'speed-near', head: 'speed, near', about: 'The same with the near cache', unit: 'of bare', better: 'more' },
      {
        id: 'p50',
        head: 'p50',
        about: 'Half of the requests are answered within, one at a time, as a multiple of the bare handler',
        unit: '× bare',
        better: 'less',
      },
      {
        id: 'p99',
        head: 'p99',
        about: '99 of 100 are answered within, one at a time, as a multiple of the bare handler',
        unit: '× bare',
        better: 'less',
      },
      { id: 'memory', head: 'memory', about: 'Of the store, for each session', unit: 'bytes', better: 'less' },
    ],
  },
]

export const QUESTIONS: readonly Question[] = GROUPS.flatMap(({ questions }) => questions)
export const groupOf = (question: string): string =>
  GROUPS.find(({ questions }) => questions.some(({ id }) => id === question))!.id
