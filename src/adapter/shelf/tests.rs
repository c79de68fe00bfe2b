//! The shelf: what is put there comes back, numbers are given once, and what is broken stays alone.

use std::os::unix::fs::PermissionsExt;
use std::thread;

use super::super::manifest::Training;
use super::super::manifest::tests::base;
use super::super::{Linear, Site, arbitrary};
use super::*;

struct Place {
    shelf: Shelf,
    folder: tempfile::TempDir,
}

fn place() -> Place {
    let folder = tempfile::tempdir().unwrap();
    Place { shelf: Shelf::new(&folder.path().join("adapters")), folder }
}

fn adapter() -> Adapter {
    arbitrary::adapter(2, &[(Site { layer: 0, linear: Linear::Q }, 4, 6)])
}

fn new() -> NewVersion {
    let training = Training { n_samples: 7, ..Training::default() };
    NewVersion {
        parent: PolicyVersion::BASE,
        base: base(),
        made: Made::Train(training),
        created_at: 1_700_000_000,
    }
}

impl Place {
    fn create(&self) -> Manifest {
        self.shelf.create(&new(), &adapter(), None).unwrap()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("adapters").join(name)
    }

    fn versions(&self) -> Vec<u32> {
        self.shelf.list().unwrap().versions.iter().map(|manifest| manifest.version.0).collect()
    }

    fn names(&self) -> Vec<String> {
        let mut names = self.shelf.names().unwrap();
        names.sort();
        names
    }
}

const V1: PolicyVersion = PolicyVersion(1);

#[test]
fn what_is_put_there_comes_back() {
    let place = place();
    assert_eq!(place.shelf.list().unwrap(), Listing::default());
    let made = place.create();
    assert_eq!((made.version, made.state, made.rank, made.alpha), (V1, State::Candidate, 2, 8.0));
    assert_eq!(place.shelf.list().unwrap(), Listing { versions: vec![made.clone()], broken: vec![] });
    assert_eq!(place.shelf.verify(V1, &base()).unwrap(), made);
    assert_eq!(place.shelf.load(V1).unwrap(), (made, adapter()));
    let (_, labels) = gguf::read(&place.shelf.gguf_path(V1)).unwrap();
    assert_eq!((labels.version, labels.base_sha256), (Some(V1), Some(base().sha256)));
}

#[test]
fn files_and_folders_are_private() {
    let place = place();
    let mut state = |out: &mut dyn Write| out.write_all(b"moments");
    place.shelf.create(&new(), &adapter(), Some(&mut state)).unwrap();
    assert_eq!(std::fs::read(place.shelf.state_path(V1)).unwrap(), b"moments");
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    for file in ["v1/adapter.gguf", "v1/manifest.json", "v1/train_state", "last_version"] {
        assert_eq!(mode(&place.path(file)), 0o600, "{file}");
    }
    assert_eq!((mode(&place.path("")), mode(&place.path("v1"))), (0o700, 0o700));
}

#[test]
fn a_number_is_never_given_twice() {
    let place = place();
    assert_eq!((place.create().version.0, place.create().version.0), (1, 2));
    place.shelf.remove(PolicyVersion(2)).unwrap();
    assert_eq!(place.create().version.0, 3);
    assert_eq!(place.versions(), [1, 3]);
    // Even a lost counter does not bring back what stands there.
    std::fs::remove_file(place.path("last_version")).unwrap();
    assert_eq!(place.create().version.0, 4);
    std::fs::remove_file(place.path("last_version")).unwrap();
    place.shelf.remove(PolicyVersion(4)).unwrap();
    assert_eq!(place.create().version.0, 5);
}

#[test]
fn a_damaged_counter_stops_with_advice() {
    let place = place();
    place.create();
    std::fs::write(place.path("last_version"), "many").unwrap();
    let error = place.shelf.create(&new(), &adapter(), None).unwrap_err().to_string();
    assert!(error.contains("last_version") && error.contains("highest version number"), "{error}");
}

#[test]
fn two_makers_at_the_same_time_get_two_numbers() {
    let place = place();
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..5).for_each(|_| drop(place.create())));
        }
    });
    assert_eq!(place.versions(), (1..=20).collect::<Vec<_>>());
}

#[test]
fn a_failure_in_the_middle_leaves_no_half_entry() {
    let place = place();
    let mut full = |out: &mut dyn Write| {
        out.write_all(&[0; 10_000])?;
        Err(io::Error::from(io::ErrorKind::StorageFull))
    };
    let error = place.shelf.create(&new(), &adapter(), Some(&mut full)).unwrap_err();
    assert!(matches!(error, AdapterError::Io { .. }), "{error}");
    assert_eq!(place.names(), [".lock", "last_version"]);
    assert_eq!(place.create().version.0, 2);
}

#[test]
fn an_adapter_that_is_not_sound_uses_no_number() {
    let place = place();
    let mut adapter = adapter();
    adapter.alpha = f32::NAN;
    assert!(matches!(place.shelf.create(&new(), &adapter, None), Err(AdapterError::Unsound(_))));
    assert!(place.names().is_empty());
}

