//! Downloads against a hub that drops, lies, refuses and forgets. Nothing is shared between two pulls but the disk,
//! so a second pull is what a restarted process does.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use chela::model::choose::Spec;
use chela::model::hub::Hub;
use chela::model::pull::{PullError, PullEvent, Pulled, Retry, Setup, pull};
use chela::model::{find, remove, resolve};

use super::fixture::{Home, gguf};
use super::server::{COMMIT, Fault, Listing, Server, sha256};

const LOCAL: &str = "org--tiny-GGUF--tiny-Q8_0.gguf";

/// A hub with one repository, and a home to pull into.
struct Scene {
    server: Server,
    home: Home,
    token: Option<String>,
    attempts: u32,
    free: fn(&Path) -> std::io::Result<u64>,
    check: Result<(), String>,
    events: Vec<PullEvent>,
    /// Cancel once this many bytes were reported.
    cancel_at: Option<u64>,
}

impl Scene {
    fn new() -> Self {
        Self::with(&[("README.md", b"# tiny".to_vec()), ("tiny-Q8_0.gguf", gguf("qwen3", 1))])
    }

    fn with(files: &[(&str, Vec<u8>)]) -> Self {
        Self {
            server: Server::new(files),
            home: Home::new(),
            token: None,
            attempts: 3,
            free: |_| Ok(u64::MAX),
            check: Ok(()),
            events: Vec::new(),
            cancel_at: None,
        }
    }

    fn pull(&mut self, spec: &str) -> Result<Pulled, PullError> {
        let hub = Hub { endpoint: self.server.endpoint.clone(), token: self.token.clone() };
        let cancel = AtomicBool::new(false);
        let check = |_: &Path| self.check.clone();
        let setup = Setup {
            retry: Retry { attempts: self.attempts, first_wait: Duration::ZERO },
            free_bytes: self.free,
            ..Setup::new(&hub, &self.home.roots.chela, &check, &cancel)
        };
        let spec: Spec = spec.parse().unwrap();
        let (events, cancel_at) = (&mut self.events, self.cancel_at);
        pull(&spec, &setup, &mut |event| {
            if let (PullEvent::Advanced { done }, Some(at)) = (&event, cancel_at)
                && *done >= at
            {
                cancel.store(true, Ordering::Relaxed);
            }
            events.push(event);
        })
    }

    #[track_caller]
    fn refused(&mut self, spec: &str, expected: &str) {
        let error = self.pull(spec).unwrap_err().to_string();
        assert_eq!(error.replace(&self.server.endpoint, "HUB"), expected);
    }

    fn local(&self, name: &str) -> PathBuf {
        self.home.models_dir().join(name)
    }

    fn part(&self) -> PathBuf {
        self.local(&format!("{LOCAL}.part"))
    }

    #[track_caller]
    fn is_in_place(&self, bytes: &[u8]) {
        assert!(std::fs::read(self.local(LOCAL)).unwrap() == bytes, "other bytes than the hub's");
        assert!(!self.part().exists() && !self.local(&format!("{LOCAL}.part.json")).exists());
    }
}

fn tiny() -> Vec<u8> {
    gguf("qwen3", 1)
}

#[test]
fn a_model_is_downloaded_verified_named_and_described() {
    let mut scene = Scene::new();
    let pulled = scene.pull("org/tiny-GGUF").unwrap();
    scene.is_in_place(&tiny());
    assert_eq!(pulled.name, "org/tiny-GGUF:tiny-Q8_0");
    assert_eq!((pulled.path.clone(), pulled.size), (scene.local(LOCAL), tiny().len() as u64));
    assert_eq!((pulled.revision.as_str(), pulled.sha256), (COMMIT, Some(sha256(&tiny()))));
    assert_eq!(scene.server.ranges(), [None]);
    let note = std::fs::read_to_string(scene.local(&format!("{LOCAL}.json"))).unwrap();
    assert!(note.contains("\"repo\": \"org/tiny-GGUF\"") && note.contains(COMMIT), "{note}");
    let found = resolve::resolve(&scene.home.roots, "org/tiny-GGUF:Q8_0").unwrap();
    assert_eq!((found.name, found.path), (pulled.name, pulled.path));
}

