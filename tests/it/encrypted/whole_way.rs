//! What only a build with encryption can: begin, encrypt, back up, restore, forget, decrypt.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::Arc;

use chela::config::KeySource;
use chela::daemon::wire::Teach;
use chela::engine::scripted::Scripted;
use chela::lesson::Scope;
use chela::store::sealed::{Look, SealedError, look, use_key};
use chela::store::{Reader, SqliteStore, StoreError};
use tempfile::TempDir;

use super::names_in;
use crate::cli::{Home, stderr, stdout};
use crate::served::{Served, config, files_that, home, loader_of, paths_in, rest, serve_with};
use crate::store::{exchange, new_turn, now};

const MARKER: &str = "quokka-velvet-7431";
const ANSWER: &str = "axolotl-amber-9122";

fn holds(text: &str) -> impl Fn(&[u8]) -> bool + '_ {
    move |bytes: &[u8]| bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

/// A file with a key, that only its owner may read.
fn key_file(folder: &Path, secret: &str) -> PathBuf {
    let file = folder.join("key");
    fs::write(&file, format!("{secret}\nand a note\n")).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    file
}

fn serve_at(home: TempDir, key: &str) -> Served {
    let engine = Scripted::saying(&[ANSWER]);
    let mut config = config(paths_in(&home), loader_of(Arc::new(engine)));
    config.settings.privacy.key_file = key.into();
    serve_with(home, config)
}

fn chela(home: &Path, key: &str, args: &[&str]) -> Output {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_chela"));
    command.args(args).stdin(std::process::Stdio::null()).env("CHELA_HOME", home);
    command.env("CHELA_PRIVACY_KEY_FILE", key).output().unwrap()
}

#[track_caller]
fn done(output: &Output) -> (String, String) {
    assert!(output.status.success(), "{}", stderr(output));
    (stdout(output), stderr(output))
}

#[track_caller]
fn refused(output: &Output, says: &str) {
    let said = stderr(output);
    assert!(!output.status.success() && said.contains(says), "{said}");
}

/// The ledger and everything beside it, while it is written and afterwards.
fn beside_the_ledger(home: &Path, text: &str) -> Vec<PathBuf> {
    files_that(&home.join("data"), &holds(text))
}

#[test]
fn nothing_of_a_turn_is_in_the_ledger_or_its_log() {
    for secret in ["correct horse battery staple", &"0123456789abcdef".repeat(4)] {
        let home = home();
        let key = key_file(home.path(), secret);
        let served = serve_at(home, key.to_str().unwrap());
        assert_eq!(rest(served.chat(MARKER)).0, ANSWER);
        let teach = Teach { text: format!("always say {MARKER}"), scope: Some(Scope::Global), turn: None };
        served.client.teach(&teach).unwrap();
        let data = served.home.path().join("data");
        assert!(fs::metadata(data.join("ledger.db-wal")).unwrap().len() > 4096);
        assert_eq!(look(&data.join("ledger.db")).unwrap(), Look::Sealed);
        for text in [MARKER, ANSWER, "CREATE TABLE"] {
            assert!(beside_the_ledger(served.home.path(), text).is_empty(), "{text}");
        }
        let home = served.stop();
        assert!(beside_the_ledger(home.path(), MARKER).is_empty());
        let ledger = paths_in(&home).ledger();
        let mut reader = Reader::open(&ledger).unwrap();
        assert_eq!(reader.sessions(9, Some(MARKER)).unwrap().len(), 1);
        assert_eq!(reader.integrity_check().unwrap(), Vec::<String>::new());
    }
}

/// A plain ledger with one turn.
fn plain_home() -> (Home, PathBuf) {
    let home = Home::new();
    let ledger = home.path().join("data/ledger.db");
    fs::create_dir_all(ledger.parent().unwrap()).unwrap();
    let mut store = SqliteStore::open(&ledger, now()).unwrap().store;
    exchange(&mut store, new_turn("s", None, MARKER), ANSWER);
    drop(store);
    (home, ledger)
}

#[test]
fn wrong_keys_and_absent_ones_are_refused_and_nothing_is_set_aside() {
    let (home, ledger) = plain_home();
    let key = key_file(&home.path(), "swordfish");
    let file = |path: &Path| Some(KeySource::File(path.to_path_buf()));
    use_key(&ledger, file(&key));
    let plain = SqliteStore::open(&ledger, now()).err();
    assert!(matches!(plain, Some(StoreError::Sealed(SealedError::NotSealed { .. }))), "{plain:?}");
    assert!(holds(MARKER)(&fs::read(&ledger).unwrap()));
    done(&chela(&home.path(), key.to_str().unwrap(), &["privacy", "encrypt"]));
    let before = fs::read(&ledger).unwrap();
    assert!(!holds(MARKER)(&before));

    let other = home.path().join("other");
    fs::copy(&key, &other).unwrap();
    fs::write(&other, "sword fish").unwrap();
    let missing = Some(KeySource::Command("echo 'no such entry' >&2; exit 7".into()));
    let cases = [
        (file(&other), "does not open with the key of privacy.key_file"),
        (None, "is encrypted"),
        (missing, "privacy.key_command: the command ended with exit status: 7: no such entry"),
        (file(Path::new("/nonexistent/key")), "privacy.key_file: /nonexistent/key"),
    ];
    for (source, says) in cases {
        use_key(&ledger, source);
        for refused in [SqliteStore::open(&ledger, now()).err(), Reader::open(&ledger).err()] {
            let said = refused.unwrap().to_string();
            assert!(said.contains(says) && !said.contains("sword"), "{said}");
        }
    }
    use_key(&ledger, Some(KeySource::Command("echo swordfish; echo more".into())));
    assert_eq!(Reader::open(&ledger).unwrap().counts().unwrap().turns, 1);
    assert_eq!(
        (fs::read(&ledger).unwrap(), names_in(ledger.parent().unwrap())),
        (before, vec!["ledger.db".into()])
    );
}

