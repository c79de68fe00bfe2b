//! What a person typed into a search box, as an FTS5 query. Pure; whatever was typed, the query is well-formed.

use std::collections::HashSet;

/// Bounds what a long text costs as a query.
const MAX_WORDS: usize = 128;

/// All words must occur, the last letters of each may be missing. `None`: there is no word to look for.
pub(super) fn fts_query(typed: &str) -> Option<String> {
    let words: Vec<String> = fts_words(typed).iter().map(|word| format!("{word}*")).collect();
    (!words.is_empty()).then(|| words.join(" "))
}

/// Each word as a query of its own, whole.
pub(super) fn fts_words(typed: &str) -> Vec<String> {
    typed
        .split(|char: char| char.is_whitespace() || char.is_control())
        .filter(|word| word.chars().any(char::is_alphanumeric))
        .map(|word| format!("\"{}\"", word.replace('"', "\"\"")))
        .collect()
}

/// Any of the words may occur: for ranking what is near to a text. Words beyond the first `MAX_WORDS` different ones
/// are left out.
pub(super) fn fts_any(text: &str) -> Option<String> {
    let mut seen = HashSet::new();
    let words: Vec<String> = text
        .split(|char: char| !char.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .filter(|word| seen.insert(word.clone()))
        .take(MAX_WORDS)
        .map(|word| format!("\"{word}\""))
        .collect();
    (!words.is_empty()).then(|| words.join(" OR "))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rusqlite::Connection;

    use super::*;

    #[track_caller]
    fn check(typed: &str, expected: Option<&str>) {
        assert_eq!(fts_query(typed).as_deref(), expected);
    }

    #[test]
    fn words_become_prefixes() {
        check("list  ports", Some("\"list\"* \"ports\"*"));
    }

    #[test]
    fn operators_are_words() {
        check("a AND (b OR c)", Some("\"a\"* \"AND\"* \"(b\"* \"OR\"* \"c)\"*"));
    }

    #[test]
    fn any_word_of_a_text_is_enough() {
        assert_eq!(fts_any("Use ss, use \"ss -t\"!").as_deref(), Some("\"use\" OR \"ss\" OR \"t\""));
        assert_eq!(fts_any("?! 🦀"), None);
        let long: Vec<String> = (0..1000).map(|n| format!("w{n}")).collect();
        assert_eq!(fts_any(&long.join(" ")).unwrap().split(" OR ").count(), MAX_WORDS);
    }

    #[test]
    fn quotes_are_doubled() {
        check("say \"hi", Some("\"say\"* \"\"\"hi\"*"));
    }

    #[test]
    fn a_nul_separates() {
        check("a\0b", Some("\"a\"* \"b\"*"));
    }

    #[test]
    fn punctuation_and_emoji_are_no_words() {
        check("* ^ \" 🦀 -", None);
        check(" \t", None);
    }

    /// A table with one row, tokenized as the ledger's.
    fn one_row(text: &str) -> Connection {
        let conn = Connection::open_in_memory().unwrap();
        conn.execute_batch(
            "CREATE VIRTUAL TABLE t USING fts5 (x, tokenize = 'unicode61 remove_diacritics 2')",
        )
        .unwrap();
        conn.execute("INSERT INTO t VALUES (?1)", [text]).unwrap();
        conn
    }

    fn hits(conn: &Connection, query: &str) -> rusqlite::Result<i64> {
        conn.query_row("SELECT count(*) FROM t WHERE t MATCH ?1", [query], |row| row.get(0))
    }

    #[test]
    fn a_word_that_the_index_splits_or_drops_still_finds() {
        let conn = one_row("use foo-bar::baz, naïve approach");
        for typed in ["foo-bar", "foo-bar::b", "naive appr", "USE", "use 🦀"] {
            assert_eq!(hits(&conn, &fts_query(typed).unwrap()), Ok(1), "{typed}");
        }
        assert_eq!(hits(&conn, &fts_query("bar-foo").unwrap()), Ok(0));
    }

    proptest! {
        #[test]
        fn any_text_is_a_query(typed: String, marks in "[\"*()^:{}+a \\-]{0,12}") {
            let conn = one_row("some words");
            for text in [&typed, &marks] {
                if let Some(query) = fts_query(text) {
                    prop_assert!(hits(&conn, &query).is_ok(), "{}", query);
                }
                if let Some(query) = fts_any(text) {
                    prop_assert!(hits(&conn, &query).is_ok(), "{}", query);
                }
            }
        }
    }
}
