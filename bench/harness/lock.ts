// One measurement at a time on a machine. The lock is the kernel's: it goes with the process that holds it, so a bench
// that was killed leaves none behind.
import { spawn } from 'node:child_process'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { atEnd } from './ending.ts'

const FILE = join(tmpdir(), 'cs-bench.lock')

/** Resolves when this process is the only bench; tells once when it has to wait. */
export async function lock(tell: (text: string) => void): Promise<void> {
  if (process.platform !== 'linux') return
  // The child keeps the lock until its input ends, which is when this process does.
  const child = spawn('flock', [FILE, 'sh', '-c', 'echo locked; cat'], { stdio: ['pipe', 'pipe', 'inherit'] })
  const timer = setTimeout(() => tell(`another bench holds ${FILE}: waiting`), 300)
  await new Promise<void>((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', (code) => reject(new Error(`flock ended with ${code}`)))
    child.stdout.once('data', () => resolve())
  }).finally(() => clearTimeout(timer))
  atEnd(() => child.stdin.end())
  child.unref()
}
