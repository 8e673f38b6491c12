import { match, rejects } from 'node:assert/strict'
import { equals } from '../checks.ts'
import type { AppBench } from './bench.ts'

/** Answers that take their time. */
export function streamCases({ test }: AppBench): void {
  test('streams: each is whole and of one person, ten at the same time', async (app) => {
    const people = [...(await app.both()), ...(await app.both())]
    const line = app.line(10)
    const answers = await Promise.all(
      Array.from({ length: 10 }, (_, i) => line.send('GET', '/stream', { headers: [people[i % people.length]!.by] })),
    )
    for (const [i, answer] of answers.entries()) {
      equals([answer.status, answer.text], [200, `${people[i % people.length]!.subject}\n`.repeat(64)])
    }
  })

  test('streams: HEAD has no body, and the connection goes on', async (app) => {
    const line = app.line()
    for (const { by, subject } of await app.both()) {
      const head = await line.send('HEAD', '/stream', { headers: [by] })
      equals([head.status, head.text], [200, ''])
      equals((await line.send('GET', '/me', { headers: [by] })).body.subject, subject)
    }
  })

  test('an error after the headers were sent: the answer ends, is not whole, and no second one follows', async (app) => {
    for (const { by, subject } of await app.both()) {
      const whole = await app.line().send('GET', '/late', { headers: [by] })
      equals([whole.status, whole.text], [200, `begun\n${subject}\n`])
      await app.duringOutageOf('/late', [by], async (cutOff) => {
        await rejects(cutOff, 'an answer that broke off looks whole')
      })
      // The application has survived it.
      const next = await app.line().send('GET', '/me', { headers: [by] })
      equals([next.status, next.body.subject], [200, subject])
      match(next.header('cache-control') ?? '', /no-store/)
    }
  })
}
