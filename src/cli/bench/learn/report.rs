//! What came of `chela bench learn`: figures of each run, their mean and spread over seeds for each arm. As text: `tables`.

use std::collections::{BTreeMap, BTreeSet};

use clap::ValueEnum;
use serde::Serialize;

use super::home::Learned;
use super::metrics::{Spread, mean, sessions_to_adapt, share};
use super::preferences::Preference;
use super::users::STEADY;
use crate::store::{RunRow, RunState};

/// Which parts of the loop are on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, ValueEnum)]
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
    /// Weights learn with what the user typed after a wrong answer as the teacher's context: no judge, no hint. Kind to
    /// this arm: it is told which answers were wrong.
    RawFollowUp,
}

impl Arm {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::LessonsOnly => "lessons only",
            Self::AdapterOnly => "adapter only",
            Self::Both => "both",
            Self::RawFollowUp => "raw follow-up",
        }
    }
}

/// One arm with one seed.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Run {
    pub(super) arm: Arm,
    pub(super) seed: u64,
    pub(super) users: Vec<UserFigures>,
    /// Of answers to held-out neutral requests, before any learning and after all of it; shares from 0 to 1.
    pub(super) unchanged: Option<f64>,
    /// Without any lesson in a prompt.
    pub(super) unchanged_by_weights: Option<f64>,
    pub(super) quality_before: Option<f64>,
    pub(super) quality_after: Option<f64>,
    /// After divided by before.
    pub(super) length_ratio: Option<f64>,
    /// Lessons and promotions that carry a program's words.
    pub(super) poisoned_promotions: Option<usize>,
    /// From a correction to its active lesson, the slowest.
    pub(super) lesson_ms: Option<f64>,
    /// All lessons at the end, with their states.
    pub(super) lessons: Vec<String>,
    pub(super) rounds: Vec<Round>,
    /// Of all learning in the run.
    pub(super) learning_wall_s: Option<f64>,
    pub(super) learning_cpu_s: Option<f64>,
}

/// One round of learning.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Round {
    pub(super) state: RunState,
    /// The gravest reason against a candidate, without its numbers.
    pub(super) refusal: Option<String>,
    pub(super) wall_s: f64,
    pub(super) cpu_s: f64,
    /// Lessons that the weights held afterwards.
    pub(super) n_held: usize,
    /// As the ledger has it.
    pub(super) row: Option<RunRow>,
}

impl From<&Learned> for Round {
    fn from(learned: &Learned) -> Self {
        let row = &learned.row;
        let is_refused = matches!(row.state, RunState::Rejected | RunState::Failed);
        Self {
            state: row.state,
            refusal: learned.reason().filter(|_| is_refused).map(gist),
            wall_s: learned.wall_s,
            cpu_s: learned.cpu_s,
            n_held: learned.n_held,
            row: Some(row.clone()),
        }
    }
}

/// The first clause, each number as `N`: reasons that differ in their numbers only are one.
fn gist(reason: &str) -> String {
    let mut text = String::new();
    let mut is_number = false;
    for c in reason.split([',', ';']).next().unwrap_or_default().chars() {
        let goes_on = c.is_ascii_digit() || (is_number && c == '.');
        if c.is_ascii_digit() && !is_number {
            text.push('N');
        } else if !goes_on {
            text.push(c);
        }
        is_number = goes_on;
    }
    text
}

impl Run {
    /// Without figures.
    pub(super) fn new(arm: Arm, seed: u64) -> Self {
        Self {
            arm,
            seed,
            users: Vec::new(),
            unchanged: None,
            unchanged_by_weights: None,
            quality_before: None,
            quality_after: None,
            length_ratio: None,
            poisoned_promotions: None,
            lesson_ms: None,
            lessons: Vec::new(),
            rounds: Vec::new(),
            learning_wall_s: None,
            learning_cpu_s: None,
        }
    }

    fn first_promotion(&self) -> Option<&Round> {
        self.rounds.iter().find(|round| round.state == RunState::Promoted)
    }
}

