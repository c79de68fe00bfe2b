//! Enum values as the words that the tables hold, and larger values as JSON: the same as on the wire.

use rusqlite::Row;
use rusqlite::types::Type;
use serde::Serialize;
use serde::de::value::{Error, StrDeserializer};
use serde::de::{DeserializeOwned, IntoDeserializer};

/// `TurnKind::Main` → `main`. Empty for anything that is not a plain word, which no caller has.
pub(super) fn word(value: impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        _ => String::new(),
    }
}

/// Reads a column that [`word`] wrote.
pub(super) fn get_word<T: DeserializeOwned>(row: &Row<'_>, column: &str) -> rusqlite::Result<T> {
    parse(&row.get::<_, String>(column)?)
}

/// As [`get_word`], for a column that may be empty.
pub(super) fn get_word_opt<T: DeserializeOwned>(row: &Row<'_>, column: &str) -> rusqlite::Result<Option<T>> {
    row.get::<_, Option<String>>(column)?.as_deref().map(parse).transpose()
}

/// Reads a column of JSON.
pub(super) fn get_json<T: DeserializeOwned>(row: &Row<'_>, column: &str) -> rusqlite::Result<T> {
    parse_json(&row.get::<_, String>(column)?)
}

/// As [`get_json`], for a column that may be empty.
pub(super) fn get_json_opt<T: DeserializeOwned>(row: &Row<'_>, column: &str) -> rusqlite::Result<Option<T>> {
    row.get::<_, Option<String>>(column)?.as_deref().map(parse_json).transpose()
}

fn parse_json<T: DeserializeOwned>(json: &str) -> rusqlite::Result<T> {
    serde_json::from_str(json)
        .map_err(|err| rusqlite::Error::FromSqlConversionFailure(0, Type::Text, err.into()))
}

fn parse<T: DeserializeOwned>(word: &str) -> rusqlite::Result<T> {
    let deserializer: StrDeserializer<'_, Error> = word.into_deserializer();
    T::deserialize(deserializer)
        .map_err(|err| rusqlite::Error::FromSqlConversionFailure(0, Type::Text, err.into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::turn::{Ending, Source, TurnKind};

    #[test]
    fn words_are_those_of_the_wire() {
        assert_eq!(word(TurnKind::Main), "main");
        assert_eq!(word(Ending::Crashed), "crashed");
        assert_eq!(parse::<Source>("shell").unwrap(), Source::Shell);
        parse::<Source>("telepathy").unwrap_err();
    }
}
