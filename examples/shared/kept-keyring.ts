import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { generateKeyring, type Keyring, loadKeyring } from 'countersign'

/** The keys in a file that only we can read; made when it is not there. */
export async function keptKeyring(file: string): Promise<Keyring> {
  if (!existsSync(file)) {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
    writeFileSync(file, JSON.stringify(generateKeyring()), { mode: 0o600, flag: 'wx' })
  }
  return loadKeyring(file)
}