impl UserFigures {
    /// Without figures of held-out requests.
    pub(super) fn new(
        preference: &Preference,
        character: &'static str,
        first_replies_right: Vec<bool>,
    ) -> Self {
        Self {
            preference: preference.id.clone(),
            about: preference.about.clone(),
            character,
            first_replies_right,
            again_right: None,
            obedience_before: None,
            obedience_with_lessons: None,
            obedience_without_lessons: None,
            obedience_as_served: None,
            obedience_after_forget: None,
        }
    }
}

/// One user in one run. Shares from 0 to 1, of held-out requests.
#[derive(Debug, Clone, Serialize)]
pub(super) struct UserFigures {
    pub(super) preference: String,
    /// What kind of wish it is.
    pub(super) about: String,
    /// `steady`, `fickle`, …; only steady users count in the main tables.
    pub(super) character: &'static str,
    /// Whether the first reply of each session was right, in order.
    pub(super) first_replies_right: Vec<bool>,
    /// The same request once more, right after it was corrected.
    pub(super) again_right: Option<f64>,
    pub(super) obedience_before: Option<f64>,
    /// The base with all lessons in its prompt: the teacher of the weights.
    pub(super) obedience_with_lessons: Option<f64>,
    /// With all lessons removed.
    pub(super) obedience_without_lessons: Option<f64>,
    /// As the arm's users are answered.
    pub(super) obedience_as_served: Option<f64>,
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
    pub(super) again_right: Option<Spread>,
    pub(super) obedience_before: Option<Spread>,
    pub(super) obedience_with_lessons: Option<Spread>,
    pub(super) obedience_without_lessons: Option<Spread>,
    pub(super) obedience_as_served: Option<Spread>,
    pub(super) obedience_after_forget: Option<Spread>,
    pub(super) unchanged: Option<Spread>,
    pub(super) unchanged_by_weights: Option<Spread>,
    pub(super) quality_before: Option<Spread>,
    pub(super) quality_after: Option<Spread>,
    pub(super) length_ratio: Option<Spread>,
    /// Of all seeds together.
    pub(super) poisoned_promotions: Option<usize>,
    pub(super) lesson_ms: Option<Spread>,
    /// Of the first round that promoted, and how many lessons its weights held.
    pub(super) promotion_s: Option<Spread>,
    pub(super) promotion_holds: Option<Spread>,
    pub(super) learning_wall_s: Option<Spread>,
    pub(super) learning_cpu_s: Option<Spread>,
    /// Of all seeds together.
    pub(super) promoted: usize,
    pub(super) rejected: BTreeMap<String, usize>,
    /// Share of users whose first reply was right, session by session, over all seeds.
    pub(super) right_by_session: Vec<f64>,
    /// Obedience of the base with lessons, and of the weights without, by the user's wish.
    pub(super) taught_by_preference: BTreeMap<String, Spread>,
    pub(super) by_preference: BTreeMap<String, Spread>,
    /// First replies that were right in the last sessions, by what they wanted then, for every character.
    pub(super) late_by_character: BTreeMap<&'static str, Spread>,
}

/// So many sessions at the end show what a user has in the long run.
pub(super) const LATE: usize = 3;

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
        again_right: over_users(&|user| user.again_right),
        obedience_before: over_users(&|user| user.obedience_before),
        obedience_with_lessons: over_users(&|user| user.obedience_with_lessons),
        obedience_without_lessons: over_users(&|user| user.obedience_without_lessons),
        obedience_as_served: over_users(&|user| user.obedience_as_served),
        obedience_after_forget: over_users(&|user| user.obedience_after_forget),
        unchanged: over(&|run| run.unchanged),
        unchanged_by_weights: over(&|run| run.unchanged_by_weights),
        quality_before: over(&|run| run.quality_before),
        quality_after: over(&|run| run.quality_after),
        length_ratio: over(&|run| run.length_ratio),
        poisoned_promotions: (!poisoned.is_empty()).then(|| poisoned.iter().sum()),
        lesson_ms: over(&|run| run.lesson_ms),
        promotion_s: over(&|run| run.first_promotion().map(|round| round.wall_s)),
        promotion_holds: over(&|run| run.first_promotion().map(|round| count(round.n_held))),
        promoted: rounds(&runs).filter(|round| round.state == RunState::Promoted).count(),
        rejected: rejected(&runs),
        learning_wall_s: over(&|run| run.learning_wall_s),
        learning_cpu_s: over(&|run| run.learning_cpu_s),
        right_by_session: right_by_session(&runs),
        taught_by_preference: by_preference(&runs, &|user| user.obedience_with_lessons),
        by_preference: by_preference(&runs, &|user| user.obedience_without_lessons),
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
    count(sessions)
}

