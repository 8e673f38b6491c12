import { adapterSuite } from 'countersign/conformance'
import * as runner from 'vitest'
import { startFastify } from './apps/fastify.ts'

adapterSuite({ runner, name: 'fastify', start: startFastify, http2: true })