#[test]
fn progress_begins_at_nothing_and_ends_with_everything() {
    let mut scene = Scene::new();
    scene.pull("org/tiny-GGUF").unwrap();
    let total = tiny().len() as u64;
    assert!(matches!(&scene.events[0], PullEvent::Started { total: t, here: 0, .. } if *t == total));
    assert!(scene.events.contains(&PullEvent::Advanced { done: total }));
    assert_eq!(scene.events.last(), Some(&PullEvent::Verifying { done: total }));
}

#[test]
fn a_second_pull_downloads_nothing() {
    let mut scene = Scene::new();
    scene.pull("org/tiny-GGUF").unwrap();
    let again = scene.pull("org/tiny-GGUF:Q8_0").unwrap();
    assert!(again.already_here);
    assert_eq!(scene.server.downloads().len(), 1);
}

#[test]
fn a_dropped_connection_is_resumed_where_it_broke() {
    let mut scene = Scene::new();
    scene.server.fail_with(&[Fault::DropAfter(5000), Fault::DropAfter(3000)]);
    scene.pull("org/tiny-GGUF").unwrap();
    scene.is_in_place(&tiny());
    assert_eq!(scene.server.ranges(), [None, Some("bytes=5000-".into()), Some("bytes=8000-".into())]);
    assert_eq!(scene.server.served(), tiny().len());
    assert_eq!(scene.events.iter().filter(|event| matches!(event, PullEvent::Retrying { .. })).count(), 2);
}

#[test]
fn a_restarted_process_resumes_from_the_part() {
    let mut scene = Scene::new();
    scene.attempts = 0;
    scene.server.fail_with(&[Fault::DropAfter(7000)]);
    let error = scene.pull("org/tiny-GGUF").unwrap_err();
    assert!(matches!(error, PullError::Dropped { here: 7000, .. }), "{error}");
    assert!(
        error.to_string().contains("7.00 kB of 16.")
            && error.to_string().contains("the same command continues")
    );
    assert_eq!(std::fs::read(scene.part()).unwrap(), tiny()[..7000]);
    scene.pull("org/tiny-GGUF").unwrap();
    scene.is_in_place(&tiny());
    assert_eq!(scene.server.ranges(), [None, Some("bytes=7000-".into())]);
    assert_eq!(scene.server.served(), tiny().len());
    assert!(scene.events.iter().any(|event| matches!(event, PullEvent::Started { here: 7000, .. })));
}

#[test]
fn an_interrupted_download_keeps_its_part_and_is_listed() {
    let mut scene = Scene::new();
    scene.cancel_at = Some(1);
    let error = scene.pull("org/tiny-GGUF").unwrap_err();
    assert!(matches!(error, PullError::Interrupted { .. }), "{error}");
    let kept = std::fs::metadata(scene.part()).unwrap().len();
    assert!(kept > 0);
    let rows = find::list(&scene.home.roots);
    let row = rows.iter().find(|row| row.name == "org/tiny-GGUF:tiny-Q8_0.part").unwrap();
    let problem = row.problem.clone().unwrap();
    assert!(problem.contains("`chela model pull org/tiny-GGUF:tiny-Q8_0.gguf` continues it"), "{problem}");
    scene.cancel_at = None;
    scene.pull("org/tiny-GGUF:tiny-Q8_0.gguf").unwrap();
    scene.is_in_place(&tiny());
}

#[test]
fn an_unfinished_download_can_be_removed() {
    let mut scene = Scene::new();
    scene.attempts = 0;
    scene.server.fail_with(&[Fault::DropAfter(100)]);
    scene.pull("org/tiny-GGUF").unwrap_err();
    remove::remove(&scene.home.roots, "org/tiny-GGUF:tiny-Q8_0.part").unwrap();
    assert!(!scene.part().exists() && !scene.local(&format!("{LOCAL}.part.json")).exists());
}

