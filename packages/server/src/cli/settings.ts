import { type Command, Option } from 'commander'
import { FIELDS, type Field, type FieldName } from '../config/fields.ts'
import { type Config, resolveConfig } from '../config/resolve.ts'
import { openService, type Service } from '../service.ts'
import { EXIT, Exit } from './exit.ts'

const NAMES = Object.keys(FIELDS) as FieldName[]

/** Adds the flags of all settings to a command, or only those that say which store it is about. */
export function addSettings(command: Command, which: 'all' | 'storage'): Command {
  command.option('--config <file>', 'JSON file with settings')
  for (const name of NAMES) {
    const { flag, help, storage, repeat, env, fallback, print } = FIELDS[name] as Field<unknown>
    if (flag === null || (which === 'storage' && !storage)) continue
    const option = new Option(flag, `${help} [${env.join(', ')}]`)
    // The default is shown and not set: a flag that was not given must not hide the environment or the file.
    if (fallback !== undefined && fallback !== false)
      option.default(undefined, shown(print ? print(fallback!) : fallback))
    if (repeat) option.argParser((value: string, before: string[] = []) => [...before, value])
    command.addOption(option)
  }
  return command
}

const shown = (value: unknown) => (Array.isArray(value) ? value.join(',') || 'none' : String(value))

/** The configuration that a command line asks for. */
export function configOf(command: Command): Promise<Config> {
  const given = command.opts()
  const flags = Object.fromEntries(
    NAMES.map((name) => {
      const { flag } = FIELDS[name] as Field<unknown>
      return [name, flag === null ? undefined : given[new Option(flag).attributeName()]]
    }),
  )
  return resolveConfig({ flags, env: process.env, file: given.config ?? (process.env.COUNTERSIGN_CONFIG || undefined) })
}

/** Opens the store of a command that administers one, and closes it whatever happens. */
export async function withService<T>(command: Command, work: (service: Service) => Promise<T>): Promise<T> {
  const config = await configOf(command)
  if (config.store.kind === 'memory') {
    throw new Exit(EXIT.usage, 'store memory lives in the server process: there is nothing that a command could reach')
  }
  const service = await openService(config)
  try {
    return await work(service)
  } finally {
    await service.close()
  }
}
