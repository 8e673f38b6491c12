import { Argument, Command, Option } from 'commander'
import { type RotatedUse, retireKey, rotateKeyring, type SigningAlg } from 'countersign'
import { changeKeysFile, makeKeysFile, readKeysFile } from '../keys-file.ts'
import { keysPathOf } from '../service.ts'
import { EXIT, Exit } from './exit.ts'
import { acceptedFor } from './key-life.ts'
import { print, table } from './output.ts'
import { addSettings, configOf } from './settings.ts'

export function keysCommand(): Command {
  const keys = new Command('keys').description('make, list, rotate and retire keys')
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
    .description('put a new key into use; the old one is still accepted, so nobody is logged out')
    .addArgument(new Argument('<use>', 'what for').choices(['mac', 'rotation', 'signing']))
    .addOption(
      new Option('--alg <name>', 'of a signing key; default that of the key in use').choices([
        'ES256',
        'Ed25519',
        'HS256',
      ]),
    )
    .option('--prepare', 'only add the key, so that every server can learn it before one uses it')
    .option('--json', 'as one JSON object')
    .addHelpText(
      'after',
      `
One server: rotate, restart. Several: rotate --prepare, restart all, rotate, restart all. When nothing that the old key
made can be presented any more: keys retire.`,
    )
    .action(async (use: RotatedUse, o: { alg?: SigningAlg; prepare?: boolean; json?: boolean }, command: Command) => {
      if (o.alg !== undefined && use !== 'signing') throw new Exit(EXIT.usage, '--alg is for signing keys')
      const path = keysPathOf(await configOf(command))
      const { alg, prepare = false } = o
      const done = await changeKeysFile(path, (file) => rotateKeyring(file, use, { ...(alg && { alg }), prepare }))
      const { kid, retiring } = done!
      const said = prepare
        ? `${use} key ${kid} is accepted. Restart every server, then: countersign keys rotate ${use}`
        : `${use} key ${kid} is in use${retiring.length > 0 ? `; ${retiring.join(', ')} only accepted` : ''}. Restart every server.`
      print(o.json, { file: path, use, kid, state: prepare ? 'retiring' : 'active', retiring }, [said])
    })
  addSettings(keys.command('retire <kid>'), 'all')
    .description('let a key be accepted no more; refused while something that it made may still be presented')
    .option('--force', 'now, although that logs people out: after a leak')
    .option('--json', 'as one JSON object')
    .action(async (kid: string, o: { force?: boolean; json?: boolean }, command: Command) => {
      const config = await configOf(command)
      const path = keysPathOf(config)
      const done = await changeKeysFile(path, (file) => {
        const retired = retireKey(file, kid)
        if (!retired) throw new Exit(EXIT.notFound, `there is no key ${JSON.stringify(kid)}`)
        const { forMs, because } = acceptedFor(retired.use, config)
        const { state, since } = retired.key
        if (o.force || state === 'retired') return retired
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
      print(o.json, { file: path, use, kid, state: 'retired' }, [`${use} key ${kid} is retired. Restart every server.`])
    })
  return keys
}
