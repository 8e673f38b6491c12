import { createRequire } from 'node:module'
import { Command } from 'commander'
import { printable, printConfig } from '../config/print.ts'
import { doctorCommand } from './doctor.ts'
import { EXIT, finish } from './exit.ts'
import { explainCommand } from './explain.ts'
import { keysCommand } from './keys.ts'
import { labCommand } from './lab.ts'
import { oneTimeCommand } from './one-time.ts'
import { openApiCommand } from './openapi.ts'
import { print } from './output.ts'
import { serveCommand } from './serve.ts'
import { sessionsCommand } from './sessions.ts'
import { addSettings, configOf } from './settings.ts'
import { usersCommand } from './users.ts'
import { dropSqliteWarning } from './warnings.ts'

const { version } = createRequire(import.meta.url)('../../package.json') as { version: string }

dropSqliteWarning()

const program = new Command('countersign')
  .description('The session service: log in, stay logged in, be logged out when it matters.')
  .version(version)
  .addHelpText(
    'after',
    `
Examples:
  countersign serve                                        on SQLite in ./countersign-data
  countersign keys generate --out keys.json
  countersign serve --store redis://127.0.0.1:6379 --keys keys.json
  echo "$PASSWORD" | countersign users add alice@example.com --role admin
  countersign sessions list alice@example.com --json

Settings: flag over environment over --config file over default. Exit codes: 0 done, 1 failed, 2 wrong command line or
configuration, 3 not found, 4 refused, 5 done but a crash of the store could undo it.`,
  )

const config = addSettings(new Command('config'), 'all')
  .description('print the configuration, without its secrets, and where each value comes from')
  .option('--json', 'as one JSON object')
  .action(async (options: { json?: boolean }, command: Command) => {
    const resolved = await configOf(command)
    print(options.json, printable(resolved), [printConfig(resolved)])
  })

for (const command of [
  serveCommand(),
  config,
  doctorCommand(),
  usersCommand(),
  sessionsCommand(),
  explainCommand(),
  oneTimeCommand(),
  keysCommand(),
  openApiCommand(),
  labCommand(),
]) {
  program.addCommand(command)
}
throwInsteadOfExit(program)

/** Commander's own way out would skip `finish`, and with it the exit code for a wrong command line. */
function throwInsteadOfExit(command: Command): void {
  command.exitOverride()
  for (const below of command.commands) throwInsteadOfExit(below)
}

// A reader that has seen enough, such as `head`, is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(EXIT.ok)
  throw error
})

await finish(() => program.parseAsync())