#[test]
fn a_key_that_others_may_read_is_refused() {
    let (home, ledger) = plain_home();
    let key = key_file(&home.path(), "swordfish");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o640)).unwrap();
    refused(&chela(&home.path(), key.to_str().unwrap(), &["privacy", "encrypt"]), "others may read");
    assert!(holds(MARKER)(&fs::read(&ledger).unwrap()));
}

#[test]
fn a_ledger_goes_both_ways_with_every_row_and_what_a_crash_left_is_cleared() {
    let (home, ledger) = plain_home();
    let key = key_file(&home.path(), "swordfish");
    let run = |args: &[&str]| chela(&home.path(), key.to_str().unwrap(), args);
    let export = |key: &str| stdout(&chela(&home.path(), key, &["export", "--only", "turns", "--tokens"]));
    let (before, counts) = (export(""), counts_of(&ledger));
    assert!(before.contains(MARKER), "{before}");
    let unfinished = home.path().join("data/ledger.db.converting");
    fs::write(&unfinished, MARKER).unwrap();

    let (_, said) = done(&run(&["privacy", "encrypt"]));
    assert!(said.contains("is encrypted: ") && said.contains("nobody reads the ledger again"), "{said}");
    assert!(beside_the_ledger(&home.path(), MARKER).is_empty() && !unfinished.exists());
    assert_eq!(export(key.to_str().unwrap()), before);
    let report = done(&run(&["privacy"])).0;
    assert!(
        report.contains("with the key of privacy.key_file") && report.contains("never: learned versions"),
        "{report}"
    );
    assert!(done(&run(&["privacy", "encrypt"])).1.contains("encrypted already"));

    let (_, said) = done(&run(&["privacy", "decrypt"]));
    assert!(said.contains("chela config set privacy.key_file \"\""), "{said}");
    assert_eq!((export(""), counts_of(&ledger)), (before, counts));
    assert!(done(&run(&["privacy", "decrypt"])).1.contains("plain file already"));
}

/// Sessions and turns of a plain ledger.
fn counts_of(ledger: &Path) -> (usize, usize) {
    use_key(ledger, None);
    let counts = Reader::open(ledger).unwrap().counts().unwrap();
    (counts.sessions, counts.turns)
}

#[test]
fn a_ledger_that_somebody_writes_is_not_converted() {
    let (home, ledger) = plain_home();
    let key = key_file(&home.path(), "swordfish");
    let store = SqliteStore::open(&ledger, now()).unwrap().store;
    refused(&chela(&home.path(), key.to_str().unwrap(), &["privacy", "encrypt"]), "locked");
    drop(store);
    assert_eq!(look(&ledger).unwrap(), Look::Plain);
    assert_eq!(names_in(ledger.parent().unwrap()), ["ledger.db"]);
}

#[test]
fn backups_stay_encrypted_come_back_and_forgetting_works() {
    let home = home();
    let key = key_file(home.path(), "swordfish");
    let key = key.to_str().unwrap().to_owned();
    let served = serve_at(home, &key);
    assert_eq!(rest(served.chat(MARKER)).0, ANSWER);
    let teach = Teach { text: format!("always say {MARKER}"), scope: Some(Scope::Global), turn: None };
    served.client.teach(&teach).unwrap();
    let made = served.client.back_up().unwrap();
    let export = |home: &Path| stdout(&chela(home, &key, &["export", "--only", "turns"]));
    let before = export(served.home.path());
    let kept = zstd::decode_all(fs::File::open(&made.path).unwrap()).unwrap();
    assert!(!holds(MARKER)(&kept) && !holds("CREATE TABLE")(&kept));
    let away = tempfile::tempdir().unwrap();
    let file = away.path().join("b.tar.zst");
    fs::copy(&made.path, &file).unwrap();

    done(&chela(served.home.path(), &key, &["forget", "turn:1", "--yes"]));
    assert!(!export(served.home.path()).contains(MARKER));
    let home = served.stop();
    done(&chela(home.path(), &key, &["restore", file.to_str().unwrap()]));
    assert_eq!(export(home.path()), before);
    assert_eq!(look(&paths_in(&home).ledger()).unwrap(), Look::Sealed);
}

#[test]
fn a_plain_backup_is_encrypted_when_it_comes_back() {
    let (home, ledger) = plain_home();
    let places =
        chela::store::backup::Places { ledger: &ledger, adapters: &home.path().join("data/adapters") };
    let made = chela::store::backup::make(places, now()).unwrap();
    let key = key_file(&home.path(), "swordfish");
    let run = |args: &[&str]| chela(&home.path(), key.to_str().unwrap(), args);
    let (_, said) = done(&run(&["privacy", "encrypt"]));
    assert!(said.contains("still plain") && said.contains(made.path.to_str().unwrap()), "{said}");
    done(&run(&["restore", made.path.to_str().unwrap()]));
    assert_eq!(look(&ledger).unwrap(), Look::Sealed);
    assert!(beside_the_ledger(&home.path(), MARKER).is_empty());
    assert!(stdout(&run(&["export", "--only", "turns"])).contains(MARKER));
}
