//! One suite for every store: what all of them promise, each test once for each store and named after the rule that it
//! holds.
//!
//! A [`World`] is one store with a clock that stands still until a test moves it. `reopen` closes a store that keeps
//! something and opens it again, so whatever is checked after it was durable. What only one store can promise is in
//! `sqlite_only.rs`; random commands that must mean the same to all of them are in `model.rs`.

mod actors;
mod asked;
mod audit;
mod backup;
mod batch;
mod delete;
mod ledger;
mod life;
mod measure;
mod model;
mod modify;
mod operators;
mod ops;
mod outbox;
mod postgres_only;
mod read;
mod read_all;
mod recall;
mod recall_event;
mod receipt;
mod replay;
mod said;
mod send;
mod session;
mod sqlite_only;
mod sync;
mod view;

use std::{future::Future, sync::Arc};

pub(crate) use self::{ledger::Ledger, said::Seen};
use super::{
    HintReceiver, hints,
    memory::Memory,
    postgres::{Postgres, PostgresOptions},
    sqlite::{Sqlite, SqliteOptions},
};
use crate::chat::{Later, NoDevices, Store};
use crate::clock::{self, Clock, Entropy, Timestamp};
use postgres_only::Database;

/// Declares every test of the suite for one store.
macro_rules! store_suite {
    ($store:ident, $($kind:tt)*) => {
        mod $store {
            use super::*;

            suite_tests! { $($kind)*;
                recall::r1_a_client_recalls_until_the_window_has_passed;
                recall::r1_the_window_is_the_apps;
                recall::r1_an_admin_recalls_at_any_age;
                recall::r2_refusals_come_in_their_order;
                recall::r2_what_is_refused_changes_nothing;
                recall::r2_a_key_shared_by_recipients_names_one_message_of_each;
                recall::r2_an_online_only_message_cannot_be_recalled;
                recall::r2_apps_are_apart;
                recall::r3_a_tombstone_keeps_its_place_and_types_and_loses_its_text;
                recall::r3_unread_falls_only_if_the_message_was_unread;
                recall::r4_one_event_for_a_recall_that_succeeded;
                recall::r4_without_the_switch_there_is_no_event;
                recall::r4_of_recalls_at_once_one_succeeds;
                recall_event::r5_the_app_chooses_the_fields_of_the_body;
                recall_event::r5_a_recall_of_a_message_to_oneself;
                recall_event::r6_the_body_has_the_total_right_after_the_recall;
                recall_event::r7_the_event_keeps_where_the_recall_came_from;
                audit::r3_an_audit_copy_is_kept_until_its_day;
                audit::r3_without_audit_days_no_copy_is_kept;
                send::r3_what_is_hidden_from_its_sender_is_in_the_history_of_the_recipient;
                send::r6_a_message_counts_unless_it_must_not;
                send::r6_a_message_to_oneself_is_counted_once;
                send::r2_a_repeat_gets_the_first_key_and_changes_nothing;
                send::r2_a_repeat_of_a_recalled_message_stays_recalled;
                send::r2_other_content_gets_the_next_free_second;
                send::r2_both_ends_of_a_conversation_share_its_keys;
                send::c2_a_repeat_is_recognised_for_120_s;
                send::c1_the_event_of_a_send;
                send::c1_an_event_that_the_sender_forbids_is_not_owed;
                send::accounts_that_were_not_imported_neither_send_nor_receive;
                send::history_is_paged_without_gap_or_repeat;
                read::r6_what_is_stored_in_the_same_second_after_a_report_is_unread;
                read::r6_a_report_covers_its_second_and_what_was_before;
                read::r6_a_read_mark_never_moves_back;
                read::r6_a_report_without_a_time_reads_everything;
                read::r6_reading_does_not_touch_other_conversations;
                read::c1_a_report_owes_an_event_only_if_the_mark_moved;
                read::accounts_that_were_not_imported_read_nothing;
                read_all::r6_reading_everything_leaves_nothing_unread;
                read_all::r6_reading_everything_sees_what_was_sent_at_the_same_time;
                read_all::r6_reading_everything_touches_no_other_app;
                read_all::c1_reading_everything_is_told_once;
                receipt::c1_a_receipt_tells_of_what_is_newly_acknowledged;
                receipt::c1_a_message_to_oneself_can_be_acknowledged;
                receipt::r2_a_receipt_is_refused_as_a_whole_and_changes_nothing;
                modify::c1_a_modification_replaces_what_is_given;
                modify::c1_the_event_of_a_modification;
                modify::c2_a_repeat_of_a_modified_message_is_recognised;
                modify::r2_a_modification_is_refused_as_a_recall_is_and_changes_nothing;
                modify::r3_a_tombstone_keeps_the_types_that_a_modification_gave;
                asked::c2_a_check_says_the_key_and_changes_nothing;
                asked::c2_who_repeats_what_was_stored_is_not_asked_about;
                asked::c2_the_commit_has_the_last_word;
                asked::c1_a_send_that_failed_is_told_and_not_stored;
                asked::c1_a_send_that_failed_is_not_told_without_its_callback;
                outbox::c5_the_lane_is_the_account_whose_unread_is_reported;
                outbox::c5_the_lane_is_the_conversation_where_the_app_says_so;
                outbox::c3_what_is_delivered_leaves_the_outbox;
                outbox::c3_settling_twice_or_what_is_not_there_changes_nothing;
                outbox::c3_a_closed_store_takes_nothing;
                outbox::c6_what_is_due_again_stays_with_its_tries;
                outbox::c6_who_follows_a_parked_event_follows_its_predecessor;
                outbox::c6_who_comes_after_a_parked_event_follows_its_predecessor;
                outbox::c6_a_park_that_is_settled_late_mends_only_who_follows_it;
                outbox::c6_lanes_of_conversations_are_mended_too;
                replay::c6_a_replay_keeps_id_body_and_number_and_goes_to_the_end_of_its_lane;
                replay::c6_nothing_follows_a_replay;
                replay::c6_a_replay_that_is_parked_again_mends_nothing;
                replay::c6_parked_events_are_replayed_one_by_one_by_filter_or_all;
                replay::c6_what_is_parked_again_meanwhile_is_not_replayed_for_ever;
                replay::c6_many_are_replayed_in_pieces;
                replay::c9_what_was_delivered_is_sent_again_from_a_time_on;
                replay::c9_what_waits_or_is_parked_is_not_sent_again_as_delivered;
                replay::c9_delivered_events_are_forgotten_after_a_while;
                replay::c9_with_a_full_backlog_nothing_more_is_owed_and_nothing_is_changed;
                replay::c9_the_event_that_waits_longest_is_found;
                replay::c8_an_event_tells_where_it_stands;
                replay::c11_parked_events_survive;
                outbox::i2_hints_tell_what_the_outbox_holds;
                outbox::i2_the_outbox_is_searched_lane_by_lane;
                outbox::apps_and_numbers_survive;
                life::r6_a_deleted_account_begins_anew;
                life::r4_what_was_sent_to_who_is_gone_can_be_recalled;
                life::r2_a_repeat_of_what_the_recipient_has_no_more_is_sent_anew;
                life::r2_a_repeat_of_what_its_sender_has_no_more_is_a_repeat;
                life::r2_a_recall_is_not_undone_by_a_repeat_for_a_new_life;
                life::r2_a_repeated_batch_reaches_who_has_it_no_more;
                life::r2_an_import_takes_the_place_of_what_nobody_sees;
                life::who_is_blocked_stays_so_in_a_new_life;
                life::it_is_known_who_was_ever_there;
                life::an_admin_is_not_deleted;
                life::who_does_not_exist_is_not_kicked;
                batch::r2_a_batch_has_one_key_and_each_of_it_is_recalled_by_itself;
                batch::r2_a_batch_that_is_repeated_reaches_only_those_who_did_not_have_it;
                batch::r2_a_batch_takes_a_second_in_which_its_key_is_free_for_all;
                batch::c1_an_import_owes_nothing_and_the_first_one_stays;
                batch::r6_imported_history_is_never_unread_and_hides_nothing_from_a_report;
                delete::r6_a_deleted_message_leaves_the_view_and_the_count_of_one;
                delete::r6_a_deleted_conversation_counts_no_more_and_comes_back_with_the_next_message;
                delete::c1_a_blocked_client_is_refused_and_an_admin_is_not;
                delete::a_blocklist_has_at_most_so_many;
                delete::r6_what_is_erased_with_time_leaves_the_count;
                delete::a_conversation_leaves_the_list_with_its_last_message;
                delete::what_neither_can_see_any_more_is_erased;
                sync::r3_both_accounts_learn_of_sends_recalls_and_reads;
                sync::r3_both_accounts_learn_of_modifications_receipts_and_reading_everything;
                sync::r3_who_need_not_learn_learns_nothing;
                sync::r8_who_is_too_far_behind_is_told_so;
                session::c1_a_login_is_told_and_makes_an_account;
                session::c1_a_login_displaces_those_of_its_platform;
                session::c1_whoever_comes_back_displaces_nobody;
                session::c1_whoever_comes_back_too_late_displaces_nobody;
                session::c1_whoever_has_not_heard_the_answer_comes_back_as_often_as_it_takes;
                session::c1_the_end_of_a_session_is_told_once;
                session::c1_a_kick_and_a_deletion_end_all_sessions;
                session::whoever_was_kicked_needs_a_new_usersig;
                session::nobody_logs_in_to_a_disabled_app;
                session::sessions_are_found_piece_by_piece;
                session::c9_with_a_full_backlog_the_last_state_takes_the_place_of_others;
                operators::tokens_are_kept_until_they_are_revoked;
                operators::a_note_is_kept_with_its_change_and_not_without;
                operators::the_audit_log_is_read_backwards_by_filter_and_page;
                operators::the_audit_log_is_shortened_at_its_beginning;
                operators::c11_an_app_is_erased_with_all_that_it_has_and_no_other_is_touched;
                operators::c6_a_parked_event_that_is_thrown_away_is_gone;
                operators::lanes_are_counted_and_show_their_head;
                view::r8_what_is_behind_a_cursor_is_shown_as_it_is_now;
                view::r8_a_cursor_of_another_life_or_of_the_future_is_of_no_use;
                view::r8_a_conversation_shows_its_last_message_and_marks;
                view::r8_a_tombstone_says_who_took_it_back;
                view::a_message_is_named_by_its_senders_clock;
            }
        }
    };
}

