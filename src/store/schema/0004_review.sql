-- The review pane: what a person takes out of learning, what a lesson was before a change, and ways into long lists.

-- Nothing is learned from these: no lesson is drawn from them, and no run is taught them.
CREATE TABLE excluded_turn (
    turn INTEGER PRIMARY KEY REFERENCES turn (id),
    at   INTEGER NOT NULL                 -- all times: Unix milliseconds
) STRICT;
CREATE TABLE excluded_session (
    session INTEGER PRIMARY KEY REFERENCES session (id),
    at      INTEGER NOT NULL
) STRICT;
CREATE TABLE excluded_project (
    folder TEXT PRIMARY KEY,              -- with all below it; without a slash at its end
    at     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- JSON: the lesson as it stood before the change, for taking it back. NULL: not kept.
ALTER TABLE lesson_event ADD COLUMN before TEXT;

CREATE INDEX turn_by_source ON turn (source, kind);
CREATE INDEX turn_by_cwd ON turn (cwd, kind) WHERE cwd IS NOT NULL;
CREATE INDEX verdict_by_rule ON verdict (rule, turn) WHERE is_newest = 1;
