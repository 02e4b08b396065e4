-- Version 1. Every hot row stands under a key that begins with (app, account) or (app, conversation). Names and lanes are
-- printable ASCII and sort by their bytes; what people write is bytea, for text cannot hold U+0000.
--
-- Where two keys of a table begin alike, PostgreSQL may take either for a question, and then read a whole conversation for one
-- message: to its guess both give one row. So other keys begin with (app + 1) or (app + 2), and a question says which it means.

CREATE TABLE app (
    app      bigint PRIMARY KEY,
    settings text NOT NULL              -- JSON; holds the app's secrets, so the database is for the server alone
);

-- Grows with each change of an app, so that every server sees with one small read whether what it knows still holds.
CREATE TABLE apps_version (version bigint NOT NULL);
INSERT INTO apps_version (version) VALUES (0);

CREATE SEQUENCE account_serial;

-- A batch takes a block of rows of the log at once.
CREATE SEQUENCE event_row INCREMENT BY 256;

-- Writers count in rows of their own (backlog).
CREATE SEQUENCE backlog_slot MAXVALUE 64 CYCLE;

-- One row for an account holds its total, its lane's counter and the number of its latest sync event.
CREATE TABLE account (
    app         bigint NOT NULL,
    name        text COLLATE "C" NOT NULL,
    serial      bigint NOT NULL,
    unread      bigint NOT NULL DEFAULT 0,
    lane_place  bigint NOT NULL DEFAULT 0,
    lane_last   bigint NOT NULL DEFAULT 0,
    sync_number bigint NOT NULL DEFAULT 0,
    life        bigint NOT NULL DEFAULT 0,    -- grows when it is deleted
    deleted     boolean NOT NULL DEFAULT false,
    kicked_s    bigint NOT NULL DEFAULT 0,
    nick        bytea NOT NULL DEFAULT '',
    face_url    bytea NOT NULL DEFAULT '',
    PRIMARY KEY (app, name)
) WITH (fillfactor = 70);                      -- room for new versions of a row beside the old one (HOT)

-- A conversation is the unordered pair of its accounts; low is the one whose name sorts first. What a side has noted holds
-- for the life of its account that it names; for another one it is void.
CREATE TABLE conversation (
    app                   bigint NOT NULL,
    low                   text COLLATE "C" NOT NULL,
    high                  text COLLATE "C" NOT NULL,
    position              bigint NOT NULL,
    lane_place            bigint NOT NULL,
    lane_last             bigint NOT NULL,
    low_unread            bigint NOT NULL,
    low_read_position     bigint NOT NULL,
    low_life              bigint NOT NULL,
    low_cleared_position  bigint NOT NULL,
    low_last_time         bigint NOT NULL,     -- seconds; 0: not in its list
    high_unread           bigint NOT NULL,
    high_read_position    bigint NOT NULL,
    high_life             bigint NOT NULL,
    high_cleared_position bigint NOT NULL,
    high_last_time        bigint NOT NULL,
    PRIMARY KEY (app, low, high)
) WITH (fillfactor = 70);

-- The conversations of an account are found from both ends. Its counters are not in it, so that a recall pays nothing for it.
CREATE INDEX conversation_by_high ON conversation (app, high, low);

-- Found by what names a message. A tombstone has the flag 2 and no text.
CREATE TABLE message (
    app          bigint NOT NULL,
    low          text COLLATE "C" NOT NULL,
    high         text COLLATE "C" NOT NULL,
    seq          bigint NOT NULL,
    random       bigint NOT NULL,
    time         bigint NOT NULL,              -- seconds
    direction    smallint NOT NULL,            -- 0: low to high, 1: high to low
    flags        smallint NOT NULL,
    position     bigint NOT NULL,              -- in the commit order of the conversation
    content_hash bigint NOT NULL,
    client_time  bigint NOT NULL,              -- seconds; 0: the message's own time
    recalled_by  text COLLATE "C" NOT NULL DEFAULT '',
    types        bytea NOT NULL,
    custom_data  bytea NOT NULL,
    body         bytea NOT NULL,
    push_info    bytea NOT NULL,
    PRIMARY KEY (app, low, high, seq, random, time)
) WITH (fillfactor = 90);

CREATE UNIQUE INDEX message_by_time ON message ((app + 1), low, high, time, seq, position);
CREATE UNIQUE INDEX message_by_position ON message ((app + 2), low, high, position);

