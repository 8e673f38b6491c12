// The one command, as somebody types it: it prints where everything is, and Ctrl-C leaves nothing behind.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect } from 'node:net'
import { expect, it } from 'vitest'
import { root } from '../../../tools/files.ts'
import { isLong } from '../../../tools/test-support/counts.ts'
import { STRATEGIES } from '../strategy.ts'

/** Whether somebody listens there. */
const isOpen = (port: number) =>
  new Promise<boolean>((resolve) => {
    const socket = connect(port, '127.0.0.1', () => resolve(!!socket.destroy()))
    socket.once('error', () => resolve(false))
  })

it.each(isLong ? STRATEGIES : (['denylist'] as const))('npm run shop -- --strategy %s', async (strategy) => {
  const args = ['--import', 'tsx', 'examples/shop/main.ts', '--strategy', strategy, '--port', '0']
  // A group of its own, as a terminal makes it: Ctrl-C goes to the servers as well.
  const child = spawn(process.execPath, args, { cwd: root, detached: true, stdio: ['ignore', 'pipe', 'inherit'] })
  const ended = once(child, 'exit')
  let said = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    said += text
  })
  try {
    await expect.poll(() => said, { timeout: 120_000 }).toContain('Ctrl-C')
    const url = /Shop\s+(\S+)/.exec(said)![1]!
    const nodes = /Cluster\s+([\d ]+)/.exec(said)![1]!.trim().split(' ').map(Number)
    expect(nodes).toHaveLength(6)
    expect(await (await fetch(url)).text()).toContain('<div id="root">')
    expect(await (await fetch(`${url}api/shop`)).json()).toMatchObject({ strategy })
    process.kill(-child.pid!, 'SIGINT')
    expect((await ended)[0]).toBe(0)
    for (const port of [...nodes, Number(new URL(url).port)]) expect(await isOpen(port)).toBe(false)
  } finally {
    if (child.exitCode === null) process.kill(-child.pid!, 'SIGKILL')
  }
})
