-- The loop: what came after an answer, what was concluded from it, the lessons drawn, the runs that taught them to
-- the weights, and the gate's decisions. Facts are appended. What changes in place is where something stands now
-- (a lesson's state, a run's end, the newest verdict of a turn); lesson_event and serving keep how it got there.

-- What came after an answer, in order; a turn may get several.
CREATE TABLE next_state (
    turn  INTEGER NOT NULL REFERENCES turn (id),
    seq   INTEGER NOT NULL,               -- from 0
    at    INTEGER NOT NULL,               -- all times: Unix milliseconds
    kind  TEXT NOT NULL,
    state TEXT NOT NULL,                  -- JSON
    PRIMARY KEY (turn, seq)
) STRICT;
CREATE INDEX next_state_rating ON next_state (turn) WHERE kind = 'rating';

-- Main-line turns with a next state that no verdict has looked at.
CREATE TABLE waiting (
    turn INTEGER PRIMARY KEY REFERENCES turn (id)
) STRICT;

-- Sessions that may fall idle.
CREATE INDEX session_open ON session (last_turn) WHERE closed_at IS NULL AND last_turn IS NOT NULL;

-- What was concluded of a turn. A later next state brings another verdict; the newest one counts.
CREATE TABLE verdict (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    turn       INTEGER NOT NULL REFERENCES turn (id),
    is_newest  INTEGER NOT NULL,          -- 1 or 0
    judged_at  INTEGER NOT NULL,
    source     TEXT NOT NULL,             -- the turn's
    seen       INTEGER NOT NULL,          -- how many of the turn's next states it rests on
    reward     INTEGER,                   -- -1, 0, 1; NULL: abstained
    confidence REAL NOT NULL,
    rule       TEXT NOT NULL,
    model      TEXT NOT NULL,             -- the judge's
    hint       TEXT,
    votes      TEXT NOT NULL              -- JSON list
) STRICT;
CREATE INDEX verdict_by_turn ON verdict (turn);
CREATE UNIQUE INDEX verdict_of_turn ON verdict (turn) WHERE is_newest = 1;
CREATE INDEX verdict_by_reward ON verdict (reward, turn, is_newest) WHERE is_newest = 1;
CREATE INDEX verdict_by_time ON verdict (judged_at, source, reward, is_newest) WHERE is_newest = 1;

-- What the rules found, for the verdict that rests on it.
CREATE TABLE signal (
    verdict      INTEGER NOT NULL REFERENCES verdict (id),
    seq          INTEGER NOT NULL,
    rule         TEXT NOT NULL,
    says         TEXT NOT NULL,
    evidence     TEXT NOT NULL,
    strength     REAL NOT NULL,
    span_start   INTEGER NOT NULL,        -- bytes of the next state's text
    span_end     INTEGER NOT NULL,
    is_directive INTEGER NOT NULL,
    PRIMARY KEY (verdict, seq)
) STRICT, WITHOUT ROWID;

-- AUTOINCREMENT here and below: an id is never given twice.
CREATE TABLE lesson (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    created_at INTEGER NOT NULL,
    origin     TEXT NOT NULL,
    state      TEXT NOT NULL,
    in_version INTEGER,                   -- of a learned one: the version that holds it
    scope      TEXT NOT NULL,
    scope_of   TEXT,                      -- the directory, program or session; NULL: global
    pinned     INTEGER NOT NULL,
    used       INTEGER NOT NULL DEFAULT 0,
    helped     INTEGER NOT NULL DEFAULT 0,
    failed     INTEGER NOT NULL DEFAULT 0,
    retired_by INTEGER REFERENCES lesson (id),
    text       TEXT NOT NULL
) STRICT;
CREATE INDEX lesson_by_state ON lesson (state);
CREATE INDEX lesson_by_scope ON lesson (scope, scope_of);
CREATE INDEX lesson_by_successor ON lesson (retired_by) WHERE retired_by IS NOT NULL;

CREATE VIRTUAL TABLE lesson_text USING fts5 (
    text,
    content = 'lesson', content_rowid = 'id',
    tokenize = 'unicode61 remove_diacritics 2'
);
INSERT INTO lesson_text (lesson_text, rank) VALUES ('secure-delete', 1);

