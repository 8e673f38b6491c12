import { adapterSuite } from 'countersign/conformance'
import * as runner from 'vitest'
import { startHono } from './apps/hono.ts'

adapterSuite({ runner, name: 'hono', start: startHono, http2: true })
