import { type Database, loadDriver } from '../../../packages/countersign/src/stores/sqlite/driver.ts'

type DatabaseClass = new (path: string) => Database

/** Puts a class of `change` in the place of the SQLite driver, for a script that is loaded with --import. */
export async function changeDriver(change: (driver: DatabaseClass) => DatabaseClass): Promise<void> {
  const changed = { DatabaseSync: change((await loadDriver()).DatabaseSync) }
  // Where the store looks first, whether this Node has a driver of its own or not.
  const { getBuiltinModule } = process
  process.getBuiltinModule = ((id: string) =>
    id === 'node:sqlite' ? changed : getBuiltinModule(id)) as typeof getBuiltinModule
}
