import { adapterSuite } from 'countersign/conformance'
import * as runner from 'vitest'
import { startFastify } from './apps/fastify.ts'

adapterSuite({
  runner,
  name: 'fastify',
  start: startFastify,
  http2: true,
  skip: [
    {
      over: 'http2',
      reason: 'Fastify ends a broken stream over HTTP/2 without an error code, whatever its source was',
      tests: ['an error after the headers were sent: the answer ends, is not whole, and no second one follows'],
    },
  ],
})
