-- One-time tokens, and ids that must not come again. A place is a hash, so these rows say nothing of whom they are about
-- but what their body says.

CREATE TABLE once (
  place TEXT PRIMARY KEY NOT NULL,
  hash TEXT NOT NULL,
  until_ms INTEGER NOT NULL,
  body TEXT NOT NULL
) STRICT;
CREATE INDEX once_by_until ON once (until_ms);

CREATE TABLE claims (
  scope TEXT NOT NULL,
  id TEXT NOT NULL,
  until_ms INTEGER NOT NULL,
  PRIMARY KEY (scope, id)
) STRICT;
CREATE INDEX claims_by_until ON claims (until_ms);
