import { Argument, Command, Option } from 'commander'
import {
  type KeyJwk,
  pendingKey,
  type RotatedUse,
  retireKey,
  rotateKeyring,
  type SigningAlg,
  withdrawKey,
} from 'countersign'
import { TAKEN_UP_MS } from '../follow-keys.ts'
import { changeKeysFile, makeKeysFile, readKeysFile } from '../keys-file.ts'
import { keysPathOf } from '../service.ts'
import { EXIT, Exit } from './exit.ts'
import { acceptedFor, publishedFor } from './key-life.ts'
import { print, table } from './output.ts'
import { addSettings, configOf } from './settings.ts'

export function keysCommand(): Command {
  const keys = new Command('keys').description('make, list, rotate, withdraw and retire keys')
  keys
    .command('generate')
    .description('make a new keyring file, readable for its owner only; never overwrites one')
    .option('--out <file>', 'where to', 'keys.json')
    .option('--json', 'as one JSON object')
    .addHelpText('after', '\nExample:\n  countersign keys generate --out /etc/countersign/keys.json')
    .action(async ({ out, json }: { out: string; json?: boolean }) => {
      if (!(await makeKeysFile(out))) throw new Exit(EXIT.refused, `${out} is there already; it was not touched`)
      print(json, { file: out }, [
        `${out} was made. Back it up together with the data: without it no session is found again.`,
      ])
    })
  addSettings(keys.command('list'), 'storage')
    .description('list the keys of a deployment, without their secrets')
    .option('--json', 'as one JSON array')
    .action(async ({ json }: { json?: boolean }, command: Command) => {
      const all = (await readKeysFile(keysPathOf(await configOf(command)))).describe()
      const rows = all.map(({ use, number, alg, state, created, kid }) => [
        use,
        String(number ?? '-'),
        alg,
        state,
        created,
        kid,
      ])
      print(json, all, table(['USE', 'NUMBER', 'ALG', 'STATE', 'CREATED', 'KID'], rows))
    })
  addSettings(keys.command('rotate'), 'storage')
    .description('put a key that was published into use; the old one is still accepted, so nobody is logged out')
    .addArgument(new Argument('<use>', 'what for').choices(['mac', 'rotation', 'signing']))
    .addOption(
      new Option('--alg <name>', 'of a signing key; default that of the key in use').choices([
        'ES256',
        'Ed25519',
        'HS256',
      ]),
    )
    .option('--prepare', 'only publish a new key, so that every server knows it before one uses it')
    .option('--now', 'without waiting, and without a key that was published: for one server alone, or after a leak')
    .option('--json', 'as one JSON object')
    .addHelpText(
      'after',
      `
In this order: rotate --prepare; rotate, after ${SECONDS} s, for signing keys ${minutesOf('signing')} min; and when nothing that the old key made can be
presented any more: keys retire. Servers take up the file by themselves within ${SECONDS} s, or at once on SIGHUP.`,
    )
    .action(async (use: RotatedUse, o: RotateOptions, command: Command) => {
      if (o.alg !== undefined && use !== 'signing') throw new Exit(EXIT.usage, '--alg is for signing keys')
      const path = keysPathOf(await configOf(command))
      const { alg, prepare = false } = o
      const done = await changeKeysFile(path, (file) => {
        if (!prepare && !o.now) refuseUnpublished(pendingKey(file, use, alg), use, alg)
        return rotateKeyring(file, use, { ...(alg && { alg }), prepare })
      })
      const { kid, retiring } = done!
      const said = prepare
        ? `${use} key ${kid} is published and not used yet. ${TAKE_UP}Then, not before ${laterBy(publishedFor(use).forMs)}: ${commandFor(use, alg)}`
        : `${use} key ${kid} is in use${retiring.length > 0 ? `; ${retiring.join(', ')} only accepted` : ''}. ${TAKE_UP}`
      print(o.json, { file: path, use, kid, state: prepare ? 'pending' : 'active', retiring }, [said.trim()])
    })
  addSettings(keys.command('withdraw <kid>'), 'storage')
    .description('take a signing key out of use where another one does its job: after a change of algorithm')
    .option('--json', 'as one JSON object')
    .action(async (kid: string, o: { json?: boolean }, command: Command) => {
      const path = keysPathOf(await configOf(command))
      const { use } = (await changeKeysFile(path, (file) => withdrawKey(file, kid) ?? unknownKey(kid)))!
      const said = `${use} key ${kid} is only accepted any more. ${TAKE_UP}`
      print(o.json, { file: path, use, kid, state: 'retiring' }, [said.trim()])
    })
  addSettings(keys.command('retire <kid>'), 'all')
    .description('let a key be accepted no more; refused while something that it made may still be presented')
    .option('--force', 'now, although that logs people out: after a leak')
    .option('--json', 'as one JSON object')
    .action(async (kid: string, o: { force?: boolean; json?: boolean }, command: Command) => {
      const config = await configOf(command)
      const path = keysPathOf(config)
      const done = await changeKeysFile(path, (file) => {
        const retired = retireKey(file, kid) ?? unknownKey(kid)
        const { forMs, because } = acceptedFor(retired.use, config)
        const { state, since } = retired.key
        if (o.force || state === 'retired' || state === 'pending') return retired
        const untilMs = since === undefined ? undefined : Date.parse(since) + forMs
        if (untilMs !== undefined && untilMs <= Date.now()) return retired
        const until =
          untilMs === undefined ? 'nobody noted when it went out of use' : `until ${new Date(untilMs).toISOString()}`
        throw new Exit(
          EXIT.refused,
          `what ${kid} made may still be presented: ${because} (${until}); --force retires it all the same`,
        )
      })
      const { use } = done!
      print(o.json, { file: path, use, kid, state: 'retired' }, [`${use} key ${kid} is retired. ${TAKE_UP.trim()}`])
    })
  return keys
}

type RotateOptions = { alg?: SigningAlg; prepare?: boolean; now?: boolean; json?: boolean }

const SECONDS = TAKEN_UP_MS / 1_000
const TAKE_UP = `Servers take it up within ${SECONDS} s. `
const minutesOf = (use: RotatedUse) => Math.ceil(publishedFor(use).forMs / 60_000)
const commandFor = (use: RotatedUse, alg?: SigningAlg) =>
  `countersign keys rotate ${use}${alg === undefined ? '' : ` --alg ${alg}`}`
const laterBy = (ms: number) => new Date(Date.now() + ms).toISOString()

/** A key that one server uses and another does not know yet logs people out. */
function refuseUnpublished(key: KeyJwk | undefined, use: RotatedUse, alg: SigningAlg | undefined): void {
  if (!key) {
    const message = `no ${use} key is published yet: first ${commandFor(use, alg)} --prepare`
    throw new Exit(EXIT.refused, `${message}; --now makes one and uses it at once, which is for one server alone`)
  }
  const { forMs, because } = publishedFor(use)
  const fromMs = Date.parse(key.since ?? key.created) + forMs
  if (fromMs <= Date.now()) return
  const message = `${use} key ${key.kid} has not been published long enough: ${because}`
  throw new Exit(EXIT.refused, `${message} (until ${new Date(fromMs).toISOString()}); --now uses it all the same`)
}

function unknownKey(kid: string): never {
  throw new Exit(EXIT.notFound, `there is no key ${JSON.stringify(kid)}`)
}
