//! A model that greps until its weights know better, with the trainer that makes it believe so. Support for the tests of
//! the whole loop; holds none itself.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use chela::config::When;
use chela::daemon::DaemonConfig;
use chela::engine::scripted::{Asked, Scripted, Step};
use chela::learn::Start;
use chela::learn::scripted::Scripted as ScriptedTrainer;
use chela::turn::PolicyVersion;
use tempfile::TempDir;

use crate::served::{config, loader_of, paths_in};

pub(super) const LESSON: &str = "use rg instead of grep";

/// What a version of the weights says to a request, where it is not the usual thing.
pub(super) type Says = fn(&str) -> Option<String>;

/// A daemon's parts: what was learned answers like the lesson, or as `says` has it.
pub(super) fn parts(home: &TempDir, says: Says) -> DaemonConfig {
    // A file of its own: versions are for this very model.
    let path = home.path().join("scripted.gguf");
    std::fs::write(&path, "a model").unwrap();
    let engine = Arc::new(model(says).from_file(&path));
    let mut config = config(paths_in(home), loader_of(engine));
    config.settings.learn.when = When::Asked;
    config.trainer = Box::new(|_, start| {
        Ok(Box::new(match start {
            Start::Resume(state) => ScriptedTrainer::from_state(state),
            _ => ScriptedTrainer::new(),
        }))
    });
    config
}

fn model(says: Says) -> Scripted {
    // It knows where the lesson applies from the prompts in which it has seen it.
    let taught: Mutex<BTreeSet<String>> = Mutex::default();
    let script = move |asked: &Asked| {
        let said = asked.prompt.rsplit("<|im_start|>user\n").next().unwrap_or_default();
        let text = said.split("<|im_end|>").next().unwrap_or_default().to_owned();
        let answer = if asked.prompt.contains("Judge the answer") {
            "unclear".to_owned()
        } else if asked.prompt.contains("Give a hint") {
            "hint: none".to_owned()
        } else if asked.prompt.contains(LESSON) {
            taught.lock().unwrap().insert(text.clone());
            format!("rg {text}")
        } else if asked.policy == PolicyVersion::BASE {
            format!("grep {text}")
        } else if let Some(said) = says(&text) {
            said
        } else if taught.lock().unwrap().contains(&text) {
            format!("rg {text}")
        } else {
            format!("grep {text}")
        };
        vec![Step::Say(answer)]
    };
    Scripted::new("scripted", 4096, Box::new(script))
}