#[test]
fn a_server_without_ranges_makes_it_start_over() {
    let mut scene = Scene::new();
    scene.server.fail_with(&[Fault::DropAfter(5000), Fault::IgnoreRange]);
    scene.pull("org/tiny-GGUF").unwrap();
    scene.is_in_place(&tiny());
    assert_eq!(scene.server.served(), 5000 + tiny().len());
    assert!(scene.events.iter().any(|event| matches!(event, PullEvent::StartedOver { .. })));
}

#[test]
fn a_range_that_was_not_asked_for_is_not_appended() {
    let mut scene = Scene::new();
    scene.server.fail_with(&[Fault::DropAfter(5000), Fault::WrongRange]);
    scene.pull("org/tiny-GGUF").unwrap();
    scene.is_in_place(&tiny());
}

#[test]
fn a_part_of_other_content_is_not_continued() {
    let mut scene = Scene::new();
    scene.attempts = 0;
    scene.server.fail_with(&[Fault::DropAfter(7000)]);
    scene.pull("org/tiny-GGUF").unwrap_err();
    let newer = gguf("qwen3", 2);
    scene.server.state().files[1].1.clone_from(&newer);
    scene.pull("org/tiny-GGUF").unwrap();
    scene.is_in_place(&newer);
    assert_eq!(scene.server.ranges(), [None, None]);
}

#[test]
fn new_content_replaces_the_old_file() {
    let mut scene = Scene::new();
    scene.pull("org/tiny-GGUF").unwrap();
    let newer = gguf("qwen3", 2);
    scene.server.state().files[1].1.clone_from(&newer);
    assert!(!scene.pull("org/tiny-GGUF").unwrap().already_here);
    scene.is_in_place(&newer);
}

#[test]
fn a_busy_server_is_asked_again() {
    let mut scene = Scene::new();
    scene.server.fail_with(&[Fault::Status(503), Fault::Status(429)]);
    scene.pull("org/tiny-GGUF").unwrap();
    scene.is_in_place(&tiny());
}

#[test]
fn it_gives_up_after_the_agreed_number_of_failures() {
    let mut scene = Scene::new();
    scene.server.fail_with(&[Fault::Status(503), Fault::Status(503), Fault::Status(503), Fault::Status(503)]);
    let size = format!("{}", indicatif::DecimalBytes(tiny().len() as u64));
    scene.refused(
        "org/tiny-GGUF",
        &format!(
            "tiny-Q8_0.gguf: the server answered 503; 0 B of {size} are kept, the same command continues"
        ),
    );
    assert_eq!(scene.server.downloads().len(), 4);
}

#[test]
fn a_wrong_length_is_refused_before_anything_is_written() {
    for wrong in [tiny().len() as u64 - 1, tiny().len() as u64 + 1] {
        let mut scene = Scene::new();
        scene.server.fail_with(&[Fault::ClaimLength(wrong)]);
        let expected = format!(
            "tiny-Q8_0.gguf should have {} bytes, the server has {wrong}; try again later, its listing and its file disagree",
            tiny().len()
        );
        scene.refused("org/tiny-GGUF", &expected);
        assert_eq!(std::fs::metadata(scene.part()).unwrap().len(), 0);
    }
}

#[test]
fn a_wrong_hash_removes_the_part_and_the_next_pull_is_clean() {
    let mut scene = Scene::new();
    scene.server.fail_with(&[Fault::FlipByte]);
    let error = scene.pull("org/tiny-GGUF").unwrap_err().to_string();
    assert!(error.starts_with("tiny-Q8_0.gguf arrived damaged (sha256 "), "{error}");
    assert!(error.contains(&sha256(&tiny())) && error.ends_with("pull it again"), "{error}");
    assert!(!scene.part().exists() && !scene.local(LOCAL).exists());
    scene.pull("org/tiny-GGUF").unwrap();
    scene.is_in_place(&tiny());
}

