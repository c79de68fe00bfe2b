//! What came of `chela bench learn` as text: tables and a plot. Pure except for the last write.

use std::collections::{BTreeMap, BTreeSet};

use super::metrics::Spread;
use super::report::{ArmFigures, LATE, Report};
use crate::cli::output;

pub(super) fn print(report: &Report) -> anyhow::Result<()> {
    Ok(output::line(&text(report))?)
}

fn text(report: &Report) -> String {
    let seeds: Vec<_> = report.seeds.iter().map(u64::to_string).collect();
    let mut lines = vec![
        format!("machine   {}", report.machine),
        format!("model     {}", report.model),
        format!("seeds     {} (figures: mean ± standard deviation over seeds)", seeds.join(", ")),
        String::new(),
        "sessions until three in a row are right at the first reply; obedience on held-out requests: before,"
            .to_owned(),
        "of the base with lessons, of the weights without, as served, and after everything was taken back"
            .to_owned(),
        obedience_table(&report.arms),
        String::new(),
        "answers to held-out neutral requests, against those before learning".to_owned(),
        neutral_table(&report.arms),
        String::new(),
        "from a correction to its lesson (the slowest), and what learning took".to_owned(),
        cost_table(&report.arms),
        String::new(),
        "right at the first reply, session by session (a full block: all users)".to_owned(),
        curves(&report.arms),
    ];
    let late = table_by(&report.arms, "user", |arm| &arm.late_by_character);
    if !late.is_empty() {
        let head = format!("right at the first reply in the last {LATE} sessions, by character");
        lines.extend([String::new(), head, late]);
    }
    let gate = gate_table(&report.arms);
    if !gate.is_empty() {
        lines.extend([String::new(), "candidates, all seeds together".to_owned(), gate]);
    }
    let by_wish = [
        (
            "obedience of the base with lessons, by wish",
            table_by(&report.arms, "wish", |arm| &arm.taught_by_preference),
        ),
        (
            "obedience of the weights without lessons, by wish",
            table_by(&report.arms, "wish", |arm| &arm.by_preference),
        ),
    ];
    for (head, rows) in by_wish.into_iter().filter(|(_, rows)| !rows.is_empty()) {
        lines.extend([String::new(), head.to_owned(), rows]);
    }
    lines.join("\n")
}

fn obedience_table(arms: &[ArmFigures]) -> String {
    let head = [
        "arm",
        "sessions",
        "adapted",
        "asked again",
        "before",
        "lessons",
        "weights",
        "served",
        "forgotten",
        "poisoned",
    ];
    let rows = arms.iter().map(|arm| {
        vec![
            arm.arm.name().to_owned(),
            sessions_cell(arm),
            cell(arm.adapted, 2),
            cell(arm.again_right, 2),
            cell(arm.obedience_before, 2),
            cell(arm.obedience_with_lessons, 2),
            cell(arm.obedience_without_lessons, 2),
            cell(arm.obedience_as_served, 2),
            cell(arm.obedience_after_forget, 2),
            arm.poisoned_promotions.map_or_else(|| "–".to_owned(), |n| n.to_string()),
        ]
    });
    table(&head, rows)
}

fn neutral_table(arms: &[ArmFigures]) -> String {
    let head = ["arm", "unchanged", "by weights", "good before", "good after", "length"];
    let rows = arms.iter().map(|arm| {
        vec![
            arm.arm.name().to_owned(),
            cell(arm.unchanged, 2),
            cell(arm.unchanged_by_weights, 2),
            cell(arm.quality_before, 2),
            cell(arm.quality_after, 2),
            cell(arm.length_ratio, 2),
        ]
    });
    table(&head, rows)
}

fn cost_table(arms: &[ArmFigures]) -> String {
    let head = ["arm", "lesson ms", "first promotion s", "lessons in it", "learning s", "CPU s"];
    let rows = arms.iter().map(|arm| {
        vec![
            arm.arm.name().to_owned(),
            cell(arm.lesson_ms, 0),
            cell(arm.promotion_s, 1),
            cell(arm.promotion_holds, 1),
            cell(arm.learning_wall_s, 1),
            cell(arm.learning_cpu_s, 1),
        ]
    });
    table(&head, rows)
}

