//! What a command says of a suggestion: taken as it was, edited first, or run in its place after it failed. Pure.

use crate::daemon::wire::shell::ShellCommand;
use crate::signal::{self, MadeOf};
use crate::turn::TurnId;
use crate::turn::next_state::{CommandOutcome, NextState};

/// A failed suggestion is cured by what is run within this time, in the same folder.
const CURED_WITHIN_MS: i64 = 10 * 60 * 1000;

/// A suggestion that was run and did not work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tried {
    pub(super) turn: TurnId,
    pub(super) command: String,
    pub(super) cwd: String,
    pub(super) at_ms: i64,
}

impl Tried {
    fn new(turn: TurnId, ran: &ShellCommand) -> Self {
        Self { turn, command: ran.text.clone(), cwd: ran.cwd.clone(), at_ms: ran.ended_ms }
    }
}

/// What follows from a command: which turn is told what, and what may still be cured.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Followed {
    pub(super) told: Option<(TurnId, Vec<NextState>)>,
    pub(super) tried: Option<Tried>,
}

/// `suggested`: the answer of the turn that the command names. `before`: a suggestion that failed earlier.
pub(super) fn states(suggested: Option<&str>, ran: &ShellCommand, before: Option<&Tried>) -> Followed {
    let made = suggested.zip(ran.suggestion).map(|(answer, turn)| (signal::made_of(answer, &ran.text), turn));
    match made {
        Some((MadeOf::Taken, turn)) => of_taken(turn, ran),
        Some((MadeOf::Changed, turn)) => of_changed(turn, ran),
        // A suggestion that was wiped out for something else is nobody's correction.
        Some((MadeOf::Unrelated, _)) | None => {
            before.map(|tried| of_own_command(tried, ran)).unwrap_or_default()
        }
    }
}

fn of_taken(turn: TurnId, ran: &ShellCommand) -> Followed {
    let is_over = ran.status == 0 || signal::is_stopped(ran.status);
    Followed {
        told: Some((turn, vec![NextState::Command(outcome(ran))])),
        tried: (!is_over).then(|| Tried::new(turn, ran)),
    }
}

fn of_changed(turn: TurnId, ran: &ShellCommand) -> Followed {
    match ran.status {
        // The strongest there is: what stood there, and what the person made of it, which worked.
        0 => Followed { told: Some((turn, vec![edit(ran), NextState::Command(outcome(ran))])), tried: None },
        status if signal::is_stopped(status) => Followed::default(),
        // The person's own words did not work either: the suggestion may be cured by what comes next.
        _ => Followed { told: None, tried: Some(Tried::new(turn, ran)) },
    }
}

/// A command of the person's own after a suggestion that failed: its cure, if it is a version of it and works.
fn of_own_command(tried: &Tried, ran: &ShellCommand) -> Followed {
    let in_time = (0..=CURED_WITHIN_MS).contains(&(ran.ended_ms - tried.at_ms));
    if !in_time || ran.cwd != tried.cwd {
        return Followed { told: None, tried: in_time.then(|| tried.clone()) };
    }
    if ran.status == 0 && signal::made_of(&tried.command, &ran.text) == MadeOf::Changed {
        return Followed { told: Some((tried.turn, vec![edit(ran)])), tried: None };
    }
    Followed { told: None, tried: Some(tried.clone()) }
}

fn edit(ran: &ShellCommand) -> NextState {
    NextState::Edit { text: ran.text.clone() }
}

fn outcome(ran: &ShellCommand) -> CommandOutcome {
    CommandOutcome {
        command: ran.text.clone(),
        status: ran.status,
        pipeline: ran.pipeline.clone(),
        output: ran.output.clone().unwrap_or_default(),
        duration_ms: ran.duration_ms,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ran(text: &str, status: i32) -> ShellCommand {
        ShellCommand {
            text: text.to_owned(),
            status,
            pipeline: Vec::new(),
            cwd: "/home/anna".to_owned(),
            cwd_after: None,
            output: None,
            duration_ms: None,
            suggestion: None,
            ended_ms: 1_000_000,
        }
    }

    fn suggested(text: &str, status: i32) -> ShellCommand {
        ShellCommand { suggestion: Some(TurnId(7)), ..ran(text, status) }
    }

    fn names(found: &Followed) -> Vec<&'static str> {
        let name = |state: &NextState| match state {
            NextState::Edit { .. } => "edit",
            NextState::Command(_) => "outcome",
            _ => "other",
        };
        found.told.iter().flat_map(|(_, states)| states).map(name).collect()
    }

    #[track_caller]
    fn check(suggestion: &str, command: &ShellCommand, expected: &[&str], is_open: bool) -> Followed {
        let found = states(Some(suggestion), command, None);
        assert_eq!((names(&found).as_slice(), found.tried.is_some()), (expected, is_open));
        found
    }

    fn failed() -> Tried {
        check("grep -rn TODO", &suggested("grep -rn TODO", 2), &["outcome"], true).tried.unwrap()
    }

    #[track_caller]
    fn afterwards(command: &ShellCommand, expected: &[&str], is_open: bool) {
        let found = states(None, command, Some(&failed()));
        assert_eq!((names(&found).as_slice(), found.tried.is_some()), (expected, is_open));
    }

    #[test]
    fn a_suggestion_that_is_run_has_its_outcome() {
        check("ls  -l", &suggested("ls -l", 0), &["outcome"], false);
        check("ls -l", &suggested("ls -l", 2), &["outcome"], true);
        check("sleep 9", &suggested("sleep 9", 130), &["outcome"], false);
    }

    #[test]
    fn an_edit_that_works_is_the_right_answer() {
        check("grep -rn TODO .", &suggested("rg TODO", 0), &["edit", "outcome"], false);
    }

    #[test]
    fn an_edit_that_fails_says_nothing_yet() {
        check("grep -rn TODO .", &suggested("rgg TODO", 127), &[], true);
        check("grep -rn TODO .", &suggested("rg TODO", 130), &[], false);
    }

    #[test]
    fn a_suggestion_that_was_wiped_out_is_not_corrected_by_what_was_typed_instead() {
        check("grep -rn TODO .", &suggested("git status", 0), &[], false);
    }

    #[test]
    fn what_works_in_place_of_a_failed_suggestion_is_the_right_answer() {
        afterwards(&ran("grep -rn TODO src", 0), &["edit"], false);
        afterwards(&ran("grep -rn TODO src", 2), &[], true);
        afterwards(&ran("git status", 0), &[], true);
    }

    #[test]
    fn the_cure_is_told_to_the_suggestion_that_failed_and_not_to_one_that_was_wiped_out() {
        let cure = ShellCommand { suggestion: Some(TurnId(8)), ..ran("grep -rn TODO src", 0) };
        let found = states(Some("git status"), &cure, Some(&failed()));
        assert_eq!(found.told.map(|(turn, _)| turn), Some(TurnId(7)));
    }

    #[test]
    fn another_folder_or_a_later_hour_is_another_matter() {
        afterwards(&ShellCommand { cwd: "/tmp".to_owned(), ..ran("grep -rn TODO src", 0) }, &[], true);
        let late = ran("grep -rn TODO src", 0);
        afterwards(&ShellCommand { ended_ms: late.ended_ms + CURED_WITHIN_MS + 1, ..late }, &[], false);
    }

    #[test]
    fn a_persons_own_commands_are_no_labels() {
        let own = states(None, &ran("make test", 2), None);
        assert_eq!(own, Followed::default());
    }
}
