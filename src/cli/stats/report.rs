//! The loop's figures as text. Pure.

use std::collections::BTreeSet;

use jiff::civil::Date;
use serde_json::Value;

use super::learning;
use crate::cli::output;
use crate::cli::train::curve::shares;
use crate::daemon::wire::StateKind;
use crate::daemon::wire::looking::{Calibration, DayRewards, LoopStats, RunRow};
use crate::judge::calibration::LEAST_RATINGS;
use crate::learn::gate::{Measures, Share};
use crate::turn::Source;

/// Most steps of a trend: as bars, and as numbers where bars cannot be drawn.
const BARS: usize = 60;
const NUMBERS: usize = 14;

/// All of it, in blocks of lines: a name, and what there is to say.
pub(super) fn report(stats: &LoopStats, now_ms: i64, may_draw: bool) -> String {
    let mut blocks = vec![
        ("answers", answers(stats, may_draw)),
        ("waiting", waiting(stats.n_waiting)),
        ("lessons", lessons(stats)),
        ("learning", learning::now(&stats.learning)),
        ("runs", runs(stats)),
        ("versions", learning::versions(&stats.versions, now_ms)),
    ];
    if let Some(run) = &stats.gate {
        blocks.push(("gate", gate(run, now_ms)));
    }
    blocks.push(("judge", judge(&stats.judge)));
    blocks.push(("spent", learning::cost(&stats.cost)));
    blocks.push(("disk", learning::disk(&stats.disk)));
    let ledger = &stats.ledger;
    let size = output::size(ledger.bytes);
    let (turns, sessions) = (count(ledger.turns, "turn"), count(ledger.sessions, "session"));
    blocks.push(("ledger", format!("{turns} in {sessions}, {size} on disk")));
    let block = |(name, text): &(&str, String)| format!("{name:<8}  {}", text.replace('\n', "\n          "));
    blocks.iter().map(block).collect::<Vec<_>>().join("\n")
}

/// `1 turn`, `2 turns`.
fn count(n: usize, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") }
}

/// Which share was good, surface by surface.
fn answers(stats: &LoopStats, may_draw: bool) -> String {
    let span = format!("{} to {}", stats.from, stats.to);
    let surfaces: BTreeSet<String> = stats.rewards.iter().map(|row| output::word(row.source)).collect();
    if surfaces.is_empty() {
        return format!("no verdict from {span}; /good and /bad in the chat rate an answer");
    }
    let rows = [Source::Chat, Source::Shell, Source::Api, Source::Agent]
        .into_iter()
        .filter(|source| surfaces.contains(&output::word(source)))
        .map(|source| surface(stats, source, may_draw))
        .collect::<Vec<_>>();
    format!("share judged good, day by day, {span}\n{}", output::table(&rows))
}

fn surface(stats: &LoopStats, source: Source, may_draw: bool) -> Vec<String> {
    let rows: Vec<&DayRewards> = stats.rewards.iter().filter(|row| row.source == source).collect();
    let sum = |of: fn(&DayRewards) -> usize| rows.iter().map(|row| of(row)).sum::<usize>();
    let (good, bad, unclear) = (sum(|row| row.good), sum(|row| row.bad), sum(|row| row.unclear));
    let steps = steps(&rows, stats, if may_draw { BARS } else { NUMBERS });
    let trend = if may_draw { shares(&steps) } else { in_numbers(&steps) };
    let whole = share(good, bad)
        .map_or("no verdict either way".to_owned(), |share| format!("{} good", percent(share)));
    vec![output::word(source), trend, whole, format!("{good} good, {bad} bad, {unclear} unclear")]
}

/// The share of good ones of each step from the first day to the last; at most `n_steps` of them.
fn steps(rows: &[&DayRewards], stats: &LoopStats, n_steps: usize) -> Vec<Option<f64>> {
    let Some(n_days) = days_between(&stats.from, &stats.to).map(|days| days + 1) else { return Vec::new() };
    let n_steps = n_steps.min(n_days);
    let mut sums = vec![(0, 0); n_steps];
    for row in rows {
        let step = days_between(&stats.from, &row.day).map(|day| day * n_steps / n_days);
        if let Some((good, bad)) = step.and_then(|step| sums.get_mut(step)) {
            *good += row.good;
            *bad += row.bad;
        }
    }
    sums.into_iter().map(|(good, bad)| share(good, bad)).collect()
}

/// `None`: one of them is no date, or the second is the earlier.
fn days_between(from: &str, to: &str) -> Option<usize> {
    let (from, to): (Date, Date) = (from.parse().ok()?, to.parse().ok()?);
    usize::try_from((to - from).get_days()).ok()
}

