// The walk of the README, step by step, through HTTP and the command line of a real server.
import type { CommandResult } from '../test-support/server-process.ts'

/** What a step sees: the server, and what earlier steps got. */
export interface Walker {
  readonly url: string
  /** Runs a `countersign` command on the same store. */
  countersign(...args: string[]): Promise<CommandResult>
  sleep(ms: number): Promise<void>
  /**
   * Whether a request that was answered with an outage is made once more. Absent: never. A client that is told 503 may
   * ask again; one that is told 401 is logged out.
   */
  asksAgain?(): Promise<boolean>
}

/** Exit code of a command that could not do it, for instance without the store. */
const FAILED = 1

export interface Answer {
  readonly status: number
  readonly body: any
}

/** A step says what it does and returns what it saw, without what differs from run to run. */
export interface Step {
  readonly name: string
  run(): Promise<unknown>
  readonly expect: unknown
  /** Where something may happen to the store. */
  readonly isMiddle?: true
}

/** Longer than the default grace, within which a refresh token is not rotated again. */
const GRACE_MS = 10_500
const IDENTIFIER = 'alice@example.test'
const PASSWORD = 'violet harbour teapot 91'

interface Device {
  name: string
  accessToken: string
  refreshToken: string
  sessionId: string
}

export interface Walk {
  readonly steps: readonly Step[]
  /** The session that is walked with, once there is one. */
  sessionId(): string
}

