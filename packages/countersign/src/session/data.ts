import { CountersignError, invalidOption } from '../internal/errors.ts'
import { deepFreeze } from '../internal/immutable.ts'
import type { StandardSchema } from './schema.ts'

/** Largest JSON text of a session's data, in bytes, where the caller sets no other limit. */
export const DEFAULT_MAX_DATA_BYTES = 65_536

/** Turns the application's value into what a record holds, and back. The schema runs on writing, never on a hot read. */
export interface DataCodec {
  encode(value: unknown): Promise<string | null>
  decode(text: string | null): unknown
}

export function createDataCodec(schema: StandardSchema | undefined, maxBytes: number): DataCodec {
  if (!Number.isInteger(maxBytes) || maxBytes < 1)
    throw invalidOption('maxDataBytes', 'must be a whole number of at least 1')
  if (!schema) {
    return {
      async encode(value) {
        if (value !== undefined) throw invalid('needs the option "data" with its schema')
        return null
      },
      decode: () => undefined,
    }
  }
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
      return text
    },
    decode(text) {
      if (text === null) return undefined
      try {
        return deepFreeze(JSON.parse(text))
      } catch {
        throw new CountersignError('ERR_STORE_CORRUPT', 'the data of a session record is not JSON')
      }
    },
  }
}

function invalid(problem: string): CountersignError {
  return new CountersignError('ERR_DATA_INVALID', `"data" ${problem}`)
}
