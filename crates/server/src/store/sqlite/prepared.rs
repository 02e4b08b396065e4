//! The connection of the writer, and the statements that it runs again and again.
//!
//! rusqlite's cache finds a statement by the hash of its text, and puts it back with all its parameters cleared: that is
//! a tenth of what a delivered event costs on its way out of the outbox. Here it is found by where its text stands in the program.

use std::{
    cell::RefCell,
    ops::{Deref, DerefMut},
};

use rusqlite::{Connection, Statement};

/// Statements that stay prepared; any more are prepared anew each time.
const STATEMENTS_MAX: usize = 64;

/// A connection with its statements.
pub(super) struct Prepared<'c> {
    connection: &'c Connection,
    /// In the order of their first use, so what every batch needs is found soon.
    held: RefCell<Vec<Held<'c>>>,
}

struct Held<'c> {
    sql: &'static str,
    /// None while it is lent.
    statement: Option<Statement<'c>>,
}

/// A statement that goes back to the others when it is dropped.
pub(super) struct Lent<'p, 'c> {
    prepared: &'p Prepared<'c>,
    /// Among those that are held; none where there was no room.
    place: Option<usize>,
    /// None only while this is dropped.
    statement: Option<Statement<'c>>,
}

impl<'c> Prepared<'c> {
    pub(super) fn of(connection: &'c Connection) -> Self {
        Self { connection, held: RefCell::new(Vec::new()) }
    }

    /// The statement of this text. It may still have the parameters of its last use, so all of them are bound anew.
    pub(super) fn statement(&self, sql: &'static str) -> rusqlite::Result<Lent<'_, 'c>> {
        let place = self.place(sql);
        let held = place.and_then(|place| self.held.borrow_mut()[place].statement.take());
        let statement = match held {
            Some(statement) => statement,
            None => self.connection.prepare(sql)?,
        };
        Ok(Lent { prepared: self, place, statement: Some(statement) })
    }

    fn place(&self, sql: &'static str) -> Option<usize> {
        let mut held = self.held.borrow_mut();
        let place = held.iter().position(|held| held.is(sql)).unwrap_or(held.len());
        if place == STATEMENTS_MAX {
            return None;
        }
        if place == held.len() {
            held.push(Held { sql, statement: None });
        }
        Some(place)
    }
}

impl Held<'_> {
    /// By the place of the text, not its letters.
    fn is(&self, sql: &'static str) -> bool {
        std::ptr::eq(self.sql, sql)
    }
}

/// For whatever is seldom run.
impl Deref for Prepared<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.connection
    }
}

impl<'c> Deref for Lent<'_, 'c> {
    type Target = Statement<'c>;

    fn deref(&self) -> &Statement<'c> {
        self.statement.as_ref().expect("it is there until this is dropped")
    }
}

impl<'c> DerefMut for Lent<'_, 'c> {
    fn deref_mut(&mut self) -> &mut Statement<'c> {
        self.statement.as_mut().expect("it is there until this is dropped")
    }
}

impl Drop for Lent<'_, '_> {
    fn drop(&mut self) {
        if let Some(place) = self.place {
            self.prepared.held.borrow_mut()[place].statement = self.statement.take();
        }
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::StatementStatus;

    use super::*;

    fn ask(statement: &mut Statement<'_>, number: i64) -> i64 {
        statement.query_row([number], |row| row.get(0)).expect("a row")
    }

    #[test]
    fn a_statement_stays_prepared_and_is_bound_anew() {
        let connection = Connection::open_in_memory().expect("memory");
        let prepared = Prepared::of(&connection);
        for number in 1..=3_i32 {
            let mut statement = prepared.statement("SELECT ?1 + 1").expect("it is SQL");
            assert_eq!(ask(&mut statement, number.into()), i64::from(number) + 1);
            assert_eq!(statement.get_status(StatementStatus::Run), number, "it is the one that ran before");
        }
    }

    #[test]
    fn what_is_lent_can_be_had_once_more() {
        let connection = Connection::open_in_memory().expect("memory");
        let prepared = Prepared::of(&connection);
        let sql = "SELECT ?1";
        let mut first = prepared.statement(sql).expect("it is SQL");
        let mut second = prepared.statement(sql).expect("and again");
        assert_eq!([ask(&mut first, 1), ask(&mut second, 2)], [1, 2]);
        drop((first, second));
        assert_eq!(prepared.held.borrow().len(), 1, "one of them is kept");
    }

    #[test]
    fn more_statements_than_are_kept_are_prepared_anew() {
        let connection = Connection::open_in_memory().expect("memory");
        let prepared = Prepared::of(&connection);
        for number in 0..=STATEMENTS_MAX as i64 {
            let sql: &'static str = format!("SELECT ?1 + {number}").leak();
            for _ in 0..2 {
                let mut statement = prepared.statement(sql).expect("it is SQL");
                assert_eq!(ask(&mut statement, 1), 1 + number);
            }
        }
        assert_eq!(prepared.held.borrow().len(), STATEMENTS_MAX);
    }
}
