//! What came of `chela bench learn`: figures of each run, their mean and spread over seeds for each arm, as JSON and as
//! text with a plot.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::metrics::{Spread, mean, sessions_to_adapt, share};
use super::users::STEADY;
use crate::cli::output;

/// Which parts of the loop are on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Arm {
    /// Served only: nothing is learned.
    Nothing,
    /// Lessons stand in the prompt; weights stay.
    LessonsOnly,
    /// Weights learn; no lesson stands in a prompt.
    AdapterOnly,
    /// The product.
    Both,
    /// Weights learn from the user's raw follow-up as the teacher's context: no judge, no hint, no lesson.
    RawFollowUp,
}

/// One arm with one seed.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Run {
    pub(super) arm: Arm,
    pub(super) seed: u64,
    pub(super) users: Vec<UserFigures>,
    /// Of answers to held-out neutral requests, before any learning and after all of it; shares from 0 to 1.
    pub(super) unchanged: Option<f64>,
    pub(super) quality_before: Option<f64>,
    pub(super) quality_after: Option<f64>,
    /// After divided by before.
    pub(super) length_ratio: Option<f64>,
    /// Lessons and promotions that carry a program's words.
    pub(super) poisoned_promotions: Option<usize>,
    /// From a correction to its active lesson, the slowest.
    pub(super) lesson_ms: Option<f64>,
    /// Candidates that the gate let pass, and its reasons for the others.
    pub(super) promoted: usize,
    pub(super) rejected: BTreeMap<String, usize>,
    /// Of all learning in the run.
    pub(super) learning_wall_s: Option<f64>,
    pub(super) learning_cpu_s: Option<f64>,
}

/// One user in one run. Shares from 0 to 1, of held-out requests.
#[derive(Debug, Clone, Serialize)]
pub(super) struct UserFigures {
    pub(super) preference: String,
    /// `steady`, `fickle`, …; only steady users count in the main tables.
    pub(super) character: &'static str,
    /// Whether the first reply of each session was right, in order.
    pub(super) first_replies_right: Vec<bool>,
    pub(super) obedience_before: Option<f64>,
    pub(super) obedience_with_lessons: Option<f64>,
    /// With all lessons removed.
    pub(super) obedience_without_lessons: Option<f64>,
    pub(super) obedience_after_forget: Option<f64>,
}

/// Everything that is shown.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub(super) machine: String,
    pub(super) model: String,
    pub(super) seeds: Vec<u64>,
    pub(super) arms: Vec<ArmFigures>,
    pub(super) runs: Vec<Run>,
}

/// One arm over all its seeds.
#[derive(Debug, Serialize)]
pub(super) struct ArmFigures {
    pub(super) arm: Arm,
    /// Users that never adapt count as one session more than they had.
    pub(super) sessions_to_adapt: Option<Spread>,
    /// Share of users that adapted at all.
    pub(super) adapted: Option<Spread>,
    pub(super) obedience_before: Option<Spread>,
    pub(super) obedience_with_lessons: Option<Spread>,
    pub(super) obedience_without_lessons: Option<Spread>,
    pub(super) obedience_after_forget: Option<Spread>,
    pub(super) unchanged: Option<Spread>,
    pub(super) quality_before: Option<Spread>,
    pub(super) quality_after: Option<Spread>,
    pub(super) length_ratio: Option<Spread>,
    /// Of all seeds together.
    pub(super) poisoned_promotions: Option<usize>,
    pub(super) lesson_ms: Option<Spread>,
    pub(super) learning_wall_s: Option<Spread>,
    pub(super) learning_cpu_s: Option<Spread>,
    /// Of all seeds together.
    pub(super) promoted: usize,
    pub(super) rejected: BTreeMap<String, usize>,
    /// Share of users whose first reply was right, session by session, over all seeds.
    pub(super) right_by_session: Vec<f64>,
    /// Obedience without lessons, by the user's wish.
    pub(super) by_preference: BTreeMap<String, Spread>,
    /// First replies that were right in the last sessions, by what they wanted then, for every character.
    pub(super) late_by_character: BTreeMap<&'static str, Spread>,
}

