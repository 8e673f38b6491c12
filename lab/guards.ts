// Takes one guard at a time out of a copy of the library, builds it, and asks again: the cell behind it has to change to
// worse. So each of these cells is known to be produced by the library, and the question to be able to fail.
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { generateKeyring } from 'countersign'
import { atEnd } from '../bench/harness/ending.ts'
import { copyOfRepository, edited } from '../tools/faults/guards.ts'
import { root } from '../tools/files.ts'
import { run as runProgram } from '../tools/steps.ts'
import { askTokens, askTrouble } from './ask/groups.ts'
import type { Cell } from './cell.ts'
import { Places } from './harness/places.ts'
import { ROWS } from './rows.ts'

export interface Guard {
  readonly guard: string
  readonly what: string
  /** Each text has to be there exactly once. */
  readonly edits: readonly { readonly file: string; readonly find: string; readonly replace: string }[]
  /** The cell that has to change. */
  readonly row: string
  readonly question: string
}

const src = (file: string) => `packages/countersign/src/${file}`

/** The header may name any algorithm, whatever the key is for. */
const HEADER_DECIDES = [
  { file: src('tokens/keys.ts'), find: 'key?.alg === alg', replace: 'key' },
  {
    file: src('tokens/jws.ts'),
    find: 'if (!key || (header.alg !== key.alg && header.alg !== key.alias)) return BAD_SIGNATURE',
    replace: 'if (!key) return BAD_SIGNATURE',
  },
]
const VERIFIED = 'return key.verifies(token.slice(0, second), signature) ?'
const CRYPTO = "import { fromBase64url, toBase64url } from '../internal/bytes.ts'\n"

/** And then counts: no signature, as libraries once had it. */
const NONE_COUNTS = [
  ...HEADER_DECIDES,
  {
    file: src('tokens/jws.ts'),
    find: VERIFIED,
    replace: VERIFIED.replace('return ', 'return /^none$/i.test(header.alg as string) || '),
  },
]

/** And then counts: the public key, given to HMAC as it lies there, as libraries once had it. */
const HMAC_WITH_ANY_KEY = [
  ...HEADER_DECIDES,
  {
    file: src('tokens/jws.ts'),
    find: CRYPTO,
    replace: `import { createHmac, createPublicKey } from 'node:crypto'\n${CRYPTO}`,
  },
  {
    file: src('tokens/jws.ts'),
    find: VERIFIED,
    replace: `if (header.alg === 'HS256' && key.alg === 'ES256') {
    const pem = createPublicKey({ key: (key as any).publicJwk, format: 'jwk' }).export({ type: 'spki', format: 'pem' })
    const mac = createHmac('sha256', pem).update(token.slice(0, second)).digest()
    return mac.equals(signature) ? { ok: true, header, key, payload } : BAD_SIGNATURE
  }
  ${VERIFIED}`,
  },
]

