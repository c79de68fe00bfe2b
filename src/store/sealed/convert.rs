//! A plain ledger becomes an encrypted one, or the other way round. Nobody else may have it open.
//!
//! What always holds: the ledger's name leads to the old file until the new one is whole, compared and on the disk.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use rusqlite::{Connection, OpenFlags};
use zeroize::Zeroizing;

use super::{Converted, Lock, Look, SealedError, key};
use crate::config::disk;
use crate::store::StoreError;
use crate::store::failure::{store_error, unwritable};
use crate::store::reader::{wal_of, with_suffix};

/// Ends the name of a copy that is not whole yet.
const UNFINISHED: &str = ".converting";
const ZEROS: usize = 1 << 20;

pub(super) fn convert(ledger: &Path, lock: &Lock, wanted: Look) -> Result<Converted, StoreError> {
    clear_unfinished(ledger)?;
    let copy = with_suffix(ledger, UNFINISHED);
    let converted = room_for(ledger).and_then(|()| write_copy(ledger, &copy, lock, wanted)).and_then(
        |(tables, rows, old)| {
            let io = |err: io::Error| unwritable(&copy, &err);
            File::open(&copy).and_then(|file| file.sync_all()).map_err(io)?;
            std::fs::rename(&copy, ledger).and_then(|()| disk::sync_parent(ledger)).map_err(io)?;
            // From here on there is the new ledger, whatever comes of the old one.
            let not_overwritten = old.into_iter().find_map(|old| overwrite(old).err());
            let bytes = std::fs::metadata(ledger).map_err(io)?.len();
            let not_overwritten = not_overwritten.map(|err| err.to_string());
            Ok(Converted { tables, rows, bytes, not_overwritten })
        },
    );
    if converted.is_err() {
        clear_unfinished(ledger)?;
    }
    converted
}

/// What a crash left. It may be a plain copy.
pub(super) fn clear_unfinished(ledger: &Path) -> Result<(), StoreError> {
    let copy = with_suffix(ledger, UNFINISHED);
    for path in [with_suffix(&copy, "-journal"), with_suffix(&copy, "-wal"), copy] {
        match OpenOptions::new().write(true).open(&path) {
            Err(err) if err.kind() == io::ErrorKind::NotFound => {}
            opened => opened
                .and_then(overwrite)
                .and_then(|()| std::fs::remove_file(&path))
                .map_err(|err| unwritable(&path, &err))?,
        }
    }
    Ok(())
}

fn room_for(ledger: &Path) -> Result<(), StoreError> {
    let io = |err: io::Error| unwritable(ledger, &err);
    let log = std::fs::metadata(wal_of(ledger)).map_or(0, |log| log.len());
    let needed = std::fs::metadata(ledger).map_err(io)?.len() + log;
    let needed = needed + needed / 10;
    let free = disk::free_bytes(ledger.parent().unwrap_or(Path::new("."))).map_err(io)?;
    if free < needed {
        return Err(SealedError::NoRoom { path: ledger.display().to_string(), needed, free }.into());
    }
    Ok(())
}

/// How many tables and rows there are, and the old files, open for what becomes of them.
type Copied = (usize, u64, Vec<File>);

