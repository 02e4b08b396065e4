-- Version 2. Several servers share the store.

-- Those that are there, and those that are gone since a while. Times are the database's own.
CREATE TABLE member (
    id    text COLLATE "C" PRIMARY KEY,
    term  bigint NOT NULL,                     -- grows when it was silent for longer than its lease
    until timestamptz NOT NULL,                -- when its lease ends
    gone  boolean NOT NULL
);

-- Who delivers the lanes of a shard; '': nobody.
CREATE TABLE lease (
    shard  bigint PRIMARY KEY,
    holder text COLLATE "C" NOT NULL
) WITH (fillfactor = 50);

INSERT INTO lease (shard, holder) SELECT shard, '' FROM generate_series(0, 255) AS shard;

-- Of which apps it was said that their endpoint is back.
CREATE TABLE back (
    app    bigint PRIMARY KEY,
    number bigint NOT NULL,                    -- how often
    said   timestamptz NOT NULL
);

-- To which member a session is connected.
ALTER TABLE session ADD COLUMN member text COLLATE "C" NOT NULL DEFAULT '';
