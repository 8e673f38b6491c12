import { STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'
import { type ProblemAnswer, problem } from '../../http/problem.ts'

/** Answers a request for an upgrade that is not to be, and ends its connection. */
export function answerRaw(socket: Duplex, answer: ProblemAnswer | 404): void {
  const { status, headers, body } =
    answer === 404 ? problem(404, 'not_found', { title: 'There is nothing here' }) : answer
  if (!socket.writable) return void socket.destroy()
  const text = JSON.stringify(body)
  const lines = Object.entries({
    ...headers,
    'x-content-type-options': 'nosniff',
    'content-length': String(Buffer.byteLength(text)),
    connection: 'close',
  }).map(([name, value]) => `${name}: ${value}\r\n`)
  socket.once('finish', () => socket.destroy())
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n${lines.join('')}\r\n${text}`)
}
