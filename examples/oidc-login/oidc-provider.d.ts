// The package has no types of its own. This is all that the example uses.
declare module 'oidc-provider' {
  export class Provider {
    constructor(issuer: string, configuration: object)
    listen(port: number, done: () => void): unknown
  }
}
