import { CountersignError, invalidOption } from '../internal/errors.ts'
import { deepFreeze } from '../internal/immutable.ts'
import type { SessionRecord } from './record.ts'
import type { StandardSchema } from './schema.ts'

/** Largest JSON text of a session's data, in bytes, where the caller sets no other limit. */
export const DEFAULT_MAX_DATA_BYTES = 65_536

/** Where the caller names none. It stands in no record. */
const FIRST_VERSION = 1
/** A record has two bytes for it. */
const LAST_VERSION = 65_535

/** What a record says of the data: the text, and the version of the schema that it fits. */
export type StoredData = Pick<SessionRecord, 'data' | 'dataVersion'>

/**
 * Turns the application's value into what a record holds, and back. The schema runs on writing, and for a record that was
 * written under another version; never on a hot read.
 */
export interface DataCodec {
  encode(value: unknown): Promise<StoredData>
  decode(text: string | null): unknown
  /**
   * The record with its data as our schema has it. The same record, at once, when it was written under our version.
   *
   * @throws CountersignError `ERR_FORMAT_UNKNOWN` when the schema does not take it. Nothing is lost by that.
   */
  current(record: SessionRecord): SessionRecord | Promise<SessionRecord>
}

export function createDataCodec(
  schema: StandardSchema | undefined,
  maxBytes: number,
  version: number = FIRST_VERSION,
): DataCodec {
  if (!Number.isInteger(maxBytes) || maxBytes < 1)
    throw invalidOption('maxDataBytes', 'must be a whole number of at least 1')
  if (!Number.isInteger(version) || version < FIRST_VERSION || version > LAST_VERSION)
    throw invalidOption('dataVersion', `must be a whole number from ${FIRST_VERSION} to ${LAST_VERSION}`)
  if (!schema) {
    if (version !== FIRST_VERSION) throw invalidOption('dataVersion', 'needs "data"')
    return {
      async encode(value) {
        if (value !== undefined) throw invalid('needs the option "data" with its schema')
        return { data: null }
      },
      decode: () => undefined,
      current: (record) => record,
    }
  }
  const stored = (data: string) => ({ data, ...(version !== FIRST_VERSION && { dataVersion: version }) })
  const standard = schema['~standard']
  if (standard?.version !== 1) throw invalidOption('data', 'must be a Standard Schema of version 1')
  return {
    async encode(value) {
      const result = await standard.validate(value)
      // The messages of a schema may repeat the value, and the value is the application's: only their number is told.
      if (result.issues) throw invalid(`does not fit its schema (${result.issues.length} issues)`)
      let text: string | undefined
      try {
        text = JSON.stringify(result.value)
      } catch {
        text = undefined
      }
      if (text === undefined) throw invalid('cannot be written as JSON')
      const bytes = Buffer.byteLength(text)
      if (bytes > maxBytes) {
        throw new CountersignError('ERR_DATA_TOO_LARGE', `"data" has ${bytes} bytes as JSON; the limit is ${maxBytes}`)
      }
      return stored(text)
    },
    decode: (text) => (text === null ? undefined : deepFreeze(parse(text))),
    current(record) {
      const { dataVersion: written = FIRST_VERSION } = record
      if (written === version || record.data === null) return record
      return (async () => {
        const { data, dataVersion: _, ...rest } = record
        const result = await standard.validate(parse(data!))
        if (!result.issues) return { ...rest, ...stored(JSON.stringify(result.value)) }
        const message = `the data of a session has version ${written} and does not fit the schema of version ${version}`
        throw new CountersignError('ERR_FORMAT_UNKNOWN', `${message} (${result.issues.length} issues)`)
      })()
    },
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new CountersignError('ERR_STORE_CORRUPT', 'the data of a session record is not JSON')
  }
}

function invalid(problem: string): CountersignError {
  return new CountersignError('ERR_DATA_INVALID', `"data" ${problem}`)
}
