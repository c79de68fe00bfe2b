//! How versions of the policy look in a table. Pure.

use std::path::Path;

use jiff::Timestamp;

use super::super::output;
use crate::adapter::manifest::{Made, Training};
use crate::adapter::{Adapter, Manifest};
use crate::daemon::wire::{AdapterList, AdapterRow, BrokenAdapter};
use crate::turn::PolicyVersion;

type Row = Vec<String>;

/// The base, the versions, and what is broken; a star before what answers. `model` is the name of the model in use.
pub(super) fn list(standing: &AdapterList, model: &str) -> Vec<Row> {
    let heading = ["", "VERSION", "STATE", "BASE", "RANK", "SAMPLES", "LOSS", "HELD OUT", "MADE", ""];
    let base = [star(standing.serving == PolicyVersion::BASE), "v0", "base", model];
    let base = base.iter().map(|cell| output::harmless(cell)).collect();
    let versions = standing.adapters.iter().map(version);
    let broken = standing.broken.iter().map(broken);
    [heading.map(str::to_owned).to_vec(), base].into_iter().chain(versions).chain(broken).collect()
}

fn version(row: &AdapterRow) -> Row {
    let manifest = &row.manifest;
    let (training, how) = match &manifest.made {
        Made::Train(training) => (Some(training), "trained"),
        Made::Import { .. } => (None, "imported"),
    };
    let of_training = |cell: fn(&Training) -> String| training.map_or_else(|| "-".to_owned(), cell);
    vec![
        star(row.serving).to_owned(),
        manifest.version.to_string(),
        manifest.state.to_string(),
        output::harmless(&manifest.base.name),
        manifest.rank.to_string(),
        of_training(|training| training.n_samples.to_string()),
        of_training(|training| change(training.loss_before, training.loss_after)),
        of_training(|training| change(training.held_out_before, training.held_out_after)),
        format!("{how} {}", date(manifest.created_at)),
    ]
}

fn broken(broken: &BrokenAdapter) -> Row {
    let mut row = vec![String::new(), output::harmless(&broken.name), "broken".to_owned()];
    row.resize(9, "-".to_owned());
    row.push(output::harmless(&broken.problem));
    row
}

/// One version in full.
pub(super) fn details(
    manifest: &Manifest,
    adapter: Option<&Adapter>,
    serving: bool,
    path: &Path,
) -> Vec<Row> {
    let base = &manifest.base;
    let mut rows = vec![
        ("version", format!("{}{}", manifest.version, if serving { ", answers now" } else { "" })),
        ("state", manifest.state.to_string()),
        ("base", format!("{} ({})", base.name, base.architecture)),
        ("base sha256", base.sha256.clone()),
        ("parent", manifest.parent.to_string()),
        ("rank, alpha", format!("{}, {}", manifest.rank, manifest.alpha)),
        ("made", format!("{} UTC", date(manifest.created_at))),
    ];
    match &manifest.made {
        Made::Import { from } => rows.push(("imported from", from.clone())),
        Made::Train(training) => rows.extend([
            ("samples", format!("{} in {} gradient steps", training.n_samples, training.steps)),
            ("samples sha256", training.samples_sha256.clone()),
            ("loss", change(training.loss_before, training.loss_after)),
            ("held out", change(training.held_out_before, training.held_out_after)),
        ]),
    }
    if let Some(adapter) = adapter {
        let n_numbers: usize = adapter.pairs.values().map(|pair| pair.a.len() + pair.b.len()).sum();
        rows.push(("changes", format!("{} linear maps, {n_numbers} numbers", adapter.pairs.len())));
    }
    rows.push(("file", format!("{} ({})", path.display(), output::size(manifest.file.size))));
    rows.push(("sha256", manifest.file.sha256.clone()));
    rows.into_iter().map(|(name, value)| vec![name.to_owned(), output::harmless(&value)]).collect()
}

fn star(on: bool) -> &'static str {
    if on { "*" } else { "" }
}

