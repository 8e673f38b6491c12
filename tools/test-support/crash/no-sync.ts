// A fault that the tests with a loss of power must find, loaded with --import into a process that writes SQLite: the
// setting that waits for the disk is weaker. NO_SYNC says what it is instead, `OFF` or `NORMAL`.
import { changeDriver } from './faulty-driver.ts'

await changeDriver(
  (DatabaseSync) =>
    class extends DatabaseSync {
      override exec(sql: string): void {
        super.exec(sql.replace(/\bsynchronous=\w+/, `synchronous=${process.env.NO_SYNC}`))
      }
    },
)
