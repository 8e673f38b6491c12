import { Command } from 'commander'
import { makeKeysFile, readKeysFile } from '../keys-file.ts'
import { keysPathOf } from '../service.ts'
import { EXIT, Exit } from './exit.ts'
import { print, table } from './output.ts'
import { addSettings, configOf } from './settings.ts'

export function keysCommand(): Command {
  const keys = new Command('keys').description('make and list keys')
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
  return keys
}
