// A fault that the tests with kill -9 must find, loaded with --import into a process that writes SQLite: it answers
// before it commits. What comes within 50 ms shares one transaction, each step as a savepoint.
import type { Statement } from '../../../packages/countersign/src/stores/sqlite/driver.ts'
import { changeDriver } from './faulty-driver.ts'

const COMMIT_AFTER_MS = 50

await changeDriver(
  (DatabaseSync) =>
    class extends DatabaseSync {
      #isOpen = false

      override prepare(sql: string): Statement {
        const statement = super.prepare(sql)
        if (sql.startsWith('BEGIN')) return instead(statement, () => this.#begin(statement))
        if (sql === 'COMMIT') return instead(statement, () => super.exec('RELEASE step'))
        return statement
      }

      override exec(sql: string): void {
        // Has no effect inside a transaction, or is not allowed there.
        if (sql.startsWith('PRAGMA')) this.#commit()
        super.exec(sql === 'ROLLBACK' && this.#isOpen ? 'ROLLBACK TO step; RELEASE step' : sql)
      }

      #begin(statement: Statement): void {
        if (!this.#isOpen) {
          statement.run()
          this.#isOpen = true
          setTimeout(() => this.#commit(), COMMIT_AFTER_MS)
        }
        super.exec('SAVEPOINT step')
      }

      #commit(): void {
        if (this.#isOpen) super.exec('COMMIT')
        this.#isOpen = false
      }
    },
)

function instead(statement: Statement, run: () => void): Statement {
  return {
    run() {
      run()
      return { changes: 0 }
    },
    get: (...values) => statement.get(...values),
    all: (...values) => statement.all(...values),
  }
}
