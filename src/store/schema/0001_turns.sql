-- Sessions and turns: what was asked, what the policy answered, token by token.
-- Small columns stand first, so that reading them does not walk through long texts.

CREATE TABLE session (
    id         INTEGER PRIMARY KEY,
    key        TEXT NOT NULL UNIQUE,      -- the public name, as in X-Session-Id
    source     TEXT NOT NULL,
    started_at INTEGER NOT NULL,          -- all times: Unix milliseconds
    closed_at  INTEGER,
    last_turn  INTEGER REFERENCES turn (id), -- newest main-line turn; lists are ordered by it
    cwd        TEXT,
    title      TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE INDEX session_by_last_turn ON session (last_turn);

-- AUTOINCREMENT: the id of a forgotten turn is never given to another one.
CREATE TABLE turn (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    session    INTEGER NOT NULL REFERENCES session (id),
    parent     INTEGER REFERENCES turn (id),
    kind       TEXT NOT NULL,
    source     TEXT NOT NULL,
    started_at INTEGER NOT NULL,
    policy     INTEGER NOT NULL,
    n_prompt   INTEGER NOT NULL,
    model      TEXT NOT NULL,
    cwd        TEXT,
    settings   TEXT NOT NULL,             -- JSON
    messages   TEXT NOT NULL              -- JSON list: what came after the parent's response
) STRICT;
CREATE INDEX turn_by_session ON turn (session, kind);
CREATE INDEX turn_by_parent ON turn (parent) WHERE parent IS NOT NULL;

-- The prompt as served: token ids as LEB128.
CREATE TABLE turn_prompt (
    turn INTEGER PRIMARY KEY REFERENCES turn (id),
    ids  BLOB NOT NULL
) STRICT;

-- Turns without an end. What is left in here at a start was interrupted by a crash.
CREATE TABLE running (
    turn INTEGER PRIMARY KEY REFERENCES turn (id)
) STRICT;

-- A running turn's tokens so far. They become one response when the turn ends.
CREATE TABLE chunk (
    turn     INTEGER NOT NULL REFERENCES turn (id),
    seq      INTEGER NOT NULL,
    n_tokens INTEGER NOT NULL,
    ids      BLOB NOT NULL,               -- LEB128
    logprobs BLOB NOT NULL,               -- f32, little-endian
    text     TEXT NOT NULL,
    PRIMARY KEY (turn, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE response (
    turn     INTEGER PRIMARY KEY REFERENCES turn (id),
    ended_at INTEGER NOT NULL,
    ending   TEXT NOT NULL,
    n_tokens INTEGER NOT NULL,
    error    TEXT,
    ids      BLOB NOT NULL,
    logprobs BLOB NOT NULL,
    text     TEXT NOT NULL
) STRICT;

-- Full-text search over ended turns. The words are not stored twice: the index reads them through the view, and
-- with secure-delete a removed turn leaves nothing behind in it.
CREATE VIEW turn_words (turn, request, response) AS
SELECT turn.id,
       (SELECT group_concat(value ->> 'content', char(10))
          FROM json_each(turn.messages) WHERE value ->> 'role' = 'user'),
       response.text
  FROM turn JOIN response ON response.turn = turn.id;

CREATE VIRTUAL TABLE turn_text USING fts5 (
    request, response,
    content = 'turn_words', content_rowid = 'turn',
    tokenize = 'unicode61 remove_diacritics 2'
);
INSERT INTO turn_text (turn_text, rank) VALUES ('secure-delete', 1);