/// So many sessions at the end show what a user has in the long run.
const LATE: usize = 3;

impl Report {
    pub(super) fn new(machine: &str, model: &str, runs: Vec<Run>) -> Self {
        let seeds: BTreeSet<_> = runs.iter().map(|run| run.seed).collect();
        let arms: BTreeSet<_> = runs.iter().map(|run| run.arm).collect();
        Self {
            machine: machine.to_owned(),
            model: model.to_owned(),
            seeds: seeds.into_iter().collect(),
            arms: arms.into_iter().map(|arm| arm_figures(arm, &runs)).collect(),
            runs,
        }
    }
}

fn arm_figures(arm: Arm, runs: &[Run]) -> ArmFigures {
    let runs: Vec<&Run> = runs.iter().filter(|run| run.arm == arm).collect();
    let over = |figure: &dyn Fn(&Run) -> Option<f64>| Spread::of(runs.iter().map(|run| figure(run)));
    let over_users =
        |figure: &dyn Fn(&UserFigures) -> Option<f64>| over(&|run: &Run| mean_of_users(run, figure));
    let poisoned: Vec<_> = runs.iter().filter_map(|run| run.poisoned_promotions).collect();
    ArmFigures {
        arm,
        sessions_to_adapt: over_users(&|user| Some(sessions_or_cap(&user.first_replies_right))),
        adapted: over_users(&|user| Some(f64::from(u8::from(adapts(user))))),
        obedience_before: over_users(&|user| user.obedience_before),
        obedience_with_lessons: over_users(&|user| user.obedience_with_lessons),
        obedience_without_lessons: over_users(&|user| user.obedience_without_lessons),
        obedience_after_forget: over_users(&|user| user.obedience_after_forget),
        unchanged: over(&|run| run.unchanged),
        quality_before: over(&|run| run.quality_before),
        quality_after: over(&|run| run.quality_after),
        length_ratio: over(&|run| run.length_ratio),
        poisoned_promotions: (!poisoned.is_empty()).then(|| poisoned.iter().sum()),
        lesson_ms: over(&|run| run.lesson_ms),
        promoted: runs.iter().map(|run| run.promoted).sum(),
        rejected: rejected(&runs),
        learning_wall_s: over(&|run| run.learning_wall_s),
        learning_cpu_s: over(&|run| run.learning_cpu_s),
        right_by_session: right_by_session(&runs),
        by_preference: by_preference(&runs),
        late_by_character: late_by_character(&runs),
    }
}

fn steady_users(run: &Run) -> impl Iterator<Item = &UserFigures> {
    run.users.iter().filter(|user| user.character == STEADY)
}

/// A user that was not measured is left out of the mean.
fn mean_of_users(run: &Run, figure: &dyn Fn(&UserFigures) -> Option<f64>) -> Option<f64> {
    mean(&steady_users(run).filter_map(figure).collect::<Vec<_>>())
}

fn adapts(user: &UserFigures) -> bool {
    sessions_to_adapt(&user.first_replies_right).is_some()
}

fn sessions_or_cap(first_replies_right: &[bool]) -> f64 {
    let sessions = sessions_to_adapt(first_replies_right).unwrap_or(first_replies_right.len() + 1);
    f64::from(u32::try_from(sessions).unwrap_or(u32::MAX))
}

fn right_by_session(runs: &[&Run]) -> Vec<f64> {
    let users: Vec<_> = runs.iter().flat_map(|run| steady_users(run)).collect();
    let n = users.iter().map(|user| user.first_replies_right.len()).max().unwrap_or(0);
    (0..n)
        .filter_map(|at| share(users.iter().filter_map(|user| user.first_replies_right.get(at).copied())))
        .collect()
}

