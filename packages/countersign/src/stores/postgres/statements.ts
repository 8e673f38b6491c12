import { createHash } from 'node:crypto'

/** A statement that is sent as it is. */
export interface Statement {
  /** Of the prepared statement; no two texts have the same. */
  readonly name: string
  readonly text: string
  /** Changes nothing, so that it may be sent again when its answer was lost. */
  readonly reads: boolean
}

/** Columns of a session that has not ended, and of a tombstone, as `record-codec.ts` reads them. */
const SESSION = [
  ...['id', 'format', 'keep_until_ms', 'ended_at_ms', 'why', 'replaced_by'],
  ...['subject', 'tenant', 'identity', 'auth_time_ms', 'persistent', 'stamped', 'version', 'data'],
  ...['data_version', 'more'],
  ...['roles_generation', 'created_at_ms', 'last_seen_at_ms', 'idle_at_ms', 'absolute_at_ms', 'refresh_at_ms'],
  ...['last_exp_ms', 'generation', 'hash', 'previous_hash', 'rotation_key', 'mac_key', 'rotated_at_ms'],
  ...['handed_out_at_ms', 'confirmed_at_ms', 'replays', 'origin'],
]
const LISTS = ['operations', 'roles', 'pending_roles']

/** The columns of a session by name, which keeps the order and number of columns in the table free. Lists as JSON. */
function session(row: string): string {
  return [
    ...SESSION.map((column) => `${row}.${column}`),
    ...LISTS.map((list) => `to_json(${row}.${list}) AS ${list}`),
  ].join(', ')
}

const call = (name: string, params: number) =>
  `countersign.${name}(${Array.from({ length: params }, (_, i) => `$${i + 1}`).join(', ')})`
const step = (name: string, params: number, answer: string) => `SELECT ${answer} FROM ${call(name, params)} AS r`

const write = (text: string) => ({ text, reads: false })
const read = (text: string) => ({ text, reads: true })

const LIVE = 's.ended_at_ms IS NULL'
const DEADLINE = 'least(s.idle_at_ms, s.absolute_at_ms)'
const DURABLE = 'r.epoch, to_json(r.ids) AS ids'

/** The floor, the server's time of the same moment, and the settings that say what a write is worth just now. */
const FLOOR = `m.marker, m.placement, m.floor_ms, m.floor_why,
    (extract(epoch FROM clock_timestamp()) * 1000)::float8 AS server_ms,
    current_setting('fsync') AS fsync, current_setting('full_page_writes') AS full_page_writes,
    current_setting('statement_timeout') AS statement_timeout, pg_is_in_recovery() AS is_standby`

/** More changes than this at once are not told one by one: everything is void. */
export const MOST_CHANGES = 5_000

/** How far the schema came: `shared/schema-version.ts`. */
export const READ_SCHEMA =
  'coalesce(max(id), 0) AS applied, coalesce(max(readable_from), 0) AS readable_from FROM countersign.migrations'

