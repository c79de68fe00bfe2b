//! `chela adapter` from outside: import, list, use, export, and what an answer says about the version it is from.

use std::collections::BTreeMap;
use std::path::PathBuf;

use chela::adapter::{Adapter, Linear, Pair, Site, gguf};
use serde_json::{Value, json};

use crate::cli::{Home, stderr, stdout};

/// A home whose daemon ends with the test.
struct Served(Home);

impl Drop for Served {
    fn drop(&mut self) {
        self.0.run(&["daemon", "stop"]);
    }
}

impl Served {
    fn new() -> Self {
        Self(Home::new())
    }

    /// Runs what must succeed; returns stdout.
    #[track_caller]
    fn run(&self, args: &[&str]) -> String {
        let output = self.0.run(args);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        stdout(&output).trim_end().to_owned()
    }

    #[track_caller]
    fn json(&self, args: &[&str]) -> Value {
        serde_json::from_str(&self.run(args)).unwrap()
    }

    #[track_caller]
    fn check_refused(&self, args: &[&str], code: i32, says: &str) {
        let output = self.0.run(args);
        let said = stderr(&output);
        assert_eq!((output.status.code(), said.contains(says)), (Some(code), true), "{said}");
    }

    fn ask(&self) -> (Value, Value) {
        let answer = self.json(&["ask", "--json", "--temperature", "0", "list files"]);
        (answer["policy"].clone(), answer["answer"].clone())
    }

    /// A LoRA for the starter that changes every answer; `n_out` is 256 if it shall fit.
    fn adapter(&self, name: &str, n_out: u16) -> String {
        let rank = 2;
        let wave = |n: u16| (0..n).map(|at| (f32::from(at) * 0.7).sin()).collect::<Vec<_>>();
        let pair = Pair { n_in: 256, n_out: n_out.into(), a: wave(2 * 256), b: wave(2 * n_out) };
        let pairs =
            (0..8).map(|layer| (Site { layer, linear: Linear::O }, pair.clone())).collect::<BTreeMap<_, _>>();
        let adapter = Adapter { architecture: "qwen3".into(), rank, alpha: 8.0, pairs };
        let path = self.path(name);
        gguf::write(&path, &adapter, &gguf::Labels::default()).unwrap();
        path.to_str().unwrap().to_owned()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}

#[test]
fn an_imported_adapter_answers_until_the_base_is_chosen_again() {
    let served = Served::new();
    let file = served.adapter("wave.gguf", 256);
    assert_eq!(served.run(&["adapter", "import", &file]), "v1");
    let base = served.ask();
    assert_eq!(base.0, json!(0));
    served.run(&["adapter", "use", "v1"]);
    let adapted = served.ask();
    assert!(adapted.0 == json!(1) && adapted.1 != base.1, "{adapted:?}");
    let list = served.json(&["adapter", "list", "--json"]);
    assert_eq!((&list["serving"], &list["adapters"][0]["state"]), (&json!(1), &json!("promoted")));
    served.check_refused(&["adapter", "rm", "v1"], 1, "chela adapter use base");

    // The choice outlives the daemon, and the listing knows it without one.
    served.run(&["daemon", "stop"]);
    assert_eq!(served.json(&["adapter", "list", "--json"])["serving"], json!(1));
    assert_eq!(served.ask(), adapted);
    served.run(&["adapter", "use", "base"]);
    assert_eq!(served.ask(), base);
    served.run(&["adapter", "rm", "v1"]);
    assert_eq!(served.run(&["adapter", "import", &file]), "v2");
}

#[test]
fn a_damaged_adapter_is_named_and_the_base_answers() {
    let served = Served::new();
    let file = served.adapter("wave.gguf", 256);
    served.run(&["adapter", "import", &file]);
    served.run(&["adapter", "use", "v1"]);
    served.run(&["daemon", "stop"]);
    let kept = served.path("data/adapters/v1/adapter.gguf");
    let mut bytes = std::fs::read(&kept).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&kept, bytes).unwrap();
    assert_eq!(served.ask().0, json!(0));
    for args in [&["adapter", "list", "--json"][..], &["daemon", "status"]] {
        let said = served.run(args);
        assert!(said.contains("adapter v1 is damaged") && said.contains("the base model answers"), "{said}");
    }
    served.check_refused(&["adapter", "use", "v1"], 1, "damaged");
    assert_eq!(served.0.run(&["adapter", "show", "v1"]).status.code(), Some(1));
}

