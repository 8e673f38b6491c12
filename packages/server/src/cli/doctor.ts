import { existsSync } from 'node:fs'
import { Command } from 'commander'
import { CountersignError, type KeyInfo } from 'countersign'
import { type Config, ConfigProblems, crossesNetworkInClear } from '../config/resolve.ts'
import { readKeysFile } from '../keys-file.ts'
import { issuerOf, keysPathOf, openService } from '../service.ts'
import { EXIT } from './exit.ts'
import { print } from './output.ts'
import { addSettings, configOf } from './settings.ts'

/** One thing that was looked at. */
interface Finding {
  readonly check: 'configuration' | 'keys' | 'store' | 'delivery'
  readonly status: 'ok' | 'warning' | 'failed'
  readonly message: string
  /** What to do about it. */
  readonly advice?: string
}

const YEAR_MS = 365 * 86_400_000
/** Keys whose time has come to be replaced are told about; nothing stops working by it. */
const OLD_KEY_MS = YEAR_MS
const CLOCK_MS = 2_000

export function doctorCommand(): Command {
  return addSettings(new Command('doctor'), 'all')
    .description(
      'check configuration, keys and store as a start would, and say what to do; changes nothing that anybody sees',
    )
    .option('--json', 'as one JSON array')
    .addHelpText(
      'after',
      '\nExits with 0 when the service would start (warnings or not), 2 for the configuration or keys, 1 for the store.',
    )
    .action(async (options: { json?: boolean }, command: Command) => {
      const findings = await examine(() => configOf(command))
      const lines = findings.map(
        ({ check, status, message, advice }) =>
          `${status.padEnd(7)}  ${check}: ${message}${advice ? ` -> ${advice}` : ''}`,
      )
      print(options.json, findings, lines)
      const failed = findings.filter(({ status }) => status === 'failed')
      if (failed.some(({ check }) => check !== 'store')) process.exitCode = EXIT.usage
      else if (failed.length > 0) process.exitCode = EXIT.failed
    })
}

async function examine(read: () => Promise<Config>): Promise<readonly Finding[]> {
  let config: Config
  try {
    config = await read()
  } catch (error) {
    if (!(error instanceof ConfigProblems)) throw error
    return error.problems.map((message) => ({ check: 'configuration', status: 'failed', message }))
  }
  const keys = await examineKeys(config)
  const findings: Finding[] = [...examineConfig(config), ...keys]
  if (keys.some(({ status }) => status === 'failed')) return findings
  // Opening it would make the keys, and the file: that is for the first start to do.
  const isNew = config.store.kind === 'sqlite' && config.keys === undefined && !existsSync(keysPathOf(config))
  return isNew ? findings : [...findings, ...(await examineStore(config))]
}

function examineConfig(config: Config): Finding[] {
  const findings: Finding[] = [{ check: 'configuration', status: 'ok', message: 'can be used' }]
  const warn = (check: Finding['check'], message: string, advice: string) =>
    findings.push({ check, status: 'warning', message, advice })
  if (config.store.kind === 'memory') {
    warn(
      'configuration',
      'sessions and accounts are gone when the process ends',
      'use --store for anything but a trial',
    )
  }
  if (crossesNetworkInClear(config.store, process.env)) {
    warn(
      'store',
      'what is said to it, and its password, can be read on the network',
      'use rediss://…, or postgres://…?sslmode=verify-full',
    )
  }
  if (config.publicUrl === undefined && config.issuer === undefined) {
    warn('configuration', `tokens name ${issuerOf(config)} as their issuer`, 'set --public-url or --issuer')
  }
  if (config.unsafePlainHttpOffLoopback) {
    warn(
      'configuration',
      'tokens may travel over plain HTTP',
      'make sure that only a proxy that speaks HTTPS can reach it',
    )
  }
  if (config.mailCommand === undefined) {
    warn('delivery', 'links for new passwords are only in the log, by their id', 'set --mail-command')
  } else if (config.mailCommand.includes('/') && !existsSync(config.mailCommand)) {
    findings.push({
      check: 'delivery',
      status: 'failed',
      message: 'the program of --mail-command is not there',
      advice: 'correct its path',
    })
  }
  return findings
}

async function examineKeys(config: Config): Promise<Finding[]> {
  const path = keysPathOf(config)
  if (config.store.kind === 'memory' && config.keys === undefined) {
    return [{ check: 'keys', status: 'ok', message: 'are made at start and end with the process' }]
  }
  if (config.store.kind === 'sqlite' && config.keys === undefined && !existsSync(path)) {
    return [
      {
        check: 'keys',
        status: 'ok',
        message: `will be made at the first start, in ${path}`,
        advice: 'back them up with the data',
      },
    ]
  }
  let keys: readonly KeyInfo[]
  try {
    keys = (await readKeysFile(path)).describe()
  } catch (error) {
    if (!(error instanceof CountersignError)) throw error
    return [{ check: 'keys', status: 'failed', message: error.message }]
  }
  const findings: Finding[] = [{ check: 'keys', status: 'ok', message: `${keys.length} keys in ${path}` }]
  const isPublished = ({ use, state, alg }: KeyInfo) => use === 'signing' && state === 'active' && alg !== 'HS256'
  if (!keys.some(isPublished)) {
    const message = 'there is no active signing key that can be published'
    findings.push({
      check: 'keys',
      status: 'failed',
      message,
      advice: 'countersign keys rotate signing --alg ES256 --now',
    })
  }
  for (const { use, kid, state, created, number = 0 } of keys) {
    const rotate = `countersign keys rotate ${use} --prepare`
    if (state === 'active' && use !== 'placement' && Date.now() - Date.parse(created) > OLD_KEY_MS) {
      findings.push({
        check: 'keys',
        status: 'warning',
        message: `${use} key ${kid} is older than a year`,
        advice: rotate,
      })
    }
    if (number > 250) {
      findings.push({
        check: 'keys',
        status: 'warning',
        message: `${use} key ${kid} has number ${number} of 255`,
        advice: 'numbers are never used again: plan for a new keyring',
      })
    }
  }
  return findings
}

async function examineStore(config: Config): Promise<Finding[]> {
  const findings: Finding[] = []
  try {
    const service = await openService(config)
    try {
      const startedMs = performance.now()
      // A read and a write of nobody's.
      await service.sessions.epoch('doctor')
      await service.oneTime.pretend('password_reset')
      const tookMs = Math.round(performance.now() - startedMs)
      findings.push({ check: 'store', status: 'ok', message: `reads and writes (${tookMs} ms)` })
      const health = service.sessions.health()
      for (const message of health.warnings) findings.push({ check: 'store', status: 'warning', message })
      for (const message of health.advice ?? [])
        findings.push({ check: 'store', status: 'ok', message, advice: 'no promise depends on it' })
      const aheadMs = service.nowMs() - Date.now()
      if (Math.abs(aheadMs) > CLOCK_MS) {
        const message = `its clock is ${Math.round(aheadMs / 1_000)} s ahead of this machine's`
        findings.push({ check: 'store', status: 'warning', message, advice: 'run NTP on both' })
      }
    } finally {
      await service.close()
    }
  } catch (error) {
    if (!(error instanceof CountersignError)) throw error
    findings.push({ check: 'store', status: 'failed', message: `${error.message} (${error.code})` })
  }
  return findings
}
