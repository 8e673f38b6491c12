import type { FastifyBodyParser } from 'fastify'

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

/** No field may come twice: two readers could choose differently. */
export const parseForm: FastifyBodyParser<string> = (_request, text, done) => {
  const fields = new Map<string, string>()
  for (const [name, value] of new URLSearchParams(text)) {
    if (fields.has(name)) return done(malformed('a field of the form comes twice'))
    fields.set(name, value)
  }
  done(null, Object.fromEntries(fields))
}

function malformed(message: string): Error {
  return Object.assign(new Error(message), { statusCode: 400, code: 'FST_ERR_CTP_INVALID_BODY' })
}
