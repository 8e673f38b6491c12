import { randomBytes } from 'node:crypto'
import { constants } from 'node:fs'
import { link, mkdir, open, readFile, rename, stat, unlink } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { CountersignError, generateKeyring, type Keyring, type KeyringFile, loadKeyring } from 'countersign'

/** ES256 because the service publishes a JWK Set, and libraries in every language know it. */
const SIGNING = ['ES256'] as const

/**
 * Loads a keyring file.
 *
 * @throws CountersignError `ERR_CONFIG_UNSAFE` when others than the owner and its group may read it, or others than the
 * owner may write it; and what `loadKeyring` throws.
 */
export async function readKeysFile(path: string): Promise<Keyring> {
  const isThere = await refuseOpen(path)
  try {
    return await loadKeyring(path)
  } catch (error) {
    if (!(error instanceof CountersignError) || error.code !== 'ERR_KEY_NOT_FOUND' || isThere) throw error
    throw new CountersignError(
      'ERR_KEY_NOT_FOUND',
      `the keyring file ${path} is not there. Make it once with: countersign keys generate --out ${path}`,
    )
  }
}

/**
 * Takes up what a keyring file holds now, if that is new.
 *
 * @returns False when nothing was new.
 * @throws CountersignError what `readKeysFile` and `Keyring.reload` throw; the keys from before stay in force.
 */
export async function reloadKeysFile(path: string, keyring: Keyring): Promise<boolean> {
  await refuseOpen(path)
  return keyring.reload()
}

/** Answers whether the file is there. */
async function refuseOpen(path: string): Promise<boolean> {
  const mode = await stat(path).then(
    (stats) => stats.mode,
    () => undefined,
  )
  if (mode !== undefined && (mode & (constants.S_IRWXO | constants.S_IWGRP)) !== 0) {
    throw new CountersignError(
      'ERR_CONFIG_UNSAFE',
      `the keyring file ${path} is open to other users of this machine: chmod 600 it`,
    )
  }
  return mode !== undefined
}

/**
 * Writes a new keyring file for the owner only (0600, in a folder of 0700 if that is made too). Never overwrites one,
 * and nobody ever sees half of it: without the placement key no session is found again.
 *
 * @returns `false` when there is one already.
 */
export async function makeKeysFile(path: string): Promise<boolean> {
  const folder = dirname(resolve(path))
  const firstMade = await mkdir(folder, { recursive: true, mode: 0o700 })
  // Not the pid: in a container it is the same after a crash, and the draft of that start would be in the way.
  const draft = `${path}.${randomBytes(6).toString('hex')}.new`
  const file = await open(draft, 'wx', 0o600)
  try {
    await file.writeFile(`${JSON.stringify(generateKeyring({ signing: SIGNING }), null, 2)}\n`)
    await file.sync()
  } finally {
    await file.close()
  }
  try {
    // Unlike a rename, a link fails when the name is taken: of two processes that start at once, one wins.
    await link(draft, path)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  } finally {
    await unlink(draft)
    await keepNames(folder)
    for (let made = folder; firstMade !== undefined && made.length >= firstMade.length; made = dirname(made)) {
      await keepNames(dirname(made))
    }
  }
}

/** Puts the names in a folder on the disk, which syncing a file does not promise for its own (POSIX, `fsync`). */
async function keepNames(folder: string): Promise<void> {
  try {
    const handle = await open(folder, 'r')
    await handle.sync().finally(() => handle.close())
  } catch {
    // Not for us to read, or a system that syncs no folders.
  }
}

/**
 * Changes a keyring file: all of it or nothing, on disk when it resolves, for the same readers as before (0600, or 0640
 * if it was), and checked before it takes the place of the old one. Of two changes at once one is refused.
 *
 * @param edit - Gets the content; `undefined` leaves the file alone.
 * @returns What `edit` made.
 * @throws CountersignError what `readKeysFile` throws, for the file and for what `edit` made of it; `ERR_STORE_CONFLICT`.
 */
export async function changeKeysFile<T extends { readonly file: KeyringFile }>(
  path: string,
  edit: (file: KeyringFile) => T | undefined,
): Promise<T | undefined> {
  await readKeysFile(path)
  const draft = `${path}.new`
  const before = await stat(path)
  const file = await open(draft, 'wx', 0o600).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error
    const message = `${draft} is there: somebody is changing the keys, or was stopped while doing so; then delete it`
    throw new CountersignError('ERR_STORE_CONFLICT', message)
  })
  let isDone = false
  try {
    // Read only now: whoever changed it before us has finished.
    const done = edit(JSON.parse(await readFile(path, 'utf8')) as KeyringFile)
    if (!done) return undefined
    await loadKeyring(done.file)
    await file.writeFile(`${JSON.stringify(done.file, null, 2)}\n`)
    await file.chmod(before.mode & 0o640)
    if (process.getuid?.() === 0) await file.chown(before.uid, before.gid)
    await file.sync()
    await rename(draft, path)
    isDone = true
    await keepNames(dirname(path))
    return done
  } finally {
    await file.close()
    if (!isDone) await unlink(draft)
  }
}
