import { adapterSuite } from 'countersign/conformance'
import * as runner from 'vitest'
import { startKoa } from './apps/koa.ts'

adapterSuite({ runner, name: 'koa', start: startKoa, http2: true })
