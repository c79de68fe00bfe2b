//! What the exit status of a command says of the answer that proposed it.
//!
//! A status alone is a bad reward: `grep` ends with 1 when nothing matched, `diff` when it found a difference, 130 was the
//! person, and the failure of a command that the person changed is not the answer's. Exceptions: `assets/signals/exits.txt`.

use std::ops::Range;

use super::commands::{Joined, Step, proposed, steps};
use super::edit::{Change, compared};
use super::program_errors::{Failure, failure, not_found};
use super::{Answered, Evidence, Says, Signal};
use crate::turn::next_state::CommandOutcome;

const EXITS: &str = include_str!("../../assets/signals/exits.txt");

/// The signal of a command's end.
pub(super) fn ran(answered: &Answered<'_>, outcome: &CommandOutcome) -> Vec<Signal> {
    let command = outcome.command.split_whitespace().collect::<Vec<_>>().join(" ");
    let (change, _) = compared(&proposed(answered.answer), &command);
    vec![match change {
        Change::Same | Change::Filled => ended(outcome),
        // The person's own file or name: its success is the answer's, its failure is not.
        Change::Path | Change::Typo if outcome.status == 0 => weakened(ended(outcome), 0.8),
        Change::Program | Change::Options | Change::Sudo | Change::Rewritten if outcome.status == 0 => {
            Signal { evidence: Evidence::Replacement, ..signal("exit.replaced", Says::Bad, 0.7, 0..0) }
        }
        _ => signal("exit.other_command", Says::Nothing, 0.8, 0..0),
    }]
}

/// Ended or put to sleep from outside: it says nothing of the command.
pub(super) fn is_stopped(status: i32) -> bool {
    matches!(status, 129..=131 | 137 | 141 | 143 | 145..=150)
}

fn ended(outcome: &CommandOutcome) -> Signal {
    let steps = steps(&outcome.command);
    match outcome.status {
        0 => succeeded(outcome, &steps),
        126 | 127 => signal("exit.not_found", Says::Bad, 0.95, told(&outcome.output)),
        // Git ends with 129 when it is called wrongly.
        129 if outcome.output.contains("usage:") || outcome.output.contains("fatal:") => {
            failed(129, outcome, &steps)
        }
        status if is_stopped(status) => signal("exit.stopped", Says::Nothing, 0.95, 0..0),
        status if status < 0 => signal("exit.unknown", Says::Nothing, 0.6, 0..0),
        status => failed(status, outcome, &steps),
    }
}

fn succeeded(outcome: &CommandOutcome, steps: &[Step]) -> Signal {
    let broken = outcome.pipeline.iter().copied().zip(steps).find(|(status, step)| match status {
        0 | 141 => false,
        status => exception(*status, step).is_none(),
    });
    match broken {
        Some((126 | 127, _)) => return signal("exit.not_found", Says::Bad, 0.85, told(&outcome.output)),
        Some(_) => return signal("exit.pipeline", Says::Nothing, 0.6, told(&outcome.output)),
        None => {}
    }
    if let Some(span) = steps.iter().find_map(|step| not_found(&outcome.output, &step.program)) {
        return signal("exit.not_found", Says::Bad, 0.7, span);
    }
    let command = outcome.command.trim_end();
    let in_background = command.ends_with('&') && !command.ends_with("&&");
    if in_background
        || steps
            .iter()
            .any(|step| step.joined == Joined::Or && matches!(step.program.as_str(), "true" | ":" | "echo"))
    {
        return signal("exit.hidden", Says::Nothing, 0.6, 0..0);
    }
    // The status is the last program's; what the others did is not known.
    let unknown = outcome.pipeline.is_empty()
        && steps.iter().any(|step| matches!(step.joined, Joined::Pipe | Joined::Then));
    signal("exit.ok", Says::Good, if unknown { 0.65 } else { 0.8 }, 0..0)
}

fn failed(status: i32, outcome: &CommandOutcome, steps: &[Step]) -> Signal {
    let wrong = failure(&outcome.output);
    let complains = wrong.as_ref().is_some_and(|(failure, span)| {
        *failure == Failure::Usage
            || is_own_complaint(outcome.output.get(span.clone()).unwrap_or_default(), steps)
    });
    if let (Some(says), false) = (excused(status, outcome, steps), complains) {
        return signal("exit.expected", says, 0.7, 0..0);
    }
    match wrong {
        Some((Failure::Usage, span)) => signal("exit.usage", Says::Bad, 0.95, span),
        Some((Failure::Circumstance, span)) => signal("exit.circumstance", Says::Nothing, 0.6, span),
        Some((Failure::Error, span)) => signal("exit.failed", Says::Bad, 0.85, span),
        None => signal("exit.failed", Says::Bad, 0.75, 0..0),
    }
}

/// Whether a program of the command itself says that it could not do its work.
fn is_own_complaint(line: &str, steps: &[Step]) -> bool {
    line.starts_with("error: could not find")
        || steps.iter().any(|step| {
            !step.program.is_empty()
                && line.strip_prefix(&step.program).is_some_and(|rest| rest.starts_with(':'))
        })
}

/// What a status that is no failure says; `None`: it is one. Any step that may have given it counts.
fn excused(status: i32, outcome: &CommandOutcome, steps: &[Step]) -> Option<Says> {
    let mut blamed = outcome.pipeline.iter().zip(steps).filter(|(given, _)| **given == status);
    if let Some((_, step)) = blamed.next_back() {
        return exception(status, step);
    }
    let after_last_pipe =
        steps.iter().rposition(|step| matches!(step.joined, Joined::Pipe | Joined::Then)).unwrap_or(0);
    let may: Vec<&Step> = steps.iter().skip(after_last_pipe).collect();
    match may.as_slice() {
        [one] => exception(status, one),
        several => several.iter().any(|step| exception(status, step).is_some()).then_some(Says::Nothing),
    }
}

fn exception(status: i32, step: &Step) -> Option<Says> {
    let lines = EXITS.lines().filter(|line| !line.starts_with('#'));
    lines.map(str::split_whitespace).find_map(|mut words| {
        let program = words.next()?;
        let mut rest: Vec<&str> = words.collect();
        let says = rest.pop()?;
        let statuses = rest.pop()?;
        let fits = step.program == program
            && rest.iter().all(|word| step.words.iter().any(|given| given == word))
            && statuses.split(',').any(|known| known.parse() == Ok(status));
        fits.then_some(if says == "good" { Says::Good } else { Says::Nothing })
    })
}

/// The line of the output that tells what went wrong, if one does.
fn told(output: &str) -> Range<usize> {
    failure(output).map_or(0..0, |(_, span)| span)
}

fn weakened(signal: Signal, factor: f32) -> Signal {
    Signal { strength: signal.strength * factor, ..signal }
}

fn signal(rule: &str, says: Says, strength: f32, span: Range<usize>) -> Signal {
    Signal { rule: rule.into(), says, evidence: Evidence::Outcome, strength, span, is_directive: false }
}
