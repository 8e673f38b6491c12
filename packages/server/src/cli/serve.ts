import { Command } from 'commander'
import { printable, printConfig } from '../config/print.ts'
import { print } from './output.ts'
import { addSettings, configOf } from './settings.ts'
import { STOP_SECONDS } from './stopping.ts'

export function serveCommand(): Command {
  return addSettings(new Command('serve'), 'all')
    .description('run the session service')
    .option('--print-config', 'print the configuration, without its secrets, and end')
    .option('--json', 'print where it listens as JSON: {"listening":"http://…","pid":…}')
    .addHelpText(
      'after',
      `
Prints one line on standard output when it is ready: where it listens. The log goes to standard error as JSON lines.
SIGTERM and SIGINT stop it in good order: requests under way are answered, then it exits with 0, after at most ${STOP_SECONDS} s.

Examples:
  countersign serve --port 3000
  countersign serve --store redis://127.0.0.1:6379 --keys keys.json --public-url https://auth.example.com
  countersign serve --store postgres://countersign@127.0.0.1/auth --keys keys.json`,
    )
    .action(async (options: { printConfig?: boolean; json?: boolean }, command: Command) => {
      const config = await configOf(command)
      if (options.printConfig) print(options.json, printable(config), [printConfig(config)])
      // Loaded only here: the other commands need no HTTP.
      else await (await import('./run-server.ts')).runServer(config, options.json)
    })
}
