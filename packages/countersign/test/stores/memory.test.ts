import { memoryStore } from 'countersign/stores/memory'
import { storeSuite } from './suite.ts'

storeSuite('memory', {
  async open() {
    const store = memoryStore()
    return { store, dispose: () => store.lifecycle.close() }
  },
  skip: [
    {
      reason: 'it ends with its process',
      tests: [
        'reopening finds everything',
        'reopening finds one-time tokens and claims, and what was taken stays taken',
      ],
    },
    {
      reason: 'it is what the others are compared with',
      tests: ['differential: random histories give the same answers as the memory store'],
    },
  ],
})
