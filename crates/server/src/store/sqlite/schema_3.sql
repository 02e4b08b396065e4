-- Version 3. Accounts can be deleted, messages and conversations hidden from one of their two, and others blocked.

ALTER TABLE account ADD COLUMN life      INTEGER NOT NULL DEFAULT 0;  -- grows when it is deleted
ALTER TABLE account ADD COLUMN deleted   INTEGER NOT NULL DEFAULT 0;
ALTER TABLE account ADD COLUMN kicked_s  INTEGER NOT NULL DEFAULT 0;

-- What a side has noted holds for the life of its account that it names; for another one it is void.
ALTER TABLE conversation ADD COLUMN low_life              INTEGER NOT NULL DEFAULT 0;
ALTER TABLE conversation ADD COLUMN low_cleared_position  INTEGER NOT NULL DEFAULT 0;
ALTER TABLE conversation ADD COLUMN low_last_time         INTEGER NOT NULL DEFAULT 0;  -- seconds; 0: not in its list
ALTER TABLE conversation ADD COLUMN high_life             INTEGER NOT NULL DEFAULT 0;
ALTER TABLE conversation ADD COLUMN high_cleared_position INTEGER NOT NULL DEFAULT 0;
ALTER TABLE conversation ADD COLUMN high_last_time        INTEGER NOT NULL DEFAULT 0;

ALTER TABLE message ADD COLUMN push_info TEXT NOT NULL DEFAULT '';

CREATE TABLE blocked (
    app   INTEGER NOT NULL,
    user  TEXT NOT NULL,             -- whose blocklist
    other TEXT NOT NULL,
    since INTEGER NOT NULL,          -- seconds
    PRIMARY KEY (app, user, other)
) STRICT, WITHOUT ROWID;

UPDATE conversation SET
    low_last_time = coalesce((SELECT max(time) FROM message AS m INDEXED BY message_by_time
                              WHERE m.app = conversation.app AND m.low = conversation.low AND m.high = conversation.high), 0);
UPDATE conversation SET high_last_time = low_last_time;
