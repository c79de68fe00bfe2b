//! The dashboard's figures: gates, costs and bytes, out of the ledger and the folders.

use std::path::Path;

use super::wire::dashboard::{Compared, DiskUse, GateFigures, LearningCost, Part};
use crate::config::Paths;
use crate::learn::gate::{Measures, Share};
use crate::store::{RunRow, RunState};

/// What a run's gate measured; `None`: it came to none, or was measured in a way that is not known any more.
pub(super) fn of_gate(run: &RunRow) -> Option<GateFigures> {
    let gate = run.gate.as_ref()?;
    let of = |value: &serde_json::Value| serde_json::from_value::<Measures>(value.clone()).ok();
    let (candidate, serving) = (of(&gate.measures.candidate)?, of(&gate.measures.serving)?);
    let compared = |figure: &dyn Fn(&Measures) -> Part| Compared {
        candidate: figure(&candidate),
        serving: figure(&serving),
    };
    Some(GateFigures {
        run: run.id.0,
        at: gate.at,
        version: run.candidate,
        is_promoted: gate.promoted,
        obeyed: compared(&|of| total(of.lessons.iter().map(|lesson| lesson.obeyed))),
        canaries: compared(&|of| total(of.canaries.values().copied())),
        held_out: compared(&|of| total([of.held_out])),
        neutral: compared(&|of| total([of.neutral])),
        kl_to_base: candidate.kl_to_base,
        length_ratio: candidate.length_ratio,
        secrets: candidate.secrets,
        reasons: gate.reasons.clone(),
    })
}

fn total(shares: impl IntoIterator<Item = Share>) -> Part {
    shares.into_iter().fold(Part::default(), |sum, share| Part {
        kept: sum.kept.saturating_add(share.kept),
        of: sum.of.saturating_add(share.of),
    })
}

/// What rounds cost, as far as they were measured.
pub(super) fn cost(runs: &[RunRow]) -> LearningCost {
    let mut cost = LearningCost::default();
    for run in runs.iter().filter(|run| run.state != RunState::Idle) {
        let Some(ended_at) = run.ended_at else { continue };
        cost.rounds += 1;
        let number = |name: &str| run.counts.get("cost")?.get(name)?.as_f64();
        cost.wall_s += number("wall_s").unwrap_or_else(|| {
            let elapsed = u32::try_from((ended_at - run.started_at).max(0) / 1000).unwrap_or(u32::MAX);
            f64::from(elapsed)
        });
        if let Some(cpu_s) = number("cpu_s") {
            cost.rounds_measured += 1;
            cost.cpu_s += cpu_s;
        }
        if let Some(joules) = number("package_joules") {
            cost.rounds_with_energy += 1;
            cost.package_joules += joules;
        }
    }
    cost
}

/// Walks the folders: on a blocking thread only.
pub(super) fn disk_use(paths: &Paths, ledger: u64) -> DiskUse {
    let rounds = bytes_below(&paths.adapters_dir().join("runs"));
    DiskUse {
        ledger,
        adapters: bytes_below(&paths.adapters_dir()).saturating_sub(rounds),
        rounds,
        backups: crate::store::backup::bytes_kept(&paths.ledger()),
        models: bytes_below(&paths.models_dir()),
        logs: bytes_below(&paths.state_dir),
    }
}

/// 0 for what is not there. Links are not followed: what they lead to lies elsewhere.
fn bytes_below(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    let of = |entry: std::fs::DirEntry| match entry.file_type() {
        Ok(kind) if kind.is_dir() => bytes_below(&entry.path()),
        Ok(kind) if kind.is_file() => entry.metadata().map_or(0, |file| file.len()),
        _ => 0,
    };
    entries.map(of).sum()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::store::RunId;
    use crate::turn::PolicyVersion;

    fn run(state: RunState, ended_at: Option<i64>, counts: Value) -> RunRow {
        RunRow {
            id: RunId(1),
            started_at: 0,
            ended_at,
            state,
            base_sha256: String::new(),
            parent: PolicyVersion::BASE,
            serving: PolicyVersion::BASE,
            candidate: None,
            seed: 0,
            dial: String::new(),
            counts,
            reason: None,
            error: None,
            gate: None,
        }
    }

    #[test]
    fn what_was_not_measured_is_not_counted_as_measured() {
        let runs = [
            run(
                RunState::Promoted,
                Some(90_000),
                json!({"cost": {"wall_s": 80.5, "cpu_s": 150.0, "package_joules": 900.0}}),
            ),
            run(RunState::Rejected, Some(10_000), json!({"cost": {"wall_s": 9.5, "cpu_s": 20.0}})),
            run(RunState::Interrupted, Some(30_000), json!({})),
            run(RunState::Idle, Some(30_000), json!({})),
            run(RunState::Running, None, json!({})),
        ];
        let expected = LearningCost {
            rounds: 3,
            wall_s: 120.0,
            rounds_measured: 2,
            cpu_s: 170.0,
            rounds_with_energy: 1,
            package_joules: 900.0,
        };
        assert_eq!(cost(&runs), expected);
    }

    #[test]
    fn bytes_are_those_of_files() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("a")).unwrap();
        std::fs::write(folder.path().join("a/b"), [0; 30]).unwrap();
        std::fs::write(folder.path().join("c"), [0; 12]).unwrap();
        std::os::unix::fs::symlink(folder.path().join("c"), folder.path().join("d")).unwrap();
        assert_eq!(bytes_below(folder.path()), 42);
        assert_eq!(bytes_below(&folder.path().join("absent")), 0);
    }
}
