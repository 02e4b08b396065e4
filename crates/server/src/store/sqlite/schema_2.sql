-- Version 2. What is owed is written once, into a log in commit order; outbox and parked refer to it. So delivered events
-- can be kept for a while and sent again, and what is waiting is counted as it comes and goes.

ALTER TABLE outbox RENAME TO outbox_1;
ALTER TABLE parked RENAME TO parked_1;

CREATE TABLE event (
    id         INTEGER PRIMARY KEY,  -- in commit order; part of the event's name
    name       TEXT NOT NULL,
    app        INTEGER NOT NULL,
    lane       TEXT NOT NULL,
    number     INTEGER NOT NULL,
    command    TEXT NOT NULL,
    client_ip  TEXT NOT NULL,
    platform   TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    body       BLOB NOT NULL
) STRICT;

-- The only queue. A delivered event leaves it. An event stands at the place of its number, a replay behind.
CREATE TABLE outbox (
    app                  INTEGER NOT NULL,
    lane                 TEXT NOT NULL,
    place                INTEGER NOT NULL,
    event                INTEGER NOT NULL,
    bytes                INTEGER NOT NULL,  -- of its body
    has_text             INTEGER NOT NULL,  -- 1: its row in the log is erased when it is delivered
    previous             INTEGER NOT NULL,
    replay               INTEGER NOT NULL,
    attempts             INTEGER NOT NULL,
    refusals             INTEGER NOT NULL,  -- how many of the attempts were refused
    unavailable_since_ms INTEGER,
    age_from_ms          INTEGER NOT NULL,
    due_ms               INTEGER NOT NULL,
    PRIMARY KEY (app, lane, place)
) STRICT, WITHOUT ROWID;

CREATE INDEX outbox_replays ON outbox (event) WHERE replay = 1;

-- Events that are no longer tried, with the reason.
CREATE TABLE parked (
    app       INTEGER NOT NULL,
    lane      TEXT NOT NULL,
    place     INTEGER NOT NULL,
    event     INTEGER NOT NULL,
    replay    INTEGER NOT NULL,
    attempts  INTEGER NOT NULL,
    parked_ms INTEGER NOT NULL,
    reason    TEXT NOT NULL,
    PRIMARY KEY (app, lane, place)
) STRICT, WITHOUT ROWID;

CREATE INDEX parked_replays ON parked (event) WHERE replay = 1;

-- One row for each app that ever owed something.
CREATE TABLE backlog (
    app           INTEGER PRIMARY KEY,
    waiting       INTEGER NOT NULL,
    waiting_bytes INTEGER NOT NULL,
    parked        INTEGER NOT NULL
) STRICT;

-- The conversations of an account are found from both ends. Its counters are not in it, so a recall pays nothing for it.
CREATE INDEX conversation_by_high ON conversation (app, high);

INSERT INTO event (name, app, lane, number, command, client_ip, platform, created_ms, body)
SELECT id, app, lane, number, command, client_ip, platform, created_ms, body FROM (
    SELECT id, app, lane, place, number, command, client_ip, platform, created_ms, body FROM outbox_1
    UNION ALL
    SELECT id, app, lane, place, number, command, client_ip, platform, created_ms, body FROM parked_1
) ORDER BY created_ms, app, lane, place;

CREATE INDEX event_by_name ON event (name);

INSERT INTO outbox (app, lane, place, event, bytes, has_text, previous, replay, attempts, refusals, age_from_ms, due_ms)
SELECT o.app, o.lane, o.place, event.id, length(o.body), o.command = 'C2C.CallbackAfterSendMsg', o.previous, 0,
       o.attempts, o.refusals, o.created_ms, o.due_ms
FROM outbox_1 AS o JOIN event ON event.name = o.id;

INSERT INTO parked (app, lane, place, event, replay, attempts, parked_ms, reason)
SELECT p.app, p.lane, p.place, event.id, 0, p.attempts, p.parked_ms, p.reason
FROM parked_1 AS p JOIN event ON event.name = p.id;

DROP INDEX event_by_name;

INSERT INTO backlog (app, waiting, waiting_bytes, parked)
SELECT app, sum(waiting), sum(bytes), sum(parked) FROM (
    SELECT app, 1 AS waiting, bytes, 0 AS parked FROM outbox UNION ALL SELECT app, 0, 0, 1 FROM parked
) GROUP BY app;

DROP TABLE outbox_1;
DROP TABLE parked_1;
