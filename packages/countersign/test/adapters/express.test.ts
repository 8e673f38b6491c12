import { adapterSuite } from 'countersign/conformance'
import * as runner from 'vitest'
import { startExpress } from './apps/express.ts'

adapterSuite({
  runner,
  name: 'express',
  start: startExpress,
  http2: { notRun: 'Express 5 builds on the classes of node:http, and has no HTTP/2' },
})
