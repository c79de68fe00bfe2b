-- Which policy serves. One row for each change, never rewritten; the newest row of a base says what serves with it.
CREATE TABLE serving (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    at      INTEGER NOT NULL,             -- Unix milliseconds
    version INTEGER NOT NULL,             -- 0: the base itself
    base    TEXT NOT NULL,                -- SHA-256 of the model file
    reason  TEXT NOT NULL
) STRICT;
CREATE INDEX serving_by_base ON serving (base);