#[test]
fn exports_can_be_imported_again() {
    let served = Served::new();
    served.run(&["adapter", "import", &served.adapter("wave.gguf", 256)]);
    let (peft, gguf) = (served.path("peft"), served.path("out.gguf"));
    let (peft, gguf) = (peft.to_str().unwrap(), gguf.to_str().unwrap());
    served.run(&["adapter", "export", "v1", "--peft", peft]);
    served.run(&["adapter", "export", "v1", "--gguf", gguf]);
    let files = |version| {
        let shown = served.json(&["adapter", "show", version, "--json"]);
        let (adapter, _) = chela::adapter::gguf::read(shown["path"].as_str().unwrap().as_ref()).unwrap();
        adapter
    };
    assert_eq!(served.run(&["adapter", "import", peft]), "v2");
    assert_eq!(served.run(&["adapter", "import", gguf]), "v3");
    assert_eq!((files("v2"), files("v3")), (files("v1"), files("v1")));
}

#[test]
fn a_folder_takes_adapters_along() {
    let served = Served::new();
    served.ask();
    served.run(&["adapter", "import", &served.adapter("wave.gguf", 256)]);
    let folder = served.path("export");
    let folder = folder.to_str().unwrap();
    served.run(&["export", folder, "--only", "adapters"]);
    for file in
        ["adapter.gguf", "manifest.json", "peft/adapter_model.safetensors", "peft/adapter_config.json"]
    {
        assert!(served.path(&format!("export/adapters/v1/{file}")).is_file(), "{file}");
    }
    let other = Served::new();
    let adapters =
        |args: &[&str]| other.json(&[&["import", folder, "--json"], args].concat())["adapters"].clone();
    let tally = |new: u64, known: u64| json!({"new": new, "more": 0, "known": known, "broken": 0});
    assert_eq!(adapters(&["--dry-run"]), tally(1, 0));
    assert_eq!(adapters(&[]), tally(1, 0));
    assert_eq!(adapters(&[]), tally(0, 1));
    other.run(&["adapter", "use", "v1"]);
    served.run(&["adapter", "use", "v1"]);
    assert_eq!(other.ask().1, served.ask().1);
    // Of another base it is refused by name, and the rest would come.
    let manifest = served.path("export/adapters/v1/manifest.json");
    let text = std::fs::read_to_string(&manifest).unwrap();
    std::fs::write(&manifest, text.replace("chela-starter", "another-model")).unwrap();
    other.check_refused(&["import", folder], 1, "another-model");
}

#[test]
fn a_backup_holds_the_adapters_and_no_number_is_given_twice() {
    let served = Served::new();
    served.ask();
    let file = served.adapter("wave.gguf", 256);
    served.run(&["adapter", "import", &file]);
    served.run(&["adapter", "use", "v1"]);
    let adapted = served.ask();
    let backup = served.path("all.tar.zst");
    served.run(&["backup", backup.to_str().unwrap()]);
    served.run(&["adapter", "use", "base"]);
    served.run(&["adapter", "rm", "v1"]);
    assert_eq!(served.run(&["adapter", "import", &file]), "v2");
    served.run(&["restore", backup.to_str().unwrap()]);
    assert_eq!(served.ask(), adapted);
    assert_eq!(served.run(&["adapter", "import", &file]), "v3");
}

#[test]
fn what_cannot_be_done_says_what_to_do() {
    let served = Served::new();
    let narrow = served.adapter("narrow.gguf", 255);
    served.check_refused(&["adapter", "import", &narrow], 1, "blk.0.attn_output");
    served.check_refused(&["adapter", "import", "/nonexistent"], 1, "/nonexistent");
    let starter = concat!(env!("CARGO_MANIFEST_DIR"), "/assets/starter/chela-starter.gguf");
    served.check_refused(&["adapter", "import", starter], 1, "is not an adapter");
    served.check_refused(&["adapter", "use", "v7"], 4, "there is no adapter v7");
    served.check_refused(&["adapter", "show", "v7"], 4, "there is no adapter v7");
    served.check_refused(&["adapter", "use", "seven"], 2, "write v and its number, or base");
    served.check_refused(&["adapter", "export", "v1"], 2, "--peft");
    served.check_refused(&["adapter", "show", "base"], 2, "chela model info");
    assert_eq!(served.json(&["adapter", "list", "--json"])["adapters"], json!([]));
}