export const GUARDS: readonly Guard[] = [
  {
    guard: 'ended-record',
    what: 'a logout removes the record',
    edits: [
      {
        file: src('stores/steps/end.ts'),
        find: "  if (found?.is === 'live') {\n    endRecord(shard, found.record, why, nowMs)\n",
        replace: "  if (found?.is === 'live') {\n",
      },
    ],
    row: 'allowlist/memory',
    question: 'logout',
  },
  {
    guard: 'denied-sid',
    what: 'a session that was ended is in the revocations of its subject',
    edits: [
      {
        file: src('verbs/verify.ts'),
        find: '  if (endedBy !== undefined) return judgeEnd(endedBy)\n',
        replace: '',
      },
    ],
    row: 'denylist/memory',
    question: 'logout',
  },
  {
    guard: 'not-before',
    what: 'tokens older than a change of roles are superseded',
    edits: [
      {
        file: src('verbs/verify.ts'),
        find: "  if (stamp! <= kept.notBefore) return refuse('superseded')\n",
        replace: '',
      },
    ],
    row: 'denylist/memory',
    question: 'demotion',
  },
  {
    guard: 'blocked-subject',
    what: 'whoever is banned gets no session',
    edits: [
      {
        file: src('stores/steps/create.ts'),
        find: "  if (gate.blocked) return { is: 'blocked' }\n  if (rule.ifEpoch",
        replace: '  if (rule.ifEpoch',
      },
    ],
    row: 'allowlist/memory',
    question: 'ban',
  },
  {
    guard: 'everywhere',
    what: 'a password change ends the records of the other devices',
    edits: [
      {
        file: src('stores/steps/end.ts'),
        find: '    if (isLive(record, nowMs)) ids.push(record.id)\n    endRecord(shard, record, why, nowMs)\n',
        replace: '    if (isLive(record, nowMs)) ids.push(record.id)\n',
      },
    ],
    row: 'opaque/memory',
    question: 'password',
  },
  {
    guard: 'device-limit',
    what: 'a login beyond the limit ends the oldest',
    edits: [
      {
        file: src('stores/steps/create.ts'),
        find: "  for (const other of evicted) endRecord(shard, other, 'limit', nowMs)\n",
        replace: '',
      },
    ],
    row: 'opaque/memory',
    question: 'limit',
  },
  {
    guard: 'reuse-ends',
    what: 'an old refresh token ends the session',
    edits: [{ file: src('stores/steps/rotate.ts'), find: '    endRecord(shard, record, is, nowMs)\n', replace: '' }],
    row: 'allowlist/memory',
    question: 'stolen-refresh',
  },
  {
    guard: 'taken-once',
    what: 'a one-time token is gone when it was used',
    edits: [
      {
        file: src('stores/memory/memory-once.ts'),
        find: '      places.delete(toBase64url(place))\n      return kept.bytes',
        replace: '      return kept.bytes',
      },
    ],
    row: 'allowlist/memory',
    question: 'one-time',
  },
  {
    guard: 'no-none',
    what: 'the algorithm is that of the key; without that, and where `none` counts',
    edits: NONE_COUNTS,
    row: 'denylist/memory',
    question: 'alg-none',
  },
  {
    guard: 'no-confusion',
    what: 'the algorithm is that of the key; without that, and where HMAC takes any key',
    edits: HMAC_WITH_ANY_KEY,
    row: 'denylist/memory',
    question: 'confusion',
  },
  {
    guard: 'own-audience',
    what: 'a token for another audience is refused',
    edits: [
      {
        file: src('verbs/judge.ts'),
        find: "  if (demands.audience !== undefined && !principal.audience.includes(demands.audience)) return refuse('claim_mismatch')\n",
        replace: '',
      },
    ],
    row: 'allowlist/memory',
    question: 'audience',
  },
  {
    guard: 'claims-demanded',
    what: 'a token without its claims is refused',
    edits: [
      { file: src('tokens/claims.ts'), find: '    isText(client_id) &&\n', replace: '' },
      {
        file: src('tokens/claims.ts'),
        find: '    isText(jti) &&\n    jti.length <= MAX_JTI_CHARACTERS &&\n',
        replace: '',
      },
    ],
    row: 'allowlist/memory',
    question: 'claims',
  },
  {
    guard: 'size-cap',
    what: 'a token that is too long is not looked at',
    edits: [
      {
        file: src('tokens/jws.ts'),
        find: "if (typeof token !== 'string' || token.length > maxCharacters) return MALFORMED",
        replace: "if (typeof token !== 'string' || maxCharacters < 0) return MALFORMED",
      },
    ],
    row: 'allowlist/memory',
    question: 'oversize',
  },
  {
    guard: 'pushed-change',
    what: 'the store tells the near cache of another process that a session has ended',
    edits: [
      {
        file: src('cache/near-cache.ts'),
        find: '    this.#sessions?.voidKey(id)\n    this.lately.dropSession(id)\n    this.#drops.changed += this.#tokens.detachTag(tagOfId(id), id)\n    this.#doubt(id)\n',
        replace: '    this.lately.dropSession(id)\n',
      },
    ],
    row: 'allowlist/redis',
    question: 'logout',
  },
  {
    guard: 'nothing-evicted',
    what: 'denylist does not start where revocations may be evicted; and refuses what is older than the data, or has none',
    edits: [
      {
        file: src('verbs/verify.ts'),
        find: '  if (stamp! <= floor.notBeforeMs) return judgeEnd(floor.why)\n',
        replace: '',
      },
      {
        file: src('create-sessions.ts'),
        find: "strategy.name === 'denylist' && store.lifecycle?.",
        replace: 'closed && store.lifecycle?.',
      },
      {
        file: src('verbs/verify.ts'),
        find: "  if (kept.is === 'lost') return refuse('rolled_back')\n",
        replace:
          "  if (kept.is === 'lost') {\n    const ever = Number.POSITIVE_INFINITY\n    return { id, session: principal!, bornMs: stamp!, overMs: ever, dueMs: ever, use: undefined, bytes: 0 }\n  }\n",
      },
    ],
    row: 'denylist/redis',
    question: 'evicting',
  },
]

