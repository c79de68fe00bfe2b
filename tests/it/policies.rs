//! Versions of the policy in the daemon: which one answers, what survives a restart, and that the base always does.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use chela::adapter::manifest::{Made, State};
use chela::adapter::shelf::NewVersion;
use chela::adapter::{Adapter, Base, Linear, Pair, Shelf, Site, fingerprint};
use chela::client::ClientError;
use chela::daemon::ModelChoice;
use chela::daemon::wire::{UseAdapter, UseModel};
use chela::engine::Engine;
use chela::engine::scripted::{Gate, Scripted, Step};
use chela::store::Reader;
use chela::turn::PolicyVersion;
use tempfile::TempDir;

use crate::served::{Raw, Served, home, loader_of_many, opened, paths_in, rest, serve_from, text};

const BASE: PolicyVersion = PolicyVersion::BASE;
const V1: PolicyVersion = PolicyVersion(1);
const V2: PolicyVersion = PolicyVersion(2);

/// A home with two model files and a shelf.
struct Bench {
    home: TempDir,
}

impl Bench {
    fn new() -> Self {
        let bench = Self { home: home() };
        paths_in(&bench.home).create().unwrap();
        for name in ["scripted", "other"] {
            std::fs::write(bench.model(name), format!("the weights of {name}")).unwrap();
        }
        bench
    }

    fn model(&self, name: &str) -> PathBuf {
        self.home.path().join(format!("{name}.gguf"))
    }

    fn shelf(&self) -> Shelf {
        Shelf::new(&paths_in(&self.home).adapters_dir())
    }

    /// Puts a version for this model on the shelf.
    fn learn(&self, model: &str) -> PolicyVersion {
        let sha256 = fingerprint::of_file(&self.model(model), &self.home.path().join("hashes")).unwrap();
        let new = NewVersion {
            parent: BASE,
            base: Base { name: model.into(), sha256, architecture: "scripted".into() },
            made: Made::Import { from: "a test".into() },
            created_at: 1_700_000_000,
        };
        let pair = Pair { n_in: 2, n_out: 2, a: vec![0.5; 2], b: vec![0.25; 2] };
        let pairs = BTreeMap::from([(Site { layer: 0, linear: Linear::Q }, pair)]);
        let adapter = Adapter { architecture: "scripted".into(), rank: 1, alpha: 2.0, pairs };
        self.shelf().create(&new, &adapter, None).unwrap().version
    }

    fn engine(&self, name: &str, steps: Vec<Step>) -> Arc<Scripted> {
        let script = Box::new(move |_: &_| steps.clone());
        Arc::new(Scripted::new(name, 4096, script).from_file(&self.model(name)))
    }

    fn serve(self, engines: Vec<Arc<Scripted>>) -> Served {
        let engines = engines.into_iter().map(|engine| engine as Arc<dyn Engine>).collect();
        let served = serve_from(self.home, loader_of_many(engines));
        served.client.wait_for_model().unwrap();
        served
    }
}

fn hello() -> Vec<Step> {
    vec![Step::Say("hello".into())]
}

fn wish(version: PolicyVersion) -> UseAdapter {
    UseAdapter { version, reason: "a test".into() }
}

/// Which version answers a plain request, as its body, its header and the ledger say.
#[track_caller]
fn answered_by(served: &Served) -> PolicyVersion {
    asked(served, &[]).unwrap()
}

