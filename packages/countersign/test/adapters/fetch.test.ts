import { adapterSuite } from 'countersign/conformance'
import * as runner from 'vitest'
import { startFetch } from './apps/fetch.ts'

adapterSuite({ runner, name: 'fetch', start: startFetch, http2: true })
