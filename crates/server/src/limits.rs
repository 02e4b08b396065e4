//! Bounds that are not settings, with their units, and the relations between them.

use std::time::Duration;

/// One attempt at a callback, from resolving the name to the last byte of the answer (callbacks 1.5).
pub const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(2);

/// How much of a receiver's answer is read.
pub const ATTEMPT_ANSWER_BYTES_MAX: usize = 64 * 1024;

/// A message: `MsgBody` as compact JSON and `CloudCustomData` together (rest 1.4).
pub const MESSAGE_BYTES_MAX: usize = 8192;

/// `OfflinePushInfo` as compact JSON. It is stored once for each recipient of a batch.
pub const PUSH_INFO_BYTES_MAX: usize = 4096;

/// The messages of a history page as JSON (rest 4.4).
pub const HISTORY_PAGE_BYTES_MAX: usize = 13 * 1024;

/// How many messages a history page may have, whatever was asked for.
pub const HISTORY_PAGE_MESSAGES_MAX: u32 = 500;

/// Accounts that a command about accounts names at once (rest 3).
pub const ACCOUNTS_AT_ONCE_MAX: usize = 100;

/// Recipients of one batch, and accounts whose state is asked for at once (rest 3.6, 4.2).
pub const BATCH_ACCOUNTS_MAX: usize = 500;

/// Messages that are deleted from a history at once (rest 4.10).
pub const DELETED_MESSAGES_MAX: usize = 30;

/// Messages that are looked at for the last one of a conversation.
pub const LAST_MESSAGE_ROWS_MAX: u32 = 200;

/// Conversations on a page of the list (rest 6.1).
pub const RECENT_PAGE_MAX: usize = 100;

/// Accounts that one account can have on its blocklist (rest 7).
pub const BLOCKLIST_ACCOUNTS_MAX: u32 = 1000;

/// Conversations that are looked at for what is to be erased, in one reading transaction.
pub const PRUNE_PIECE_CONVERSATIONS: u32 = 500;

/// Messages that are erased in one command of pruning.
pub const PRUNE_PIECE_MESSAGES: u32 = 200;

/// How long a repeat of a send is recognised, in seconds (rest 4.1).
pub const REPEAT_WINDOW_S: u32 = 120;

/// Sends for those online only that are remembered, so that a repeat of one is recognised.
pub const ONLINE_ONLY_REMEMBERED_MAX: usize = 20_000;

/// How far ahead of now the time of an imported message may be, in seconds.
pub const IMPORT_AHEAD_S: u32 = 86_400;

/// How long a client may recall unless the app says otherwise (rule R1).
pub const RECALL_WINDOW_DEFAULT_S: u32 = 120;
pub const RECALL_WINDOW_MAX_S: u32 = 30 * 24 * 3600;

/// `Nick` and `FaceUrl` each (rest 3.0).
pub const PROFILE_BYTES_MAX: usize = 500;

/// Messages that one receipt acknowledges.
pub const RECEIPT_MESSAGES_MAX: usize = 30;

/// Messages of one app that are being asked about at once; others wait for their turn.
pub const APP_QUESTIONS_MAX: usize = 256;

/// Peers of one call for unread counts (rest 5.1).
pub const UNREAD_PEERS_MAX: usize = 10;

/// A key shorter than this is a mistake.
pub const SECRET_KEY_BYTES_MIN: usize = 16;
/// A key longer than this is one, too.
pub const SECRET_KEY_BYTES_MAX: usize = 128;

pub const URL_BYTES_MAX: usize = 2048;

/// Commands that wait for the writer; more callers than this wait for a place.
pub const STORE_QUEUE_COMMANDS_MAX: usize = 4096;

/// Commands that share one transaction and one fsync.
pub const STORE_BATCH_COMMANDS_MAX: usize = 512;

/// Accounts, and as many conversations, whose rows the writer of the embedded store remembers: about 0.5 KB for one of each.
pub const STORE_KNOWN_ROWS_MAX: usize = 32_768;

/// Reads that wait for a reader.
pub const STORE_QUEUE_READS_MAX: usize = 1024;

/// Writing and reading connections of one server to PostgreSQL.
pub const POSTGRES_WRITERS: usize = 3;
pub const POSTGRES_READERS: usize = 4;

