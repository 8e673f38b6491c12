// Sees to it that the programs the tests run against are there. As root on Debian it installs what is missing; anywhere
// else it says what to install. Nothing is started here, and no service of the system is touched.
import { spawnSync } from 'node:child_process'
import { accessSync, constants, existsSync, readdirSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** Program → Debian packages. */
const NEEDED: Readonly<Record<string, string>> = {
  'redis-server': 'redis-server',
  chromium: 'chromium',
  curl: 'curl',
  openssl: 'openssl',
  // Another wall clock for a process (`npm run faults`).
  faketime: 'faketime',
  // Only its programs are used: the cluster that the package makes is neither asked nor changed.
  initdb: 'postgresql',
  // In front of the service (`examples/forward-auth`).
  nginx: 'nginx',
  haproxy: 'haproxy',
  caddy: 'caddy',
  // For the tests with a loss of power.
  cc: 'gcc libc6-dev',
}
/** Where Debian keeps the programs of each PostgreSQL version, outside the path. */
const POSTGRES = '/usr/lib/postgresql'

const folders = (): string[] => [
  ...(process.env.PATH ?? '').split(delimiter),
  // Of programs that are mostly started by root, and not in everybody's path.
  '/usr/sbin',
  ...(existsSync(POSTGRES) ? readdirSync(POSTGRES).map((version) => join(POSTGRES, version, 'bin')) : []),
]

/** In the path, or where Debian keeps it outside of it. */
export const isInstalled = (program: string): boolean =>
  folders().some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK)
      return true
    } catch {
      return false
    }
  })

/** Ends the process with what to install, or installs it. */
export function ensurePrograms(programs: readonly string[] = Object.keys(NEEDED)): void {
  const missing = programs.filter((program) => !isInstalled(program))
  if (missing.length === 0) return
  const packages = missing.flatMap((program) => (NEEDED[program] ?? program).split(' '))
  if (process.getuid?.() !== 0 || !isInstalled('apt-get')) {
    console.error(`missing: ${missing.join(', ')}. On Debian: apt-get install ${packages.join(' ')}`)
    process.exit(1)
  }
  console.log(`installing: ${packages.join(', ')}`)
  apt('update')
  apt('install', '-y', '--no-install-recommends', ...packages)
}

function apt(...args: string[]): void {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  const { status, stdout, stderr } = spawnSync('apt-get', args, { env, encoding: 'utf8' })
  if (status === 0) return
  console.error(`apt-get ${args.join(' ')} ended with ${status}\n${stdout}${stderr}`)
  process.exit(1)
}

if (process.argv[1] === fileURLToPath(import.meta.url)) ensurePrograms()
