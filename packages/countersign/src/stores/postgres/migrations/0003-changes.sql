-- What has changed, for the near caches of every process (docs/design/0011). By triggers, so that nodes of the release
-- before write it too. Only adds: they go on with it.
-- @readable-from 2

-- The triggers below lock their tables, and a step that has one of them would wait for the other while it is waited for.
-- So steps under way end first and none begins: each takes its subject before anything else. Only the sweep does not, and
-- is not waited for while everybody waits; at the end it is, because nothing but a wait ends a vacuum.
DO $$
BEGIN
  FOR attempt IN 1..50 LOOP
    BEGIN
      LOCK TABLE countersign.subjects IN EXCLUSIVE MODE;
      LOCK TABLE countersign.sessions, countersign.revocations IN SHARE ROW EXCLUSIVE MODE NOWAIT;
      RETURN;
    EXCEPTION WHEN lock_not_available THEN
      -- What was locked has been let go.
      PERFORM pg_sleep(0.01);
    END;
  END LOOP;
  LOCK TABLE countersign.subjects IN EXCLUSIVE MODE;
  LOCK TABLE countersign.sessions, countersign.revocations IN SHARE ROW EXCLUSIVE MODE;
END $$;

-- One row for each statement that changed something. Which rows a reader has not seen yet its last snapshot says.
CREATE TABLE countersign.changes (
  -- Of the transaction that made the change.
  xid xid8 NOT NULL,
  -- session: `keys` are ids; revocations: tags
  kind text COLLATE "C" NOT NULL CHECK (kind IN ('session', 'revocations')),
  keys text[] COLLATE "C" NOT NULL
);
CREATE INDEX changes_by_xid ON countersign.changes (xid);

-- What is visible in `old_mark` has been deleted or may be. `marks` counts how often it moved: a reader that saw the mark
-- before it has seen all of that.
ALTER TABLE countersign.meta
  ADD COLUMN marks bigint NOT NULL DEFAULT 0,
  ADD COLUMN mark pg_snapshot,
  ADD COLUMN old_mark pg_snapshot,
  ADD COLUMN marked_at_ms bigint NOT NULL DEFAULT 0;

-- Enters the sessions that a statement has changed. With the rights of the owner, so that a user who was given rights
-- before there was this table can go on writing.
-- Params: none
CREATE FUNCTION countersign.tell_sessions() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  INSERT INTO countersign.changes (xid, kind, keys)
    SELECT pg_current_xact_id(), 'session', array_agg(id) FROM changed HAVING count(*) > 0;
  RETURN NULL;
END $$;

-- The same for revocation records. Entries in `denials` are made together with a change of the record.
-- Params: none
CREATE FUNCTION countersign.tell_revocations() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  INSERT INTO countersign.changes (xid, kind, keys)
    SELECT pg_current_xact_id(), 'revocations', array_agg(tag) FROM changed HAVING count(*) > 0;
  RETURN NULL;
END $$;

CREATE TRIGGER tell_inserted AFTER INSERT ON countersign.sessions REFERENCING NEW TABLE AS changed
  FOR EACH STATEMENT EXECUTE FUNCTION countersign.tell_sessions();
CREATE TRIGGER tell_updated AFTER UPDATE ON countersign.sessions REFERENCING NEW TABLE AS changed
  FOR EACH STATEMENT EXECUTE FUNCTION countersign.tell_sessions();
CREATE TRIGGER tell_deleted AFTER DELETE ON countersign.sessions REFERENCING OLD TABLE AS changed
  FOR EACH STATEMENT EXECUTE FUNCTION countersign.tell_sessions();
CREATE TRIGGER tell_inserted AFTER INSERT ON countersign.revocations REFERENCING NEW TABLE AS changed
  FOR EACH STATEMENT EXECUTE FUNCTION countersign.tell_revocations();
CREATE TRIGGER tell_updated AFTER UPDATE ON countersign.revocations REFERENCING NEW TABLE AS changed
  FOR EACH STATEMENT EXECUTE FUNCTION countersign.tell_revocations();
CREATE TRIGGER tell_deleted AFTER DELETE ON countersign.revocations REFERENCING OLD TABLE AS changed
  FOR EACH STATEMENT EXECUTE FUNCTION countersign.tell_revocations();

-- Tells every reader to begin anew: two marks at once are more than anybody can follow.
-- Params: none
CREATE FUNCTION countersign.tell_truncated() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  UPDATE countersign.meta SET marks = marks + 2 WHERE id = 1;
  RETURN NULL;
END $$;

CREATE TRIGGER tell_truncated AFTER TRUNCATE ON countersign.sessions
  FOR EACH STATEMENT EXECUTE FUNCTION countersign.tell_truncated();
CREATE TRIGGER tell_truncated AFTER TRUNCATE ON countersign.revocations
  FOR EACH STATEMENT EXECUTE FUNCTION countersign.tell_truncated();

-- Deletes rows of `changes` that every reader has seen, or has to do without: older than the mark before the last. Marks
-- are a minute apart. A mark is a snapshot and not a time, so that a row that was committed late is not taken for an old one.
-- What a dump brought from another server has numbers that this one has not come to: such rows go, and such marks do not
-- count.
-- Params: p_limit most rows; p_now_ms
CREATE FUNCTION countersign.prune_changes(p_limit bigint, p_now_ms bigint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  m countersign.meta;
  is_foreign boolean;
BEGIN
  SELECT * INTO m FROM countersign.meta WHERE id = 1 FOR UPDATE SKIP LOCKED;
  IF NOT FOUND THEN
    RETURN;
  END IF;
  is_foreign := greatest(pg_snapshot_xmax(m.mark), pg_snapshot_xmax(m.old_mark)) > pg_snapshot_xmax(pg_current_snapshot());
  IF is_foreign THEN
    -- By two, so that whoever has begun to read is told to begin anew.
    UPDATE countersign.meta
      SET marks = marks + 2, old_mark = NULL, mark = pg_current_snapshot(), marked_at_ms = p_now_ms WHERE id = 1;
    RETURN;
  END IF;
  IF abs(p_now_ms - m.marked_at_ms) >= 60000 THEN
    m.old_mark := m.mark;
    UPDATE countersign.meta
      SET marks = marks + 1, old_mark = mark, mark = pg_current_snapshot(), marked_at_ms = p_now_ms WHERE id = 1;
  END IF;
  IF m.old_mark IS NOT NULL THEN
    DELETE FROM countersign.changes WHERE ctid = ANY (ARRAY(
      SELECT ctid FROM countersign.changes
      WHERE xid < pg_snapshot_xmax(m.old_mark) AND pg_visible_in_snapshot(xid, m.old_mark)
      ORDER BY xid LIMIT p_limit
    ));
  END IF;
  -- This transaction is not over either, and what it has entered stays.
  DELETE FROM countersign.changes WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM countersign.changes
    WHERE xid >= pg_snapshot_xmax(pg_current_snapshot()) AND xid <> pg_current_xact_id()
    ORDER BY xid LIMIT p_limit
  ));
END $$;

ALTER FUNCTION countersign.sweep(bigint, bigint) RENAME TO sweep_records;

-- SessionStore.sweep. Deletes up to `p_limit` rows and returns how many; of `changes`, which come with every write, up to a
-- hundred times as many, which do not count.
-- Params: p_limit; p_now_ms
CREATE FUNCTION countersign.sweep(p_limit bigint, p_now_ms bigint) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
  gone bigint;
BEGIN
  gone := countersign.sweep_records(p_limit, p_now_ms);
  PERFORM countersign.prune_changes(p_limit * 100, p_now_ms);
  RETURN gone;
END $$;
