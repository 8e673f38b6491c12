-- One function per step, so that each is one statement, one round trip and one transaction. stores/steps/*.ts is the
-- reference of what they do; the same suite and a differential test hold them against it.
--
-- The time is an argument: a function that asked the server's clock would give another answer in a replay
-- (docs/design/0002). Every function that writes locks the subject first. Under READ COMMITTED each later statement in
-- it has a snapshot of its own, taken after the lock was had, and so sees everything that was done before.

-- What a step answers. `session` is the row that it is about, as it is now or, when the step ended it, as it was.
CREATE TYPE countersign.outcome AS (
  outcome text,
  stamp bigint,
  previous_origin text,
  epoch bigint,
  ids text[],
  session countersign.sessions
);

-- The row in a subject's place, locked until the transaction ends; all NULL when there is none and none is wanted.
-- Params: p_tag the subject, p_make whether to make the row when there is none
CREATE FUNCTION countersign.lock_subject(p_tag text, p_make boolean) RETURNS countersign.subjects
LANGUAGE plpgsql AS $$
DECLARE
  found_row countersign.subjects;
BEGIN
  -- With one snapshot for the whole transaction, what is read after the lock could be from before it.
  IF current_setting('transaction_isolation') <> 'read committed' THEN
    RAISE EXCEPTION 'Countersign needs READ COMMITTED' USING ERRCODE = 'CS001';
  END IF;
  LOOP
    SELECT * INTO found_row FROM countersign.subjects WHERE tag = p_tag FOR UPDATE;
    EXIT WHEN FOUND OR NOT p_make;
    -- A row that somebody else makes at the same time is waited for here, and locked in the next turn.
    INSERT INTO countersign.subjects (tag) VALUES (p_tag) ON CONFLICT DO NOTHING RETURNING * INTO found_row;
    EXIT WHEN FOUND;
  END LOOP;
  RETURN found_row;
END $$;

-- The transaction is on the disk before it is acknowledged, also where the server's default is another.
-- Params: none
CREATE FUNCTION countersign.must_last() RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
  IF current_setting('synchronous_commit') = 'off' THEN
    PERFORM set_config('synchronous_commit', 'on', true);
  END IF;
END $$;

-- The transaction may be lost in a crash, and need not wait for the disk.
-- Params: none
CREATE FUNCTION countersign.may_be_lost() RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
  PERFORM set_config('synchronous_commit', 'off', true);
END $$;

-- From here on nothing that refers to a session can be presented any more: keepUntilMs of session/record.ts.
-- Params: p_idle_at_ms, p_absolute_at_ms, p_refresh_at_ms, p_last_exp_ms, p_stamped as in the record
CREATE FUNCTION countersign.keep_until(
  p_idle_at_ms bigint, p_absolute_at_ms bigint, p_refresh_at_ms bigint, p_last_exp_ms bigint, p_stamped boolean
) RETURNS bigint
LANGUAGE sql IMMUTABLE AS $$
  SELECT greatest(
    least(p_idle_at_ms, p_absolute_at_ms),
    p_refresh_at_ms,
    CASE WHEN p_stamped THEN p_last_exp_ms + 300000 ELSE p_last_exp_ms END
  )
$$;

-- Moves the epoch forward, whatever the clock says, so that a login that read the old one is refused. Returns it.
-- Params: p_tag the subject, locked; p_block true blocks, false unblocks, NULL leaves it; p_now_ms
CREATE FUNCTION countersign.move_epoch(p_tag text, p_block boolean, p_now_ms bigint) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
  moved bigint;
BEGIN
  UPDATE countersign.subjects SET
    epoch = greatest(p_now_ms, epoch + 1),
    blocked = coalesce(p_block, blocked),
    moved_at_ms = p_now_ms,
    -- EPOCH_KEEP_MS: no login is held in a password hash for a day.
    keep_until_ms = greatest(keep_until_ms, p_now_ms + 86400000)
  WHERE tag = p_tag RETURNING epoch INTO moved;
  RETURN moved;
END $$;

-- The subject's revocation record without what is over, or a new one, which refuses every token that exists.
-- Params: p_tag, p_subject, p_tenant whose; p_now_ms
CREATE FUNCTION countersign.open_revocations(p_tag text, p_subject text, p_tenant text, p_now_ms bigint) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
  DELETE FROM countersign.denials WHERE tag = p_tag AND until_ms <= p_now_ms;
  INSERT INTO countersign.revocations (tag, subject, tenant, not_before, last_stamp, until_ms)
    VALUES (p_tag, p_subject, p_tenant, p_now_ms - 1, 0, 0) ON CONFLICT (tag) DO NOTHING;
END $$;

-- Refuses one session or token until `p_until_ms`.
-- Params: p_tag, p_subject, p_tenant whose; p_kind sid or jti; p_id, p_why, p_until_ms, p_now_ms
CREATE FUNCTION countersign.deny(
  p_tag text, p_subject text, p_tenant text, p_kind text, p_id text, p_why text, p_until_ms bigint, p_now_ms bigint
) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
  PERFORM countersign.open_revocations(p_tag, p_subject, p_tenant, p_now_ms);
  INSERT INTO countersign.denials (tag, kind, id, why, until_ms) VALUES (p_tag, p_kind, p_id, p_why, p_until_ms)
    ON CONFLICT (tag, kind, id) DO UPDATE SET why = excluded.why, until_ms = excluded.until_ms;
  UPDATE countersign.revocations SET until_ms = greatest(until_ms, p_until_ms) WHERE tag = p_tag;
END $$;

-- Refuses every token of the subject that exists. Does nothing where none can exist.
-- Params: p_tag the subject, locked; p_now_ms
CREATE FUNCTION countersign.raise_not_before(p_tag text, p_now_ms bigint) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
  UPDATE countersign.revocations SET not_before = greatest(p_now_ms, not_before + 1, last_stamp) WHERE tag = p_tag;
END $$;

-- Keeps the newest 64 tombstones of a subject (MAX_TOMBSTONES).
-- Params: p_tag the subject, locked
CREATE FUNCTION countersign.cap_tombstones(p_tag text) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
  DELETE FROM countersign.sessions WHERE id IN (
    SELECT id FROM countersign.sessions WHERE tag = p_tag AND ended_at_ms IS NOT NULL
    ORDER BY ended_at_ms DESC, id DESC OFFSET 64
  );
END $$;

-- Puts a tombstone in the place of a session, or of nothing.
-- Params: p_tag its subject, locked; p_id; p_why; p_replaced_by the id that took over or NULL; p_keep_until_ms; p_now_ms
CREATE FUNCTION countersign.bury(
  p_tag text, p_id text, p_why text, p_replaced_by text, p_keep_until_ms bigint, p_now_ms bigint
) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
  IF p_keep_until_ms <= p_now_ms THEN
    DELETE FROM countersign.sessions WHERE id = p_id;
    RETURN;
  END IF;
  INSERT INTO countersign.sessions (id, tag, keep_until_ms, ended_at_ms, why, replaced_by)
    VALUES (p_id, p_tag, p_keep_until_ms, p_now_ms, p_why, p_replaced_by)
    ON CONFLICT (id) DO UPDATE SET
      keep_until_ms = excluded.keep_until_ms, ended_at_ms = excluded.ended_at_ms, why = excluded.why,
      replaced_by = excluded.replaced_by,
      subject = NULL, tenant = NULL, identity = NULL, auth_time_ms = NULL, persistent = NULL, stamped = NULL,
      version = NULL, data = NULL, data_version = NULL, more = NULL, operations = NULL, roles = NULL,
      pending_roles = NULL, roles_generation = NULL,
      created_at_ms = NULL, last_seen_at_ms = NULL, idle_at_ms = NULL, absolute_at_ms = NULL, refresh_at_ms = NULL,
      last_exp_ms = NULL, generation = NULL, hash = NULL, previous_hash = NULL, rotation_key = NULL, mac_key = NULL,
      rotated_at_ms = NULL, handed_out_at_ms = NULL, confirmed_at_ms = NULL, replays = NULL, origin = NULL;
  PERFORM countersign.cap_tombstones(p_tag);
END $$;

-- Turns a live session into its tombstone and enters it in the revocation record.
-- Params: p_id, live, its subject locked; p_why; p_replaced_by the id that took over or NULL; p_now_ms
CREATE FUNCTION countersign.end_record(p_id text, p_why text, p_replaced_by text, p_now_ms bigint) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
  was record;
BEGIN
  SELECT tag, subject, tenant, stamped, last_exp_ms, keep_until_ms INTO STRICT was
    FROM countersign.sessions WHERE id = p_id;
  PERFORM countersign.bury(was.tag, p_id, p_why, p_replaced_by, was.keep_until_ms, p_now_ms);
  IF was.stamped THEN
    PERFORM countersign.deny(
      was.tag, was.subject, was.tenant, 'sid', p_id, p_why, was.last_exp_ms + 300000, p_now_ms
    );
  END IF;
END $$;

-- The id that took over from one that was replaced, however often.
-- Params: p_id
CREATE FUNCTION countersign.follow(p_id text) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
  last_id text := p_id;
  next_id text;
BEGIN
  FOR step IN 1..1000 LOOP
    SELECT replaced_by INTO next_id FROM countersign.sessions WHERE id = last_id AND replaced_by IS NOT NULL;
    IF NOT FOUND THEN
      RETURN last_id;
    END IF;
    last_id := next_id;
  END LOOP;
  RAISE EXCEPTION 'replaced sessions lead in a circle' USING ERRCODE = 'CS002';
END $$;

-- What an access token made now counts from: above every stamp that has been refused.
-- Params: p_tag the subject, locked; p_stamped whether its tokens are checked by stamp; p_floor_ms; p_now_ms
CREATE FUNCTION countersign.stamp_of(p_tag text, p_stamped boolean, p_floor_ms bigint, p_now_ms bigint) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
  refused bigint := 0;
BEGIN
  IF p_stamped THEN
    SELECT not_before INTO refused FROM countersign.revocations WHERE tag = p_tag;
  END IF;
  RETURN greatest(p_now_ms, p_floor_ms + 1, coalesce(refused, 0) + 1);
END $$;

-- Notes in the revocation record that a token with this stamp may exist until `p_until_ms`.
-- Params: p_tag, p_subject, p_tenant whose; p_stamp; p_until_ms; p_now_ms
CREATE FUNCTION countersign.note_stamp(
  p_tag text, p_subject text, p_tenant text, p_stamp bigint, p_until_ms bigint, p_now_ms bigint
) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
  PERFORM countersign.open_revocations(p_tag, p_subject, p_tenant, p_now_ms);
  UPDATE countersign.revocations
    SET last_stamp = greatest(last_stamp, p_stamp), until_ms = greatest(until_ms, p_until_ms) WHERE tag = p_tag;
END $$;

-- Stores a session whose first access token counts from the stamp returned.
-- Params: p_session the row to be, its subject locked; p_floor_ms; p_access_ms life of an access token, 0 for none; p_now_ms
CREATE FUNCTION countersign.mint(
  p_session countersign.sessions, p_floor_ms bigint, p_access_ms bigint, p_now_ms bigint
) RETURNS countersign.outcome
LANGUAGE plpgsql AS $$
DECLARE
  s countersign.sessions := p_session;
  answer countersign.outcome;
BEGIN
  answer.stamp := countersign.stamp_of(s.tag, s.stamped, p_floor_ms, p_now_ms);
  IF p_access_ms <> 0 THEN
    s.last_exp_ms := greatest(s.last_exp_ms, answer.stamp + p_access_ms);
  END IF;
  s.keep_until_ms :=
    countersign.keep_until(s.idle_at_ms, s.absolute_at_ms, s.refresh_at_ms, s.last_exp_ms, s.stamped);
  INSERT INTO countersign.sessions (
    id, tag, format, keep_until_ms, subject, tenant, identity, auth_time_ms, persistent, stamped, version, data,
    data_version, more, operations, roles, pending_roles, roles_generation, created_at_ms, last_seen_at_ms, idle_at_ms, absolute_at_ms,
    refresh_at_ms, last_exp_ms, generation, hash, previous_hash, rotation_key, mac_key, rotated_at_ms,
    handed_out_at_ms, confirmed_at_ms, replays, origin
  ) VALUES (
    s.id, s.tag, s.format, s.keep_until_ms, s.subject, s.tenant, s.identity, s.auth_time_ms, s.persistent, s.stamped,
    s.version, s.data, s.data_version, s.more, s.operations, s.roles, s.pending_roles, s.roles_generation, s.created_at_ms, s.last_seen_at_ms,
    s.idle_at_ms, s.absolute_at_ms, s.refresh_at_ms, s.last_exp_ms, s.generation, s.hash, s.previous_hash,
    s.rotation_key, s.mac_key, s.rotated_at_ms, s.handed_out_at_ms, s.confirmed_at_ms, s.replays, s.origin
  );
  -- So that the sweep does not look at the subject before it can be of no use any more.
  UPDATE countersign.subjects SET keep_until_ms = greatest(s.keep_until_ms, s.absolute_at_ms)
    WHERE tag = s.tag AND keep_until_ms < greatest(s.keep_until_ms, s.absolute_at_ms);
  IF s.stamped THEN
    PERFORM countersign.note_stamp(s.tag, s.subject, s.tenant, answer.stamp, s.last_exp_ms + 300000, p_now_ms);
  END IF;
  answer.session := s;
  RETURN answer;
END $$;

-- SessionStore.create. Outcomes: created (with stamp, and in ids who had to go), limit, blocked, stale_epoch, exists.
-- Params: p_session the row as JSON, without data; p_data; p_max and p_overflow the limit; p_if_epoch or NULL;
-- p_floor_ms; p_access_ms; p_now_ms
CREATE FUNCTION countersign.create_session(
  p_session json, p_data bytea, p_max bigint, p_overflow text, p_if_epoch bigint, p_floor_ms bigint,
  p_access_ms bigint, p_now_ms bigint
) RETURNS countersign.outcome
LANGUAGE plpgsql AS $$
DECLARE
  s countersign.sessions := json_populate_record(NULL::countersign.sessions, p_session);
  gate countersign.subjects;
  surplus bigint;
  other text;
  gone text[] := '{}';
  answer countersign.outcome;
BEGIN
  PERFORM countersign.must_last();
  s.data := p_data;
  gate := countersign.lock_subject(s.tag, true);
  IF gate.blocked THEN
    answer.outcome := 'blocked';
    RETURN answer;
  END IF;
  IF p_if_epoch IS NOT NULL AND p_if_epoch <> gate.epoch THEN
    answer.outcome := 'stale_epoch';
    RETURN answer;
  END IF;
  IF EXISTS (SELECT FROM countersign.sessions WHERE id = s.id) THEN
    answer.outcome := 'exists';
    RETURN answer;
  END IF;

  SELECT count(*) - p_max + 1 INTO surplus FROM countersign.sessions
    WHERE tag = s.tag AND ended_at_ms IS NULL
      AND least(idle_at_ms, absolute_at_ms) > p_now_ms AND created_at_ms > p_floor_ms;
  IF surplus > 0 AND p_overflow = 'reject' THEN
    answer.outcome := 'limit';
    RETURN answer;
  END IF;
  IF surplus > 0 THEN
    FOR other IN
      SELECT id FROM countersign.sessions
      WHERE tag = s.tag AND ended_at_ms IS NULL
        AND least(idle_at_ms, absolute_at_ms) > p_now_ms AND created_at_ms > p_floor_ms
      ORDER BY CASE WHEN p_overflow = 'evict_oldest' THEN created_at_ms ELSE last_seen_at_ms END, id
      LIMIT surplus
    LOOP
      PERFORM countersign.end_record(other, 'limit', NULL, p_now_ms);
      gone := gone || other;
    END LOOP;
  END IF;

  answer := countersign.mint(s, p_floor_ms, p_access_ms, p_now_ms);
  answer.outcome := 'created';
  answer.ids := gone;
  RETURN answer;
END $$;

-- SessionStore.replace. Outcomes: replaced (with the new session and stamp), expired, blocked, exists, ended, unknown.
-- Params: p_id the old session; p_session the new row as JSON, without data; p_floor_ms; p_access_ms; p_now_ms
CREATE FUNCTION countersign.replace_session(
  p_id text, p_session json, p_floor_ms bigint, p_access_ms bigint, p_now_ms bigint
) RETURNS countersign.outcome
LANGUAGE plpgsql AS $$
DECLARE
  s countersign.sessions := json_populate_record(NULL::countersign.sessions, p_session);
  old countersign.sessions;
  gate countersign.subjects;
  answer countersign.outcome;
BEGIN
  PERFORM countersign.must_last();
  gate := countersign.lock_subject(s.tag, false);
  SELECT * INTO old FROM countersign.sessions WHERE id = p_id;
  IF NOT FOUND THEN
    answer.outcome := 'unknown';
    RETURN answer;
  END IF;
  answer.session := old;
  IF old.ended_at_ms IS NOT NULL THEN
    answer.outcome := 'ended';
    RETURN answer;
  END IF;
  IF least(old.idle_at_ms, old.absolute_at_ms) <= p_now_ms OR old.created_at_ms <= p_floor_ms THEN
    answer.outcome := 'expired';
    RETURN answer;
  END IF;
  IF gate.blocked THEN
    answer.outcome := 'blocked';
    RETURN answer;
  END IF;
  IF EXISTS (SELECT FROM countersign.sessions WHERE id = s.id) THEN
    answer.outcome := 'exists';
    RETURN answer;
  END IF;

  -- RECORD_FORMAT: a higher one, or something that is kept for it, comes from a newer release.
  IF old.more IS NOT NULL OR old.format > 1 THEN
    s.more := old.more;
    s.format := old.format;
  END IF;
  s.data := old.data;
  s.data_version := old.data_version;
  s.version := old.version;
  s.operations := old.operations;
  s.roles := coalesce(old.pending_roles, old.roles);
  s.pending_roles := NULL;
  s.roles_generation := 0;
  s.created_at_ms := old.created_at_ms;
  s.absolute_at_ms := old.absolute_at_ms;
  s.idle_at_ms := least(s.idle_at_ms, old.absolute_at_ms);
  s.refresh_at_ms := least(s.refresh_at_ms, old.absolute_at_ms);
  answer := countersign.mint(s, p_floor_ms, p_access_ms, p_now_ms);
  PERFORM countersign.end_record(p_id, 'replaced', s.id, p_now_ms);
  answer.outcome := 'replaced';
  RETURN answer;
END $$;

-- SessionStore.update. Outcomes: stored, repeated, conflict, expired (all with the session), ended, unknown.
-- Params: p_id; p_data; p_data_version of its schema or NULL for 1; p_operation its id or NULL; p_expected the version that
-- was read; p_now_ms
CREATE FUNCTION countersign.update_session(
  p_id text, p_data bytea, p_data_version bigint, p_operation text, p_expected bigint, p_now_ms bigint
) RETURNS countersign.outcome
LANGUAGE plpgsql AS $$
DECLARE
  s countersign.sessions;
  kept text[];
  answer countersign.outcome;
BEGIN
  PERFORM countersign.must_last();
  PERFORM countersign.lock_subject(left(p_id, 12), false);
  SELECT * INTO s FROM countersign.sessions WHERE id = p_id;
  IF NOT FOUND THEN
    answer.outcome := 'unknown';
    RETURN answer;
  END IF;
  IF s.ended_at_ms IS NOT NULL THEN
    answer.outcome := 'ended';
  ELSIF least(s.idle_at_ms, s.absolute_at_ms) <= p_now_ms THEN
    answer.outcome := 'expired';
  ELSIF p_operation = ANY (s.operations) THEN
    answer.outcome := 'repeated';
  ELSIF s.version <> p_expected THEN
    answer.outcome := 'conflict';
  ELSE
    answer.outcome := 'stored';
    kept := s.operations;
    IF p_operation IS NOT NULL THEN
      kept := kept || p_operation;
      -- MAX_OPERATIONS
      kept := kept[greatest(1, cardinality(kept) - 15):];
    END IF;
    UPDATE countersign.sessions
      SET data = p_data, data_version = p_data_version, version = version + 1, operations = kept
      WHERE id = p_id RETURNING * INTO s;
  END IF;
  answer.session := s;
  RETURN answer;
END $$;

-- SessionStore.touch.
-- Params: p_id; p_idle_at_ms; p_generation confirms that generation and no other, or NULL; p_now_ms
CREATE FUNCTION countersign.touch_session(p_id text, p_idle_at_ms bigint, p_generation bigint, p_now_ms bigint)
RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
  s record;
BEGIN
  PERFORM countersign.may_be_lost();
  PERFORM countersign.lock_subject(left(p_id, 12), false);
  SELECT greatest(last_seen_at_ms, p_now_ms) AS seen_at_ms,
      greatest(idle_at_ms, least(p_idle_at_ms, absolute_at_ms)) AS idle_at_ms,
      absolute_at_ms, refresh_at_ms, last_exp_ms, stamped,
      CASE WHEN p_generation = generation AND confirmed_at_ms = 0 THEN p_now_ms ELSE confirmed_at_ms END AS confirmed_at_ms
    INTO s FROM countersign.sessions
    WHERE id = p_id AND ended_at_ms IS NULL AND least(idle_at_ms, absolute_at_ms) > p_now_ms;
  IF FOUND THEN
    UPDATE countersign.sessions SET
      last_seen_at_ms = s.seen_at_ms, idle_at_ms = s.idle_at_ms, confirmed_at_ms = s.confirmed_at_ms,
      keep_until_ms =
        countersign.keep_until(s.idle_at_ms, s.absolute_at_ms, s.refresh_at_ms, s.last_exp_ms, s.stamped)
      WHERE id = p_id;
  END IF;
END $$;

-- SessionStore.rotate: the refresh table of docs/design/0003, whose row numbers the comments repeat. Outcomes: rotated,
-- replayed, current (with stamp, previous_origin and the session after the step), reused, rolled_back, expired,
-- too_many_replays (with the session before it), ended, unknown.
-- Params: p_id; p_generation and p_hash presented; p_next_hash, p_rotation_key, p_mac_key, p_refresh_at_ms, p_origin the
-- successor; p_grace_ms; p_replay until_seen or never; p_max_replays; p_floor_ms; p_access_ms; p_idle_at_ms and
-- p_persistent_idle_at_ms when a refresh counts as use, else NULL; p_now_ms
CREATE FUNCTION countersign.rotate_session(
  p_id text, p_generation bigint, p_hash bytea, p_next_hash bytea, p_rotation_key bigint, p_mac_key bigint,
  p_refresh_at_ms bigint, p_origin text, p_grace_ms bigint, p_replay text, p_max_replays bigint, p_floor_ms bigint,
  p_access_ms bigint, p_idle_at_ms bigint, p_persistent_idle_at_ms bigint, p_now_ms bigint
) RETURNS countersign.outcome
LANGUAGE plpgsql AS $$
DECLARE
  s countersign.sessions;
  late boolean := false;
  answer countersign.outcome;
BEGIN
  PERFORM countersign.must_last();
  PERFORM countersign.lock_subject(left(p_id, 12), false);
  SELECT * INTO s FROM countersign.sessions WHERE id = p_id;
  IF NOT FOUND THEN
    answer.outcome := 'unknown'; -- row 9
    RETURN answer;
  END IF;
  answer.session := s;
  IF s.ended_at_ms IS NOT NULL THEN
    answer.outcome := 'ended'; -- row 9
    RETURN answer;
  END IF;
  IF least(s.idle_at_ms, s.absolute_at_ms) <= p_now_ms OR s.created_at_ms <= p_floor_ms
    OR s.refresh_at_ms <= p_now_ms THEN
    answer.outcome := 'expired';
    RETURN answer;
  END IF;

  IF p_generation > s.generation THEN
    answer.outcome := 'rolled_back'; -- row 8
  ELSIF p_generation = s.generation THEN
    answer.outcome := CASE
      WHEN p_hash <> s.hash THEN 'rolled_back' -- row 7
      WHEN p_now_ms - s.handed_out_at_ms < p_grace_ms THEN 'current' -- row 3
      ELSE 'rotated' -- row 2
    END;
  ELSIF p_generation < s.generation - 1 THEN
    answer.outcome := 'reused'; -- row 6
  ELSIF s.previous_hash IS NULL OR p_hash <> s.previous_hash THEN
    answer.outcome := 'rolled_back'; -- row 7
  ELSIF p_replay = 'never' OR NOT (s.confirmed_at_ms = 0 OR p_now_ms - s.confirmed_at_ms < p_grace_ms) THEN
    answer.outcome := 'reused'; -- row 5
  ELSE
    late := p_now_ms - s.rotated_at_ms >= p_grace_ms;
    answer.outcome := CASE
      WHEN late AND s.replays >= p_max_replays THEN 'too_many_replays'
      ELSE 'replayed' -- row 4
    END;
  END IF;

  IF answer.outcome IN ('rolled_back', 'reused') THEN
    PERFORM countersign.end_record(p_id, answer.outcome, NULL, p_now_ms);
    RETURN answer;
  END IF;
  IF answer.outcome = 'too_many_replays' THEN
    RETURN answer;
  END IF;

  answer.previous_origin := s.origin;
  IF answer.outcome = 'current' THEN
    s.confirmed_at_ms := CASE WHEN s.confirmed_at_ms = 0 THEN p_now_ms ELSE s.confirmed_at_ms END;
  ELSIF answer.outcome = 'replayed' THEN
    s.handed_out_at_ms := p_now_ms;
    s.replays := s.replays + late::int;
  ELSE
    s.generation := s.generation + 1;
    s.previous_hash := s.hash;
    s.hash := p_next_hash;
    s.rotation_key := p_rotation_key;
    s.mac_key := p_mac_key;
    s.rotated_at_ms := p_now_ms;
    s.handed_out_at_ms := p_now_ms;
    s.confirmed_at_ms := 0;
    s.replays := 0;
    s.origin := p_origin;
    s.refresh_at_ms := least(p_refresh_at_ms, s.absolute_at_ms);
    IF s.pending_roles IS NOT NULL THEN
      s.roles := s.pending_roles;
      s.pending_roles := NULL;
      s.roles_generation := s.generation;
    END IF;
  END IF;
  IF p_idle_at_ms IS NOT NULL THEN
    s.last_seen_at_ms := greatest(s.last_seen_at_ms, p_now_ms);
    s.idle_at_ms := greatest(s.idle_at_ms,
      least(CASE WHEN s.persistent THEN p_persistent_idle_at_ms ELSE p_idle_at_ms END, s.absolute_at_ms));
  END IF;
  answer.stamp := countersign.stamp_of(s.tag, s.stamped, p_floor_ms, p_now_ms);
  IF p_access_ms <> 0 THEN
    s.last_exp_ms := greatest(s.last_exp_ms, answer.stamp + p_access_ms);
  END IF;
  UPDATE countersign.sessions SET
    roles = s.roles, pending_roles = s.pending_roles, roles_generation = s.roles_generation,
    last_seen_at_ms = s.last_seen_at_ms, idle_at_ms = s.idle_at_ms, refresh_at_ms = s.refresh_at_ms,
    last_exp_ms = s.last_exp_ms, generation = s.generation, hash = s.hash, previous_hash = s.previous_hash,
    rotation_key = s.rotation_key, mac_key = s.mac_key, rotated_at_ms = s.rotated_at_ms,
    handed_out_at_ms = s.handed_out_at_ms, confirmed_at_ms = s.confirmed_at_ms, replays = s.replays,
    origin = s.origin,
    keep_until_ms =
      countersign.keep_until(s.idle_at_ms, s.absolute_at_ms, s.refresh_at_ms, s.last_exp_ms, s.stamped)
    WHERE id = p_id;
  IF s.stamped THEN
    PERFORM countersign.note_stamp(s.tag, s.subject, s.tenant, answer.stamp, s.last_exp_ms + 300000, p_now_ms);
  END IF;
  answer.session := s;
  RETURN answer;
END $$;

-- SessionStore.end. Answers the epoch, and in ids the session if this call ended one that was live.
-- Params: p_id; p_why; p_unknown_until_ms how long a tombstone of an unknown id is kept; p_stamped whether an unknown id
-- is entered in the revocation record as well; p_now_ms
CREATE FUNCTION countersign.end_session(
  p_id text, p_why text, p_unknown_until_ms bigint, p_stamped boolean, p_now_ms bigint
) RETURNS countersign.outcome
LANGUAGE plpgsql AS $$
DECLARE
  gate countersign.subjects;
  last_id text;
  was record;
  answer countersign.outcome;
BEGIN
  PERFORM countersign.must_last();
  gate := countersign.lock_subject(left(p_id, 12), true);
  last_id := countersign.follow(p_id);
  answer.epoch := gate.epoch;
  answer.ids := '{}';
  SELECT ended_at_ms, least(idle_at_ms, absolute_at_ms) AS deadline_ms INTO was
    FROM countersign.sessions WHERE id = last_id;
  IF NOT FOUND THEN
    PERFORM countersign.bury(gate.tag, last_id, p_why, NULL, p_unknown_until_ms, p_now_ms);
    IF p_stamped AND EXISTS (SELECT FROM countersign.revocations WHERE tag = gate.tag) THEN
      PERFORM countersign.deny(gate.tag, '', NULL, 'sid', last_id, p_why, p_unknown_until_ms, p_now_ms);
    END IF;
  ELSIF was.ended_at_ms IS NULL THEN
    PERFORM countersign.end_record(last_id, p_why, NULL, p_now_ms);
    IF was.deadline_ms > p_now_ms THEN
      answer.ids := ARRAY[last_id];
    END IF;
  END IF;
  RETURN answer;
END $$;

-- SessionStore.endSubject. Answers the epoch and the ids of the live sessions that this call ended. Sets instead of one
-- session after the other, because there may be a thousand.
-- Params: p_tag; p_why; p_except the session to spare or NULL; p_block true blocks, false unblocks, NULL leaves it; p_now_ms
CREATE FUNCTION countersign.end_subject(p_tag text, p_why text, p_except text, p_block boolean, p_now_ms bigint)
RETURNS countersign.outcome
LANGUAGE plpgsql AS $$
DECLARE
  spared text;
  last_stamped record;
  answer countersign.outcome;
BEGIN
  PERFORM countersign.must_last();
  PERFORM countersign.lock_subject(p_tag, true);
  IF p_except IS NOT NULL THEN
    spared := countersign.follow(p_except);
  END IF;
  SELECT coalesce(array_agg(id), '{}') INTO answer.ids FROM countersign.sessions
    WHERE tag = p_tag AND ended_at_ms IS NULL AND id IS DISTINCT FROM spared
      AND least(idle_at_ms, absolute_at_ms) > p_now_ms;

  SELECT entered, subject, tenant INTO last_stamped FROM countersign.sessions
    WHERE tag = p_tag AND ended_at_ms IS NULL AND id IS DISTINCT FROM spared AND stamped
    ORDER BY entered DESC LIMIT 1;
  IF FOUND THEN
    PERFORM countersign.open_revocations(p_tag, last_stamped.subject, last_stamped.tenant, p_now_ms);
    -- As if they ended one after the other: each takes away what is over, so of those that are, the last stays.
    WITH denied AS (
      INSERT INTO countersign.denials (tag, kind, id, why, until_ms)
        SELECT tag, 'sid', id, p_why, last_exp_ms + 300000 FROM countersign.sessions
        WHERE tag = p_tag AND ended_at_ms IS NULL AND id IS DISTINCT FROM spared AND stamped
          AND (last_exp_ms + 300000 > p_now_ms OR entered = last_stamped.entered)
        ON CONFLICT (tag, kind, id) DO UPDATE SET why = excluded.why, until_ms = excluded.until_ms
        RETURNING until_ms
    )
    UPDATE countersign.revocations
      SET until_ms = greatest(until_ms, (SELECT max(denied.until_ms) FROM denied)) WHERE tag = p_tag;
  END IF;

  DELETE FROM countersign.sessions
    WHERE tag = p_tag AND ended_at_ms IS NULL AND id IS DISTINCT FROM spared AND keep_until_ms <= p_now_ms;
  UPDATE countersign.sessions SET
    ended_at_ms = p_now_ms, why = p_why,
    subject = NULL, tenant = NULL, identity = NULL, auth_time_ms = NULL, persistent = NULL, stamped = NULL,
    version = NULL, data = NULL, data_version = NULL, more = NULL, operations = NULL, roles = NULL,
    pending_roles = NULL, roles_generation = NULL,
    created_at_ms = NULL, last_seen_at_ms = NULL, idle_at_ms = NULL, absolute_at_ms = NULL, refresh_at_ms = NULL,
    last_exp_ms = NULL, generation = NULL, hash = NULL, previous_hash = NULL, rotation_key = NULL, mac_key = NULL,
    rotated_at_ms = NULL, handed_out_at_ms = NULL, confirmed_at_ms = NULL, replays = NULL, origin = NULL
    WHERE tag = p_tag AND ended_at_ms IS NULL AND id IS DISTINCT FROM spared;
  PERFORM countersign.cap_tombstones(p_tag);
  PERFORM countersign.raise_not_before(p_tag, p_now_ms);
  answer.epoch := countersign.move_epoch(p_tag, p_block, p_now_ms);
  RETURN answer;
END $$;

-- SessionStore.setRoles. Answers the epoch and the ids of the live sessions that changed.
-- Params: p_tag; p_roles; p_now_ms
CREATE FUNCTION countersign.set_roles(p_tag text, p_roles text[], p_now_ms bigint) RETURNS countersign.outcome
LANGUAGE plpgsql AS $$
DECLARE
  changed bigint;
  answer countersign.outcome;
BEGIN
  PERFORM countersign.must_last();
  PERFORM countersign.lock_subject(p_tag, true);
  WITH told AS (
    SELECT id, roles, pending_roles, ARRAY(
        SELECT role FROM unnest(roles) WITH ORDINALITY AS had(role, place) WHERE role = ANY (p_roles) ORDER BY place
      ) AS kept
    FROM countersign.sessions WHERE tag = p_tag AND ended_at_ms IS NULL
  ), wanted AS (
    SELECT id, roles, pending_roles, kept, CASE WHEN p_roles <@ kept THEN NULL ELSE p_roles END AS pending FROM told
  ), done AS (
    UPDATE countersign.sessions AS s SET roles = wanted.kept, pending_roles = wanted.pending FROM wanted
    WHERE s.id = wanted.id
      AND (cardinality(wanted.kept) <> cardinality(wanted.roles) OR wanted.pending IS DISTINCT FROM wanted.pending_roles)
    RETURNING s.id, least(s.idle_at_ms, s.absolute_at_ms) > p_now_ms AS is_live
  )
  SELECT count(*), coalesce(array_agg(id) FILTER (WHERE is_live), '{}') INTO changed, answer.ids FROM done;
  -- Also for a session past its deadline: an access token of it may not be.
  IF changed > 0 THEN
    PERFORM countersign.raise_not_before(p_tag, p_now_ms);
  END IF;
  answer.epoch := countersign.move_epoch(p_tag, NULL, p_now_ms);
  RETURN answer;
END $$;

-- RevocationStore.deny. Returns the epoch.
-- Params: p_tag, p_subject, p_tenant whose; p_jti; p_until_ms; p_now_ms
CREATE FUNCTION countersign.deny_token(
  p_tag text, p_subject text, p_tenant text, p_jti text, p_until_ms bigint, p_now_ms bigint
) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
  gate countersign.subjects;
BEGIN
  PERFORM countersign.must_last();
  gate := countersign.lock_subject(p_tag, true);
  PERFORM countersign.deny(p_tag, p_subject, p_tenant, 'jti', p_jti, NULL, p_until_ms, p_now_ms);
  RETURN gate.epoch;
END $$;

-- SessionStore.raiseFloor. Returns the floor.
-- Params: p_why; p_now_ms
CREATE FUNCTION countersign.raise_floor(p_why text, p_now_ms bigint) RETURNS bigint
LANGUAGE plpgsql AS $$
BEGIN
  PERFORM countersign.must_last();
  UPDATE countersign.meta SET floor_ms = p_now_ms, floor_why = p_why WHERE id = 1 AND floor_ms < p_now_ms;
  RETURN (SELECT floor_ms FROM countersign.meta WHERE id = 1);
END $$;

-- SessionStore.sweep. Deletes up to `p_limit` rows and returns how many. What somebody else is working on is passed over
-- and comes again.
-- Params: p_limit; p_now_ms
CREATE FUNCTION countersign.sweep(p_limit bigint, p_now_ms bigint) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
  gone bigint;
  batch bigint;
  one text;
  last_use bigint;
BEGIN
  PERFORM countersign.may_be_lost();
  -- The subject is locked first, as by every step; what a step has changed meanwhile is looked at again by the DELETE.
  WITH over AS (
    SELECT s.id FROM countersign.sessions AS s JOIN countersign.subjects AS u ON u.tag = s.tag
    WHERE s.sweep_bucket <= p_now_ms >> 20 AND s.keep_until_ms <= p_now_ms
    ORDER BY s.sweep_bucket LIMIT p_limit FOR UPDATE OF u SKIP LOCKED
  )
  DELETE FROM countersign.sessions AS s USING over WHERE s.id = over.id AND s.keep_until_ms <= p_now_ms;
  GET DIAGNOSTICS gone = ROW_COUNT;

  WITH over AS (
    SELECT r.tag FROM countersign.revocations AS r JOIN countersign.subjects AS u ON u.tag = r.tag
    WHERE r.until_ms <= p_now_ms ORDER BY r.until_ms LIMIT p_limit - gone FOR UPDATE OF u SKIP LOCKED
  ), records AS (
    DELETE FROM countersign.revocations AS r USING over WHERE r.tag = over.tag AND r.until_ms <= p_now_ms
    RETURNING r.tag
  ), entries AS (
    DELETE FROM countersign.denials AS d USING records WHERE d.tag = records.tag
  )
  SELECT count(*) INTO batch FROM records;
  gone := gone + batch;

  DELETE FROM countersign.once WHERE place IN (
    SELECT place FROM countersign.once WHERE until_ms <= p_now_ms
    ORDER BY until_ms LIMIT p_limit - gone FOR UPDATE SKIP LOCKED
  );
  GET DIAGNOSTICS batch = ROW_COUNT;
  gone := gone + batch;
  DELETE FROM countersign.claims WHERE digest IN (
    SELECT digest FROM countersign.claims WHERE until_ms <= p_now_ms
    ORDER BY until_ms LIMIT p_limit - gone FOR UPDATE SKIP LOCKED
  );
  GET DIAGNOSTICS batch = ROW_COUNT;
  gone := gone + batch;

  FOR one IN
    SELECT tag FROM countersign.subjects WHERE NOT blocked AND keep_until_ms <= p_now_ms
    ORDER BY keep_until_ms LIMIT p_limit - gone FOR UPDATE SKIP LOCKED
  LOOP
    last_use := greatest(
      (SELECT max(keep_until_ms) FROM countersign.sessions WHERE tag = one),
      (SELECT until_ms FROM countersign.revocations WHERE tag = one)
    );
    IF last_use IS NULL THEN
      DELETE FROM countersign.subjects WHERE tag = one;
      gone := gone + 1;
    ELSE
      UPDATE countersign.subjects SET keep_until_ms = last_use WHERE tag = one;
    END IF;
  END LOOP;
  RETURN gone;
END $$;

-- AccountStore.create. Returns whether it was created.
-- Params: p_account the row as JSON
CREATE FUNCTION countersign.create_account(p_account json) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
  a countersign.accounts := json_populate_record(NULL::countersign.accounts, p_account);
BEGIN
  PERFORM countersign.must_last();
  INSERT INTO countersign.accounts (
    tag, format, subject, tenant, identifier, version, password_hash, password_changed_at_ms, roles, blocked,
    created_at_ms, email_verified_at_ms, unsettled
  ) VALUES (
    a.tag, a.format, a.subject, a.tenant, a.identifier, a.version, a.password_hash, a.password_changed_at_ms, a.roles,
    a.blocked, a.created_at_ms, a.email_verified_at_ms, a.unsettled
  ) ON CONFLICT DO NOTHING;
  RETURN FOUND;
END $$;

-- AccountStore.replace. Returns stored, conflict or unknown. Whose it is and the identifier stay.
-- Params: p_account the row as JSON; p_expected the version that was read
CREATE FUNCTION countersign.replace_account(p_account json, p_expected bigint) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
  a countersign.accounts := json_populate_record(NULL::countersign.accounts, p_account);
BEGIN
  PERFORM countersign.must_last();
  UPDATE countersign.accounts SET
    version = a.version, password_hash = a.password_hash, password_changed_at_ms = a.password_changed_at_ms,
    roles = a.roles, blocked = a.blocked, created_at_ms = a.created_at_ms,
    email_verified_at_ms = a.email_verified_at_ms, unsettled = a.unsettled
    WHERE tag = a.tag AND version = p_expected;
  IF FOUND THEN
    RETURN 'stored';
  END IF;
  RETURN CASE WHEN EXISTS (SELECT FROM countersign.accounts WHERE tag = a.tag) THEN 'conflict' ELSE 'unknown' END;
END $$;

-- OnceStore.put.
-- Params: p_place; p_hash; p_body; p_until_ms
CREATE FUNCTION countersign.put_once(p_place bytea, p_hash bytea, p_body bytea, p_until_ms bigint) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
  PERFORM countersign.must_last();
  INSERT INTO countersign.once (place, hash, until_ms, body) VALUES (p_place, p_hash, p_until_ms, p_body)
    ON CONFLICT (place) DO UPDATE SET hash = excluded.hash, until_ms = excluded.until_ms, body = excluded.body;
END $$;

-- OnceStore.take. Returns what was there, or NULL. Of several at once the first deletes the row; the others wait for it
-- and then find none.
-- Params: p_place; p_hash; p_now_ms
CREATE FUNCTION countersign.take_once(p_place bytea, p_hash bytea, p_now_ms bigint) RETURNS bytea
LANGUAGE plpgsql AS $$
DECLARE
  taken bytea;
BEGIN
  PERFORM countersign.must_last();
  DELETE FROM countersign.once WHERE place = p_place AND hash = p_hash AND until_ms > p_now_ms
    RETURNING body INTO taken;
  RETURN taken;
END $$;

-- OnceStore.claim. Returns whether it is the caller's.
-- Params: p_digest of scope and id; p_until_ms; p_now_ms
CREATE FUNCTION countersign.claim_once(p_digest bytea, p_until_ms bigint, p_now_ms bigint) RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
  PERFORM countersign.must_last();
  INSERT INTO countersign.claims AS c (digest, until_ms) VALUES (p_digest, p_until_ms)
    ON CONFLICT (digest) DO UPDATE SET until_ms = excluded.until_ms WHERE c.until_ms <= p_now_ms;
  RETURN FOUND;
END $$;
