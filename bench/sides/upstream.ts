// What stands behind a proxy: it answers, and does nothing.
import { serve } from './serve.ts'

await serve(
  (_request, response) => {
    response.end('ok')
  },
  ['x-nothing: 1'],
)
