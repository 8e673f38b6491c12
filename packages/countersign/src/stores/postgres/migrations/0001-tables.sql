-- Tables of the first release. docs/storage-schema.md describes each column with an example.
-- `countersign` stands for the schema of the option `schema`. Times are milliseconds of store time since the epoch.
-- Nothing is UNLOGGED: such a table is empty after a crash (redis-and-reliability.md, section 5).
-- Text is compared by bytes (COLLATE "C"), and holds JSON's escapes for what Postgres cannot keep, such as NUL.

CREATE TABLE countersign.meta (
  id smallint PRIMARY KEY CHECK (id = 1),
  marker text COLLATE "C" NOT NULL,
  placement text COLLATE "C",
  floor_ms bigint NOT NULL DEFAULT 0,
  floor_why text COLLATE "C" NOT NULL DEFAULT 'admin'
);

-- The lock of everything about one subject, and its gate. Every step that writes takes this row first, so the steps of
-- one subject follow each other; where there is no row, there is no session, no tombstone and no revocation record.
CREATE TABLE countersign.subjects (
  tag text COLLATE "C" PRIMARY KEY,
  epoch bigint NOT NULL DEFAULT 0,
  blocked boolean NOT NULL DEFAULT false,
  moved_at_ms bigint NOT NULL DEFAULT 0,
  keep_until_ms bigint NOT NULL DEFAULT 0
);
-- A blocked subject keeps its row for ever, so only the others are looked at by the sweep.
CREATE INDEX subjects_by_keep_until ON countersign.subjects (keep_until_ms) WHERE NOT blocked;

-- A session, later its tombstone. One table, so that the primary key keeps an id from ever being both.
CREATE TABLE countersign.sessions (
  id text COLLATE "C" PRIMARY KEY,
  tag text COLLATE "C" NOT NULL,
  -- The order in which the sessions of a subject came.
  entered bigint GENERATED ALWAYS AS IDENTITY,
  format smallint NOT NULL DEFAULT 1,
  keep_until_ms bigint NOT NULL,
  -- About 17 minutes each. The sweep has its index on this and not on keep_until_ms, which most rotations and touches
  -- move: only an update that leaves all indexed columns alone stays within its page.
  sweep_bucket bigint GENERATED ALWAYS AS (keep_until_ms >> 20) STORED,

  ended_at_ms bigint,
  why text COLLATE "C",
  replaced_by text COLLATE "C",

  subject text COLLATE "C",
  tenant text COLLATE "C",
  identity text COLLATE "C",
  auth_time_ms bigint,
  persistent boolean,
  stamped boolean,
  version bigint,
  data bytea,
  -- Of the application's schema; NULL is 1.
  data_version bigint,
  operations text[] COLLATE "C",
  roles text[] COLLATE "C",
  pending_roles text[] COLLATE "C",
  roles_generation bigint,
  created_at_ms bigint,
  last_seen_at_ms bigint,
  idle_at_ms bigint,
  absolute_at_ms bigint,
  refresh_at_ms bigint,
  last_exp_ms bigint,
  generation bigint,
  hash bytea CHECK (octet_length(hash) = 32),
  previous_hash bytea CHECK (octet_length(previous_hash) = 32),
  rotation_key bigint,
  mac_key bigint,
  rotated_at_ms bigint,
  handed_out_at_ms bigint,
  confirmed_at_ms bigint,
  replays bigint,
  origin text COLLATE "C",
  -- What a newer release has added, which this one keeps.
  more text COLLATE "C",

  -- The first list is what every live session has. Tenant, data and its version, pending roles, the
  -- previous hash and what comes from a newer release may be absent.
  CONSTRAINT sessions_live_or_ended CHECK (
    CASE WHEN ended_at_ms IS NULL
      THEN num_nulls(subject, identity, auth_time_ms, persistent, stamped, version, operations, roles,
        roles_generation, created_at_ms, last_seen_at_ms, idle_at_ms, absolute_at_ms, refresh_at_ms, last_exp_ms,
        generation, hash, rotation_key, mac_key, rotated_at_ms, handed_out_at_ms, confirmed_at_ms, replays, origin) = 0
        AND why IS NULL AND replaced_by IS NULL
      ELSE num_nonnulls(subject, tenant, identity, data, operations, roles, pending_roles, hash, previous_hash, origin,
        more) = 0 AND why IS NOT NULL
    END
  )
) WITH (fillfactor = 80);
CREATE INDEX sessions_live_by_tag ON countersign.sessions (tag, created_at_ms, id) WHERE ended_at_ms IS NULL;
CREATE INDEX sessions_ended_by_tag ON countersign.sessions (tag, ended_at_ms, id) WHERE ended_at_ms IS NOT NULL;
CREATE INDEX sessions_by_sweep_bucket ON countersign.sessions (sweep_bucket);

CREATE TABLE countersign.revocations (
  tag text COLLATE "C" PRIMARY KEY,
  subject text COLLATE "C" NOT NULL,
  tenant text COLLATE "C",
  not_before bigint NOT NULL,
  last_stamp bigint NOT NULL,
  until_ms bigint NOT NULL
) WITH (fillfactor = 80);
CREATE INDEX revocations_by_until ON countersign.revocations (until_ms);

-- What is refused one by one: sessions that ended (`sid`) and single tokens (`jti`).
CREATE TABLE countersign.denials (
  tag text COLLATE "C" NOT NULL,
  kind text COLLATE "C" NOT NULL CHECK (kind IN ('sid', 'jti')),
  id text COLLATE "C" NOT NULL,
  why text COLLATE "C",
  until_ms bigint NOT NULL,
  PRIMARY KEY (tag, kind, id)
);

CREATE TABLE countersign.accounts (
  tag text COLLATE "C" PRIMARY KEY,
  format smallint NOT NULL DEFAULT 1,
  subject text COLLATE "C" NOT NULL,
  -- Empty without tenants and not NULL: NULLs are all different to a unique index. A tenant is never empty.
  tenant text COLLATE "C" NOT NULL,
  identifier text COLLATE "C" NOT NULL,
  version bigint NOT NULL,
  password_hash text COLLATE "C" NOT NULL,
  password_changed_at_ms bigint NOT NULL,
  roles text[] COLLATE "C" NOT NULL,
  blocked text COLLATE "C",
  created_at_ms bigint NOT NULL,
  email_verified_at_ms bigint,
  unsettled text COLLATE "C",
  UNIQUE (tenant, identifier)
);

-- One-time tokens, and ids that must not come again. Places and claims are hashes: they say nothing of whom they are about.
CREATE TABLE countersign.once (
  place bytea PRIMARY KEY CHECK (octet_length(place) = 32),
  hash bytea NOT NULL CHECK (octet_length(hash) = 32),
  until_ms bigint NOT NULL,
  body bytea NOT NULL
);
CREATE INDEX once_by_until ON countersign.once (until_ms);

CREATE TABLE countersign.claims (
  digest bytea PRIMARY KEY CHECK (octet_length(digest) = 32),
  until_ms bigint NOT NULL
);
CREATE INDEX claims_by_until ON countersign.claims (until_ms);