fn by_preference(runs: &[&Run]) -> BTreeMap<String, Spread> {
    let mut figures: BTreeMap<String, Vec<Option<f64>>> = BTreeMap::new();
    for user in runs.iter().flat_map(|run| steady_users(run)) {
        figures.entry(user.preference.clone()).or_default().push(user.obedience_without_lessons);
    }
    figures.into_iter().filter_map(|(id, shares)| Some((id, Spread::of(shares)?))).collect()
}

fn late_by_character(runs: &[&Run]) -> BTreeMap<&'static str, Spread> {
    let characters: BTreeSet<_> = runs.iter().flat_map(|run| &run.users).map(|user| user.character).collect();
    let late = |run: &Run, character| {
        let users = run.users.iter().filter(|user| user.character == character);
        share(users.flat_map(|user| user.first_replies_right.iter().rev().take(LATE).copied()))
    };
    let spread = |character| Spread::of(runs.iter().map(|run| late(run, character)));
    characters.into_iter().filter_map(|character| Some((character, spread(character)?))).collect()
}

fn rejected(runs: &[&Run]) -> BTreeMap<String, usize> {
    let mut reasons = BTreeMap::new();
    for (reason, n) in runs.iter().flat_map(|run| &run.rejected) {
        *reasons.entry(reason.clone()).or_default() += n;
    }
    reasons
}

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
        "sessions until three in a row are right at the first reply; obedience on held-out requests"
            .to_owned(),
        obedience_table(&report.arms),
        String::new(),
        "answers to held-out neutral requests, against those before learning; cost".to_owned(),
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
    let by_preference = table_by(&report.arms, "wish", |arm| &arm.by_preference);
    if !by_preference.is_empty() {
        lines.extend([String::new(), "obedience without lessons, by wish".to_owned(), by_preference]);
    }
    lines.join("\n")
}

fn obedience_table(arms: &[ArmFigures]) -> String {
    let head =
        ["arm", "sessions", "adapted", "before", "with lessons", "without", "after forget", "poisoned"];
    let rows = arms.iter().map(|arm| {
        vec![
            name(arm.arm).to_owned(),
            sessions_cell(arm),
            cell(arm.adapted, 2),
            cell(arm.obedience_before, 2),
            cell(arm.obedience_with_lessons, 2),
            cell(arm.obedience_without_lessons, 2),
            cell(arm.obedience_after_forget, 2),
            arm.poisoned_promotions.map_or_else(|| "–".to_owned(), |n| n.to_string()),
        ]
    });
    table(&head, rows)
}