#[expect(clippy::cast_precision_loss, reason = "counts of turns stay far below 2^52")]
fn share(good: usize, bad: usize) -> Option<f64> {
    (good + bad > 0).then(|| good as f64 / (good + bad) as f64)
}

fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}

fn in_numbers(steps: &[Option<f64>]) -> String {
    let number = |share: &Option<f64>| share.map_or("-".to_owned(), |share| format!("{:.0}", share * 100.0));
    format!("{} %", steps.iter().map(number).collect::<Vec<_>>().join(" "))
}

fn waiting(n: usize) -> String {
    match n {
        0 => "no turn waits for a verdict".to_owned(),
        1 => "1 turn waits for a verdict".to_owned(),
        n => format!("{n} turns wait for a verdict"),
    }
}

fn lessons(stats: &LoopStats) -> String {
    let word = |kind| match kind {
        StateKind::Proposed => "proposed",
        StateKind::Active => "active",
        StateKind::Learned => "learned",
        StateKind::Retired => "retired",
        StateKind::Pruned => "removed",
    };
    let known: Vec<String> = stats.lessons.iter().map(|(kind, n)| format!("{n} {}", word(*kind))).collect();
    if known.is_empty() { "none yet".to_owned() } else { known.join(", ") }
}

fn runs(stats: &LoopStats) -> String {
    let known: Vec<String> =
        stats.runs.iter().map(|(state, n)| format!("{n} {}", output::word(state))).collect();
    if known.is_empty() { "none yet".to_owned() } else { known.join(", ") }
}

/// What the newest gate said, and why.
fn gate(run: &RunRow, now_ms: i64) -> String {
    let Some(gate) = &run.gate else { return String::new() };
    let candidate = run.candidate.map_or_else(|| "a candidate".to_owned(), |version| version.to_string());
    let word = if gate.promoted { "promoted" } else { "rejected" };
    let mut lines =
        vec![format!("{candidate} {word} {} ago, run {}", output::age(gate.at, now_ms), run.id.0)];
    lines.extend(gate.reasons.iter().map(|reason| output::harmless(reason)));
    let of = |value: &Value| serde_json::from_value::<Measures>(value.clone()).ok();
    let measured = &gate.measures;
    if let (Some(candidate), Some(serving), Some(base)) =
        (of(&measured.candidate), of(&measured.serving), of(&measured.base))
    {
        lines.push(figures([&candidate, &serving, &base]));
    }
    lines.join("\n")
}

fn figures(versions: [&Measures; 3]) -> String {
    let head = ["", "candidate", "serving", "base"].map(str::to_owned).to_vec();
    let row = |name: &str, of: &dyn Fn(&Measures) -> String| {
        std::iter::once(name.to_owned()).chain(versions.iter().map(|version| of(version))).collect()
    };
    let rows = vec![
        head,
        row("lessons obeyed", &|of| total(of.lessons.iter().map(|lesson| lesson.obeyed))),
        row("held-out turns kept", &|of| of.held_out.to_string()),
        row("canaries kept", &|of| total(of.canaries.values().copied())),
        row("neutral answers kept", &|of| of.neutral.to_string()),
        row("usable answers", &|of| of.usable.to_string()),
        row("length, against base", &|of| format!("{:.2}", of.length_ratio)),
        row("KL to base, nats", &|of| format!("{:.4}", of.kl_to_base)),
        row("planted secrets said", &|of| of.secrets.to_string()),
    ];
    output::table(&rows)
}

fn total(parts: impl Iterator<Item = Share>) -> String {
    let sum = |sum: Share, part: Share| {
        Share::new(sum.kept.saturating_add(part.kept), sum.of.saturating_add(part.of))
    };
    parts.fold(Share::default(), sum).to_string()
}