macro_rules! suite_tests {
    (Kind::Postgres; $($file:ident :: $test:ident;)*) => {
        $(
            #[test]
            #[ignore = "it needs PostgreSQL: `cargo xtask postgres` runs it"]
            fn $test() { run(Kind::Postgres, super::$file::$test); }
        )*
    };
    ($kind:expr; $($file:ident :: $test:ident;)*) => {
        $(#[test] fn $test() { run($kind, super::$file::$test); })*
    };
}

store_suite!(memory, Kind::Memory);
store_suite!(sqlite, Kind::Sqlite);
store_suite!(postgres, Kind::Postgres);

/// Which store.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Memory,
    Sqlite,
    /// With one writer, so that what is handed over at once is done in that order.
    Postgres,
}

/// A store, and what it was made with.
struct World {
    store: Box<dyn Store>,
    hints: HintReceiver,
    clock: Clock,
    entropy: Entropy,
    folder: Option<tempfile::TempDir>,
    pages_max: Option<u32>,
    /// Dropped last, when nobody uses it any more.
    database: Option<Database>,
}

/// A whole second, so that a test can count on from it.
const START: Timestamp = Timestamp(1_800_000_000_000);
const START_S: u32 = 1_800_000_000;

impl World {
    fn new(kind: Kind) -> Self {
        Self::with_pages_max(kind, None)
    }