/// One figure of the arms that have it, side by side.
fn table_by<K: Ord + ToString>(
    arms: &[ArmFigures],
    head: &str,
    figures: impl Fn(&ArmFigures) -> &BTreeMap<K, Spread>,
) -> String {
    let arms: Vec<_> = arms.iter().filter(|arm| !figures(arm).is_empty()).collect();
    let keys: BTreeSet<_> = arms.iter().flat_map(|arm| figures(arm).keys()).collect();
    if keys.is_empty() {
        return String::new();
    }
    let head: Vec<&str> = std::iter::once(head).chain(arms.iter().map(|arm| arm.arm.name())).collect();
    let rows = keys.into_iter().map(|key| {
        let cells = arms.iter().map(|arm| cell(figures(arm).get(key).copied(), 2));
        std::iter::once(key.to_string()).chain(cells).collect()
    });
    table(&head, rows)
}

/// The arms whose gate had something to decide.
fn gate_table(arms: &[ArmFigures]) -> String {
    let arms: Vec<_> = arms.iter().filter(|arm| arm.promoted > 0 || !arm.rejected.is_empty()).collect();
    if arms.is_empty() {
        return String::new();
    }
    let rows = arms.into_iter().map(|arm| {
        let n_rejected: usize = arm.rejected.values().sum();
        let reasons: Vec<_> = arm.rejected.iter().map(|(reason, n)| format!("{reason} ({n})")).collect();
        vec![arm.arm.name().to_owned(), arm.promoted.to_string(), n_rejected.to_string(), reasons.join(", ")]
    });
    table(&["arm", "promoted", "rejected", "reasons"], rows)
}

/// Where somebody never adapted, the mean is a lower bound.
fn sessions_cell(arm: &ArmFigures) -> String {
    let is_bound = arm.adapted.is_some_and(|adapted| adapted.mean < 1.0);
    let text = cell(arm.sessions_to_adapt, 1);
    if is_bound && arm.sessions_to_adapt.is_some() { format!("≥ {text}") } else { text }
}

fn curves(arms: &[ArmFigures]) -> String {
    let rows = arms.iter().map(|arm| {
        let bars: String = arm.right_by_session.iter().map(|share| bar(*share)).collect();
        let last = arm.right_by_session.last().map_or_else(|| "–".to_owned(), |share| format!("{share:.2}"));
        vec![arm.arm.name().to_owned(), bars, last]
    });
    table(&["arm", "sessions", "last"], rows)
}

/// An eighth of the cell for each eighth of the share; `·` is none, `?` is no number.
fn bar(share: f64) -> char {
    const STEPS: [(f64, char); 9] = [
        (0.0, '·'),
        (0.1875, '▁'),
        (0.3125, '▂'),
        (0.4375, '▃'),
        (0.5625, '▄'),
        (0.6875, '▅'),
        (0.8125, '▆'),
        (0.9999, '▇'),
        (f64::INFINITY, '█'),
    ];
    STEPS.iter().find(|(most, _)| share <= *most).map_or('?', |(_, block)| *block)
}

fn cell(spread: Option<Spread>, decimals: usize) -> String {
    match spread {
        None => "–".to_owned(),
        Some(Spread { mean, n: 1, .. }) => format!("{mean:.decimals$}"),
        Some(Spread { mean, sd, .. }) => format!("{mean:.decimals$} ± {sd:.decimals$}"),
    }
}

fn table(head: &[&str], rows: impl Iterator<Item = Vec<String>>) -> String {
    let head = head.iter().map(|text| (*text).to_owned()).collect();
    output::table(&std::iter::once(head).chain(rows).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::super::report::tests::{report, run, user};
    use super::super::report::{Arm, Report};
    use super::*;

    #[test]
    fn the_report_is_tables_and_a_plot() {
        insta::assert_snapshot!(text(&report()));
    }

    #[test]
    fn one_seed_has_no_spread() {
        let runs = vec![run(Arm::LessonsOnly, 4, vec![user("rg", "+++", Some(0.75))])];
        let text = text(&Report::new("m", "x", runs));
        assert!(!text.lines().skip(3).any(|line| line.contains('±')), "{text}");
    }

    #[test]
    fn nothing_measured_is_a_dash_and_no_figure() {
        let text = text(&Report::new("m", "x", vec![run(Arm::Nothing, 1, Vec::new())]));
        assert!(text.lines().any(|line| line.starts_with("nothing") && line.contains('–')), "{text}");
    }

    #[test]
    fn only_all_is_a_full_block() {
        let bars: String = [0.0, 0.01, 0.5, 0.99, 1.0, f64::NAN].into_iter().map(bar).collect();
        assert_eq!(bars, "·▁▄▇█?");
    }

    #[test]
    fn a_mean_with_somebody_who_never_adapts_is_a_bound() {
        assert!(sessions_cell(&report().arms[0]).starts_with("≥ 7.0"));
    }
}