#[test]
fn a_hash_that_the_listing_lacks_is_taken_from_the_file() {
    let mut scene = Scene::new();
    scene.server.state().listing = Listing::NamesOnly;
    assert_eq!(scene.pull("org/tiny-GGUF").unwrap().sha256, Some(sha256(&tiny())));
    assert!(scene.server.state().requests.iter().any(|request| request.method == "HEAD"));
}

#[test]
fn a_missing_hash_is_said() {
    let mut scene = Scene::new();
    scene.server.state().listing = Listing::NamesOnly;
    scene.server.state().etags = false;
    assert_eq!(scene.pull("org/tiny-GGUF").unwrap().sha256, None);
    assert!(scene.events.contains(&PullEvent::Unverified { file: "tiny-Q8_0.gguf".into() }));
}

#[test]
fn the_token_goes_to_the_hub_and_nowhere_else() {
    let mut scene = Scene::new();
    scene.token = Some("secret".into());
    scene.server.fail_with(&[Fault::DropAfter(10)]);
    scene.pull("org/tiny-GGUF").unwrap();
    let requests = scene.server.state().requests.clone();
    for request in requests {
        let expected = request.host.starts_with("127.0.0.1").then(|| "Bearer secret".to_owned());
        assert_eq!(request.authorization, expected, "{request:?}");
    }
}

#[test]
fn refusals_of_the_hub_say_what_to_do() {
    let mut scene = Scene::new();
    let mut check = |listing, token: Option<&str>, expected: &str| {
        scene.server.state().listing = listing;
        scene.token = token.map(Into::into);
        scene.refused("org/tiny-GGUF", expected);
    };
    let refused = Listing::Refused;
    check(refused(404, ""), None, "there is no repository org/tiny-GGUF at HUB; check the spelling");
    check(
        refused(401, "RepoNotFound"),
        None,
        "org/tiny-GGUF does not exist or is private; check the spelling, or set HF_TOKEN to a token that may read it",
    );
    let gated = "org/tiny-GGUF is gated: accept its terms at HUB/org/tiny-GGUF and set HF_TOKEN to a token of that account";
    check(refused(401, "GatedRepo"), None, gated);
    check(refused(403, ""), None, gated);
    check(
        refused(403, "GatedRepo"),
        Some("t"),
        "HUB refused the token for org/tiny-GGUF; check HF_TOKEN, or accept the model's terms at HUB/org/tiny-GGUF",
    );
    check(refused(500, ""), None, "HUB answered 500 for org/tiny-GGUF; try again later");
}

#[test]
fn an_answer_that_is_no_listing_is_said() {
    let mut scene = Scene::new();
    scene.server.state().listing = Listing::Garbage;
    let error = scene.pull("org/tiny-GGUF").unwrap_err().to_string();
    assert!(error.contains("that chela does not understand") && error.contains("HF_ENDPOINT"), "{error}");
}

#[test]
fn no_server_is_one_clear_line() {
    let mut scene = Scene::new();
    // A port that was free a moment ago.
    scene.server.endpoint = format!("http://{}", {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap()
    });
    let error = scene.pull("org/tiny-GGUF").unwrap_err().to_string();
    let expected = format!("cannot reach {}: Connection refused", scene.server.endpoint);
    assert!(
        error.starts_with(&expected) && error.ends_with("check the network, or HF_ENDPOINT if it is set"),
        "{error}"
    );
}

#[test]
fn a_missing_quantization_is_answered_with_what_there_is() {
    let mut scene = Scene::with(&[("t-Q8_0.gguf", tiny()), ("t-F16.gguf", tiny())]);
    scene.refused("org/tiny-GGUF:Q4_K_M", "org/tiny-GGUF has no \"Q4_K_M\"; it has F16, Q8_0");
}

#[test]
fn a_small_disk_is_noticed_before_the_download() {
    let mut scene = Scene::new();
    scene.free = |_| Ok(1000);
    let dir = scene.home.models_dir().display().to_string();
    let need = indicatif::DecimalBytes(tiny().len() as u64);
    scene.refused(
        "org/tiny-GGUF",
        &format!(
            "not enough room in {dir}: {need} are needed (and 134.22 MB kept free), 1.00 kB are free; \
             free some, or choose a smaller quantization"
        ),
    );
    assert_eq!(scene.server.downloads().len(), 0);
}