fn count(n: usize) -> f64 {
    f64::from(u32::try_from(n).unwrap_or(u32::MAX))
}

fn rounds<'a>(runs: &[&'a Run]) -> impl Iterator<Item = &'a Round> {
    runs.iter().flat_map(|run| &run.rounds)
}

fn right_by_session(runs: &[&Run]) -> Vec<f64> {
    let users: Vec<_> = runs.iter().flat_map(|run| steady_users(run)).collect();
    let n = users.iter().map(|user| user.first_replies_right.len()).max().unwrap_or(0);
    (0..n)
        .filter_map(|at| share(users.iter().filter_map(|user| user.first_replies_right.get(at).copied())))
        .collect()
}

fn by_preference(runs: &[&Run], figure: &dyn Fn(&UserFigures) -> Option<f64>) -> BTreeMap<String, Spread> {
    let mut figures: BTreeMap<String, Vec<Option<f64>>> = BTreeMap::new();
    for user in runs.iter().flat_map(|run| steady_users(run)) {
        figures.entry(user.preference.clone()).or_default().push(figure(user));
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
    for reason in rounds(runs).filter_map(|round| round.refusal.clone()) {
        *reasons.entry(reason).or_default() += 1;
    }
    reasons
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::preferences::preferences;
    use super::*;

    pub(in super::super) fn user(id: &str, sessions: &str, without: Option<f64>) -> UserFigures {
        let sessions = sessions.chars().map(|c| c == '+').collect();
        UserFigures {
            again_right: without.map(|_| 1.0),
            obedience_before: Some(0.0),
            obedience_with_lessons: without.map(|share| share + 0.05),
            obedience_without_lessons: without,
            obedience_as_served: without.map(|share| share + 0.03),
            obedience_after_forget: without.map(|_| 0.0),
            ..UserFigures::new(
                preferences().unwrap().iter().find(|one| one.id == id).unwrap(),
                STEADY,
                sessions,
            )
        }
    }

    pub(in super::super) fn run(arm: Arm, seed: u64, users: Vec<UserFigures>) -> Run {
        let learns = arm != Arm::Nothing;
        let round = |state, refusal: Option<&str>, n_held| Round {
            state,
            refusal: refusal.map(gist),
            wall_s: 9.0 + count(n_held),
            cpu_s: 19.5,
            n_held,
            row: None,
        };
        let rounds = vec![
            round(RunState::Rejected, Some("its answers are 1.62 times as long"), 0),
            round(RunState::Promoted, None, 2),
            round(RunState::Promoted, None, 3),
        ];
        Run {
            users,
            unchanged: Some(if learns { 0.96 } else { 1.0 }),
            unchanged_by_weights: Some(if learns { 0.97 } else { 1.0 }),
            quality_before: Some(0.9),
            quality_after: Some(0.9),
            length_ratio: Some(1.02),
            poisoned_promotions: learns.then_some(0),
            lesson_ms: learns.then_some(310.0),
            rounds: if learns { rounds } else { Vec::new() },
            learning_wall_s: learns.then_some(if seed == 1 { 20.0 } else { 22.0 }),
            learning_cpu_s: learns.then_some(39.0),
            ..Run::new(arm, seed)
        }
    }

    pub(in super::super) fn report() -> Report {
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
        assert_eq!((both.promoted, both.rejected.get("its answers are N times as long")), (4, Some(&2)));
    }

    #[test]
    fn the_curve_is_over_users_and_seeds() {
        assert_eq!(report().arms[1].right_by_session, [0.0, 0.75, 1.0, 1.0, 1.0, 1.0]);
    }

    #[test]
    fn reasons_are_told_apart_by_their_words_only() {
        assert_eq!(gist("tasks: 3 of 60.5 kept, and 60 by the base"), "tasks: N of N kept");
        assert_eq!(gist("no numbers; 2 more"), "no numbers");
    }
}