/** @returns The exit code: 0 when every cell changed. */
export async function removeGuards(name: string): Promise<number> {
  const chosen = GUARDS.filter(({ guard }) => name === 'all' || guard === name)
  const startedMs = performance.now()
  const folder = copyOfRepository()
  atEnd(() => rmSync(folder, { recursive: true, force: true }))
  let changed = 0
  console.log('guard → cell: with it → without it')
  for (const guard of chosen) {
    const { with: withIt, without } = await remove(guard, folder)
    const isChanged = withIt.verdict === 'good' && (without.verdict === 'late' || without.verdict === 'hole')
    if (isChanged) changed++
    const word = ({ verdict, text }: Cell) => `${verdict} (${text})`
    console.log(
      `${isChanged ? 'ok     ' : 'FAILED '} ${guard.guard.padEnd(16)} ${`${guard.row}, ${guard.question}:`.padEnd(34)} ${word(withIt)} → ${word(without)}`,
    )
  }
  const seconds = Math.round((performance.now() - startedMs) / 1_000)
  console.log(`${changed} of ${chosen.length} cells changed when the guard behind them was taken out (${seconds} s)`)
  return changed === chosen.length ? 0 : 1
}

/** The same cell, of the library as it is and of the copy without the guard. */
async function remove(guard: Guard, folder: string): Promise<{ readonly with: Cell; readonly without: Cell }> {
  const withIt = await ask(guard, root)
  const before = new Map<string, string>()
  for (const { file, find, replace } of guard.edits) {
    const path = join(folder, file)
    const text = readFileSync(path, 'utf8')
    if (!before.has(path)) before.set(path, text)
    writeFileSync(path, edited(text, find, replace, file))
  }
  try {
    // The compiler of the repository: that of the copy is a link to it.
    const built = await runProgram(join(folder, 'node_modules/.bin/tsc'), ['-b', 'packages/countersign', '--noCheck'], {
      cwd: folder,
    })
    if (built.code !== 0) throw new Error(`without ${guard.guard} the library does not build:\n${built.output}`)
    return { with: withIt, without: await ask(guard, folder) }
  } finally {
    for (const [path, text] of before) writeFileSync(path, text)
  }
}

async function ask({ row, question }: Guard, folder: string): Promise<Cell> {
  const cells: Cell[] = []
  const run = {
    places: new Places(),
    keyring: generateKeyring({ signing: ['HS256', 'ES256'] }),
    secret: 'unused',
    start: { folder },
  }
  const wanted = { rows: ROWS.filter(({ id }) => id === row), questions: new Set([question]) }
  const report = (cell: Cell) => void cells.push(cell)
  for (const some of [askTokens, askTrouble]) await some(run, wanted, report, () => {})
  return cells[0]!
}
