-- Version 4. Clients have sessions; a message knows its sender's clock, and a tombstone who took it back.

ALTER TABLE message ADD COLUMN client_time INTEGER NOT NULL DEFAULT 0;  -- seconds; 0: the message's own time
ALTER TABLE message ADD COLUMN recalled_by TEXT NOT NULL DEFAULT '';

CREATE TABLE session (
    app       INTEGER NOT NULL,
    user      TEXT NOT NULL,
    id        TEXT NOT NULL,
    platform  TEXT NOT NULL,
    client_ip TEXT NOT NULL,
    since_ms  INTEGER NOT NULL,      -- when it logged in
    PRIMARY KEY (app, user, id)
) STRICT, WITHOUT ROWID;
