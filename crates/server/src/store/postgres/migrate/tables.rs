//! What becomes of each table of the embedded store.
//!
//! | table | |
//! |---|---|
//! | `app`, `conversation`, `message`, `event`, `outbox`, `parked`, `audit_copy`, `token`, `audit` | row by row, as they are |
//! | `account`, `blocked`, `session` | the same; `user` is called `name` |
//! | `account.sync_last`, `sync_event.id`, `sync_event.previous` | the chain is followed: an event stands under its account |
//! | a sync event that no account leads to | nobody could read it; it stays |
//! | `session.member` | nobody's, until a server takes them over and waits for their return |
//! | `backlog` | in one slot; the writers of the new store add theirs |
//! | `meta` | the epoch is kept, for the lanes go on; the version is the new store's |
//! | `sqlite_sequence` | the last number of the audit log is kept |
//!
//! `member`, `lease` and `back` are about servers, and begin empty.

/// A table as it is written, and what is asked of the source for it, in the order of its columns.
pub(super) struct Table {
    pub(super) name: &'static str,
    pub(super) columns: &'static str,
    from: From,
}

enum From {
    /// The table of the same name and columns.
    Same,
    Question(&'static str),
}

impl Table {
    const fn same(name: &'static str, columns: &'static str) -> Self {
        Self { name, columns, from: From::Same }
    }

    const fn other(name: &'static str, columns: &'static str, question: &'static str) -> Self {
        Self { name, columns, from: From::Question(question) }
    }

    pub(super) fn question(&self) -> String {
        match self.from {
            From::Same => format!("SELECT {} FROM {}", self.columns, self.name),
            From::Question(question) => question.to_owned(),
        }
    }
}

pub(super) const TABLES: &[Table] = &[
    Table::same("app", "app, settings"),
    Table::other(
        "account",
        "app, name, serial, unread, lane_place, lane_last, sync_number, life, deleted, kicked_s, nick, face_url",
        "SELECT app, user, serial, unread, lane_place, lane_last, sync_number, life, deleted, kicked_s, nick, face_url
         FROM account",
    ),
    Table::same(
        "conversation",
        "app, low, high, position, lane_place, lane_last, low_unread, low_read_position, low_life, low_cleared_position, \
         low_last_time, high_unread, high_read_position, high_life, high_cleared_position, high_last_time",
    ),
    Table::same(
        "message",
        "app, low, high, seq, random, time, direction, flags, position, content_hash, client_time, recalled_by, types, \
         custom_data, body, push_info",
    ),
    Table::other(
        "sync_event",
        "app, name, number, kind, direction, peer, seq, random, time",
        "WITH RECURSIVE chain (app, user, id) AS (
             SELECT app, user, sync_last FROM account WHERE sync_last > 0
             UNION ALL
             SELECT chain.app, chain.user, event.previous FROM chain JOIN sync_event AS event ON event.id = chain.id
             WHERE event.previous > 0
         )
         SELECT chain.app, chain.user, event.number, event.kind, event.direction, event.peer, event.seq, event.random,
                event.time
         FROM chain JOIN sync_event AS event ON event.id = chain.id",
    ),
    Table::other("blocked", "app, name, other, since", "SELECT app, user, other, since FROM blocked"),
    Table::other(
        "session",
        "app, name, id, platform, client_ip, since_ms, resumes",
        "SELECT app, user, id, platform, client_ip, since_ms, resumes FROM session",
    ),
    Table::same("event", "id, name, app, lane, number, command, client_ip, platform, created_ms, request, body"),
    Table::same(
        "outbox",
        "app, lane, place, event, bytes, has_text, previous, replay, attempts, refusals, unavailable_since_ms, \
         age_from_ms, due_ms",
    ),
    Table::same("parked", "app, lane, place, event, replay, attempts, parked_ms, reason"),
    Table::other(
        "backlog",
        "app, slot, waiting, waiting_bytes, parked",
        "SELECT app, 1, waiting, waiting_bytes, parked FROM backlog",
    ),
    Table::same("audit_copy", "erase_ms, app, low, high, seq, random, time, custom_data, body"),
    Table::same("token", "id, name, role, digest, created_ms, created_by"),
    Table::same("audit", "id, at_ms, actor, client_ip, action, app, what"),
];
