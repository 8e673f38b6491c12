import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { Command } from 'commander'
import { EXIT, Exit } from './exit.ts'

/** The lab of the repository that this file was built in, if it was. */
const LAB = fileURLToPath(new URL('../../../../lab/main.ts', import.meta.url))

/**
 * Starts the strategy lab. It needs servers, rivals and the sources of the library, which only a clone of the repository
 * has: so the published command says where it is instead.
 */
export function labCommand(): Command {
  return new Command('lab')
    .description('ask every strategy on every store what a logout comes to; only in a clone of the repository')
    .argument('[options...]', 'those of the lab: countersign lab --help')
    .allowUnknownOption()
    .helpOption(false)
    .action(async (options: string[]) => {
      if (!existsSync(LAB))
        throw new Exit(
          EXIT.usage,
          'the lab is part of the repository, not of this package: clone it, npm ci, npm run lab',
        )
      const child = spawn(process.execPath, ['--import', import.meta.resolve('tsx'), LAB, ...options], {
        stdio: 'inherit',
      })
      process.exitCode = await new Promise<number>((resolve, reject) => {
        child.once('error', reject)
        child.once('close', (code) => resolve(code ?? EXIT.failed))
      })
    })
}