export function walkOf(walker: Walker): Walk {
  const phone: Device = { name: 'phone', accessToken: '', refreshToken: '', sessionId: '' }
  const laptop: Device = { name: 'laptop', accessToken: '', refreshToken: '', sessionId: '' }
  let oldAccess = ''

  const call = async (
    method: string,
    path: string,
    o: { body?: object; token?: string; origin?: string } = {},
  ): Promise<Answer> => {
    for (;;) {
      const response = await fetch(walker.url + path, {
        method,
        headers: {
          ...(o.body && { 'content-type': 'application/json' }),
          ...(o.origin && { origin: o.origin }),
          ...(o.token && { authorization: `Bearer ${o.token}` }),
        },
        ...(o.body && { body: JSON.stringify(o.body) }),
      })
      const text = await response.text()
      if (response.status === 503 && (await walker.asksAgain?.())) continue
      return { status: response.status, body: text === '' ? null : JSON.parse(text) }
    }
  }
  const keep = (device: Device, body: any) => {
    device.accessToken = body.accessToken
    device.refreshToken = body.refreshToken ?? device.refreshToken
    device.sessionId = body.session.id
  }
  const login = async (device: Device) => {
    const { status, body } = await call('POST', '/auth/login', {
      body: {
        identifier: IDENTIFIER,
        password: PASSWORD,
        delivery: 'bearer',
        device: { id: device.name, label: device.name },
      },
    })
    if (status === 200) keep(device, body)
    return {
      status,
      device: body.session?.device.label,
      roles: body.session?.roles,
      minutes: Math.round(body.expiresIn / 60),
    }
  }
  const whoAmI = async (token: string) => {
    const { status, body } = await call('GET', '/auth/session', { token })
    return status === 200
      ? { status, device: body.session.device.label, roles: body.session.roles }
      : { status, code: body.code, reason: body.reason, endedBy: body.endedBy, remedy: body.remedy }
  }
  const refresh = async (device: Device, refreshToken = device.refreshToken) => {
    const { status, body } = await call('POST', '/auth/refresh', { body: { refreshToken } })
    if (status !== 200)
      return { status, code: body.code, reason: body.reason, endedBy: body.endedBy, remedy: body.remedy }
    const before = { id: device.sessionId, token: refreshToken }
    keep(device, body)
    return {
      status,
      sameSession: device.sessionId === before.id,
      sameToken: device.refreshToken === before.token,
      roles: body.session.roles,
    }
  }
  const devices = async (token: string) => {
    const { status, body } = await call('GET', '/auth/sessions', { token })
    return { status, devices: body.items?.map((item: any) => [item.device.label, item.current]), next: body.next }
  }
  const role = async (...roles: string[]) => {
    for (;;) {
      const { code } = await walker.countersign('users', 'role', IDENTIFIER, ...roles)
      if (code !== FAILED || !(await walker.asksAgain?.())) return code
    }
  }

  const gone = (endedBy: string) => ({
    status: 401,
    code: 'invalid_token',
    reason: 'ended',
    endedBy,
    remedy: 'sign_in',
  })
  let second = ''
  const steps: readonly Step[] = [
    {
      name: 'register',
      run: async () => {
        // Nothing in this request says that no browser sent it, so it has to say where it comes from.
        const body = { identifier: IDENTIFIER, password: PASSWORD }
        return (await call('POST', '/auth/register', { body, origin: walker.url })).status
      },
      expect: 201,
    },
    {
      name: 'log in with a wrong password: refused, and nothing is said about which part was wrong',
      run: async () => {
        const { status, body } = await call('POST', '/auth/login', {
          body: { identifier: IDENTIFIER, password: 'not the password of alice', delivery: 'bearer' },
        })
        return { status, code: body.code }
      },
      expect: { status: 401, code: 'bad_credentials' },
    },
    {
      name: 'log in on the phone',
      run: () => login(phone),
      expect: { status: 200, device: 'phone', roles: [], minutes: 10 },
    },
    {
      name: 'log in on the laptop',
      run: () => login(laptop),
      expect: { status: 200, device: 'laptop', roles: [], minutes: 10 },
    },
    {
      name: 'who am I, on the phone',
      run: () => whoAmI(phone.accessToken),
      expect: { status: 200, device: 'phone', roles: [] },
    },
    {
      name: 'who am I, on the laptop',
      run: () => whoAmI(laptop.accessToken),
      expect: { status: 200, device: 'laptop', roles: [] },
    },
    {
      name: 'refresh at once: handed out a moment ago, so the same token again',
      run: () => refresh(phone),
      expect: { status: 200, sameSession: true, sameToken: true, roles: [] },
    },
    {
      name: 'refresh after the grace: the first successor',
      run: async () => {
        await walker.sleep(GRACE_MS)
        const first = phone.refreshToken
        const answer = await refresh(phone)
        second = phone.refreshToken
        // The answer was lost, say: the same old token yields the same successor.
        const again = await refresh(phone, first)
        return { ...answer, repeatedYieldsTheSame: again.status === 200 && phone.refreshToken === second }
      },
      expect: { status: 200, sameSession: true, sameToken: false, roles: [], repeatedYieldsTheSame: true },
    },
    {
      name: 'refresh a second time: the second successor',
      run: async () => {
        await walker.sleep(GRACE_MS)
        return refresh(phone)
      },
      expect: { status: 200, sameSession: true, sameToken: false, roles: [] },
    },
    {
      isMiddle: true,
      name: 'list the devices, from the phone',
      run: () => devices(phone.accessToken),
      expect: {
        status: 200,
        devices: [
          ['phone', true],
          ['laptop', false],
        ],
        next: null,
      },
    },
    {
      name: 'gain a role: the command line gives it, the next refresh brings it',
      run: async () => {
        const code = await role('moderator')
        await walker.sleep(GRACE_MS)
        oldAccess = phone.accessToken
        return { code, before: (await whoAmI(phone.accessToken)) as object, after: await refresh(phone) }
      },
      expect: {
        code: 0,
        before: { status: 200, device: 'phone', roles: [] },
        after: { status: 200, sameSession: true, sameToken: false, roles: ['moderator'] },
      },
    },
    {
      name: 'the access token from before it is superseded: refresh',
      run: () => whoAmI(oldAccess),
      expect: { status: 401, code: 'invalid_token', reason: 'superseded', remedy: 'refresh' },
    },
    {
      name: 'who am I, with the role',
      run: () => whoAmI(phone.accessToken),
      expect: { status: 200, device: 'phone', roles: ['moderator'] },
    },
    {
      name: 'lose the role: gone at once, with the same access token',
      run: async () => ({ code: await role(), after: (await whoAmI(phone.accessToken)) as object }),
      expect: { code: 0, after: { status: 200, device: 'phone', roles: [] } },
    },
    {
      name: 'log out the laptop, from the phone',
      run: async () =>
        (await call('DELETE', `/auth/sessions/${laptop.sessionId}`, { token: phone.accessToken })).status,
      expect: 204,
    },
    { name: 'the access token of the laptop says why', run: () => whoAmI(laptop.accessToken), expect: gone('logout') },
    { name: 'the refresh token of the laptop says why', run: () => refresh(laptop), expect: gone('logout') },
    {
      name: 'list the devices: only the phone is left',
      run: () => devices(phone.accessToken),
      expect: { status: 200, devices: [['phone', true]], next: null },
    },
    {
      name: 'log in on the laptop again',
      run: () => login(laptop),
      expect: { status: 200, device: 'laptop', roles: [], minutes: 10 },
    },
    {
      name: 'log out everywhere',
      run: async () => {
        const { status, body } = await call('POST', '/auth/sessions/revoke-all', {
          token: phone.accessToken,
          body: { keepCurrent: false },
        })
        return { status, ended: body.ended, effectiveNow: Date.parse(body.effectiveAt) <= Date.now() + 1_000 }
      },
      expect: { status: 200, ended: 2, effectiveNow: true },
    },
    { name: 'the access token of the phone says why', run: () => whoAmI(phone.accessToken), expect: gone('logout') },
    { name: 'the refresh token of the phone says why', run: () => refresh(phone), expect: gone('logout') },
    { name: 'the access token of the laptop says why', run: () => whoAmI(laptop.accessToken), expect: gone('logout') },
    { name: 'the refresh token of the laptop says why', run: () => refresh(laptop), expect: gone('logout') },
    { name: 'log in again', run: () => login(phone), expect: { status: 200, device: 'phone', roles: [], minutes: 10 } },
  ]
  return { steps, sessionId: () => phone.sessionId }
}
