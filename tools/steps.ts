// Runs the parts of `npm test` as child processes and keeps score.
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { root } from './files.ts'

export interface Score {
  passed: number
  failed: number
  skipped: number
}

export const bin = (name: string) => join(root, 'node_modules', '.bin', name)

/**
 * Runs a program in the repository. Its output is collected; with `show` it appears at once instead, with
 * `show: 'and collect'` both.
 */
export function run(
  program: string,
  args: readonly string[],
  options: { show?: boolean | 'and collect'; cwd?: string; env?: NodeJS.ProcessEnv; timeoutMs?: number } = {},
): Promise<{ code: number; output: string }> {
  return new Promise((resolve) => {
    const stream = options.show === true ? 'inherit' : 'pipe'
    // Collected output is printed later, indented, perhaps into a log: no colours in it.
    const env = { ...(options.env ?? process.env), ...(options.show ? {} : { NO_COLOR: '1' }) }
    const child = spawn(program, [...args], {
      cwd: options.cwd ?? root,
      stdio: ['ignore', stream, stream],
      env,
      timeout: options.timeoutMs,
    })
    let output = ''
    for (const from of [child.stdout, child.stderr]) {
      from?.setEncoding('utf8').on('data', (chunk: string) => {
        output += chunk
        if (options.show) process.stdout.write(chunk)
      })
    }
    child.once('error', (error) => resolve({ code: 1, output: `${program}: ${error.message}` }))
    child.once('close', (code, signal) => {
      if (signal !== null)
        output += `\n${program} was ended by ${signal} (time limit: ${options.timeoutMs ?? 'none'} ms)`
      resolve({ code: code ?? 1, output })
    })
  })
}

/** A step that counts as one test: passed when the program ends with 0. Prints its output when it does not. */
export async function step(score: Score, name: string, program: string, args: readonly string[]): Promise<void> {
  const startedMs = performance.now()
  const { code, output } = await run(program, args)
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(1)
  if (code === 0) {
    score.passed++
    const summary = output.trimEnd().split('\n').at(-1) ?? ''
    console.log(`ok      ${name} (${seconds} s)${summary && summary.length < 100 ? `: ${summary.trim()}` : ''}`)
  } else {
    score.failed++
    console.log(`FAILED  ${name} (${seconds} s): ${program.split('/').pop()} ${args.join(' ')} ended with ${code}`)
    console.log(output.trimEnd().replace(/^/gm, '        '))
  }
}
