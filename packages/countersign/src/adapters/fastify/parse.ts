import type { FastifyBodyParser } from 'fastify'
import { formFields } from '../core/body.ts'

/** An empty body is one without members, where Fastify's own parser refuses it. */
export const parseJson: FastifyBodyParser<string> = (_request, text, done) => {
  if (text === '') return done(null, {})
  try {
    const value: unknown = JSON.parse(text)
    done(null, value)
  } catch {
    // The message of a syntax error quotes the text around it, and that text may be a password.
    done(malformed('the body must be JSON'))
  }
}

export const parseForm: FastifyBodyParser<string> = (_request, text, done) => {
  const fields = formFields(text)
  if (fields) done(null, fields)
  else done(malformed('a field of the form comes twice'))
}

function malformed(message: string): Error {
  return Object.assign(new Error(message), { statusCode: 400, code: 'FST_ERR_CTP_INVALID_BODY' })
}
