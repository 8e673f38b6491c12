// What is not about one request: a script that fails, and the command to try it all.
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { header, startStack, told } from './stack.ts'

test('haproxy lets nobody through when the script fails, at whatever line', async () => {
  for (const line of ['  local http = txn.http', '  txn:set_var(']) {
    const stack = await startStack('haproxy', { edit: (text) => text.replace(line, `  error("broken")\n${line}`) })
    try {
      const reply = await stack.send('GET', '/shop/', [`Cookie: ${stack.alice}`])
      expect(told(reply)).toEqual({ status: 503, code: 'unavailable', cookies: undefined })
      expect([header(reply, 'retry-after'), stack.reached()]).toEqual(['2', 0])
    } finally {
      await stack.close()
    }
  }
})

test('try-it.ts starts everything with one command, and ends it', async () => {
  const file = fileURLToPath(new URL('try-it.ts', import.meta.url))
  const child = spawn(process.execPath, ['--import', 'tsx', file], { stdio: ['ignore', 'pipe', 'inherit'] })
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve))
  const url = await new Promise<string>((resolve, reject) => {
    let text = ''
    child.stdout.setEncoding('utf8').on('data', (chunk) => {
      text += chunk
      const found = /listens on (\S+):/.exec(text)?.[1]
      if (found) resolve(found)
    })
    void ended.then((code) => reject(new Error(`it ended with ${code}`)))
  })
  expect((await fetch(`${url}/shop/`)).status).toBe(401)
  child.kill('SIGINT')
  expect(await ended).toBe(0)
  await expect(fetch(url)).rejects.toThrow()
})
