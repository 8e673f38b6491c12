import { spawn } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { INVARIANTS } from '../check.ts'
import { type Context, demand, type Row, scenario } from '../scenario.ts'
import { Broken } from '../verdict.ts'

interface Told {
  readonly seed: number
  readonly calls: number
  readonly copies: number
  readonly faults: number
  readonly problems: readonly string[]
  readonly trace: readonly string[]
}

/** Seeds are neighbours: `--seed 7 --seeds 1` is the life of seed 7. */
async function simulate(context: Context): Promise<string> {
  const shares = Math.min(context.seeds, Math.max(1, availableParallelism()))
  const told: Told[] = []
  const workers = Array.from({ length: shares }, (_, n) => {
    const count = Math.floor((context.seeds - n - 1) / shares) + 1
    return startShare(context, [context.seed + n, count, shares], (life) => told.push(life))
  })
  await Promise.all(workers)
  const bad = told.find(({ problems }) => problems.length > 0)
  if (bad) {
    const [first, ...more] = bad.problems
    const others = more.length === 0 ? '' : ` and ${more.length} more`
    const again = `--only SIM --seed ${bad.seed} --seeds 1`
    throw new Broken(`seed ${bad.seed} (${again}): ${first!.split('\n')[0]}${others}`, bad.trace)
  }
  demand(told.length === context.seeds, `only ${told.length} of ${context.seeds} lives came to their end`)
  const sum = (of: (life: Told) => number) => told.reduce((total, life) => total + of(life), 0)
  const [calls, copies, faults] = [sum(({ calls }) => calls), sum(({ copies }) => copies), sum(({ faults }) => faults)]
  demand(copies > calls / 20, `only ${copies} of ${calls} calls were answered from a copy: this shows little`)
  return `${told.length} lives, ${calls} calls, ${copies} from copies, ${faults} faults`
}

function startShare(context: Context, args: readonly number[], onLife: (life: Told) => void): Promise<void> {
  const script = fileURLToPath(new URL('../simulator/main.ts', import.meta.url))
  const child = spawn(process.execPath, ['--import', 'tsx', script, ...args.map(String)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  context.cleanUp(() => child.kill('SIGKILL'))
  createInterface({ input: child.stdout }).on('line', (line) => onLife(JSON.parse(line) as Told))
  return new Promise((resolve, reject) => {
    child.once('close', (code) => (code === 0 ? resolve() : reject(new Error(`a simulator ended with ${code}`))))
  })
}

const invariants = Object.entries(INVARIANTS).map(([id, what]) => `${id} ${what}`)

export const simulated: readonly Row[] = [
  {
    id: 'SIM',
    fault: 'three machines in simulated time: silence, cuts, lost answers, suspension, clocks set, a lagging replica',
    passes: `in every life: ${invariants.join('; ')}; afterwards everything works again`,
    proofs: [scenario('lives of the simulator', simulate)],
  },
]
