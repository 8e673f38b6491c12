/** The part of Standard Schema (standardschema.dev, version 1) that is used here: zod, valibot, arktype and others fit. */
export interface StandardSchema<I = unknown, D = I> {
  readonly '~standard': {
    readonly version: 1
    readonly vendor: string
    readonly validate: (value: unknown) => SchemaResult<D> | Promise<SchemaResult<D>>
    readonly types?: { readonly input: I; readonly output: D } | undefined
  }
}
type SchemaResult<D> =
  | { readonly value: D; readonly issues?: undefined }
  | { readonly issues: readonly { readonly message: string }[] }
