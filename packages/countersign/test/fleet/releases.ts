// The releases of the test of a mixed fleet.
import { join } from 'node:path'
import { migrations as postgresMigrations } from '../../src/stores/postgres/migrations.generated.ts'
import { migrations as sqliteMigrations } from '../../src/stores/sqlite/migrations.generated.ts'
import type { ReleaseChanges } from './release.ts'

/** N−1: the reader and the writer of the release before, which are kept in `previous/`. */
export const PREVIOUS: ReleaseChanges = {
  over: join(import.meta.dirname, 'previous'),
  schema: { sqlite: 2, postgres: 2 },
}

const nextFile = (store: string, count: number) =>
  `stores/${store}/migrations/${String(count + 1).padStart(4, '0')}-probe.sql`

const ADD_ON_ROTATION = `{ format: 17, text: JSON.stringify({ probe: record.subject }) }`

/**
 * N: the present sources with the next minor format. It adds a member `probe` to every session that it opens, on Redis and
 * SQLite also to those that it rotates, shows it to callers, and brings migrations of its own.
 */
export const NEXT: ReleaseChanges = {
  edits: [
    { file: 'session/record.ts', from: 'RECORD_FORMAT: Format = 1\n', to: 'RECORD_FORMAT: Format = 17\n' },
    { file: 'stores/redis/scripts/includes/segments.lua', from: 'FORMAT, MINOR = 1, 16', to: 'FORMAT, MINOR = 17, 16' },
    {
      file: 'verbs/issue.ts',
      from: '    origin: originOf(context),\n  }',
      to: '    origin: originOf(context),\n    more: { format: 17, text: JSON.stringify({ probe: ref.subject }) },\n  }',
    },
    {
      file: 'session/view.ts',
      from: '    version: record.version,\n',
      to: "    version: record.version,\n    probe: JSON.parse(record.more?.text || '{}').probe,\n",
    },
    {
      file: 'stores/redis/scripts/rotate-session-3.lua',
      from: '  record.generation = record.generation + 1\n',
      to: `  record.generation = record.generation + 1
  record.format, record.more = FORMAT, record.more or '{"probe":"' .. record.subject .. '"}'\n`,
    },
    {
      file: 'stores/steps/rotate.ts',
      from: '    ...record,\n    generation,\n',
      to: `    ...record,\n    more: record.more ?? ${ADD_ON_ROTATION},\n    generation,\n`,
    },
  ],
  files: {
    [nextFile('sqlite', sqliteMigrations.length)]: `-- @readable-from ${PREVIOUS.schema!.sqlite}
ALTER TABLE sessions ADD COLUMN probe TEXT;
CREATE INDEX sessions_by_probe ON sessions (probe) WHERE probe IS NOT NULL;
`,
    [nextFile('postgres', postgresMigrations.length)]: `-- @readable-from ${PREVIOUS.schema!.postgres}
ALTER TABLE countersign.sessions ADD COLUMN probe text;

-- What the steps of the release before write goes through here as well.
-- Params: none
CREATE FUNCTION countersign.add_probe() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.more IS NULL AND NEW.generation > OLD.generation THEN
    -- Text of the application holds JSON's escapes.
    NEW.more := trim('"' FROM to_json(json_build_object('probe', NEW.subject)::text)::text);
    NEW.format := 17;
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER probe BEFORE UPDATE ON countersign.sessions FOR EACH ROW EXECUTE FUNCTION countersign.add_probe();
`,
  },
}

/** What the rule forbids: a release that does not write back what it does not know. */
export const FORGETFUL: ReleaseChanges = {
  edits: [
    {
      file: 'stores/redis/scripts/includes/record.lua',
      from: "  if r.more then\n    put('more', segment(r.more))\n  end\n",
      to: '',
    },
  ],
}

/** What the rule forbids, too: a release that writes another major at once. */
export const OTHER_MAJOR: ReleaseChanges = {
  edits: [
    { file: 'session/record.ts', from: 'RECORD_FORMAT: Format = 1\n', to: 'RECORD_FORMAT: Format = 2\n' },
    { file: 'stores/redis/scripts/includes/segments.lua', from: 'FORMAT, MINOR = 1, 16', to: 'FORMAT, MINOR = 2, 16' },
  ],
}
