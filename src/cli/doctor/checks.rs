//! What `chela doctor` looks at. Each check is one function that cannot fail: what goes wrong is its finding.

use std::io::IsTerminal;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use rustix::fs::{Access, access, statvfs};

use super::Finding;
use crate::cli::place::{Place, variable};
use crate::cli::{loading, output};
use crate::client::Client;
use crate::config::Settings;
use crate::daemon::wire::ModelState;
use crate::engine;
use crate::learn::kernels;
use crate::learn::weights::WeightFile;
use crate::model::check::check_file;
use crate::model::resolve::resolve;
use crate::store::{Reader, StoreError};

/// Less free than this cannot hold a day of turns.
const FULL: u64 = 50_000_000;

/// Less free than this cannot hold a small model.
const TIGHT: u64 = 2_000_000_000;

pub(super) fn all(place: &Place) -> Vec<Finding> {
    let settings = place.settings();
    let mut findings = directories(place);
    findings.push(match &settings {
        Ok(_) => settings_file(place),
        Err(error) => Finding::fail("settings", format!("{error:#}"), "chela config edit"),
    });
    // What depends on settings is looked at with the defaults when they cannot be read.
    let settings = settings.unwrap_or_default();
    findings.extend([
        model(place, &settings),
        disk(&place.paths.data_dir),
        ledger(&place.paths.ledger()),
        daemon(place),
        cpu(&settings),
        training(place, &settings),
        gpu(),
        terminal(place),
    ]);
    findings
}

/// One line when all is well, else one for each directory that is not.
fn directories(place: &Place) -> Vec<Finding> {
    let paths = &place.paths;
    let dirs = [&paths.config_dir, &paths.data_dir, &paths.state_dir, &paths.runtime_dir];
    let problems: Vec<Finding> = dirs.into_iter().filter_map(|dir| directory(dir)).collect();
    if problems.is_empty() {
        vec![Finding::ok("directories", format!("private and writable: {}", paths.data_dir.display()))]
    } else {
        problems
    }
}

fn directory(dir: &Path) -> Option<Finding> {
    let shown = dir.display();
    let mode = match std::fs::metadata(dir) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return creatable(dir),
        Err(error) => {
            return Some(Finding::fail(
                "directories",
                format!("{shown}: {error}"),
                "set CHELA_HOME to another",
            ));
        }
        Ok(metadata) if !metadata.is_dir() => {
            return Some(Finding::fail("directories", format!("{shown} is a file"), "move it away"));
        }
        Ok(metadata) => metadata.permissions().mode() & 0o777,
    };
    if access(dir, Access::WRITE_OK | Access::EXEC_OK).is_err() {
        return Some(Finding::fail(
            "directories",
            format!("{shown} cannot be written"),
            format!("chmod u+rwx {shown}, or set CHELA_HOME to another directory"),
        ));
    }
    (mode & 0o077 != 0).then(|| {
        Finding::warn(
            "directories",
            format!("{shown} is open to others (mode {mode:o})"),
            format!("chmod 700 {shown}"),
        )
    })
}

/// A directory that is not there is fine when it can be made.
fn creatable(dir: &Path) -> Option<Finding> {
    let parent = dir.ancestors().skip(1).find(|parent| parent.exists())?;
    access(parent, Access::WRITE_OK | Access::EXEC_OK).is_err().then(|| {
        let detail = format!("{} cannot be created: {} is not writable", dir.display(), parent.display());
        Finding::fail("directories", detail, "make it writable, or set CHELA_HOME to another directory")
    })
}

fn settings_file(place: &Place) -> Finding {
    let file = place.paths.config_file();
    let state = if file.exists() { "" } else { " (not there: defaults)" };
    Finding::ok("settings", format!("{}{state}", file.display()))
}

fn model(place: &Place, settings: &Settings) -> Finding {
    let found = match resolve(&loading::roots(place), &settings.model.name) {
        Ok(found) => found,
        Err(error) => {
            return Finding::fail(
                "model",
                error.to_string(),
                "chela model use chela-starter, or another from the list",
            );
        }
    };
    match check_file(&found.path) {
        Err(error) => Finding::fail("model", error.to_string(), "chela model use NAME"),
        Ok(checked) if checked.warnings.is_empty() => {
            Finding::ok("model", format!("{}, {}", found.name, output::size(found.size)))
        }
        Ok(checked) => Finding::warn(
            "model",
            format!("{}: {}", found.name, checked.warnings.join("; ")),
            "chela model check",
        ),
    }
}

fn disk(data_dir: &Path) -> Finding {
    let Some(existing) = data_dir.ancestors().find(|dir| dir.exists()) else {
        return Finding::warn("disk", format!("{} does not exist", data_dir.display()), "create it");
    };
    let free = match statvfs(existing) {
        Ok(stat) => stat.f_bavail.saturating_mul(stat.f_frsize),
        Err(error) => {
            return Finding::warn("disk", format!("{}: {error}", existing.display()), "check the disk");
        }
    };
    let detail = format!("{} free at {}", output::size(free), existing.display());
    match free {
        0..FULL => Finding::fail("disk", detail, "free some space: turns cannot be recorded on a full disk"),
        FULL..TIGHT => Finding::warn("disk", detail, "free some space before pulling a model"),
        _ => Finding::ok("disk", detail),
    }
}

