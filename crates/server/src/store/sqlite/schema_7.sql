-- Version 7. A session knows which one it goes on with, so that a device whose login was not answered is known when it comes
-- back. Servers of before write '': none.

ALTER TABLE session ADD COLUMN resumes TEXT NOT NULL DEFAULT '';
