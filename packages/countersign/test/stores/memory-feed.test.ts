import { memoryStore } from 'countersign/stores/memory'
import { feedSuite } from './feed-suite.ts'

feedSuite('memory', async () => {
  const store = memoryStore()
  return { reader: store, writer: store, dispose: () => store.lifecycle.close() }
})
