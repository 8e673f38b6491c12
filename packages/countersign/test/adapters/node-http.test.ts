import { adapterSuite } from 'countersign/conformance'
import * as runner from 'vitest'
import { startNodeHttp } from './apps/node-http.ts'

adapterSuite({ runner, name: 'node-http', start: startNodeHttp, http2: true })