#[test]
fn two_pulls_of_one_file_do_not_mix() {
    let mut scene = Scene::new();
    std::fs::create_dir_all(scene.home.models_dir()).unwrap();
    let other = std::fs::File::create(scene.part()).unwrap();
    rustix::fs::flock(&other, rustix::fs::FlockOperation::LockExclusive).unwrap();
    let path = scene.local(LOCAL).display().to_string();
    scene.refused("org/tiny-GGUF", &format!("another chela is downloading {path}; wait for it, or stop it"));
}

#[test]
fn a_split_model_is_pulled_whole() {
    let parts = [
        ("F16/t-F16-00001-of-00002.gguf", gguf("qwen3", 1)),
        ("F16/t-F16-00002-of-00002.gguf", gguf("qwen3", 2)),
    ];
    let mut scene = Scene::with(&parts);
    scene.server.fail_with(&[Fault::DropAfter(500)]);
    let pulled = scene.pull("org/tiny-GGUF:F16").unwrap();
    assert_eq!(pulled.name, "org/tiny-GGUF:t-F16");
    for (name, bytes) in &parts {
        let local = format!("org--tiny-GGUF--{}", name.replace('/', "--"));
        assert!(std::fs::read(scene.local(&local)).unwrap() == *bytes);
    }
    let found = resolve::resolve(&scene.home.roots, &pulled.name).unwrap();
    assert_eq!((found.path, found.size), (pulled.path, pulled.size));
    assert!(scene.events.contains(&PullEvent::Advanced { done: pulled.size }));
}

#[test]
fn a_missing_part_of_a_split_model_is_noticed_before_the_download() {
    let mut scene = Scene::with(&[("t-00001-of-00002.gguf", tiny())]);
    scene.refused(
        "org/tiny-GGUF",
        "org/tiny-GGUF lists t-00001-of-00002.gguf, but its part t-00002-of-00002.gguf is not there; \
         tell its publisher, or pull another file",
    );
}

#[test]
fn a_genuine_file_that_cannot_be_used_is_said_and_can_be_removed() {
    let mut scene = Scene::new();
    scene.check = Err("its architecture is unknown".into());
    scene.refused(
        "org/tiny-GGUF",
        "org/tiny-GGUF:tiny-Q8_0 is whole, but cannot be used: its architecture is unknown; \
         `chela model rm org/tiny-GGUF:tiny-Q8_0` removes it",
    );
    remove::remove(&scene.home.roots, "org/tiny-GGUF:tiny-Q8_0").unwrap();
    assert!(!scene.local(LOCAL).exists());
}

#[test]
fn a_server_cannot_name_a_file_out_of_the_directory() {
    let mut scene = Scene::with(&[("../../evil-Q8_0.gguf", tiny())]);
    let pulled = scene.pull("org/tiny-GGUF");
    let escaped = scene.home.dir.path().join("evil-Q8_0.gguf");
    assert!(!escaped.exists() && !scene.home.models_dir().join("../evil-Q8_0.gguf").exists());
    // Clients tidy `..` out of an address, so the hub may not know it; what matters is where nothing was written.
    if let Ok(pulled) = pulled {
        assert_eq!(pulled.path.parent(), Some(scene.home.models_dir()));
    }
}

/// `/dev/full` refuses every byte with the error of a full disk.
#[cfg(target_os = "linux")]
#[test]
fn a_disk_that_fills_up_is_said() {
    let mut scene = Scene::new();
    std::fs::create_dir_all(scene.home.models_dir()).unwrap();
    std::os::unix::fs::symlink("/dev/full", scene.part()).unwrap();
    let error = scene.pull("org/tiny-GGUF").unwrap_err().to_string();
    assert!(error.starts_with("the disk is full: cannot write"), "{error}");
}