CREATE TABLE lesson_source (
    lesson INTEGER NOT NULL REFERENCES lesson (id),
    turn   INTEGER NOT NULL REFERENCES turn (id),
    PRIMARY KEY (lesson, turn)
) STRICT, WITHOUT ROWID;
CREATE INDEX lesson_source_by_turn ON lesson_source (turn);

-- Which lessons stood in a turn's prompt, and what came of each.
CREATE TABLE lesson_use (
    turn   INTEGER NOT NULL REFERENCES turn (id),
    lesson INTEGER NOT NULL REFERENCES lesson (id),
    rank   INTEGER NOT NULL,              -- from 0, as they stood
    helped INTEGER,                       -- 1, 0; NULL: not known
    PRIMARY KEY (turn, lesson)
) STRICT, WITHOUT ROWID;
CREATE INDEX lesson_use_by_lesson ON lesson_use (lesson, turn);

CREATE TABLE lesson_event (
    id     INTEGER PRIMARY KEY AUTOINCREMENT,
    lesson INTEGER NOT NULL REFERENCES lesson (id),
    at     INTEGER NOT NULL,
    what   TEXT NOT NULL,
    by     TEXT NOT NULL,
    reason TEXT NOT NULL,
    detail TEXT                           -- JSON: what it was before, or what it was about
) STRICT;
CREATE INDEX lesson_event_by_lesson ON lesson_event (lesson);

-- Training runs. At most one has no end; a crash leaves it so, and the next start ends it as interrupted.
CREATE TABLE learn_run (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    started_at  INTEGER NOT NULL,
    ended_at    INTEGER,
    state       TEXT NOT NULL,
    base        TEXT NOT NULL,            -- SHA-256 of the model file
    parent      INTEGER NOT NULL,         -- the version that training goes on from; 0: from nothing
    serving     INTEGER NOT NULL,         -- what served with this base at the start
    candidate   INTEGER,
    seed        INTEGER NOT NULL,         -- 64 bits, as a signed number
    after_event INTEGER NOT NULL,         -- newest lesson_event at the start
    dial        TEXT NOT NULL,
    counts      TEXT NOT NULL,            -- JSON
    reason      TEXT,
    error       TEXT
) STRICT;
CREATE INDEX learn_run_by_state ON learn_run (state);
CREATE INDEX learn_run_open ON learn_run (id) WHERE ended_at IS NULL;
CREATE UNIQUE INDEX learn_run_candidate ON learn_run (candidate) WHERE candidate IS NOT NULL;

CREATE INDEX serving_by_version ON serving (version);

-- What a run learned from, or was measured on.
CREATE TABLE sample (
    run         INTEGER NOT NULL REFERENCES learn_run (id),
    seq         INTEGER NOT NULL,
    turn        INTEGER REFERENCES turn (id),
    lesson      INTEGER REFERENCES lesson (id),
    role        TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    PRIMARY KEY (run, seq)
) STRICT, WITHOUT ROWID;
CREATE INDEX sample_by_turn ON sample (turn, role) WHERE turn IS NOT NULL;
CREATE INDEX sample_by_lesson ON sample (lesson) WHERE lesson IS NOT NULL;

CREATE TABLE gate_result (
    run       INTEGER PRIMARY KEY REFERENCES learn_run (id),
    at        INTEGER NOT NULL,
    decision  TEXT NOT NULL,
    candidate TEXT NOT NULL,              -- JSON: what was measured of each
    serving   TEXT NOT NULL,
    base      TEXT NOT NULL,
    reasons   TEXT NOT NULL               -- JSON list
) STRICT;

-- Which lessons the gate found in the weights of a version.
CREATE TABLE learned (
    version INTEGER NOT NULL,
    lesson  INTEGER NOT NULL REFERENCES lesson (id),
    PRIMARY KEY (version, lesson)
) STRICT, WITHOUT ROWID;
CREATE INDEX learned_by_lesson ON learned (lesson);
