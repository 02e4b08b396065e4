-- Version 5. An event knows which request caused it, as the log and the receiver are told. Servers of before write 0: none.

ALTER TABLE event ADD COLUMN request INTEGER NOT NULL DEFAULT 0;
