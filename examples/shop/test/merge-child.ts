// A login whose process dies in the middle of the merge: NODES GUEST SUBJECT STEP.
import { openCluster } from '../data/cluster.ts'
import { mergeGuest } from '../data/merge.ts'

const [nodes, guest, subject, step] = process.argv.slice(2)
await mergeGuest(openCluster(nodes!.split(',')), guest!, subject!, (at) => {
  if (at === step) process.kill(process.pid, 'SIGKILL')
})
