// Keeps the cores from going to sleep between two requests. On a virtual machine it takes microseconds to wake the core of
// the load generator, whoever answers pays for that, and the slower one pays more often: what would be measured is the sleep.
import { closeSync, openSync, writeSync } from 'node:fs'
import { atEnd } from './ending.ts'

/** Of the kernel's power management: while it is open, no core may need longer than this to wake up. */
const FILE = '/dev/cpu_dma_latency'

/** @returns What to say about it in the report. */
export function keepAwake(): string {
  try {
    const file = openSync(FILE, 'r+')
    atEnd(() => closeSync(file))
    writeSync(file, new Int32Array([0]))
    return 'cores wait for work awake'
  } catch {
    return 'cores may sleep between two requests, which this machine does not let us turn off'
  }
}