#[test]
fn what_a_crash_left_is_cleared_by_the_next_maker() {
    let place = place();
    place.create();
    std::fs::rename(place.path("v1"), place.path(".unfinished-v2")).unwrap();
    assert_eq!(place.shelf.list().unwrap(), Listing::default());
    assert_eq!(place.create().version.0, 2);
    assert_eq!(place.names(), [".lock", "last_version", "v2"]);
}

/// Damages the first of two versions; the second must stay.
#[track_caller]
fn check_broken(damage: impl FnOnce(&Place), expected: &str) {
    let place = place();
    place.create();
    place.create();
    damage(&place);
    let listing = place.shelf.list().unwrap();
    assert_eq!(listing.versions.iter().map(|manifest| manifest.version.0).collect::<Vec<_>>(), [2]);
    let [broken] = listing.broken.as_slice() else { panic!("{listing:?}") };
    assert!(broken.name == "v1" && broken.problem.contains(expected), "{broken:?}");
    assert!(place.shelf.load(V1).is_err());
    place.shelf.remove(V1).unwrap();
    assert_eq!(place.shelf.list().unwrap().broken, []);
}

#[test]
fn a_broken_entry_is_named_and_disturbs_no_other() {
    check_broken(
        |place| std::fs::remove_file(place.path("v1/adapter.gguf")).unwrap(),
        "adapter.gguf is missing",
    );
    check_broken(
        |place| std::fs::remove_file(place.path("v1/manifest.json")).unwrap(),
        "manifest.json is missing",
    );
    check_broken(|place| std::fs::write(place.path("v1/manifest.json"), "{").unwrap(), "damaged");
    check_broken(
        |place| std::fs::write(place.path("v1/adapter.gguf"), "x").unwrap(),
        "has 1 bytes instead of",
    );
    check_broken(
        |place| {
            std::fs::copy(place.path("v2/manifest.json"), place.path("v1/manifest.json")).unwrap();
        },
        "its manifest is that of v2",
    );
}

#[test]
fn a_folder_that_is_no_version_is_named() {
    let place = place();
    place.create();
    for name in ["v0", "v01", "notes"] {
        std::fs::create_dir(place.path(name)).unwrap();
    }
    let listing = place.shelf.list().unwrap();
    let names: Vec<&str> = listing.broken.iter().map(|broken| broken.name.as_str()).collect();
    assert_eq!((listing.versions.len(), names), (1, vec!["notes", "v0", "v01"]));
}

#[test]
fn a_changed_file_is_found_by_its_hash() {
    let place = place();
    place.create();
    let path = place.shelf.gguf_path(V1);
    let mut bytes = std::fs::read(&path).unwrap();
    let last = bytes.len() - 40;
    bytes[last] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    assert!(place.shelf.manifest(V1).is_ok());
    let error = place.shelf.verify(V1, &base()).unwrap_err().to_string();
    assert!(
        error.contains("adapter v1 is damaged") && error.contains("changed since it was made"),
        "{error}"
    );
}

#[test]
fn another_base_is_refused_with_both_names_and_the_next_step() {
    let place = place();
    place.create();
    let other = Base { name: "Qwen3-0.6B".into(), sha256: "0123456789abcdef".repeat(4), ..base() };
    let error = place.shelf.verify(V1, &other).unwrap_err().to_string();
    assert_eq!(
        error,
        "adapter v1 was made for chela-starter (abababababab), and the model is Qwen3-0.6B (0123456789ab); \
         `chela model use chela-starter` brings its base back"
    );
}

#[test]
fn a_state_is_noted_and_nothing_else_changes() {
    let place = place();
    let made = place.create();
    let promoted = place.shelf.set_state(V1, State::Promoted).unwrap();
    assert_eq!(promoted, Manifest { state: State::Promoted, ..made });
    assert_eq!(place.shelf.manifest(V1).unwrap(), promoted);
}

#[test]
fn what_is_not_there_is_not_there() {
    let place = place();
    for error in [
        place.shelf.manifest(V1).unwrap_err(),
        place.shelf.remove(V1).unwrap_err(),
        place.shelf.set_state(V1, State::Promoted).unwrap_err(),
        place.shelf.manifest(PolicyVersion::BASE).unwrap_err(),
    ] {
        assert!(matches!(error, AdapterError::NoVersion(_)), "{error}");
    }
}

#[test]
fn the_files_of_a_run_stay_until_it_ends() {
    let place = place();
    let dir = place.shelf.run_dir("ab12").unwrap();
    std::fs::write(dir.join("state"), "s").unwrap();
    place.create();
    assert!(dir.join("state").exists() && place.shelf.list().unwrap().broken.is_empty());
    place.shelf.end_run("ab12").unwrap();
    place.shelf.end_run("ab12").unwrap();
    assert!(!dir.exists());
    assert!(place.shelf.run_dir("../v1").is_err() && place.shelf.end_run("").is_err());
}
