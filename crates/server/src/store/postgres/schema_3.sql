-- Version 3. Members say whether they tell the others at once what they commit. One of version 2 says nothing, so nobody relies
-- on it.
ALTER TABLE member ADD COLUMN tells boolean NOT NULL DEFAULT false;
