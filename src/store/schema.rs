//! The schema, as the list of steps that led to it.

use rusqlite::{Connection, TransactionBehavior};

/// Append only: a step's position is its version, and released steps are frozen.
pub(super) const STEPS: &[&str] = &[
    include_str!("schema/0001_turns.sql"),
    include_str!("schema/0002_serving.sql"),
    include_str!("schema/0003_loop.sql"),
    include_str!("schema/0004_review.sql"),
    include_str!("schema/0005_privacy.sql"),
];

/// `application_id` of a ledger: "chel" in ASCII.
pub(super) const APPLICATION_ID: i32 = 0x6368_656c;

/// How many steps a database has behind it; 0 for a new one.
pub(super) fn version(conn: &Connection) -> rusqlite::Result<i64> {
    conn.query_row("PRAGMA user_version", [], |row| row.get(0))
}

/// Takes the steps that a database lacks, all or none of them. A newer database is left as it is.
pub(super) fn migrate(conn: &mut Connection, steps: &[&str]) -> rusqlite::Result<()> {
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let behind = usize::try_from(version(&tx)?).unwrap_or(usize::MAX);
    let missing = steps.get(behind..).unwrap_or_default();
    if missing.is_empty() {
        return Ok(());
    }
    for step in missing {
        tx.execute_batch(step)?;
    }
    tx.execute_batch(&format!(
        "PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {}",
        steps.len()
    ))?;
    tx.commit()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schema(conn: &Connection) -> Vec<String> {
        let mut statement =
            conn.prepare("SELECT coalesce(sql, name) FROM sqlite_schema ORDER BY name").unwrap();
        let rows = statement.query_map([], |row| row.get(0)).unwrap();
        rows.map(Result::unwrap).collect()
    }

    #[test]
    fn migrating_twice_changes_nothing() {
        let mut conn = Connection::open_in_memory().unwrap();
        migrate(&mut conn, STEPS).unwrap();
        let once = (schema(&conn), version(&conn).unwrap());
        migrate(&mut conn, STEPS).unwrap();
        assert_eq!((schema(&conn), version(&conn).unwrap()), once);
        assert_eq!(once.1, i64::try_from(STEPS.len()).unwrap());
    }

    #[test]
    fn a_step_that_fails_takes_the_others_back() {
        let mut conn = Connection::open_in_memory().unwrap();
        migrate(&mut conn, &["CREATE TABLE a (x)", "CREATE TABLE nonsense"]).unwrap_err();
        assert_eq!((schema(&conn), version(&conn).unwrap()), (vec![], 0));
    }

    #[test]
    fn only_the_missing_steps_are_taken() {
        let mut conn = Connection::open_in_memory().unwrap();
        migrate(&mut conn, &["CREATE TABLE a (x)"]).unwrap();
        migrate(&mut conn, &["CREATE TABLE a (x)", "CREATE TABLE b (x)"]).unwrap();
        assert_eq!((schema(&conn).len(), version(&conn).unwrap()), (2, 2));
    }

    /// Tables with their columns in order, without those that SQLite keeps for itself and for its indexes of words.
    fn tables() -> Vec<(String, Vec<String>)> {
        let mut conn = Connection::open_in_memory().unwrap();
        migrate(&mut conn, STEPS).unwrap();
        let names = |sql: &str| -> Vec<String> {
            let mut statement = conn.prepare(sql).unwrap();
            statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
        };
        let indexes = ["turn_text_", "lesson_text_"];
        names(
            "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name",
        )
        .into_iter()
        .filter(|name| !indexes.iter().any(|index| name.starts_with(index)))
        .map(|name| {
            let columns = names(&format!("SELECT name FROM pragma_table_info('{name}') ORDER BY cid"));
            (name, columns)
        })
        .collect()
    }

    /// The same out of the page that people read.
    fn documented() -> Vec<(String, Vec<String>)> {
        let page = include_str!("../../docs/ledger.md");
        let schema = page.split("\n# An export").next().unwrap();
        let mut tables: Vec<(String, Vec<String>)> = schema
            .split("\n### `")
            .skip(1)
            .map(|part| {
                let (name, rest) = part.split_once('`').unwrap();
                let columns = rest.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
                (name.to_owned(), columns.map(str::to_owned).collect())
            })
            .collect();
        tables.sort();
        tables
    }

    #[test]
    fn the_page_about_the_ledger_names_every_table_and_column() {
        assert_eq!(documented(), tables());
        let page = include_str!("../../docs/ledger.md");
        assert!(page.contains(&format!("this page is about number {}.", STEPS.len())));
    }
}