/// How long a connection to PostgreSQL may take to be made, with logging in, and how long it may be silent while something is
/// asked.
pub const POSTGRES_CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
pub const POSTGRES_LOGIN_MAX: Duration = Duration::from_secs(10);
pub const POSTGRES_SILENCE_MAX: Duration = Duration::from_secs(15);

/// How long an answer of PostgreSQL may take, which itself gives up a statement after 60 s; and a step of a migration.
pub const POSTGRES_ANSWER_MAX: Duration = Duration::from_secs(75);
pub const POSTGRES_MIGRATION_MAX: Duration = Duration::from_secs(6 * 3600);

/// How long a batch is tried again while PostgreSQL is away, how long it is asked what became of a commit, and the pause
/// between two tries.
pub const POSTGRES_AWAY_MAX: Duration = Duration::from_secs(15);
pub const POSTGRES_OUTCOME_MAX: Duration = Duration::from_secs(60);
pub const POSTGRES_RETRY_PAUSE: Duration = Duration::from_millis(100);

/// How often a transaction that others stood in the way of is tried again.
pub const POSTGRES_CONFLICTS_MAX: u32 = 10;

/// Batches of hints on their way to the dispatcher; what finds no place is found in the outbox a little later.
pub const HINT_BATCHES_MAX: usize = 1024;
pub const HINT_BYTES_MAX: usize = 32 * 1024 * 1024;

/// Events of one lane that are held in memory; the others wait in the outbox.
pub const LANE_EVENTS_MAX: usize = 16;

/// Lanes of one app that are held in memory; the others wait in the outbox.
pub const APP_LANES_MAX: usize = 16_384;

/// Lanes of one app whose last place is remembered while nothing of them waits, where several servers share the outbox.
pub const APP_TAILS_MAX: usize = 65_536;

/// Bytes of the events of one app that are held in memory; the others wait in the outbox.
pub const APP_EVENT_BYTES_MAX: usize = 32 * 1024 * 1024;

/// What an event that is held needs beside its body, about.
pub const EVENT_BYTES: usize = 400;

/// How old an event may become before it is parked, unless the app says otherwise (rule C9): three days.
pub const EVENT_AGE_DEFAULT_S: u32 = 3 * 86_400;
pub const EVENT_AGE_MIN_S: u32 = 60;
pub const EVENT_AGE_MAX_S: u32 = 30 * 86_400;

/// Callbacks a second to one endpoint, unless the app says otherwise.
pub const CALLBACK_RATE_DEFAULT: u32 = 20_000;
pub const CALLBACK_RATE_MAX: u32 = 100_000;

/// Events of an app that may wait, unless the app says otherwise (rule C9).
pub const BACKLOG_EVENTS_MAX: u64 = 2_000_000;
pub const BACKLOG_BYTES_MAX: u64 = 2 * 1024 * 1024 * 1024;

/// What an app may ask for.
pub const BACKLOG_EVENTS_CEILING: u64 = 100_000_000;
pub const BACKLOG_BYTES_CEILING: u64 = 1024 * 1024 * 1024 * 1024;

/// How long a delivered event that holds no text is kept, to be sent again.
pub const DELIVERED_KEPT: Duration = Duration::from_secs(7 * 86_400);

/// Events that are sent again in one transaction, and rows of the log that are looked at for them.
pub const REPLAY_PIECE_EVENTS: u32 = 500;
pub const REPLAY_PIECE_ROWS: u32 = 5_000;

/// Parked events that are looked at in one read, or in one transaction of a replay, for those that a filter covers.
pub const PARKED_PIECE_ROWS: u32 = 5_000;

/// Lanes that are looked at in one read for the event that waits longest.
pub const OLDEST_PIECE_LANES: u32 = 1024;

/// Rows of the log of events that are looked at in one piece of pruning.
pub const PRUNE_PIECE_ROWS: u32 = 1_000;

/// Rows of an app that is deleted that are erased in one transaction.
pub const ERASE_PIECE_ROWS: u32 = 1_000;

/// Events of one lane that are counted for its operator.
pub const LANE_COUNT_MAX: u32 = 1_000;

/// Tokens of the operator API that can be kept.
pub const TOKENS_MAX: usize = 100;