/// `2.31 → 0.44`.
fn change(before: Option<f64>, after: Option<f64>) -> String {
    let number = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.3}"));
    match (before, after) {
        (None, None) => "-".to_owned(),
        (before, after) => format!("{} → {}", number(before), number(after)),
    }
}

/// In UTC, to the minute.
fn date(unix_seconds: i64) -> String {
    let time = Timestamp::from_second(unix_seconds);
    time.map_or_else(|_| "-".to_owned(), |time| time.strftime("%Y-%m-%d %H:%M").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapter::Base;
    use crate::adapter::manifest::{FORMAT, FileStamp, State};

    fn manifest(version: u32, state: State, made: Made) -> Manifest {
        let base =
            Base { name: "chela-starter".into(), sha256: "ab".repeat(32), architecture: "qwen3".into() };
        Manifest {
            format: FORMAT,
            version: PolicyVersion(version),
            state,
            parent: PolicyVersion::BASE,
            base,
            rank: 16,
            alpha: 32.0,
            created_at: 1_700_000_000,
            made,
            file: FileStamp { size: 1_234_567, sha256: "cd".repeat(32) },
        }
    }

    fn trained() -> Manifest {
        let training = Training {
            samples_sha256: "ef".repeat(32),
            n_samples: 200,
            steps: 75,
            loss_before: Some(2.3125),
            loss_after: Some(0.4375),
            held_out_before: Some(2.5),
            held_out_after: None,
        };
        manifest(1, State::Superseded, Made::Train(training))
    }

    fn imported() -> Manifest {
        manifest(2, State::Promoted, Made::Import { from: "/tmp/\u{1b}[31mlora".into() })
    }

    #[test]
    fn the_list_has_the_base_the_versions_and_what_is_broken() {
        let standing = AdapterList {
            serving: PolicyVersion(2),
            model: Some("chela-starter".into()),
            adapters: vec![
                AdapterRow { serving: false, manifest: trained() },
                AdapterRow { serving: true, manifest: imported() },
            ],
            broken: vec![BrokenAdapter { name: "v3".into(), problem: "manifest.json is missing".into() }],
            notice: None,
        };
        insta::assert_snapshot!(output::table(&list(&standing, "chela-starter")), @r"
           VERSION  STATE       BASE           RANK  SAMPLES  LOSS           HELD OUT   MADE
           v0       base        chela-starter
           v1       superseded  chela-starter  16    200      2.312 → 0.438  2.500 → -  trained 2023-11-14 22:13
        *  v2       promoted    chela-starter  16    -        -              -          imported 2023-11-14 22:13
           v3       broken      -              -     -        -              -          -                          manifest.json is missing
        ");
    }

    #[test]
    fn details_say_everything() {
        let path = Path::new("/home/a/adapters/v1/adapter.gguf");
        insta::assert_snapshot!(output::table(&details(&trained(), None, false, path)), @r"
        version         v1
        state           superseded
        base            chela-starter (qwen3)
        base sha256     abababababababababababababababababababababababababababababababab
        parent          v0
        rank, alpha     16, 32
        made            2023-11-14 22:13 UTC
        samples         200 in 75 gradient steps
        samples sha256  efefefefefefefefefefefefefefefefefefefefefefefefefefefefefefefef
        loss            2.312 → 0.438
        held out        2.500 → -
        file            /home/a/adapters/v1/adapter.gguf (1.2 MB)
        sha256          cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd
        ");
    }

    #[test]
    fn an_import_names_its_source_and_obeys_no_escape_sequence() {
        let path = Path::new("/home/a/adapters/v2/adapter.gguf");
        insta::assert_snapshot!(output::table(&details(&imported(), None, true, path)), @r"
        version        v2, answers now
        state          promoted
        base           chela-starter (qwen3)
        base sha256    abababababababababababababababababababababababababababababababab
        parent         v0
        rank, alpha    16, 32
        made           2023-11-14 22:13 UTC
        imported from  /tmp/[31mlora
        file           /home/a/adapters/v2/adapter.gguf (1.2 MB)
        sha256         cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd
        ");
    }
}
