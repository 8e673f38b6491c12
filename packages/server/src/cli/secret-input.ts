import { createInterface } from 'node:readline/promises'
import { Writable } from 'node:stream'
import { EXIT, Exit } from './exit.ts'

const MAX_INPUT_BYTES = 8_192

/** A password from a prompt without echo, or from standard input up to its line end. Never from a flag: `ps` shows those. */
export async function readPassword(): Promise<string> {
  const password = process.stdin.isTTY ? await prompt('Password: ', 'Once more: ') : await readAll('password')
  if (password === '') throw new Exit(EXIT.usage, 'no password was given')
  return password
}

/** A token, in the same way. White space around it comes from copying. */
export async function readToken(): Promise<string> {
  const token = (process.stdin.isTTY ? await prompt('Token: ') : await readAll('token')).trim()
  if (token === '') throw new Exit(EXIT.usage, 'no token was given: it is read from standard input')
  return token
}

async function prompt(question: string, again?: string): Promise<string> {
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() })
  const lines = createInterface({ input: process.stdin, output: silent, terminal: true })
  try {
    process.stderr.write(question)
    const first = await lines.question('')
    process.stderr.write('\n')
    if (again === undefined) return first
    process.stderr.write(again)
    const second = await lines.question('')
    process.stderr.write('\n')
    if (first !== second) throw new Exit(EXIT.usage, 'the two passwords differ')
    return first
  } catch (error) {
    // Ctrl-C or Ctrl-D at the prompt.
    if ((error as { code?: string }).code === 'ABORT_ERR') throw new Exit(EXIT.usage, 'nothing was given')
    throw error
  } finally {
    lines.close()
  }
}

async function readAll(what: string): Promise<string> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of process.stdin as AsyncIterable<Buffer>) {
    chunks.push(chunk)
    size += chunk.length
    if (size > MAX_INPUT_BYTES) throw new Exit(EXIT.usage, `the ${what} is longer than ${MAX_INPUT_BYTES} bytes`)
  }
  // One line end belongs to the line, not to the password; everything else is taken as it is.
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
      .decode(Buffer.concat(chunks))
      .replace(/\r?\n$/, '')
  } catch {
    // Decoded all the same, it would be another password than the one that was meant.
    throw new Exit(EXIT.usage, `the ${what} is not valid UTF-8`)
  }
}
