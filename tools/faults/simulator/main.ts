// A share of the simulator's lives, in a process of its own: `main.ts <first seed> <how many> <step>`. Writes a line of
// JSON per life, and stops after the first that went wrong.
import type { Violation } from '../check.ts'
import { verdictOf } from '../verdict.ts'
import { live } from './run.ts'

const [first, count, step] = process.argv.slice(2).map(Number) as [number, number, number]
for (let n = 0; n < count; n++) {
  const { seed, calls, copies, faults, violations, stuck, history } = await live(first + n * step)
  const problems = [...violations.map(verdictOf), ...stuck]
  const about: Pick<Violation, 'sid' | 'subject' | 'calls'> | undefined = violations[0]
  const trace = problems.length > 0 ? history.trace(about ?? {}, about?.calls) : []
  process.stdout.write(`${JSON.stringify({ seed, calls, copies, faults, problems, trace })}\n`)
  if (problems.length > 0) break
}
