-- What was said by when: for what goes by itself after so many days, and for the report of what is kept. Of a forgotten
-- turn only its place is left (its settings are null); it is not among them.
CREATE INDEX turn_by_time ON turn (started_at, source) WHERE settings <> 'null';
