-- Version 6. The operator API has tokens of its own, and an audit log.

CREATE TABLE token (
    id         TEXT PRIMARY KEY,
    name       TEXT NOT NULL,
    role       TEXT NOT NULL,
    digest     BLOB NOT NULL,        -- SHA-256 of the text, which is kept nowhere
    created_ms INTEGER NOT NULL,
    created_by TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE audit (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    at_ms     INTEGER NOT NULL,
    actor     TEXT NOT NULL,
    client_ip TEXT NOT NULL,
    action    TEXT NOT NULL,
    app       INTEGER NOT NULL,      -- 0: it was about no app
    what      TEXT NOT NULL
) STRICT;

-- The copies of an app are found when it is deleted.
CREATE INDEX audit_copy_by_app ON audit_copy (app);