fn ledger(path: &Path) -> Finding {
    let shown = path.display();
    let outcome = Reader::open(path).and_then(|mut reader| Ok((reader.counts()?, reader.integrity_check()?)));
    match outcome {
        Err(StoreError::NoLedger(_)) => Finding::ok("ledger", format!("{shown} begins with the first turn")),
        Err(error @ StoreError::Outdated { .. }) => {
            Finding::warn("ledger", error.to_string(), "chela daemon restart")
        }
        Err(error @ StoreError::Sealed(_)) => Finding::fail(
            "ledger",
            error.to_string(),
            "nothing was changed; chela privacy says how things stand",
        ),
        Err(error) => {
            Finding::fail("ledger", error.to_string(), "chela daemon log says what the daemon did about it")
        }
        Ok((counts, problems)) if problems.is_empty() => {
            Finding::ok("ledger", format!("{} turns in {} sessions, intact", counts.turns, counts.sessions))
        }
        Ok((_, problems)) => Finding::fail(
            "ledger",
            format!("{shown} is damaged: {}", problems.join("; ")),
            format!("copy it, then: chela daemon stop && sqlite3 {shown} .recover"),
        ),
    }
}

fn daemon(place: &Place) -> Finding {
    let client = match Client::connect_if_running(&place.paths) {
        Ok(Some(client)) => client,
        Ok(None) => return Finding::ok("daemon", "not running; starts with the first question"),
        Err(error) => {
            return Finding::fail("daemon", error.to_string(), "chela daemon restart, then chela daemon log");
        }
    };
    match client.status() {
        Err(error) => {
            Finding::fail("daemon", error.to_string(), "chela daemon restart, then chela daemon log")
        }
        Ok(status) => match status.model {
            ModelState::None { reason } => {
                Finding::fail("daemon", format!("has no model: {reason}"), "chela model list")
            }
            ModelState::Loading { name } => {
                Finding::ok("daemon", format!("{}, loading {name}", status.version))
            }
            ModelState::Ready { model } => {
                Finding::ok("daemon", format!("{}, {}: {}", status.version, model.name, model.placement))
            }
        },
    }
}

fn cpu(settings: &Settings) -> Finding {
    let cores = num_cpus::get_physical();
    let threads = match settings.engine.threads {
        0 => "one thread for each".to_owned(),
        n => format!("{n} threads set"),
    };
    let detail = format!("{cores} physical cores, {threads}; {}", engine::system_line().trim());
    if settings.engine.threads > num_cpus::get() {
        return Finding::warn("cpu", detail, "chela config set engine.threads 0");
    }
    Finding::ok("cpu", detail)
}

/// What `chela train` would compute with, and whether it can train the model in use.
fn training(place: &Place, settings: &Settings) -> Finding {
    let kernels = match kernels::pick(None) {
        Ok(kernels) => kernels.name(),
        Err(error) => return Finding::fail("training", error, "chela model info"),
    };
    let threads = num_cpus::get_physical();
    let detail = format!("{kernels} kernels, {threads} thread{}", if threads == 1 { "" } else { "s" });
    // A model that is not found has a line of its own.
    let Ok(found) = resolve(&loading::roots(place), &settings.model.name) else {
        return Finding::ok("training", detail);
    };
    match WeightFile::open(&found.path) {
        Ok(_) => Finding::ok("training", detail),
        Err(error) => {
            let reason = error.reason();
            Finding::ok("training", format!("{detail}, but not of {}: {reason}", found.name))
        }
    }
}

fn gpu() -> Finding {
    let kinds = [
        ("cuda", cfg!(feature = "cuda")),
        ("metal", cfg!(feature = "metal")),
        ("vulkan", cfg!(feature = "vulkan")),
    ];
    let built: Vec<&str> =
        kinds.into_iter().filter_map(|(kind, is_built)| is_built.then_some(kind)).collect();
    let found = engine::gpus();
    match (built.is_empty(), found.is_empty()) {
        (_, false) => Finding::ok("gpu", found.join(", ")),
        (true, true) => Finding::ok(
            "gpu",
            "none: a CPU build (CHELA_FEATURES=cuda|vulkan|metal scripts/run builds another)",
        ),
        (false, true) => Finding::warn(
            "gpu",
            format!("built for {}, but no device answers", built.join(", ")),
            "check the driver",
        ),
    }
}

fn terminal(place: &Place) -> Finding {
    if !std::io::stdout().is_terminal() {
        return Finding::ok("terminal", "stdout is not a terminal: plain text");
    }
    let term = variable("TERM").unwrap_or_default();
    if term.is_empty() || term == "dumb" {
        return Finding::warn(
            "terminal",
            "cannot redraw (TERM is dumb or not set)",
            "the chat will be plain text",
        );
    }
    let size =
        rustix::termios::tcgetwinsize(std::io::stdout()).map_or((0, 0), |size| (size.ws_col, size.ws_row));
    let colors = match (place.may_color(), variable("COLORTERM").as_deref()) {
        (false, _) => "no colours",
        (true, Some("truecolor" | "24bit")) => "true colour",
        (true, _) => "colours",
    };
    let detail = format!("{term}, {}×{}, {colors}", size.0, size.1);
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(variable).unwrap_or_default();
    let is_utf8 = locale.to_ascii_lowercase().replace('-', "").contains("utf8");
    if !is_utf8 && !cfg!(target_os = "macos") {
        return Finding::warn(
            "terminal",
            format!("{detail}, locale \"{locale}\" is not UTF-8"),
            "export LC_ALL=C.UTF-8",
        );
    }
    if size.0 < 40 {
        return Finding::warn("terminal", detail, "make the window wider than 40 columns");
    }
    Finding::ok("terminal", detail)
}
