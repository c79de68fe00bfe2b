//! That no question and no append walks through a whole table: every statement of this folder is planned by SQLite.
//!
//! The statements are read from the sources, so that a new one cannot be forgotten.

use std::collections::BTreeMap;
use std::path::Path;

use rusqlite::Connection;

use super::schema;

/// Statements that may walk, by how they begin, and why.
const MAY_WALK: &[(&str, &str)] = &[
    ("SELECT (SELECT count(*) FROM session)", "doctor counts what there is, in an index"),
    ("SELECT at, version, base, reason FROM serving", "one row for each change of what serves"),
    ("SELECT turn FROM running", "turns in flight"),
    ("SELECT count(*) FROM waiting", "turns not judged yet, ids only"),
    ("SELECT state, count(*) FROM lesson GROUP BY", "counts in an index; lessons are few beside turns"),
    ("SELECT state, count(*) FROM learn_run GROUP BY", "counts in an index; runs are few"),
    (
        "SELECT DISTINCT turn FROM next_state WHERE kind = 'rating'",
        "newest first in an index, until enough are found",
    ),
    ("SELECT id FROM learn_run WHERE ended_at IS NULL", "an index of the one run that has no end"),
    ("UPDATE learn_run SET ended_at = ?1, state = 'interrupted'", "the same"),
    ("SELECT id FROM turn WHERE started_at >= ?1", "what is to be forgotten is looked for everywhere"),
    ("SELECT id FROM session WHERE substr(key", "the same"),
    ("SELECT turn, seq, at, kind FROM next_state", "the same"),
    ("SELECT id, created_at, origin, scope, scope_of FROM lesson", "the same"),
    ("SELECT id, parent FROM turn WHERE parent IS NOT NULL", "the same"),
    ("SELECT sample.run, sample.turn, sample.lesson, sample.role", "the same"),
    ("SELECT id, session, turn.settings <> 'null' FROM turn", "the same"),
    ("SELECT session.id FROM session", "the same"),
    ("SELECT turn.id, turn.cwd, response.text, response.error", "the same, for a text"),
    ("SELECT turn, seq, state FROM next_state", "the same, for a text"),
    ("SELECT id, text, scope_of FROM lesson", "the same, for a text"),
    ("SELECT lesson, id, reason, detail, before FROM lesson_event", "the same, for a text"),
    ("SELECT id, hint, votes FROM verdict", "the same, for a text"),
    ("SELECT verdict, evidence FROM signal", "the same, for a text"),
    ("SELECT learn_run.id, learn_run.reason, learn_run.error", "the same, for a text"),
    ("SELECT id, reason FROM serving", "the same, for a text"),
    ("SELECT id, title FROM session", "the same, for a text"),
    ("SELECT folder, folder FROM excluded_project", "the same, for a text"),
    (
        "DELETE FROM gate_result WHERE run IN (SELECT id FROM learn_run WHERE started_at",
        "when all is forgotten",
    ),
    ("DELETE FROM sample WHERE run IN (SELECT id FROM learn_run WHERE started_at", "when all is forgotten"),
    ("DELETE FROM learn_run WHERE started_at", "when all is forgotten"),
    ("DELETE FROM serving WHERE at", "when all is forgotten"),
    ("DELETE FROM excluded_project WHERE at", "when all is forgotten"),
    ("DELETE FROM excluded_session WHERE at", "when all is forgotten"),
    ("UPDATE session SET title = '' WHERE started_at", "when all is forgotten"),
    ("DELETE FROM session WHERE started_at", "when all is forgotten"),
    ("SELECT name FROM sqlite_schema", "the schema"),
    ("SELECT count(*) FROM sqlite_schema", "the schema"),
    ("SELECT quick_check", "a check reads everything"),
    ("SELECT count(*) FROM lesson", "a backup says what is in it; lessons are few beside turns"),
    ("SELECT count(*) FROM turn WHERE settings", "the same; a backup reads everything"),
    ("SELECT DISTINCT turn.id FROM next_state", "an export reads everything"),
    ("SELECT source, count(*) FROM turn", "`chela privacy` counts all there is, in an index"),
    ("SELECT (SELECT count(*) FROM session WHERE last_turn IS NOT NULL)", "the same"),
    ("SELECT folder FROM excluded_project", "the same; a person lists few"),
    ("SELECT learned.version, learned.lesson, lesson.text", "the same; lessons are few beside turns"),
    ("SELECT messages FROM turn WHERE instr", "the same, of what was hidden: it reads every text"),
    ("SELECT state FROM next_state WHERE kind <> 'reply'", "the same"),
];

/// Rows of a plan that walk through something which is no table of the ledger.
const NO_TABLES: &[&str] = &["CONSTANT ROW", "line", "json_each", "value", "(subquery"];

/// String literals of Rust sources: `(what stands before on the line, text)`.
fn literals(source: &str) -> Vec<(String, String)> {
    let product = source.split("\n#[cfg(test)]\nmod ").next().unwrap();
    let code: String = product
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .flat_map(|line| [line, "\n"])
        .collect();
    let mut parts = code.split('"');
    let mut found = Vec::new();
    while let (Some(before), Some(text)) = (parts.next(), parts.next()) {
        found.push((before.lines().last().unwrap_or_default().to_owned(), text.to_owned()));
    }
    found
}

