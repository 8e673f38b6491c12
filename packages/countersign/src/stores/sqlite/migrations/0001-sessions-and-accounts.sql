-- Everything of the first release. docs/storage-schema.md describes each column with an example.
-- Times are milliseconds of store time since the epoch. Rowid tables on purpose: bodies can be large, and a b-tree
-- keyed by a random id that carries them reads slower.

CREATE TABLE meta (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  marker TEXT NOT NULL,
  placement TEXT,
  floor_ms INTEGER NOT NULL DEFAULT 0,
  floor_why TEXT NOT NULL DEFAULT 'admin'
) STRICT;

CREATE TABLE sessions (
  id TEXT PRIMARY KEY NOT NULL,
  tag TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('live', 'ended')),
  deadline_ms INTEGER,
  keep_until_ms INTEGER NOT NULL,
  body TEXT NOT NULL
) STRICT;
CREATE INDEX sessions_by_tag ON sessions (tag, state);
CREATE INDEX sessions_by_keep_until ON sessions (keep_until_ms);

CREATE TABLE subjects (
  tag TEXT PRIMARY KEY NOT NULL,
  epoch INTEGER NOT NULL,
  blocked INTEGER NOT NULL CHECK (blocked IN (0, 1)),
  moved_at_ms INTEGER NOT NULL
) STRICT;
-- A blocked subject keeps its row for ever, so only the others are looked at by the sweep.
CREATE INDEX subjects_by_moved_at ON subjects (moved_at_ms) WHERE blocked = 0;

CREATE TABLE revocations (
  tag TEXT PRIMARY KEY NOT NULL,
  until_ms INTEGER NOT NULL,
  body TEXT NOT NULL
) STRICT;
CREATE INDEX revocations_by_until ON revocations (until_ms);

CREATE TABLE accounts (
  tag TEXT PRIMARY KEY NOT NULL,
  tenant TEXT NOT NULL,
  identifier TEXT NOT NULL,
  version INTEGER NOT NULL,
  body TEXT NOT NULL,
  UNIQUE (tenant, identifier)
) STRICT;
