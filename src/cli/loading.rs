//! From a model's name to a loaded engine: what the daemon calls when it wants a model. The parts are elsewhere
//! (`model` finds, `engine` loads); here they are put in order, with a child process in between.
//!
//! What always holds: llama.cpp sees a file in this process only after a child process has survived it. What aborts
//! inside C++ is a sentence here.

use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

use super::place::Place;
use crate::config::Settings;
use crate::daemon::{Loader, ModelChoice};
use crate::engine::{Engine, EngineError, LlamaEngine, LoadOptions};
use crate::model::check::{Checked, check_file};
use crate::model::resolve::resolve;
use crate::model::roots::{Env, Roots};

/// Where models may lie, for this user.
pub(super) fn roots(place: &Place) -> Roots {
    Roots::from_env(&place.paths.models_dir(), &Env::read())
}

/// What makes engines for the daemon.
pub(super) fn loader(place: &Place, settings: &Settings) -> Loader {
    let (roots, settings) = (roots(place), settings.clone());
    let note = place.paths.state_dir.join("models-that-load");
    Box::new(move |choice| {
        let engine = load(&roots, &settings, &note, choice)?;
        Ok(Arc::new(engine) as Arc<dyn Engine>)
    })
}

fn load(
    roots: &Roots,
    settings: &Settings,
    note: &Path,
    choice: &ModelChoice,
) -> Result<LlamaEngine, EngineError> {
    let refuse = |reason: String| EngineError::Load { path: choice.name.clone(), reason };
    let found = resolve(roots, &choice.name).map_err(|error| refuse(error.to_string()))?;
    let checked = check_file(&found.path).map_err(|error| refuse(error.to_string()))?;
    survive(&checked, &found.path, note).map_err(refuse)?;
    LlamaEngine::load(&LoadOptions {
        path: found.path,
        name: found.name,
        n_ctx: choice.n_ctx,
        parallel: settings.engine.parallel,
        threads: settings.engine.threads,
        gpu_layers: settings.engine.gpu_layers,
    })
}

/// Tries the file in a child, unless one has survived exactly these files before.
fn survive(checked: &Checked, path: &Path, note: &Path) -> Result<(), String> {
    let stamp = stamp(checked).map_err(|error| error.to_string())?;
    let known = std::fs::read_to_string(note).unwrap_or_default();
    if known.lines().any(|line| line == stamp) {
        return Ok(());
    }
    probe_in_child(path)?;
    // Only an optimization: without the note, the next load takes a little longer.
    let newest: Vec<&str> = known.lines().rev().take(63).collect();
    let lines: Vec<&str> = newest.into_iter().rev().chain([stamp.as_str()]).collect();
    let _ = std::fs::write(note, lines.join("\n") + "\n");
    Ok(())
}

/// What makes these files the same ones as before, to the version of llama.cpp inside this program.
fn stamp(checked: &Checked) -> std::io::Result<String> {
    use std::os::unix::fs::MetadataExt;
    let mut stamp = env!("CARGO_PKG_VERSION").to_owned();
    for file in &checked.files {
        let metadata = std::fs::metadata(file)?;
        let changed = (metadata.mtime(), metadata.mtime_nsec(), metadata.ctime());
        stamp.push_str(&format!(" {} {changed:?} {}", metadata.len(), file.display()).replace('\n', " "));
    }
    Ok(stamp)
}

/// Loads the file in another process (`chela model probe`) and says what became of that.
pub(super) fn probe_in_child(path: &Path) -> Result<(), String> {
    let program = std::env::current_exe().map_err(|error| format!("cannot find this program: {error}"))?;
    let output = Command::new(program)
        .args(["model", "probe", "--"])
        .arg(path)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("cannot start a process to try it in: {error}"))?;
    verdict(&output)
}

fn verdict(output: &Output) -> Result<(), String> {
    let said = String::from_utf8_lossy(&output.stderr);
    let last = said.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("no reason was given");
    let reason = last.strip_prefix("chela: ").unwrap_or(last);
    match (output.status.success(), output.status.signal()) {
        (true, _) => Ok(()),
        (false, None) => Err(reason.to_owned()),
        // llama.cpp prints the failed assertion first and a backtrace after it.
        (false, Some(signal)) => {
            let assertion =
                said.lines().find(|line| line.contains("GGML_ASSERT") || line.contains("what():"));
            Err(format!(
                "llama.cpp cannot read it (signal {signal}: {}); get the file again or choose another",
                assertion.unwrap_or(reason).trim()
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::process::ExitStatus;

    use super::*;

    #[track_caller]
    fn check(status: i32, stderr: &str, expected: Result<(), &str>) {
        let output = Output { status: ExitStatus::from_raw(status), stdout: vec![], stderr: stderr.into() };
        assert_eq!(verdict(&output), expected.map_err(str::to_owned));
    }

    #[test]
    fn a_child_that_ends_well_says_nothing() {
        check(0, "warming up\n", Ok(()));
    }

    #[test]
    fn a_refusal_is_passed_on() {
        check(1 << 8, "chela: cannot load x: no tensors\n", Err("cannot load x: no tensors"));
    }

    #[test]
    fn an_abort_becomes_a_sentence() {
        let said = "a.cpp:12: GGML_ASSERT(n > 0) failed\n0: backtrace\n";
        let expected = "llama.cpp cannot read it (signal 6: a.cpp:12: GGML_ASSERT(n > 0) failed); \
                        get the file again or choose another";
        check(6, said, Err(expected));
    }
}