-- What the devices of an account have to learn: references, never text.
CREATE TABLE sync_event (
    app       bigint NOT NULL,
    name      text COLLATE "C" NOT NULL,
    number    bigint NOT NULL,
    kind      smallint NOT NULL,
    direction smallint NOT NULL,
    peer      text COLLATE "C" NOT NULL,
    seq       bigint NOT NULL,
    random    bigint NOT NULL,
    time      bigint NOT NULL,
    PRIMARY KEY (app, name, number)
);

CREATE TABLE blocked (
    app   bigint NOT NULL,
    name  text COLLATE "C" NOT NULL,           -- whose blocklist
    other text COLLATE "C" NOT NULL,
    since bigint NOT NULL,                     -- seconds
    PRIMARY KEY (app, name, other)
);

CREATE TABLE session (
    app       bigint NOT NULL,
    name      text COLLATE "C" NOT NULL,
    id        text COLLATE "C" NOT NULL,
    platform  text NOT NULL,
    client_ip text NOT NULL,
    since_ms  bigint NOT NULL,                 -- when it logged in
    resumes   bytea NOT NULL,                  -- which one it goes on with; '': none
    PRIMARY KEY (app, name, id)
);

-- What is owed is written once, into this log; outbox and parked refer to it.
CREATE TABLE event (
    id         bigint PRIMARY KEY,             -- part of the event's name
    name       text COLLATE "C" NOT NULL,
    app        bigint NOT NULL,
    lane       text COLLATE "C" NOT NULL,
    number     bigint NOT NULL,
    command    text NOT NULL,
    client_ip  text NOT NULL,
    platform   text NOT NULL,
    created_ms bigint NOT NULL,
    request    bigint NOT NULL,                -- which request caused it; 0: none
    body       bytea NOT NULL
);

-- The only queue. A delivered event leaves it. An event stands at the place of its number, a replay behind.
CREATE TABLE outbox (
    app                  bigint NOT NULL,
    lane                 text COLLATE "C" NOT NULL,
    place                bigint NOT NULL,
    event                bigint NOT NULL,
    bytes                bigint NOT NULL,      -- of its body
    has_text             boolean NOT NULL,     -- its row in the log is erased when it is delivered
    previous             bigint NOT NULL,
    replay               boolean NOT NULL,
    attempts             bigint NOT NULL,
    refusals             bigint NOT NULL,      -- how many of the attempts were refused
    unavailable_since_ms bigint,
    age_from_ms          bigint NOT NULL,
    due_ms               bigint NOT NULL,
    PRIMARY KEY (app, lane, place)
);

CREATE INDEX outbox_replays ON outbox (event) WHERE replay;

-- Events that are no longer tried, with the reason.
CREATE TABLE parked (
    app       bigint NOT NULL,
    lane      text COLLATE "C" NOT NULL,
    place     bigint NOT NULL,
    event     bigint NOT NULL,
    replay    boolean NOT NULL,
    attempts  bigint NOT NULL,
    parked_ms bigint NOT NULL,
    reason    bytea NOT NULL,
    PRIMARY KEY (app, lane, place)
);

CREATE INDEX parked_replays ON parked (event) WHERE replay;

-- What waits and is parked of each app: the sum over the slots, of which each writer has its own, so that none waits for
-- another one's count. One of them may be below zero.
CREATE TABLE backlog (
    app           bigint NOT NULL,
    slot          bigint NOT NULL,
    waiting       bigint NOT NULL,
    waiting_bytes bigint NOT NULL,
    parked        bigint NOT NULL,
    PRIMARY KEY (app, slot)
) WITH (fillfactor = 50);

-- What recalled messages said, for as long as the app wants it kept for the operator.
CREATE TABLE audit_copy (
    erase_ms    bigint NOT NULL,
    app         bigint NOT NULL,
    low         text COLLATE "C" NOT NULL,
    high        text COLLATE "C" NOT NULL,
    seq         bigint NOT NULL,
    random      bigint NOT NULL,
    time        bigint NOT NULL,
    custom_data bytea NOT NULL,
    body        bytea NOT NULL,
    PRIMARY KEY (erase_ms, app, low, high, seq, random, time)
);

CREATE INDEX audit_copy_by_app ON audit_copy ((app + 1));

CREATE TABLE token (
    id         text PRIMARY KEY,
    name       bytea NOT NULL,
    role       text NOT NULL,
    digest     bytea NOT NULL,                 -- SHA-256 of the text, which is kept nowhere
    created_ms bigint NOT NULL,
    created_by bytea NOT NULL
);

CREATE TABLE audit (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at_ms     bigint NOT NULL,
    actor     bytea NOT NULL,
    client_ip text NOT NULL,
    action    text NOT NULL,
    app       bigint NOT NULL,                 -- 0: it was about no app
    what      bytea NOT NULL
);