/// Backups that may lie in `data_dir`.
pub const BACKUPS_MAX: usize = 100;

/// Keys that an app may have at once.
pub const APP_KEYS_MAX: usize = 5;

/// Addresses whose wrong tokens are counted.
pub const WRONG_TOKEN_ADDRESSES_MAX: usize = 10_000;

/// Browsers that are signed in to the console at once; one more, and whoever was away longest signs in again.
pub const CONSOLE_SESSIONS_MAX: usize = 500;

/// How long one stays signed in without a click, and at most.
pub const CONSOLE_IDLE_MAX: Duration = Duration::from_secs(3600);
pub const CONSOLE_SESSION_MAX: Duration = Duration::from_secs(12 * 3600);

/// How long the audit log is kept, what one page looks at, and what is erased of it at once.
pub const AUDIT_KEPT: Duration = Duration::from_secs(400 * 86_400);
pub const AUDIT_PAGE_ROWS: u32 = 20_000;
pub const AUDIT_ERASE_ROWS: u32 = 1_000;

/// Attempts of one app that are under way at once, and so its connections.
pub const APP_ATTEMPTS_MAX: usize = 256;

/// How long an idle connection to an endpoint is kept.
pub const ENDPOINT_IDLE: Duration = Duration::from_secs(30);

/// How late the outbox may learn that an event was delivered (losing it costs a repeat).
pub const SETTLE_DELAY: Duration = Duration::from_millis(20);
pub const SETTLE_BATCH_MAX: usize = 512;

/// Events whose outcome the outbox has not been told; with more than this no attempt is started.
pub const UNSETTLED_MAX: usize = 8192;

/// Attempts that wait to be taken down; what finds no place is dropped and counted.
pub const STORY_QUEUE_RECORDS_MAX: usize = 8192;

/// The bodies and answers that those hold.
pub const STORY_QUEUE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// How often the outbox is searched although every lane is known: a net.
pub const OUTBOX_NET_PAUSE: Duration = Duration::from_secs(30);

/// How long a member of a cluster counts as there without another word, and how often it says one. It begins no attempt that
/// could end later than `LEASE_MARGIN` before its lease.
pub const LEASE: Duration = Duration::from_secs(8);
pub const LEASE_PAUSE: Duration = Duration::from_secs(1);
/// The same while others hold what is this one's part.
pub const LEASE_HASTE: Duration = Duration::from_millis(100);
pub const LEASE_MARGIN: Duration = Duration::from_secs(1);

/// How often the outbox is searched for events that no hint told of.
pub const OUTBOX_SCAN_PAUSE: Duration = Duration::from_secs(1);
pub const OUTBOX_SCAN_LANES: u32 = 1024;

/// Online-only messages that wait for one session; what finds no place is lost to it.
pub const SESSION_ONLINE_MESSAGES_MAX: usize = 64;

/// Updates that a session is behind at most; then it begins anew.
pub const SESSION_UPDATES_MAX: u32 = 500;

/// What the messages hold of which a session is told at once: whoever does not read keeps no more than that, some times over.
pub const SESSION_UPDATES_BYTES_MAX: usize = 256 * 1024;

/// Updates in one push.
pub const PUSH_UPDATES_MAX: usize = 50;

/// Requests of one session that are under way or wait; with as many, nothing more is read of it.
pub const SESSION_REQUESTS_MAX: usize = 32;

/// Requests of one session at once, and in a second.
pub const SESSION_BURST_REQUESTS: u32 = 100;
pub const SESSION_REQUESTS_PER_S: u32 = 50;

/// How many requests beyond that are refused one by one before the connection is closed.
pub const SESSION_REFUSED_MAX: u32 = 200;

/// How long a connection may take to log in.
pub const SESSION_LOGIN_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a session may be silent before it is asked whether it is still there, and before it is given up.
pub const SESSION_PING_AFTER: Duration = Duration::from_secs(30);
pub const SESSION_SILENCE_MAX: Duration = Duration::from_secs(60);

/// How often sessions are looked for that nobody holds, and how old those are that are not just logging in.
pub const SESSION_SWEEP_AGE: Duration = Duration::from_secs(30);
pub const SESSION_SWEEP_PAUSE: Duration = Duration::from_secs(300);
pub const SESSION_SWEEP_PIECE: u32 = 500;