fn sources(folder: &Path) -> Vec<String> {
    let mut texts = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            texts.extend(sources(&path));
        } else if path.extension().is_some_and(|ext| ext == "rs") && !path.ends_with("plans.rs") {
            texts.push(std::fs::read_to_string(path).unwrap());
        }
    }
    texts
}

/// Every complete statement of the folder, with the constants put in.
fn statements() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/store");
    let all: Vec<(String, String)> = sources(&folder).iter().flat_map(|source| literals(source)).collect();
    let mut constants: BTreeMap<String, String> = BTreeMap::from([("PAGE".into(), "256".into())]);
    for (before, text) in &all {
        if let Some((_, rest)) = before.split_once("const ")
            && let Some((name, _)) = rest.split_once(": &str =")
        {
            constants.insert(name.to_owned(), text.clone());
        }
    }
    // A list's ways into its table stand in constants of their own.
    let ways = constants.iter().filter(|(name, _)| name.starts_with("BY_"));
    let lists: Vec<String> = ways.map(|(_, way)| format!("{} {way}", constants["LESSON"])).collect();
    // A constant that others begin with is no statement by itself.
    let is_part = |text: &str| {
        constants.iter().any(|(name, value)| {
            value == text && all.iter().any(|(_, user)| user.contains(&format!("{{{name}}}")))
        })
    };
    let mut complete: Vec<String> = all.iter().map(|(_, text)| text.clone()).chain(lists).collect();
    complete.retain(|text| {
        if is_part(text) {
            return false;
        }
        let start = text.trim_start();
        let is_sql = ["SELECT ", "INSERT ", "UPDATE ", "DELETE ", "WITH ", "{"]
            .iter()
            .any(|word| start.starts_with(word));
        is_sql && !text.ends_with("{by}") && !text.contains("{:")
    });
    for statement in &mut complete {
        for (name, value) in &constants {
            *statement = statement.replace(&format!("{{{name}}}"), value);
        }
        *statement = statement.trim_start().to_owned();
    }
    complete.retain(|statement| !statement.starts_with('{'));
    complete
}

/// Lines of SQLite's plan.
fn plan(conn: &Connection, statement: &str) -> Vec<String> {
    let mut explain = conn
        .prepare(&format!("EXPLAIN QUERY PLAN {statement}"))
        .unwrap_or_else(|err| panic!("{err}: {statement}"));
    let n_params = explain.parameter_count();
    for at in 1..=n_params {
        explain.raw_bind_parameter(at, None::<i64>).unwrap();
    }
    let mut rows = explain.raw_query();
    let mut lines = Vec::new();
    while let Some(row) = rows.next().unwrap() {
        lines.push(row.get::<_, String>("detail").unwrap());
    }
    lines
}

fn walks(line: &str) -> bool {
    line.strip_prefix("SCAN ").is_some_and(|what| {
        !what.contains("VIRTUAL TABLE") && !NO_TABLES.iter().any(|name| what.starts_with(name))
    })
}

#[test]
fn no_statement_walks_through_a_table() {
    let mut conn = Connection::open_in_memory().unwrap();
    schema::migrate(&mut conn, schema::STEPS).unwrap();
    let statements = statements();
    assert!(statements.len() > 80, "only {} statements were found", statements.len());
    for statement in &statements {
        if MAY_WALK.iter().any(|(start, _)| statement.starts_with(start)) {
            continue;
        }
        let plan = plan(&conn, statement);
        assert!(!plan.iter().any(|line| walks(line)), "{statement}\n{}", plan.join("\n"));
    }
    for (start, reason) in MAY_WALK {
        let is_there = statements.iter().any(|statement| statement.starts_with(start));
        assert!(is_there, "no statement begins with {start} any more ({reason})");
    }
}

/// The lists that people page through come in the order of an index, without sorting first.
#[track_caller]
fn check_unsorted(start: &str) {
    let mut conn = Connection::open_in_memory().unwrap();
    schema::migrate(&mut conn, schema::STEPS).unwrap();
    let statement = statements().into_iter().find(|statement| statement.starts_with(start)).unwrap();
    let plan = plan(&conn, &statement);
    assert!(!plan.iter().any(|line| line.contains("TEMP B-TREE")), "{}", plan.join("\n"));
}

#[test]
fn lists_are_not_sorted() {
    for start in [
        "SELECT turn.id FROM turn LEFT JOIN verdict",
        "SELECT verdict.turn FROM verdict CROSS JOIN turn",
        "SELECT verdict.turn FROM verdict CROSS JOIN response",
        "SELECT turn.id FROM session CROSS JOIN turn",
        "SELECT waiting.turn, session.key",
        "SELECT session.key FROM session JOIN response",
        "SELECT DISTINCT turn FROM next_state",
    ] {
        check_unsorted(start);
    }
}

#[test]
fn a_walk_is_noticed() {
    let mut conn = Connection::open_in_memory().unwrap();
    schema::migrate(&mut conn, schema::STEPS).unwrap();
    assert!(plan(&conn, "SELECT id FROM turn WHERE model = ?1").iter().any(|line| walks(line)));
    assert!(!plan(&conn, "SELECT id FROM turn WHERE id = ?1").iter().any(|line| walks(line)));
}