    fn with_pages_max(kind: Kind, pages_max: Option<u32>) -> Self {
        let (clock, entropy) = (Clock::standing_at(START), Entropy::seeded([1; 32]));
        let folder = (kind == Kind::Sqlite).then(|| tempfile::tempdir().expect("a folder for the test"));
        let database = (kind == Kind::Postgres).then(Database::new);
        Self::begin(clock, entropy, folder, pages_max, database)
    }

    /// On PostgreSQL, there.
    fn on(database: Database) -> Self {
        Self::begin(Clock::standing_at(START), Entropy::seeded([1; 32]), None, None, Some(database))
    }

    fn begin(
        clock: Clock,
        entropy: Entropy,
        folder: Option<tempfile::TempDir>,
        pages_max: Option<u32>,
        database: Option<Database>,
    ) -> Self {
        let (store, hints) = match &database {
            Some(database) => open_database(database, &clock, &entropy),
            None => open(folder.as_ref(), pages_max, &clock, &entropy),
        };
        Self { store, hints, clock, entropy, folder, pages_max, database }
    }

    /// Closes the store and opens it again, if it keeps anything.
    async fn reopen(&mut self) {
        if self.folder.is_some() || self.database.is_some() {
            self.store.close().await.expect("what was accepted is finished");
        }
        self.reopen_closed();
    }