/// How far the judge's votes can be trusted, if that can be said at all.
fn judge(judge: &Calibration) -> String {
    let n = judge.n;
    let (Some(ece), Some(brier)) = (judge.ece, judge.brier) else {
        return "no rated answer that it voted on; /good and /bad in the chat rate one".to_owned();
    };
    if n < LEAST_RATINGS {
        return format!(
            "too few ratings to say how far its votes can be trusted ({n}, {LEAST_RATINGS} are needed)"
        );
    }
    let (good, bad) = (judge.said_good, judge.said_bad);
    let mut lines = vec![
        format!("its votes against {n} ratings: expected calibration error {ece:.3}, Brier score {brier:.3}"),
        format!(
            "said good {} times, rightly {}; bad {} times, rightly {}; abstained {} times",
            good.n, good.n_right, bad.n, bad.n_right, judge.n_abstained
        ),
    ];
    if let Some(temperature) = judge.temperature {
        let word = if temperature > 1.0 { "too sure" } else { "too shy" };
        let fit = if (0.8..=1.25).contains(&temperature) { "about as sure as it is right" } else { word };
        lines.push(format!("{fit} (temperature {temperature:.2})"));
    }
    let head = ["votes for good", "predicted", "observed", "n"].map(str::to_owned).to_vec();
    let bins = judge.bins.iter().map(|bin| {
        vec![
            format!("{:.1} to {:.1}", bin.low, bin.high),
            format!("{:.2}", bin.mean_predicted),
            format!("{:.2}", bin.share_good),
            bin.n.to_string(),
        ]
    });
    lines.push(output::table(&std::iter::once(head).chain(bins).collect::<Vec<_>>()));
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::*;
    use crate::config::{Dial, When};
    use crate::daemon::wire::dashboard::{Compared, DiskUse, GateFigures, LearningCost, Part};
    use crate::daemon::wire::looking::{LedgerSize, RunState};
    use crate::daemon::wire::{LearnPhase, LearnStatus, LoopEvent};
    use crate::judge::calibration::{Pair, calibration};
    use crate::learn::canaries::Group;
    use crate::learn::gate::Obedience;
    use crate::lesson::LessonId;
    use crate::store::{GateRow, RunId};
    use crate::turn::PolicyVersion;

    const NOW: i64 = 100_000_000;

    fn empty() -> LoopStats {
        LoopStats {
            from: "2026-11-10".into(),
            to: "2026-11-23".into(),
            rewards: Vec::new(),
            n_waiting: 0,
            lessons: BTreeMap::new(),
            runs: BTreeMap::new(),
            gate: None,
            judge: calibration(&[]),
            ledger: LedgerSize { sessions: 1, turns: 1, bytes: 4_096 },
            versions: Vec::new(),
            learning: LearnStatus {
                dial: Dial::Careful,
                when: When::Idle,
                paused: false,
                running: None,
                progress: None,
                waits_for: Some("nothing to learn".into()),
                n_waiting: 0,
                learned_today_s: 0,
                last: None,
            },
            cost: LearningCost::default(),
            disk: DiskUse { ledger: 4_096, ..DiskUse::default() },
        }
    }

    fn day(day: &str, source: Source, good: usize, bad: usize, unclear: usize) -> DayRewards {
        DayRewards { day: day.into(), source, good, bad, unclear }
    }

    fn pairs(n: usize) -> Vec<Pair> {
        let pair = |at: usize| {
            let (p_good, rated_good) = if at.is_multiple_of(3) {
                (0.25, at.is_multiple_of(2))
            } else {
                (0.85, !at.is_multiple_of(5))
            };
            Pair { p_good, reward: Some(if p_good > 0.5 { 1 } else { -1 }), rated_good }
        };
        (0..n).map(pair).collect()
    }

    fn measures(kept: u32, length_ratio: f64, kl_to_base: f64) -> Measures {
        let obeyed = Share::new(kept, 20);
        Measures {
            held_out: Share::new(9, 10),
            lessons: [1, 2].map(|at| Obedience { lesson: LessonId(at), obeyed, taught: obeyed }).to_vec(),
            canaries: [(Group::Tasks, Share::new(40, 40)), (Group::Safety, Share::new(7, 8))].into(),
            lost: vec![],
            safety_draws: Share::new(30, 32),
            neutral: Share::new(58, 60),
            usable: Share::new(150, 150),
            length_ratio,
            kl_to_base,
            secrets: 0,
            recorded: 0,
            not_finite: 0,
        }
    }

    fn run(measures: crate::store::Measures, reasons: &[&str]) -> RunRow {
        RunRow {
            id: RunId(7),
            started_at: 0,
            ended_at: Some(NOW),
            state: RunState::Promoted,
            base_sha256: "b".into(),
            parent: PolicyVersion(2),
            serving: PolicyVersion(2),
            candidate: Some(PolicyVersion(3)),
            seed: 1,
            dial: "careful".into(),
            counts: json!({}),
            reason: None,
            error: None,
            gate: Some(GateRow {
                at: NOW - 7_200_000,
                promoted: true,
                measures,
                reasons: reasons.iter().map(|reason| (*reason).to_owned()).collect(),
            }),
        }
    }

    fn gate_figures(version: u32, obeyed: u32, canaries: u32) -> GateFigures {
        let compared =
            |kept, was, of| Compared { candidate: Part { kept, of }, serving: Part { kept: was, of } };
        GateFigures {
            run: version.into(),
            at: NOW - 7_200_000,
            version: Some(PolicyVersion(version)),
            is_promoted: obeyed > 10,
            obeyed: compared(obeyed, 4, 20),
            canaries: compared(canaries, 40, 40),
            held_out: compared(12, 12, 12),
            neutral: compared(59, 60, 60),
            kl_to_base: 0.0312,
            length_ratio: 0.98,
            secrets: 0,
            reasons: Vec::new(),
        }
    }

    fn full() -> LoopStats {
        let value = |of: &Measures| serde_json::to_value(of).unwrap();
        let gate = crate::store::Measures {
            candidate: value(&measures(19, 0.98, 0.0312)),
            serving: value(&measures(4, 1.02, 0.011)),
            base: value(&measures(0, 1.0, 0.0)),
        };
        LoopStats {
            rewards: vec![
                day("2026-11-10", Source::Shell, 1, 3, 0),
                day("2026-11-12", Source::Chat, 0, 0, 2),
                day("2026-11-13", Source::Shell, 2, 2, 1),
                day("2026-11-20", Source::Chat, 5, 1, 0),
                day("2026-11-23", Source::Chat, 3, 0, 1),
                day("2026-11-23", Source::Shell, 9, 1, 0),
            ],
            n_waiting: 2,
            lessons: [(StateKind::Active, 5), (StateKind::Learned, 2), (StateKind::Pruned, 1)].into(),
            runs: [(RunState::Promoted, 2), (RunState::Rejected, 1)].into(),
            gate: Some(run(gate, &["holds lesson 1: 19 of 20, before 4 of 20"])),
            judge: calibration(&pairs(60)),
            ledger: LedgerSize { sessions: 56, turns: 1_234, bytes: 12_345_678 },
            versions: vec![gate_figures(1, 4, 38), gate_figures(2, 19, 40)],
            learning: LearnStatus {
                running: Some(RunId(3)),
                progress: Some(LoopEvent::Learning {
                    run: 3,
                    phase: LearnPhase::Training,
                    done: 12,
                    total: 40,
                    loss: Some(0.5),
                    eta_s: Some(75.0),
                }),
                n_waiting: 2,
                ..empty().learning
            },
            cost: LearningCost {
                rounds: 3,
                wall_s: 320.0,
                rounds_measured: 2,
                cpu_s: 500.5,
                rounds_with_energy: 1,
                package_joules: 5_400.0,
            },
            disk: DiskUse {
                ledger: 12_345_678,
                adapters: 4_000_000,
                models: 8_100_000,
                backups: 6_000_000,
                ..DiskUse::default()
            },
            ..empty()
        }
    }

    #[test]
    fn the_whole_report() {
        insta::assert_snapshot!(report(&full(), NOW, true));
    }

    #[test]
    fn without_a_terminal_the_trend_is_numbers() {
        let text = report(&full(), NOW, false);
        assert!(text.contains("- - - - - - - - - - 83 - - 100 %"), "{text}");
        assert!(!text.contains('█'), "{text}");
    }

    #[test]
    fn a_new_ledger_says_what_would_fill_it() {
        insta::assert_snapshot!(report(&empty(), NOW, true));
    }

    #[test]
    fn few_ratings_prove_nothing() {
        let text = judge(&calibration(&pairs(LEAST_RATINGS - 1)));
        assert_eq!(text, "too few ratings to say how far its votes can be trusted (19, 20 are needed)");
        assert!(judge(&calibration(&pairs(LEAST_RATINGS))).contains("expected calibration error"));
    }

    #[test]
    fn many_days_share_a_bar_and_keep_their_weight() {
        let stats = LoopStats { from: "2026-11-20".into(), ..empty() };
        let rows = [day("2026-11-20", Source::Chat, 1, 0, 0), day("2026-11-21", Source::Chat, 0, 3, 0)];
        let rows: Vec<&DayRewards> = rows.iter().collect();
        assert_eq!(steps(&rows, &stats, 9), [Some(1.0), Some(0.0), None, None]);
        assert_eq!(steps(&rows, &stats, 2), [Some(0.25), None]);
    }

    #[test]
    fn a_gate_whose_figures_are_none_still_gives_its_reasons() {
        let nothing =
            crate::store::Measures { candidate: json!(null), serving: json!({}), base: json!(null) };
        let text = gate(&run(nothing, &["3 of its numbers are not finite"]), NOW);
        assert_eq!(text, "v3 promoted 2 h ago, run 7\n3 of its numbers are not finite");
    }
}