/** `countersign.` stands for the schema. Steps are functions of `migrations/0002-steps.sql`, with their parameters. */
const TEXTS = {
  createSession: write(step('create_session', 8, 'r.outcome, r.stamp, to_json(r.ids) AS ids')),
  updateSession: write(step('update_session', 6, `r.outcome, ${session('(r.session)')}`)),
  touchSession: write(`SELECT ${call('touch_session', 4)}`),
  rotateSession: write(step('rotate_session', 16, `r.outcome, r.stamp, r.previous_origin, ${session('(r.session)')}`)),
  replaceSession: write(step('replace_session', 5, `r.outcome, r.stamp, ${session('(r.session)')}`)),
  endSession: write(step('end_session', 5, DURABLE)),
  endSubject: write(step('end_subject', 5, DURABLE)),
  setRoles: write(step('set_roles', 3, DURABLE)),
  denyToken: write(`SELECT ${call('deny_token', 6)} AS epoch`),
  raiseFloor: write(`SELECT ${call('raise_floor', 2)} AS floor_ms`),
  sweep: write(`SELECT ${call('sweep', 2)} AS gone`),
  createAccount: write(`SELECT ${call('create_account', 1)} AS created`),
  replaceAccount: write(`SELECT ${call('replace_account', 2)} AS outcome`),

  putOnce: write(`SELECT ${call('put_once', 4)}`),
  takeOnce: write(`SELECT ${call('take_once', 3)} AS body`),
  claimOnce: write(`SELECT ${call('claim_once', 3)} AS claimed`),
  // Params: $1 place, $2 hash, $3 now
  lookOnce: read('SELECT o.body FROM countersign.once AS o WHERE o.place = $1 AND o.hash = $2 AND o.until_ms > $3'),

  // Params: $1 id
  readSession: read(`SELECT ${session('s')} FROM countersign.sessions AS s WHERE s.id = $1`),

  // Params: $1 tag, $2 now
  readSubject: read(`SELECT coalesce(u.epoch, 0) AS epoch, coalesce(u.blocked, false) AS blocked,
    (SELECT count(*) FROM countersign.sessions AS s WHERE s.tag = $1 AND ${LIVE} AND ${DEADLINE} > $2) AS live
    FROM (SELECT) AS one LEFT JOIN countersign.subjects AS u ON u.tag = $1`),

  // Params: $1 tag, $2 place of the last one of the page before (bytes, because it may be any text) or NULL,
  // $3 one more than the page holds, $4 floor, $5 now
  listSessions: read(`SELECT ${session('s')} FROM countersign.sessions AS s
    WHERE s.tag = $1 AND ${LIVE} AND ${DEADLINE} > $5 AND s.created_at_ms > $4
      AND ($2::bytea IS NULL OR convert_to(lpad(s.created_at_ms::text, 15, '0') || '.' || s.id, 'UTF8') > $2)
    ORDER BY s.created_at_ms, s.id LIMIT $3`),

  // Params: $1 tag
  readRevocations: read(`SELECT r.subject, r.tenant, r.not_before,
    (SELECT coalesce(json_agg(json_build_array(d.kind, d.id, d.why)), '[]') FROM countersign.denials AS d
      WHERE d.tag = r.tag) AS denials
    FROM countersign.revocations AS r WHERE r.tag = $1`),

  // Params: $1 tag
  readAccount: read(`SELECT a.tag, a.format, a.subject, a.tenant, a.identifier, a.version, a.password_hash,
    a.password_changed_at_ms, to_json(a.roles) AS roles, a.blocked, a.created_at_ms,
    a.email_verified_at_ms, a.unsettled
    FROM countersign.accounts AS a WHERE a.tag = $1`),

  // Params: $1 tenant, $2 identifier
  readIdentifier: read(`SELECT a.tag, a.subject, a.tenant FROM countersign.accounts AS a
    WHERE a.tenant = $1 AND a.identifier = $2`),

  readFloor: read(`SELECT ${FLOOR} FROM countersign.meta AS m WHERE m.id = 1`),

  // What was committed since a snapshot, for near caches, and the floor. One statement, so one snapshot: the one it answers.
  // Two ranges of the index, however long other transactions are open: what began after the snapshot, and what was open then.
  // The first has an end, because a dump from another server brings numbers that this one will come to in years.
  // Params: $1 the snapshot, or NULL to begin
  readChanges: read(`SELECT ${FLOOR}, m.marks, pg_current_snapshot()::text AS snapshot,
    CASE WHEN NOT pg_is_in_recovery() THEN extract(epoch FROM pg_postmaster_start_time())::text || ' '
      || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8) END AS server,
    CASE WHEN NOT pg_is_in_recovery() THEN (pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::text END AS written,
    CASE WHEN NOT pg_is_in_recovery() THEN (pg_current_wal_flush_lsn() - '0/0'::pg_lsn)::text END AS flushed,
    (SELECT coalesce(json_agg(json_build_array(n.kind, n.keys)), '[]') FROM (
      (SELECT c.kind, c.keys FROM countersign.changes AS c
        WHERE c.xid >= pg_snapshot_xmax($1::pg_snapshot) AND c.xid < pg_snapshot_xmax(pg_current_snapshot())
        ORDER BY c.xid LIMIT ${MOST_CHANGES + 1})
      UNION ALL
      (SELECT c.kind, c.keys FROM pg_snapshot_xip($1::pg_snapshot) AS was_open CROSS JOIN LATERAL (
        SELECT o.kind, o.keys FROM countersign.changes AS o WHERE o.xid = was_open LIMIT ${MOST_CHANGES + 1}
      ) AS c LIMIT ${MOST_CHANGES + 1})
    ) AS n) AS changes
    FROM countersign.meta AS m WHERE m.id = 1`),

  // Params: $1 marker, $2 fingerprint. The first ones stay. A new marker comes with a floor: what is older than it belongs
  // to a store whose floor was lost, and may have been ended by it. In a store that is really new nothing is older. The
  // server's own time, because nobody has asked for it yet.
  openStore: write(`INSERT INTO countersign.meta AS m (id, marker, placement, floor_ms, floor_why)
    VALUES (1, $1, $2, floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint, 'rolled_back')
    ON CONFLICT (id) DO UPDATE SET placement = coalesce(m.placement, excluded.placement) RETURNING m.placement`),

  readServer: read(`SELECT current_setting('server_version_num')::int AS version, pg_is_in_recovery() AS is_standby,
    current_setting('server_encoding') AS encoding, current_setting('transaction_isolation') AS isolation,
    to_regclass('countersign.migrations') IS NOT NULL AS has_schema`),
  readSchema: read(`SELECT ${READ_SCHEMA}`),
} as const

export type Statements = { readonly [K in keyof typeof TEXTS]: Statement }

/** The statements for one schema. */
export function statementsFor(schema: string): Statements {
  const entries = Object.entries(TEXTS).map(([name, { text: written, reads }]) => {
    const text = inSchema(written, schema)
    // A pool may serve two schemas, or for a moment two releases: another text has another name.
    const digest = createHash('sha256').update(text).digest('hex').slice(0, 8)
    return [name, { name: `cs_${name}_${digest}`, text, reads }]
  })
  return Object.fromEntries(entries) as Statements
}

/** SQL that was written for the schema `countersign`, for another one. */
export function inSchema(sql: string, schema: string): string {
  return sql.replaceAll(/\bcountersign\./g, `"${schema}".`)
}