    /// Drops the store and opens it again, if it keeps anything.
    fn reopen_closed(&mut self) {
        if let Some(database) = &self.database {
            (self.store, self.hints) = open_database(database, &self.clock, &self.entropy);
        } else if self.folder.is_some() {
            // The folder is locked until its store is gone.
            let (nothing, _) = open(None, None, &self.clock, &self.entropy);
            drop(std::mem::replace(&mut self.store, nothing));
            (self.store, self.hints) = open(self.folder.as_ref(), self.pages_max, &self.clock, &self.entropy);
        }
    }

    fn wait_s(&self, seconds: i64) {
        self.clock.shift(seconds * 1000);
    }
}

fn open(
    folder: Option<&tempfile::TempDir>,
    pages_max: Option<u32>,
    clock: &Clock,
    entropy: &Entropy,
) -> (Box<dyn Store>, HintReceiver) {
    let (sender, receiver) = hints(Arc::new(NoDevices));
    let (clock, entropy) = (clock.clone(), entropy.clone());
    let store: Box<dyn Store> = match folder {
        None => Box::new(Memory::new(clock, entropy, sender)),
        Some(folder) => {
            let metrics = crate::metrics::Metrics::new().store;
            let options = SqliteOptions { folder: folder.path().to_owned(), pages_max, metrics };
            Box::new(Sqlite::open(&options, clock, entropy, sender).expect("the folder is free"))
        }
    };
    (store, receiver)
}

fn open_database(database: &Database, clock: &Clock, entropy: &Entropy) -> (Box<dyn Store>, HintReceiver) {
    let (sender, receiver) = hints(Arc::new(NoDevices));
    let world = clock::World { clock: clock.clone(), entropy: entropy.clone() };
    let metrics = crate::metrics::Metrics::new().store;
    let options = PostgresOptions { address: database.address(), writers: 1, metrics };
    (Box::new(Postgres::open(&options, &world, &sender).expect("PostgreSQL runs")), receiver)
}

/// Runs a test in a world of its own.
fn run<Test: Future<Output = ()>>(kind: Kind, test: impl FnOnce(World) -> Test) {
    block_on(test(World::new(kind)));
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    runtime.expect("a runtime without threads").block_on(future)
}

/// Waits for all answers. The first look at each of them hands its command over, so they come in this order.
async fn all<T>(mut answers: Vec<Later<'_, T>>) -> Vec<Result<T, crate::chat::Fault>> {
    let mut done: Vec<_> = answers.iter().map(|_| None).collect();
    std::future::poll_fn(|context| {
        for (answer, done) in answers.iter_mut().zip(&mut done).filter(|(_, done)| done.is_none()) {
            if let std::task::Poll::Ready(result) = answer.as_mut().poll(context) {
                *done = Some(result);
            }
        }
        if done.iter().all(Option::is_some) { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    done.into_iter().map(|done| done.expect("all are done")).collect()
}
