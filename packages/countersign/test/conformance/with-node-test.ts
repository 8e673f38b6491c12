// Run by node:test itself, in a process that runners.test.ts starts.
import * as runner from 'node:test'
import { storeSuite, strategySuite } from 'countersign/conformance'
import { memoryStore } from 'countersign/stores/memory'

async function open() {
  const store = memoryStore()
  return { store, dispose: () => store.lifecycle.close() }
}

storeSuite({
  runner,
  name: 'memory',
  open,
  skip: [
    {
      reason: 'it ends with its process',
      tests: [
        'reopening finds everything',
        'reopening finds one-time tokens and claims, and what was taken stays taken',
      ],
    },
  ],
})
strategySuite({ runner, name: 'memory', open })