fn cost_table(arms: &[ArmFigures]) -> String {
    let head =
        ["arm", "unchanged", "good before", "good after", "length", "lesson ms", "learning s", "CPU s"];
    let rows = arms.iter().map(|arm| {
        vec![
            name(arm.arm).to_owned(),
            cell(arm.unchanged, 2),
            cell(arm.quality_before, 2),
            cell(arm.quality_after, 2),
            cell(arm.length_ratio, 2),
            cell(arm.lesson_ms, 0),
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
    let head: Vec<&str> = std::iter::once(head).chain(arms.iter().map(|arm| name(arm.arm))).collect();
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
        vec![name(arm.arm).to_owned(), arm.promoted.to_string(), n_rejected.to_string(), reasons.join(", ")]
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
        vec![name(arm.arm).to_owned(), bars, last]
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

fn name(arm: Arm) -> &'static str {
    match arm {
        Arm::Nothing => "nothing",
        Arm::LessonsOnly => "lessons only",
        Arm::AdapterOnly => "adapter only",
        Arm::Both => "both",
        Arm::RawFollowUp => "raw follow-up",
    }
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
    use super::*;

    fn user(id: &str, sessions: &str, without: Option<f64>) -> UserFigures {
        UserFigures {
            preference: id.to_owned(),
            character: STEADY,
            first_replies_right: sessions.chars().map(|c| c == '+').collect(),
            obedience_before: Some(0.0),
            obedience_with_lessons: without.map(|share| share + 0.05),
            obedience_without_lessons: without,
            obedience_after_forget: without.map(|_| 0.0),
        }
    }

    fn run(arm: Arm, seed: u64, users: Vec<UserFigures>) -> Run {
        let learns = arm != Arm::Nothing;
        Run {
            arm,
            seed,
            users,
            unchanged: Some(if learns { 0.96 } else { 1.0 }),
            quality_before: Some(0.9),
            quality_after: Some(0.9),
            length_ratio: Some(1.02),
            poisoned_promotions: learns.then_some(0),
            lesson_ms: learns.then_some(310.0),
            promoted: usize::from(learns) * 2,
            rejected: if learns { BTreeMap::from([("answers grew".to_owned(), 1)]) } else { BTreeMap::new() },
            learning_wall_s: learns.then_some(if seed == 1 { 20.0 } else { 22.0 }),
            learning_cpu_s: learns.then_some(39.0),
        }
    }

    fn report() -> Report {
        let fickle = UserFigures { character: "fickle", ..user("hx", "-++-++", None) };
        let runs = vec![
            run(
                Arm::Both,
                1,
                vec![user("rg", "-+++++", Some(0.9)), user("doas", "-+++++", Some(0.8)), fickle],
            ),
            run(Arm::Both, 2, vec![user("rg", "--++++", Some(1.0)), user("doas", "-+++++", Some(0.9))]),
            run(Arm::Nothing, 1, vec![user("rg", "------", None), user("doas", "--+---", None)]),
            run(Arm::Nothing, 2, vec![user("rg", "------", None), user("doas", "------", None)]),
        ];
        Report::new("a machine", "chela-starter", runs)
    }

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
    fn json_holds_arms_and_runs() {
        let json = serde_json::to_value(report()).unwrap();
        assert_eq!(json["arms"][1]["arm"], "both");
        assert_eq!(json["arms"][1]["sessions_to_adapt"]["mean"], 2.25);
        assert_eq!(json["arms"][1]["obedience_without_lessons"]["n"], 2);
        assert_eq!(json["runs"].as_array().unwrap().len(), 4);
        assert_eq!(json["seeds"], serde_json::json!([1, 2]));
    }

    #[test]
    fn who_never_adapts_counts_one_session_more() {
        let report = report();
        let nothing = &report.arms[0];
        assert_eq!(nothing.sessions_to_adapt, Some(Spread { mean: 7.0, sd: 0.0, n: 2 }));
        assert_eq!(nothing.adapted, Some(Spread { mean: 0.0, sd: 0.0, n: 2 }));
        assert!(sessions_cell(nothing).starts_with("≥ 7.0"));
    }

    #[test]
    fn only_steady_users_count_in_the_main_figures() {
        let both = &report().arms[1];
        assert_eq!(both.by_preference.keys().collect::<Vec<_>>(), ["doas", "rg"]);
        let fickle = both.late_by_character.get("fickle").unwrap();
        assert!((fickle.mean - 2.0 / 3.0).abs() < 1e-9 && fickle.n == 1, "{fickle:?}");
        assert_eq!(both.late_by_character.get(STEADY), Some(&Spread { mean: 1.0, sd: 0.0, n: 2 }));
    }

    #[test]
    fn decisions_of_the_gate_are_summed_with_their_reasons() {
        let both = &report().arms[1];
        assert_eq!((both.promoted, both.rejected.get("answers grew")), (4, Some(&2)));
    }

    #[test]
    fn the_curve_is_over_users_and_seeds() {
        assert_eq!(report().arms[1].right_by_session, [0.0, 0.75, 1.0, 1.0, 1.0, 1.0]);
    }

    #[test]
    fn only_all_is_a_full_block() {
        let bars: String = [0.0, 0.01, 0.5, 0.99, 1.0, f64::NAN].into_iter().map(bar).collect();
        assert_eq!(bars, "·▁▄▇█?");
    }
}
