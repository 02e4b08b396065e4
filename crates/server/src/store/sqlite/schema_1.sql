-- Version 1. Every hot row stands under a key that begins with (app, account) or (app, conversation).

CREATE TABLE meta (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE app (
    app      INTEGER PRIMARY KEY,
    settings TEXT NOT NULL          -- JSON; holds the app's secrets, so the data folder is for the server alone
) STRICT;

-- One row for an account holds its total, its lane's counter and the number of its latest sync event.
CREATE TABLE account (
    app         INTEGER NOT NULL,
    user        TEXT NOT NULL,
    serial      INTEGER NOT NULL,
    unread      INTEGER NOT NULL,
    lane_place  INTEGER NOT NULL,
    lane_last   INTEGER NOT NULL,
    sync_number INTEGER NOT NULL,
    sync_last   INTEGER NOT NULL,   -- the row of its latest sync event; 0 if it has none
    nick        TEXT NOT NULL DEFAULT '',
    face_url    TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (app, user)
) STRICT, WITHOUT ROWID;

-- A conversation is the unordered pair of its accounts; low is the one whose name sorts first.
CREATE TABLE conversation (
    app                INTEGER NOT NULL,
    low                TEXT NOT NULL,
    high               TEXT NOT NULL,
    position           INTEGER NOT NULL,
    low_unread         INTEGER NOT NULL,
    low_read_position  INTEGER NOT NULL,
    high_unread        INTEGER NOT NULL,
    high_read_position INTEGER NOT NULL,
    lane_place         INTEGER NOT NULL,
    lane_last          INTEGER NOT NULL,
    PRIMARY KEY (app, low, high)
) STRICT, WITHOUT ROWID;

-- Clustered by what names a message, so that a recall touches one tree. A tombstone has the flag 2 and no text.
CREATE TABLE message (
    app          INTEGER NOT NULL,
    low          TEXT NOT NULL,
    high         TEXT NOT NULL,
    seq          INTEGER NOT NULL,
    random       INTEGER NOT NULL,
    time         INTEGER NOT NULL,  -- seconds
    direction    INTEGER NOT NULL,  -- 0: low to high, 1: high to low
    position     INTEGER NOT NULL,  -- in the commit order of the conversation
    flags        INTEGER NOT NULL,
    content_hash INTEGER NOT NULL,
    types        TEXT NOT NULL,
    custom_data  TEXT NOT NULL,
    body         TEXT NOT NULL,
    PRIMARY KEY (app, low, high, seq, random, time)
) STRICT, WITHOUT ROWID;

CREATE INDEX message_by_time ON message (app, low, high, time, seq, position);
CREATE UNIQUE INDEX message_by_position ON message (app, low, high, position);

-- What the devices of an account have to learn: references, never text. Those of all accounts stand one after the other,
-- as they were committed, and each names the one before it of its account. So writing them touches one page for dozens,
-- and the oldest ones are at the beginning.
CREATE TABLE sync_event (
    id        INTEGER PRIMARY KEY,
    previous  INTEGER NOT NULL,     -- the row of the account's sync event before this one; 0 if it is the first
    number    INTEGER NOT NULL,
    kind      INTEGER NOT NULL,
    peer      TEXT NOT NULL,
    direction INTEGER NOT NULL,
    seq       INTEGER NOT NULL,
    random    INTEGER NOT NULL,
    time      INTEGER NOT NULL
) STRICT;

-- The only queue. A delivered event leaves it.
CREATE TABLE outbox (
    app        INTEGER NOT NULL,
    lane       TEXT NOT NULL,
    place      INTEGER NOT NULL,
    number     INTEGER NOT NULL,
    previous   INTEGER NOT NULL,
    id         TEXT NOT NULL,
    command    TEXT NOT NULL,
    client_ip  TEXT NOT NULL,
    platform   TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    attempts   INTEGER NOT NULL,
    refusals   INTEGER NOT NULL,    -- how many of the attempts were refused
    due_ms     INTEGER NOT NULL,
    body       BLOB NOT NULL,
    PRIMARY KEY (app, lane, place)
) STRICT, WITHOUT ROWID;

-- Events that are no longer tried, with the reason.
CREATE TABLE parked (
    app        INTEGER NOT NULL,
    lane       TEXT NOT NULL,
    place      INTEGER NOT NULL,
    number     INTEGER NOT NULL,
    previous   INTEGER NOT NULL,
    id         TEXT NOT NULL,
    command    TEXT NOT NULL,
    client_ip  TEXT NOT NULL,
    platform   TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    attempts   INTEGER NOT NULL,
    parked_ms  INTEGER NOT NULL,
    reason     TEXT NOT NULL,
    body       BLOB NOT NULL,
    PRIMARY KEY (app, lane, place)
) STRICT, WITHOUT ROWID;

-- What recalled messages said, for as long as the app wants it kept for the operator.
CREATE TABLE audit_copy (
    erase_ms    INTEGER NOT NULL,
    app         INTEGER NOT NULL,
    low         TEXT NOT NULL,
    high        TEXT NOT NULL,
    seq         INTEGER NOT NULL,
    random      INTEGER NOT NULL,
    time        INTEGER NOT NULL,
    custom_data TEXT NOT NULL,
    body        TEXT NOT NULL,
    PRIMARY KEY (erase_ms, app, low, high, seq, random, time)
) STRICT, WITHOUT ROWID;