fn write_copy(ledger: &Path, copy: &Path, lock: &Lock, wanted: Look) -> Result<Copied, StoreError> {
    let fail = |err: rusqlite::Error| store_error(ledger, &err);
    // Held while SQLite closes and removes them: their blocks stay until they were overwritten.
    let old: Vec<File> = [ledger.to_path_buf(), wal_of(ledger)]
        .into_iter()
        .filter_map(|path| OpenOptions::new().write(true).open(path).ok())
        .collect();
    let conn = Connection::open_with_flags(
        ledger,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )
    .map_err(fail)?;
    let new_key = if wanted == Look::Sealed {
        lock.keys.key(&lock.source, key::new_salt(&lock.source)?)?
    } else {
        super::apply(&conn, ledger, lock)?;
        // SQLCipher takes an empty key for none.
        Zeroizing::default()
    };
    // Takes the log into the file and removes it; refused while somebody else has the ledger open.
    let mode: String = conn.query_row("PRAGMA journal_mode = DELETE", [], |row| row.get(0)).map_err(fail)?;
    if mode != "delete" {
        return Err(StoreError::LogInUse);
    }
    disk::private().write(true).create_new(true).open(copy).map_err(|err| unwritable(copy, &err))?;
    let name = copy.to_str().ok_or_else(|| unwritable(copy, &"its name is not UTF-8"))?;
    conn.execute("ATTACH DATABASE ?1 AS copy KEY ?2", [name, new_key.as_str()]).map_err(fail)?;
    let export = select("sqlcipher_export('copy')", "(VALUES (0))");
    conn.query_row(&export, [], |_| Ok(())).map_err(fail)?;
    for pragma in ["application_id", "user_version"] {
        let value: i64 =
            conn.query_row(&format!("PRAGMA main.{pragma}"), [], |row| row.get(0)).map_err(fail)?;
        conn.execute_batch(&format!("PRAGMA copy.{pragma} = {value}")).map_err(fail)?;
    }
    let (tables, rows) = compare(&conn, copy).map_err(fail)??;
    Ok((tables, rows, old))
}

/// Every table has the rows that it had, and the copy is sound.
fn compare(conn: &Connection, copy: &Path) -> rusqlite::Result<Result<(usize, u64), SealedError>> {
    let bad = |reason: String| Ok(Err(SealedError::BadCopy { path: copy.display().to_string(), reason }));
    let (was, is) = (schema_of(conn, "main")?, schema_of(conn, "copy")?);
    if was != is {
        return bad("its schema differs".into());
    }
    let mut rows = 0;
    let tables: Vec<&String> = was
        .iter()
        .filter(|(kind, _, sql)| kind == "table" && !sql.starts_with("CREATE VIRTUAL"))
        .map(|(_, name, _)| name)
        .collect();
    for table in &tables {
        let table = format!("\"{}\"", table.replace('"', "\"\""));
        let count = |of: &str| -> rusqlite::Result<u64> {
            let sql = select("count(*)", &format!("{of}.{table}"));
            conn.query_row(&sql, [], |row| row.get::<_, i64>(0)).map(|n| u64::try_from(n).unwrap_or_default())
        };
        let (before, after) = (count("main")?, count("copy")?);
        if before != after {
            return bad(format!("{table} has {after} rows instead of {before}"));
        }
        rows += after;
    }
    let verdict: String = conn.query_row("PRAGMA copy.integrity_check(1)", [], |row| row.get(0))?;
    if verdict != "ok" {
        return bad(verdict);
    }
    Ok(Ok((tables.len(), rows)))
}

/// Kind, name and text of everything in a database, but for what SQLite counted for itself.
fn schema_of(conn: &Connection, of: &str) -> rusqlite::Result<Vec<(String, String, String)>> {
    let sql = select("type, name, coalesce(sql, '')", &format!("{of}.sqlite_schema"));
    let mut parts: Vec<(String, String, String)> = conn
        .prepare(&sql)?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
        .collect::<rusqlite::Result<_>>()?;
    parts.retain(|(_, name, _)| !name.starts_with("sqlite_stat"));
    parts.sort();
    Ok(parts)
}

/// A walk through a whole table, which only copying is allowed.
fn select(what: &str, from: &str) -> String {
    ["SELECT", what, "FROM", from].join(" ")
}

/// As far as a file system puts new bytes where the old ones are.
fn overwrite(mut file: File) -> io::Result<()> {
    let mut left = file.metadata()?.len();
    let zeros = vec![0; ZEROS];
    while left > 0 {
        let n = usize::try_from(left).unwrap_or(ZEROS).min(ZEROS);
        file.write_all(zeros.get(..n).unwrap_or_default())?;
        left -= n as u64;
    }
    file.sync_all()
}
