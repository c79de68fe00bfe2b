//! `chela model`: find, download, choose, check and make models. What they are is in `crate::model`.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::{Context, bail};
use clap::Subcommand;
use serde::Serialize;
use signal_hook::consts::SIGINT;

use super::place::{Place, variable};
use super::{Exit, loading, output};
use crate::client::Client;
use crate::config::set_key;
use crate::daemon::wire::UseModel;
use crate::engine;
use crate::learn::weights::WeightFile;
use crate::model::choose::Spec;
use crate::model::details::{Details, details, sha256};
use crate::model::hub::Hub;
use crate::model::progress::Progress;
use crate::model::pull::{PullError, Setup, pull};
use crate::model::roots::Env;
use crate::model::{Found, check, find, quantize, remove, resolve};

#[derive(Debug, Subcommand)]
pub(super) enum ModelCommand {
    /// List the models on this machine: chela's own and those of Ollama, LM Studio, llama.cpp, Hugging Face
    List {
        /// As one JSON array
        #[arg(long)]
        json: bool,
    },
    /// Download a GGUF model from Hugging Face; the same command continues an interrupted download
    Pull {
        /// ORG/REPO or ORG/REPO:QUANT, e.g. Qwen/Qwen3-0.6B-GGUF:Q8_0
        #[arg(value_name = "ORG/REPO[:QUANT]")]
        spec: Spec,
        /// Answer with it from now on
        #[arg(long = "use")]
        then_use: bool,
        /// Print one JSON object: name, path, size, revision, sha256
        #[arg(long)]
        json: bool,
    },
    /// Answer with this model from now on, in all terminals
    Use {
        /// A name from the list, or the path of a GGUF file
        name: String,
    },
    /// Print what is known of a model [default: the one in use]
    Info {
        /// A name from the list, or the path of a GGUF file
        name: Option<String>,
        /// Compute the file's hash
        #[arg(long)]
        sha256: bool,
        /// As one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Remove a model that chela downloaded or made
    Rm {
        /// A name from the list
        name: String,
    },
    /// Make a smaller model
    Quantize {
        /// A name from the list, or the path of a GGUF file
        name: String,
        /// What to make of it (`Q8_0`, `Q4_K_M`); an unknown one is answered with the list
        #[arg(value_name = "KIND")]
        kind: String,
    },
    /// Check a model file, and try it in a process of its own
    Check {
        /// A name from the list, or the path of a GGUF file [default: the one in use]
        name: Option<String>,
        /// As one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Load a file right here (`check` and the daemon start this, because a broken file may end the process)
    #[command(hide = true)]
    Probe { path: PathBuf },
}

pub(super) fn run(place: &Place, command: ModelCommand) -> anyhow::Result<Exit> {
    match command {
        ModelCommand::List { json } => list(place, json),
        ModelCommand::Pull { spec, then_use, json } => download(place, &spec, then_use, json),
        ModelCommand::Use { name } => use_model(place, &name),
        ModelCommand::Info { name, sha256, json } => info(place, name, sha256, json),
        ModelCommand::Rm { name } => rm(place, &name),
        ModelCommand::Quantize { name, kind } => make_smaller(place, &name, &kind),
        ModelCommand::Check { name, json } => check_model(place, name, json),
        ModelCommand::Probe { path } => {
            engine::probe(&path)?;
            Ok(Exit::Done)
        }
    }
}

fn list(place: &Place, json: bool) -> anyhow::Result<Exit> {
    let settings = place.prepare()?;
    let found = find::list(&loading::roots(place));
    if json {
        output::json(&found)?;
        return Ok(Exit::Done);
    }
    let heading =
        ["", "NAME", "SIZE", "KIND", "PARAMETERS", "CONTEXT", "WHERE", ""].map(str::to_owned).to_vec();
    let rows = found.iter().map(|found| row(found, found.name == settings.model.name));
    output::line(&output::table(&[vec![heading], rows.collect()].concat()))?;
    Ok(Exit::Done)
}

fn row(found: &Found, in_use: bool) -> Vec<String> {
    let header = found.header.as_ref();
    let column = |cell: Option<String>| cell.unwrap_or_else(|| "-".to_owned());
    vec![
        if in_use { "*" } else { "" }.to_owned(),
        output::harmless(&found.name),
        output::size(found.size),
        column(header.map(|header| header.quantization.clone())),
        column(header.map(|header| count(header.parameters))),
        column(header.map(|header| header.context.to_string())),
        found.owner.to_string(),
        output::harmless(found.problem.as_deref().unwrap_or("")),
    ]
}

/// `7.3 M`, `8.0 G`: parameters are counted like bytes.
fn count(n: u64) -> String {
    output::size(n).trim_end_matches('B').replace('k', "K").trim_end().to_owned()
}

fn download(place: &Place, spec: &Spec, then_use: bool, json: bool) -> anyhow::Result<Exit> {
    place.prepare()?;
    // The first Ctrl+C ends the download in order, a second one the process.
    let cancel = Arc::new(AtomicBool::new(false));
    let code = i32::from(Exit::Interrupted as u8);
    signal_hook::flag::register_conditional_shutdown(SIGINT, code, Arc::clone(&cancel))?;
    signal_hook::flag::register(SIGINT, Arc::clone(&cancel))?;

    let hub = Hub::from_env(&Env::read());
    let models_dir = place.paths.models_dir();
    let check = |path: &std::path::Path| {
        check::check_file(path).map_err(|error| error.to_string())?;
        loading::probe_in_child(path)
    };
    let mut progress = Progress::on_stderr(!place.may_redraw());
    let setup = Setup::new(&hub, &models_dir, &check, &cancel);
    let pulled = pull(spec, &setup, &mut |event| progress.show(&event));
    progress.finish();
    let pulled = match pulled {
        Err(error @ PullError::Interrupted { .. }) => {
            output::note(&format!("chela: {error}"));
            return Ok(Exit::Interrupted);
        }
        pulled => pulled?,
    };
    if json {
        output::json(&pulled)?;
    } else {
        output::line(&pulled.name)?;
    }
    if then_use {
        return use_model(place, &pulled.name);
    }
    output::note(&format!("to answer with it: chela model use {}", pulled.name));
    Ok(Exit::Done)
}

fn use_model(place: &Place, name: &str) -> anyhow::Result<Exit> {
    place.prepare()?;
    let found = resolve::resolve(&loading::roots(place), name)?;
    check::check_file(&found.path)?;
    loading::probe_in_child(&found.path)
        .map_err(|reason| anyhow::anyhow!("{} cannot be used: {reason}", found.name))?;
    set_key(&place.paths.config_file(), "model.name", &found.name)?;
    if variable("CHELA_MODEL_NAME").is_some() {
        output::note("note: CHELA_MODEL_NAME is set and wins over the setting");
    }
    if let Some(client) = Client::connect_if_running(&place.paths)? {
        client.use_model(&UseModel { name: found.name.clone() })?;
    }
    output::note(&format!("{} answers from now on", found.name));
    Ok(Exit::Done)
}

fn info(place: &Place, name: Option<String>, hash: bool, json: bool) -> anyhow::Result<Exit> {
    let name = name.map_or_else(|| in_use(place), Ok)?;
    let mut found = resolve::locate(&loading::roots(place), &name)?;
    look_at_weights(&mut found);
    let details = details(found);
    let hashes =
        if hash { sha256(&details.found, &mut |_| {}).context("cannot read the model")? } else { vec![] };
    if json {
        #[derive(Serialize)]
        struct Printed<'a> {
            #[serde(flatten)]
            details: &'a Details,
            sha256: Vec<&'a str>,
        }
        let sha256 = hashes.iter().map(|hash| hash.sha256.as_str()).collect();
        output::json(&Printed { details: &details, sha256 })?;
        return Ok(Exit::Done);
    }
    let mut rows = detail_rows(&details);
    rows.extend(hashes.iter().map(|hash| vec!["sha256".to_owned(), hash.sha256.clone()]));
    output::line(&output::table(&rows))?;
    if let Some(template) = &details.template {
        output::line(&format!(
            "template ({} characters)\n{}",
            template.n_chars,
            output::harmless(&template.head)
        ))?;
    }
    if let Some(attribution) = details.attribution {
        output::line(&format!("\n{}", attribution.trim_end()))?;
    }
    Ok(Exit::Done)
}

/// The architecture alone says less than the trainer itself: it looks at every tensor's shape and type.
fn look_at_weights(found: &mut Found) {
    if let Some(header) = &mut found.header {
        header.not_trainable_because = not_trainable_because(&found.path);
        header.trainable = header.not_trainable_because.is_none();
    }
}

fn not_trainable_because(path: &Path) -> Option<String> {
    WeightFile::open(path).err().map(|error| error.reason())
}

fn detail_rows(details: &Details) -> Vec<Vec<String>> {
    let found = &details.found;
    let header = found.header.as_ref();
    let learning = header.map(|header| match &header.not_trainable_because {
        None => "yes".to_owned(),
        Some(reason) => format!("no: {reason}"),
    });
    let special = details.special_tokens.iter().map(|token| {
        format!("{} {} {}", token.role, token.id, token.text.as_deref().unwrap_or("(not in the vocabulary)"))
    });
    [
        ("name", Some(found.name.clone())),
        ("title", details.title.clone()),
        ("path", Some(found.path.display().to_string())),
        ("where", Some(found.owner.to_string())),
        ("size", Some(output::size(found.size))),
        ("architecture", header.map(|header| header.architecture.clone())),
        ("quantization", header.map(|header| header.quantization.clone())),
        ("parameters", header.map(|header| count(header.parameters))),
        ("context", header.map(|header| format!("{} tokens", header.context))),
        ("vocabulary", details.n_vocab.map(|n| format!("{n} tokens"))),
        ("special", Some(special.collect::<Vec<_>>().join(", "))),
        ("tensors", details.n_tensors.map(|n| n.to_string())),
        ("files", (details.files.len() > 1).then(|| details.files.len().to_string())),
        ("trainable", learning),
        ("licence", details.licence.clone()),
        ("problem", found.problem.clone()),
    ]
    .into_iter()
    .filter_map(|(name, value)| {
        Some(vec![name.to_owned(), output::harmless(&value.filter(|v| !v.is_empty())?)])
    })
    .collect()
}

fn rm(place: &Place, name: &str) -> anyhow::Result<Exit> {
    let roots = loading::roots(place);
    let found = resolve::locate(&roots, name)?;
    if found.name == in_use(place)? {
        bail!("{} is in use; choose another first: chela model use NAME", found.name);
    }
    let removed = remove::remove(&roots, name)?;
    output::note(&format!("removed {} ({})", removed.name, output::size(removed.freed)));
    Ok(Exit::Done)
}

fn make_smaller(place: &Place, name: &str, kind: &str) -> anyhow::Result<Exit> {
    place.prepare()?;
    let found = resolve::resolve(&loading::roots(place), name)?;
    let plan = quantize::plan(&found, kind, &place.paths.models_dir())?;
    if let Some(warning) = &plan.warning {
        output::note(&format!("note: {warning}"));
    }
    output::note(&format!(
        "making {} (about {}) …",
        plan.output.display(),
        output::size(plan.estimated_size)
    ));
    // Under its own name only when it is whole.
    let part = plan.output.with_extension("gguf.part");
    let made = engine::quantize(&plan.input, &part, plan.kind)
        .map_err(anyhow::Error::from)
        .and_then(|()| Ok(std::fs::File::open(&part)?.sync_all()?))
        .and_then(|()| Ok(std::fs::rename(&part, &plan.output)?));
    if made.is_err() {
        // What is left of a failed attempt is of no use; that it cannot be removed changes nothing.
        let _ = std::fs::remove_file(&part);
    }
    made.with_context(|| format!("cannot make {}", plan.output.display()))?;
    output::line(&plan.output.display().to_string())?;
    Ok(Exit::Done)
}

fn check_model(place: &Place, name: Option<String>, json: bool) -> anyhow::Result<Exit> {
    let name = name.map_or_else(|| in_use(place), Ok)?;
    let found = resolve::locate(&loading::roots(place), &name)?;
    let outcome = check::check_file(&found.path).map_err(|error| error.to_string()).and_then(|checked| {
        loading::probe_in_child(&found.path)?;
        Ok(checked.warnings)
    });
    let (problem, warnings) = match outcome {
        Ok(warnings) => (None, warnings),
        Err(problem) => (Some(problem), Vec::new()),
    };
    let failed = problem.is_some();
    let not_trainable = not_trainable_because(&found.path);
    if json {
        output::json(&serde_json::json!({
            "name": found.name,
            "path": found.path,
            "problem": problem,
            "warnings": warnings,
            "trainable": !failed && not_trainable.is_none(),
            "not_trainable_because": not_trainable,
        }))?;
    } else {
        for warning in &warnings {
            output::line(&format!("warning: {}", output::harmless(warning)))?;
        }
        let verdict = match (problem, not_trainable) {
            (Some(problem), _) => problem,
            (None, Some(reason)) => format!("can be used, but not trained: {reason}"),
            (None, None) => "can be used and trained".to_owned(),
        };
        output::line(&format!("{}: {}", found.name, output::harmless(&verdict)))?;
    }
    Ok(if failed { Exit::Failed } else { Exit::Done })
}

fn in_use(place: &Place) -> anyhow::Result<String> {
    Ok(place.settings()?.model.name)
}
