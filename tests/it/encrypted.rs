//! Encryption at rest: what a ledger without its key is answered with, in every build, and the whole way in a build that can.

use std::fs;
use std::path::{Path, PathBuf};

use chela::store::sealed::SealedError;
use chela::store::{Reader, SqliteStore, StoreError};

use crate::cli::{Home, stderr};
use crate::store::now;

#[cfg(feature = "encrypted")]
mod whole_way;

/// As many bytes without a pattern, as an encrypted file has them.
fn noise(n: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_u32;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state.to_le_bytes()[1]
    };
    (0..n).map(|_| next()).collect()
}

/// A home with a file that looks like an encrypted ledger.
fn sealed_home() -> (Home, PathBuf) {
    let home = Home::new();
    let folder = home.path().join("data");
    fs::create_dir_all(&folder).unwrap();
    let ledger = folder.join("ledger.db");
    fs::write(&ledger, noise(3 * 4096)).unwrap();
    (home, ledger)
}

fn names_in(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.retain(|name| name.starts_with("ledger"));
    names.sort();
    names
}

#[test]
fn an_encrypted_ledger_without_a_key_is_refused_and_left_alone() {
    let (_home, ledger) = sealed_home();
    for refused in [SqliteStore::open(&ledger, now()).err(), Reader::open(&ledger).err()] {
        assert!(matches!(refused, Some(StoreError::Sealed(SealedError::NoKey { .. }))), "{refused:?}");
    }
    assert_eq!(fs::read(&ledger).unwrap(), noise(3 * 4096));
    assert_eq!(names_in(ledger.parent().unwrap()), ["ledger.db"]);
}

#[test]
fn the_person_hears_which_file_and_which_setting() {
    let (home, ledger) = sealed_home();
    for args in [&["turns"][..], &["export", "--only", "turns"]] {
        let output = home.run(args);
        let said = stderr(&output);
        assert!(!output.status.success(), "{args:?}");
        for part in [ledger.to_str().unwrap(), "is encrypted", "privacy.key_command", "privacy.key_file"] {
            assert!(said.contains(part), "{args:?}: {said}");
        }
    }
    assert_eq!(fs::read(&ledger).unwrap(), noise(3 * 4096));
}

#[test]
fn restoring_over_an_encrypted_ledger_without_its_key_moves_nothing() {
    let (home, ledger) = sealed_home();
    let other = Home::new();
    let plain = other.path().join("data");
    fs::create_dir_all(&plain).unwrap();
    drop(SqliteStore::open(&plain.join("ledger.db"), now()).unwrap());
    let places =
        chela::store::backup::Places { ledger: &plain.join("ledger.db"), adapters: &plain.join("adapters") };
    let made = chela::store::backup::make(places, now()).unwrap();
    let output = home.run(&["restore", made.path.to_str().unwrap()]);
    assert!(!output.status.success() && stderr(&output).contains("is encrypted"), "{}", stderr(&output));
    assert_eq!(fs::read(&ledger).unwrap(), noise(3 * 4096));
    assert_eq!(names_in(ledger.parent().unwrap()), ["ledger.db"]);
}

#[cfg(not(feature = "encrypted"))]
#[test]
fn a_key_that_this_build_cannot_use_is_refused_with_the_way_to_build_one_that_can() {
    let home = Home::new();
    let ledger = home.path().join("data/ledger.db");
    fs::create_dir_all(ledger.parent().unwrap()).unwrap();
    drop(SqliteStore::open(&ledger, now()).unwrap());
    let before = fs::read(&ledger).unwrap();
    let command = chela::config::KeySource::Command("echo swordfish".into());
    chela::store::sealed::use_key(&ledger, Some(command));
    for refused in [SqliteStore::open(&ledger, now()).err(), Reader::open(&ledger).err()] {
        assert_eq!(
            refused,
            Some(StoreError::Sealed(SealedError::NotBuilt { setting: "privacy.key_command" }))
        );
    }
    assert_eq!(
        (fs::read(&ledger).unwrap(), names_in(ledger.parent().unwrap())),
        (before, vec!["ledger.db".into()])
    );

    assert!(home.run(&["config", "set", "privacy.key_file", "/k"]).status.success());
    for args in [&["turns"][..], &["privacy", "encrypt"], &["privacy", "decrypt"]] {
        let output = home.run(args);
        assert!(
            !output.status.success() && stderr(&output).contains("CHELA_FEATURES=encrypted scripts/run"),
            "{args:?}: {}",
            stderr(&output)
        );
    }
    let report = crate::cli::stdout(&home.run(&["privacy"]));
    assert!(
        report.contains("privacy.key_file is set, but this chela was built without encryption"),
        "{report}"
    );
}

#[test]
fn two_places_for_one_key_are_refused() {
    let home = Home::new();
    assert!(home.run(&["config", "set", "privacy.key_file", "/k"]).status.success());
    let output = home.run(&["config", "set", "privacy.key_command", "pass show chela"]);
    assert!(stderr(&output).contains("both set"), "{}", stderr(&output));
}