/// How long a connection that is being closed may take to agree.
pub const SESSION_CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// The buffer that each connected session has for what comes in, in bytes; and the least that is written at once.
pub const SESSION_READ_BUFFER_BYTES: usize = 2048;
pub const SESSION_WRITE_BUFFER_BYTES: usize = 4096;

/// Messages of one history page for a client.
pub const CLIENT_HISTORY_MESSAGES_MAX: u32 = 50;
pub const CLIENT_HISTORY_MESSAGES_DEFAULT: u32 = 15;

/// Conversations on a page for a client.
pub const CLIENT_CONVERSATIONS_MAX: usize = 50;

/// Accounts that a client names at once.
pub const CLIENT_ACCOUNTS_MAX: usize = 100;

/// What is said on the bus and waits for NATS; what finds no place is dropped and counted.
pub const BUS_QUEUE_WORDS_MAX: usize = 4096;

/// What is on its way to NATS, in bytes; with as many, what is said waits in its queue.
pub const BUS_UNSENT_BYTES_MAX: usize = 256 * 1024;

/// One frame on the bus, and one line of NATS.
pub const BUS_FRAME_BYTES_MAX: usize = 64 * 1024;
pub const BUS_LINE_BYTES_MAX: usize = 64 * 1024;

/// Subscriptions that are changed at once.
pub const BUS_CHANGES_AT_ONCE: usize = 1024;

/// What was heard of lanes and waits for the dispatcher; what finds no place is found in the outbox.
pub const BUS_LOOKS_MAX: usize = 4096;

/// Members whose frames are told from repeats.
pub const BUS_MEMBERS_MAX: usize = 1024;

/// Servers of NATS that a configuration can name.
pub const BUS_SERVERS_MAX: usize = 16;

/// How long NATS may take to agree to a connection.
pub const BUS_CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long NATS may be silent before it is asked whether it is still there, and before it is given up.
pub const BUS_PING_AFTER: Duration = Duration::from_secs(3);
pub const BUS_SILENCE_MAX: Duration = Duration::from_secs(8);

/// The pauses between two tries to reach NATS: doubled from the first to the longest, the last third of each by chance.
pub const BUS_RETRY_FIRST: Duration = Duration::from_millis(200);
pub const BUS_RETRY_MAX: Duration = Duration::from_secs(10);

/// How often the store is asked for what the bus did not tell: while there is none, and while it works.
pub const POLL_PAUSE: Duration = Duration::from_secs(1);
pub const POLL_NET_PAUSE: Duration = Duration::from_secs(30);

/// Sessions that are asked about at once.
pub const POLL_PIECE_SESSIONS: usize = 1_000;

/// Verified UserSigs that are remembered.
pub const VERIFIED_USERSIGS_MAX: usize = 20_000;

const _: () = {
    assert!(STORE_BATCH_COMMANDS_MAX <= STORE_QUEUE_COMMANDS_MAX);
    assert!(MESSAGE_BYTES_MAX < HISTORY_PAGE_BYTES_MAX);
    assert!(LANE_EVENTS_MAX > 0 && APP_ATTEMPTS_MAX <= APP_LANES_MAX);
    assert!(SETTLE_BATCH_MAX < UNSETTLED_MAX);
    assert!(LEASE.as_millis() > ATTEMPT_TIMEOUT.as_millis() + LEASE_MARGIN.as_millis() + 3 * LEASE_PAUSE.as_millis());
    assert!(PUSH_UPDATES_MAX <= SESSION_UPDATES_MAX as usize);
    assert!(SESSION_PING_AFTER.as_millis() < SESSION_SILENCE_MAX.as_millis());
    assert!(BUS_PING_AFTER.as_millis() < BUS_SILENCE_MAX.as_millis());
    // A message with every letter escaped, and what stands around it.
    assert!(2 * MESSAGE_BYTES_MAX + 4096 < BUS_FRAME_BYTES_MAX && BUS_FRAME_BYTES_MAX < BUS_UNSENT_BYTES_MAX);
    assert!(SETTLE_DELAY.as_millis() < ATTEMPT_TIMEOUT.as_millis());
};