fn asked(served: &Served, headers: &[(&str, &str)]) -> Result<PolicyVersion, Raw> {
    let raw =
        served.post("/v1/chat/completions", headers, r#"{"messages":[{"role":"user","content":"hi"}]}"#);
    if raw.status != 200 {
        return Err(raw);
    }
    let chela: chela::daemon::wire::ChelaAnswer =
        serde_json::from_value(raw.json()["chela"].clone()).unwrap();
    assert!(raw.head.contains(&format!("x-chela-policy: {}", chela.policy)), "{}", raw.head);
    assert_eq!(served.client.turn(chela.turn).unwrap().policy, chela.policy);
    Ok(chela.policy)
}

fn refusal(error: ClientError) -> String {
    let ClientError::Refused { status: 400, message, .. } = error else { panic!("{error}") };
    message
}

#[test]
fn a_version_answers_from_the_next_turn_on_and_after_a_restart() {
    let bench = Bench::new();
    assert_eq!(bench.learn("scripted"), V1);
    let engine = bench.engine("scripted", hello());
    let served = bench.serve(vec![Arc::clone(&engine)]);
    assert_eq!((answered_by(&served), served.client.status().unwrap().policy), (BASE, BASE));
    let list = served.client.use_adapter(&wish(V1)).unwrap();
    assert_eq!((list.serving, list.adapters[0].serving, list.notice), (V1, true, None));
    assert_eq!((answered_by(&served), served.client.status().unwrap().policy), (V1, V1));
    assert_eq!(engine.asked().last().unwrap().policy, V1);

    let bench = Bench { home: served.stop() };
    assert_eq!(bench.shelf().manifest(V1).unwrap().state, State::Promoted);
    let engine = bench.engine("scripted", hello());
    let served = bench.serve(vec![engine]);
    assert_eq!(answered_by(&served), V1);
    served.client.use_adapter(&wish(BASE)).unwrap();
    assert_eq!(answered_by(&served), BASE);

    let bench = Bench { home: served.stop() };
    assert_eq!(bench.shelf().manifest(V1).unwrap().state, State::Withdrawn);
    let rows = Reader::open(&paths_in(&bench.home).ledger()).unwrap().serving().unwrap();
    let rows: Vec<_> = rows.iter().map(|row| (row.version, row.reason.as_str())).collect();
    assert_eq!(rows, [(V1, "a test"), (BASE, "a test")]);
    let engine = bench.engine("scripted", hello());
    let served = bench.serve(vec![engine]);
    assert_eq!(answered_by(&served), BASE);
    served.stop();
}

#[test]
fn an_answer_in_flight_keeps_its_version() {
    let bench = Bench::new();
    bench.learn("scripted");
    bench.learn("scripted");
    let gate = Gate::default();
    let steps = vec![Step::Say("so ".into()), Step::Wait(gate.clone()), Step::Say("on".into())];
    let engine = bench.engine("scripted", steps);
    let served = bench.serve(vec![engine]);
    served.client.use_adapter(&wish(V1)).unwrap();
    let mut stream = served.chat("talk");
    let begun = opened(&mut stream);
    assert_eq!((begun.policy, text(&mut stream)), (V1, "so ".into()));
    served.client.use_adapter(&wish(V2)).unwrap();
    gate.open();
    assert_eq!(rest(stream).0, "on");
    assert_eq!(served.client.turn(begun.turn).unwrap().policy, V1);
    assert_eq!(answered_by(&served), V2);
    let bench = Bench { home: served.stop() };
    let states = [V1, V2].map(|version| bench.shelf().manifest(version).unwrap().state);
    assert_eq!(states, [State::Superseded, State::Promoted]);
}

#[test]
fn a_request_can_ask_for_a_version_without_changing_what_serves() {
    let bench = Bench::new();
    bench.learn("scripted");
    bench.learn("scripted");
    bench.learn("other");
    let engine = bench.engine("scripted", hello());
    let served = bench.serve(vec![engine]);
    served.client.use_adapter(&wish(V2)).unwrap();
    let by = |wanted: &str| asked(&served, &[("X-Chela-Policy", wanted)]);
    assert_eq!(by("base").unwrap(), BASE);
    assert_eq!(by("v1").unwrap(), V1);
    assert_eq!(answered_by(&served), V2);
    for (wanted, code, message) in [
        ("v9", "policy_not_found", "there is no adapter v9"),
        ("v3", "policy_not_usable", "adapter v3 was made for other"),
        (
            "newest",
            "invalid_header",
            "\"newest\" is no version of the policy; write v and its number, or base",
        ),
    ] {
        let raw = by(wanted).unwrap_err();
        assert_eq!((raw.status, raw.code().as_str()), (400, code), "{}", raw.body);
        assert!(raw.message().contains(message), "{}", raw.message());
    }
    served.stop();
}

#[test]
fn versions_that_nobody_needs_leave_the_engine() {
    let bench = Bench::new();
    for _ in 0..5 {
        bench.learn("scripted");
    }
    let engine = bench.engine("scripted", hello());
    let served = bench.serve(vec![Arc::clone(&engine)]);
    for version in 1..=5 {
        served.client.use_adapter(&wish(PolicyVersion(version))).unwrap();
    }
    assert_eq!(engine.loaded(), [3, 4, 5].map(PolicyVersion));
    assert_eq!(asked(&served, &[("X-Chela-Policy", "v1")]).unwrap(), V1);
    served.stop();
}

/// Damages the version that serves while no daemon runs: the base must answer, and the reason be told everywhere.
#[track_caller]
fn check_damage(damage: impl FnOnce(&Shelf), reason: &str) {
    let bench = Bench::new();
    bench.learn("scripted");
    let engine = bench.engine("scripted", hello());
    let served = bench.serve(vec![engine]);
    served.client.use_adapter(&wish(V1)).unwrap();
    let bench = Bench { home: served.stop() };
    damage(&bench.shelf());
    let engine = bench.engine("scripted", hello());
    let served = bench.serve(vec![engine]);
    assert_eq!(answered_by(&served), BASE);
    let list = served.client.adapters().unwrap();
    let notice = list.notice.unwrap();
    assert_eq!(list.serving, BASE);
    assert!(notice.contains(reason) && notice.ends_with("the base model answers"), "{notice}");
    assert!(served.client.status().unwrap().notices.contains(&notice));
    assert!(served.client.use_adapter(&wish(V1)).is_err());
    // A choice that can be kept ends the notice.
    let list = served.client.use_adapter(&wish(BASE)).unwrap();
    assert_eq!((list.notice, served.client.status().unwrap().notices), (None, vec![]));
    served.stop();
}

#[test]
fn a_damaged_or_missing_version_never_keeps_the_base_from_answering() {
    check_damage(|shelf| std::fs::write(shelf.gguf_path(V1), "x").unwrap(), "adapter v1 is damaged");
    check_damage(|shelf| std::fs::remove_file(shelf.gguf_path(V1)).unwrap(), "adapter.gguf is missing");
    check_damage(|shelf| shelf.remove(V1).unwrap(), "there is no adapter v1");
    check_damage(
        |shelf| {
            let path = shelf.gguf_path(V1);
            let mut bytes = std::fs::read(&path).unwrap();
            *bytes.last_mut().unwrap() ^= 1;
            std::fs::write(path, bytes).unwrap();
        },
        "changed since it was made",
    );
}

#[test]
fn another_model_answers_with_what_was_chosen_for_it() {
    let bench = Bench::new();
    bench.learn("scripted");
    bench.learn("other");
    // Each load makes an engine of its own, as with real models.
    let models = bench.home.path().to_owned();
    let loader = Box::new(move |choice: &ModelChoice| {
        let engine = Scripted::new(&choice.name, 4096, Box::new(|_| hello()));
        let file = models.join(format!("{}.gguf", choice.name));
        Ok(Arc::new(engine.from_file(&file)) as Arc<dyn Engine>)
    });
    let served = serve_from(bench.home, loader);
    served.client.wait_for_model().unwrap();
    served.client.use_adapter(&wish(V1)).unwrap();
    let use_model = |name: &str| served.client.use_model(&UseModel { name: name.into() }).unwrap();
    assert_eq!(use_model("other").policy, BASE);
    let notice = served.client.adapters().unwrap().notice.unwrap();
    assert!(
        notice.starts_with("adapter v1 was made for scripted (")
            && notice.contains("and the model is other (")
            && notice.contains("`chela model use scripted` brings its base back"),
        "{notice}"
    );
    let refused = refusal(served.client.use_adapter(&wish(V1)).unwrap_err());
    assert!(refused.contains("made for scripted") && answered_by(&served) == BASE, "{refused}");
    served.client.use_adapter(&wish(V2)).unwrap();
    assert_eq!((use_model("scripted").policy, answered_by(&served)), (V1, V1));
    assert_eq!((use_model("other").policy, answered_by(&served)), (V2, V2));
    served.stop();
}

#[test]
fn a_version_that_is_not_there_changes_nothing() {
    let bench = Bench::new();
    bench.learn("scripted");
    let engine = bench.engine("scripted", hello());
    let served = bench.serve(vec![engine]);
    served.client.use_adapter(&wish(V1)).unwrap();
    let refused = refusal(served.client.use_adapter(&wish(PolicyVersion(7))).unwrap_err());
    assert_eq!(refused, "there is no adapter v7; `chela adapter list` shows what there is");
    assert_eq!(answered_by(&served), V1);
    let home = served.stop();
    assert_eq!(Reader::open(&paths_in(&home).ledger()).unwrap().serving().unwrap().len(), 1);
}

#[test]
fn a_model_without_a_choice_is_not_hashed() {
    // The scripted engine names a file that does not exist: hashing it would be a notice.
    let served = serve_from(home(), loader_of_many(vec![Arc::new(Scripted::saying(&["hi"]))]));
    served.client.wait_for_model().unwrap();
    assert_eq!((answered_by(&served), served.client.status().unwrap().notices), (BASE, vec![]));
    served.stop();
}
