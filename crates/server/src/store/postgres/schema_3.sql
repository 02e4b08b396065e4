-- Version 3. Members say whether they tell the others at once what they commit. One of version 2 says nothing, so nobody relies
-- on it.
ALTER TABLE member ADD COLUMN tells boolean NOT NULL DEFAULT false;

-- The number of the last transaction that a writer has committed. It finds out by that what became of one whose answer it never got.
CREATE TABLE mark (
    member text COLLATE "C" NOT NULL,
    writer bigint NOT NULL,                    -- which one of its writers
    number bigint NOT NULL,
    PRIMARY KEY (member, writer)
) WITH (fillfactor = 50);
