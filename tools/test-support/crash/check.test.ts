// That the check finds each kind of loss, one at a time, in what is there after a short history.
import { expect, test } from 'vitest'
import { check, weaknesses } from './check.ts'
import { type Answer, type Entry, History, type Tokens, type Verbs } from './history.ts'

interface There {
  generation: number
  updates: number
  ended?: true
}

const tokens = (id: string, generation = 0): Tokens => ({
  id,
  access: `${id} ${generation}`,
  refresh: `${id} ${generation}`,
})

/** What is there, as the verbs show it. */
function verbsOn(there: Map<string, There>): Verbs {
  const use = <T>(token: string, read: (is: There, id: string) => Answer<T>): Answer<T> => {
    const [id = '', generation = ''] = token.split(' ')
    const is = there.get(id)
    if (!is) return { ok: false, reason: 'unknown' }
    if (is.ended) return { ok: false, reason: 'ended' }
    if (Number(generation) > is.generation) return { ok: false, reason: 'rolled_back' }
    return read(is, id)
  }
  const unused = async () => ({ ok: false, reason: 'unused' }) as const
  return {
    login: unused,
    revoke: unused,
    revokeAll: unused,
    refresh: async (token) =>
      use<{ tokens: Tokens }>(token, (is, id) => {
        const generation = Number(token.split(' ')[1])
        if (generation < is.generation - 1) return { ok: false, reason: 'reused' }
        if (generation === is.generation) is.generation++
        return { ok: true, tokens: tokens(id, is.generation) }
      }),
    look: async ({ access }) => use(access, ({ updates }) => ({ ok: true, updates })),
    list: async () => [...there].filter(([, { ended }]) => !ended).map(([id]) => id),
  }
}

const subject = 's'
const done = (verb: 'login' | 'refresh' | 'update' | 'revoke', made: Tokens): Entry[] => [
  { is: 'invoke', subject, verb, ...(verb !== 'login' && { id: made.id }) },
  { is: 'ok', subject, ...((verb === 'login' || verb === 'refresh') && { tokens: made }) },
]
/** `a` was refreshed and updated twice, `b` was ended. */
const HISTORY: readonly Entry[] = [
  ...done('login', tokens('a')),
  ...done('login', tokens('b')),
  ...done('refresh', tokens('a', 1)),
  ...done('update', tokens('a')),
  ...done('refresh', tokens('a', 2)),
  ...done('update', tokens('a')),
  ...done('revoke', tokens('b')),
]
const unanswered = (verb: 'login' | 'refresh' | 'update' | 'revoke', id?: string): Entry[] => [
  { is: 'invoke', subject, verb, ...(id !== undefined && { id }) },
]

async function lost(a: There | undefined, b: There | undefined, more: Entry[] = [], others: string[] = []) {
  const history = new History()
  for (const entry of [...HISTORY, ...more]) history.add(entry)
  const there = new Map<string, There>(others.map((id) => [id, { generation: 0, updates: 0 }]))
  if (a) there.set('a', a)
  if (b) there.set('b', b)
  return (await check([history], verbsOn(there))).map(({ verb }) => verb)
}

const A = { generation: 2, updates: 2 }
const B = { generation: 0, updates: 0, ended: true } as const

test.each<[string, string[], Promise<string[]>]>([
  ['all is there', [], lost({ ...A }, B)],
  ['a lost login', ['login'], lost(undefined, B)],
  ['a lost rotation', ['rotation'], lost({ ...A, generation: 1 }, B)],
  ['a lost update', ['update'], lost({ ...A, updates: 1 }, B)],
  ['a lost end', ['revoke'], lost({ ...A }, { generation: 0, updates: 0 })],
  ['an end that is forgotten with its session', ['revoke'], lost({ ...A }, undefined)],
  ['an end that nobody asked for', ['login'], lost({ ...A, ended: true }, B)],
  ['an update too many', ['update'], lost({ ...A, updates: 3 }, B)],
  ['two rotations too many', ['rotation'], lost({ ...A, generation: 4 }, B)],
  ['a session that nobody asked for', ['login'], lost({ ...A }, B, [], ['c'])],
  ['an unanswered update, not done', [], lost({ ...A }, B, unanswered('update', 'a'))],
  ['an unanswered update, done', [], lost({ ...A, updates: 3 }, B, unanswered('update', 'a'))],
  ['an unanswered update, done twice', ['update'], lost({ ...A, updates: 4 }, B, unanswered('update', 'a'))],
  ['an unanswered refresh, not done', [], lost({ ...A }, B, unanswered('refresh', 'a'))],
  ['an unanswered refresh, done', [], lost({ ...A, generation: 3 }, B, unanswered('refresh', 'a'))],
  ['an unanswered refresh, done twice', ['rotation'], lost({ ...A, generation: 4 }, B, unanswered('refresh', 'a'))],
  ['an unanswered end, not done', [], lost({ ...A }, B, unanswered('revoke', 'a'))],
  ['an unanswered end, done', [], lost({ ...A, ended: true }, B, unanswered('revoke', 'a'))],
  ['an unanswered login, done', [], lost({ ...A }, B, unanswered('login'), ['c'])],
  ['an unanswered login, done twice', ['login'], lost({ ...A }, B, unanswered('login'), ['c', 'd'])],
])('%s', async (_, expected, found) => {
  expect(await found).toEqual(expected)
})

test('what was settled by one check has to hold in the next', async () => {
  const history = new History()
  for (const entry of [...HISTORY, ...unanswered('update', 'a')]) history.add(entry)
  const there = new Map<string, There>([
    ['a', { ...A, updates: 3 }],
    ['b', { ...B }],
  ])
  expect(await check([history], verbsOn(there))).toEqual([])
  there.get('a')!.updates = 2
  expect((await check([history], verbsOn(there))).map(({ verb }) => verb)).toEqual(['update'])
})

test('a history that shows little says so', () => {
  const history = new History()
  for (const entry of HISTORY) history.add(entry)
  expect(weaknesses([history], ['login', 'refresh', 'update', 'revoke'])).toEqual([])
  expect(weaknesses([history], ['revokeAll'])).toEqual(['only 0 of revokeAll were acknowledged'])
  history.add({ is: 'invoke', subject, verb: 'revokeAll' })
  history.add({ is: 'ok', subject, durability: 'local' })
  expect(weaknesses([history], ['revokeAll'])).toEqual(['an answer said local'])
  history.add({ is: 'invoke', subject, verb: 'login' })
  history.add({ is: 'refused', subject, reason: 'limit' })
  expect(weaknesses([history], [])).toEqual(['login: limit', 'an answer said local'])
})
