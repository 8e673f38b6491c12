// Keys are replaced under a fleet at work: HS256 → ES256 → Ed25519, with new MAC and rotation keys each time. Every node
// takes up each step at another moment, one of them by being replaced. Nobody is logged out and no call fails.
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { generateKeyring, type KeyringFile, retireKey, rotateKeyring, type SigningAlg, withdrawKey } from 'countersign'
import { describe, expect, onTestFinished, test } from 'vitest'
import { count } from '../../../../tools/test-support/counts.ts'
import { startRedis } from '../../../../tools/test-support/redis-server.ts'
import { type Load, type Person, startLoad } from './load.ts'
import type { NodeSetup } from './node.ts'
import { Fleet } from './nodes.ts'

const ALGS: readonly SigningAlg[] = ['HS256', 'ES256', 'Ed25519']
const USES = ['mac', 'rotation', 'signing'] as const
const PEOPLE = count(12, 40)
const ROUNDS = count(2, 20)
/** Processes start slowly on a machine that does other things too. */
const SLOW = { timeout: 900_000 }

const kidOf = ({ accessToken }: Person) =>
  JSON.parse(Buffer.from(accessToken.split('.')[0]!, 'base64url').toString()).kid
const macOf = ({ refreshToken }: Person) => Buffer.from(refreshToken.slice(4), 'base64url')[1]

/** The keyring of a fleet: one file that all nodes read, and that is changed as the commands change it. */
function sharedKeys() {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-fleet-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const path = join(folder, 'keys.json')
  let file = generateKeyring({ signing: ['HS256'] })
  const change = (edit: (file: KeyringFile) => KeyringFile) => {
    file = edit(file)
    writeFileSync(`${path}.new`, JSON.stringify(file))
    renameSync(`${path}.new`, path)
  }
  change((same) => same)
  return { folder, path, change, file: () => file }
}

const rotateAll = (file: KeyringFile, alg: SigningAlg, prepare: boolean) =>
  USES.reduce((now, use) => rotateKeyring(now, use, { prepare, ...(use === 'signing' && { alg }) }).file, file)

/** Every key but the newest of each use is accepted no more. */
const retireOld = (file: KeyringFile) => {
  const old = USES.flatMap((use) => file[use].slice(0, -1).map(({ kid, state }) => ({ kid, state })))
  return old.reduce((now, { kid, state }) => {
    const out = state === 'active' ? withdrawKey(now, kid)!.file : now
    return state === 'retired' ? out : retireKey(out, kid)!.file
  }, file)
}

const STORES: readonly {
  name: string
  strategy: NodeSetup['strategy']
  open(folder: string): Promise<NodeSetup['store']>
}[] = [
  {
    name: 'redis',
    strategy: 'allowlist',
    async open() {
      const server = await startRedis()
      onTestFinished(() => server.stop())
      return { kind: 'redis', url: server.url }
    },
  },
  {
    name: 'sqlite',
    strategy: 'denylist',
    open: async (folder) => ({ kind: 'sqlite', file: join(folder, 'sessions.db') }),
  },
]

describe.each(STORES)('a fleet with $strategy on $name', ({ strategy, open }) => {
  test('HS256 → ES256 → Ed25519: nobody is logged out, no call fails', SLOW, async () => {
    const keys = sharedKeys()
    const setup: NodeSetup = { store: await open(keys.folder), strategy, alg: ALGS, keys: keys.path }
    const fleet = await Fleet.of([setup, setup, setup])
    onTestFinished(() => fleet.stop())
    const load = await startLoad(fleet, PEOPLE)

    /** Each node takes up the file when its turn comes, with work in between. One is replaced instead. */
    const takeUp = async (replaced: number, alg = ALGS) => {
      for (let turn = 0; turn < fleet.size; turn++) {
        const node = (replaced + turn) % fleet.size
        if (turn === 0) await fleet.replace(node, { ...setup, alg })
        else expect(await fleet.node(node).ask('reload', undefined)).toHaveProperty('ok')
        await load.rounds(ROUNDS)
      }
    }
    for (const [step, alg] of (['ES256', 'Ed25519'] as const).entries()) {
      const old = { ...load.people[0]! }
      keys.change((file) => rotateAll(file, alg, true))
      await takeUp(step)
      keys.change((file) => rotateAll(file, alg, false))
      // The node that is replaced is the first that signs with the new key, and knows no other algorithm to sign with.
      await takeUp(step + 1, [alg])
      const [{ number }, { kid }] = [keys.file().mac.at(-1)!, keys.file().signing.at(-1)!]
      await load.until(`tokens of ${alg} for all`, (person) => kidOf(person) === kid && macOf(person) === number)
      const before = load.people.map(({ rotations }) => rotations)
      keys.change(retireOld)
      await takeUp(step + 2)
      await load.until('a rotation for all', (person) => person.rotations > before[load.people.indexOf(person)]!)
      expect(load.failures).toEqual([])
      // What the retired keys made is over: the load is not all right because nothing is looked at.
      for (let node = 0; node < fleet.size; node++) {
        const { accessToken, refreshToken } = old
        for (const [call, token] of [
          ['verify', accessToken],
          ['refresh', refreshToken],
        ] as const)
          expect(await fleet.node(node).ask(call, { token })).toEqual({ refused: 'bad_signature' })
      }
    }
    await load.stop()
    expect(load.failures).toEqual([])
    for (const call of ['verify', 'refresh', 'add']) expect(load.done.get(call)).toBeGreaterThan(PEOPLE * ROUNDS)
    expect(keys.file().signing.map(({ alg, state }) => `${alg} ${state}`)).toEqual([
      'HS256 retired',
      'ES256 retired',
      'Ed25519 active',
    ])
    report(load)
  })
})

test('a key that one node uses before another knows it does log people out, and the load sees it', SLOW, async () => {
  const keys = sharedKeys()
  const server = await startRedis()
  onTestFinished(() => server.stop())
  const setup: NodeSetup = {
    store: { kind: 'redis', url: server.url },
    strategy: 'allowlist',
    alg: ALGS,
    keys: keys.path,
  }
  const fleet = await Fleet.of([setup, setup])
  onTestFinished(() => fleet.stop())
  const load = await startLoad(fleet, 4)
  await load.rounds(2)
  expect(load.failures).toEqual([])
  // Not published first.
  keys.change((file) => rotateAll(file, 'ES256', false))
  await fleet.node(0).ask('reload', undefined)
  await expect.poll(() => load.failures.length, { timeout: 400_000 }).toBeGreaterThan(0)
  expect(load.failures.map(({ said }) => said)).toContain('bad_signature')
  await load.stop()
})

function report({ done, people }: Load): void {
  const rotations = people.reduce((sum, person) => sum + person.rotations, 0)
  console.log(`        ${[...done].map(([call, times]) => `${times} ${call}`).join(', ')}; ${rotations} rotations`)
}
