//! The starter model on disk: there on first use, repaired, safe under a race, honest when it cannot be written.

use std::os::unix::fs::PermissionsExt;

use chela::model::{find, resolve, starter};

use super::fixture::Home;
use super::server::sha256;

#[test]
fn the_embedded_file_has_the_hash_of_its_model_card() {
    assert_eq!(sha256(starter::BYTES), starter::SHA256);
    assert!(include_str!("../../../assets/starter/MODEL_CARD.md").contains(starter::SHA256));
}

#[test]
fn it_is_there_on_first_use_and_private() {
    let home = Home::new();
    let path = starter::unpack(home.models_dir()).unwrap();
    assert!(std::fs::read(&path).unwrap() == starter::BYTES);
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let left: Vec<_> =
        std::fs::read_dir(home.models_dir()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().contains(".part")), "{left:?}");
}

#[test]
fn a_good_copy_is_left_alone() {
    let home = Home::new();
    let path = starter::unpack(home.models_dir()).unwrap();
    let before = std::fs::metadata(&path).unwrap().modified().unwrap();
    starter::unpack(home.models_dir()).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().modified().unwrap(), before);
}

#[track_caller]
fn repaired(damage: impl FnOnce(&mut Vec<u8>)) {
    let home = Home::new();
    let mut bytes = starter::BYTES.to_vec();
    damage(&mut bytes);
    std::fs::create_dir_all(home.models_dir()).unwrap();
    std::fs::write(starter::path_in(home.models_dir()), bytes).unwrap();
    let path = starter::unpack(home.models_dir()).unwrap();
    assert!(std::fs::read(path).unwrap() == starter::BYTES);
}

#[test]
fn a_damaged_copy_is_replaced() {
    repaired(|bytes| bytes[5_000_000] ^= 1);
    repaired(|bytes| *bytes.last_mut().unwrap() ^= 1);
    repaired(|bytes| bytes.truncate(1000));
    repaired(|bytes| bytes.push(0));
    repaired(Vec::clear);
}

#[test]
fn many_at_once_unpack_one_good_file() {
    let home = Home::new();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let path = starter::unpack(home.models_dir()).unwrap();
                assert!(std::fs::read(path).unwrap() == starter::BYTES);
            });
        }
    });
}

#[test]
fn a_place_that_cannot_be_written_is_named() {
    let home = Home::new();
    // A file where the directory should be: fails for root too, unlike permissions.
    home.put("chela/models", b"");
    let error = starter::unpack(home.models_dir()).unwrap_err().to_string();
    assert!(error.contains("cannot unpack the starter model to") && error.contains("CHELA_HOME"), "{error}");
    let row = find::list(&home.roots).into_iter().find(|row| row.name == starter::NAME).unwrap();
    assert!(row.problem.unwrap().contains("cannot unpack"));
}

/// `/dev/full` refuses every byte with the error of a full disk.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_said_with_what_is_needed() {
    let home = Home::new();
    std::fs::create_dir_all(home.models_dir()).unwrap();
    let part = home.models_dir().join("chela-starter.gguf.part");
    std::os::unix::fs::symlink("/dev/full", &part).unwrap();
    let error = starter::unpack(home.models_dir()).unwrap_err().to_string();
    assert!(
        error.contains("no room for the starter model") && error.contains("7.95 MB are needed"),
        "{error}"
    );
    // The failed attempt took its part away, so the next one succeeds.
    starter::unpack(home.models_dir()).unwrap();
}

#[test]
fn it_resolves_without_being_unpacked_first() {
    let home = Home::new();
    let found = resolve::resolve(&home.roots, "chela-starter").unwrap();
    let header = found.header.unwrap();
    assert_eq!((found.name.as_str(), header.architecture.as_str()), ("chela-starter", "qwen3"));
    assert_eq!((header.parameters, header.context, header.trainable), (7_345_408, 2048, true));
    assert_eq!(header.quantization, "Q8_0");
}
