//! What goes, what went, and both answers, as text. Pure.

use std::fmt::Write as _;
use std::time::Duration;

use crate::cli::{learn, lessons, output};
use crate::daemon::wire::forgetting::{Answered, Forgotten, ForgottenCounts};
use crate::daemon::wire::{RunRow, RunState};
use crate::turn::{PolicyVersion, Role};

/// Longest line of a request or an answer.
const WIDTH: usize = 100;
/// Turns that are named as saying the same.
const SAID_IN: usize = 8;

/// Before.
pub(super) fn goes(would: &Forgotten) -> String {
    if would.counts == ForgottenCounts::default() {
        return "Nothing goes: there is nothing of it.".to_owned();
    }
    let mut text = String::from("This goes:");
    listed(&mut text, would);
    if would.served != would.serves {
        // Writing to a String cannot fail.
        let _ = write!(text, "\n  {} answers in the place of {}", version(would.serves), would.served);
    }
    if !would.in_prompts_again.is_empty() {
        let _ = write!(text, "\n  back into prompts until a new version holds them: {}", ids(would));
    }
    remarks(&mut text, would);
    text
}

/// Afterwards.
pub(super) fn went(gone: &Forgotten) -> String {
    let mut text =
        String::from("Forgotten: gone from prompts, ledger, its log, samples, adapters and what was typed.");
    listed(&mut text, gone);
    for file in &gone.removed_files {
        let _ = write!(text, "\n  {} (a copy of the ledger)", output::harmless(file));
    }
    if gone.served != gone.serves {
        let _ = write!(text, "\n  {} answers now, no longer {}", version(gone.serves), gone.served);
    }
    if !gone.in_prompts_again.is_empty() {
        let rebuild = if gone.rebuild.is_some() { "; a new version learns them" } else { "" };
        let _ = write!(text, "\n  in prompts again: {}{rebuild}", ids(gone));
    }
    remarks(&mut text, gone);
    text
}

fn listed(text: &mut String, gone: &Forgotten) {
    for lesson in &gone.lessons {
        let _ = write!(text, "\n  lesson {}", lessons::line(lesson));
    }
    more(text, gone.counts.lessons, gone.lessons.len(), "lessons");
    for turn in &gone.turns {
        let _ = write!(text, "\n  turn {} {}", turn.turn.0, one_line(&turn.request));
    }
    more(text, gone.counts.turns, gone.turns.len(), "turns");
    for version in &gone.versions {
        let _ = write!(text, "\n  {version} of the policy");
    }
    let _ = write!(text, "\n  in all: {}", gone.counts);
}

fn more(text: &mut String, n_all: usize, n_listed: usize, kind: &str) {
    if n_all > n_listed {
        let _ = write!(text, "\n  and {} older {kind}", n_all - n_listed);
    }
}

fn remarks(text: &mut String, gone: &Forgotten) {
    if !gone.said_in.is_empty() {
        let turns: Vec<String> = gone.said_in.iter().take(SAID_IN).map(|turn| turn.0.to_string()).collect();
        let turns = turns.join(" ");
        let _ = write!(text, "\n  what was said stays: `chela forget turn {turns}` takes that out too");
        if gone.said_in.len() > SAID_IN {
            let _ = write!(text, ", and so on for {} more", gone.said_in.len() - SAID_IN);
        }
    }
    for file in &gone.still_in {
        let _ = write!(text, "\n  it still stands in {}", output::harmless(file));
    }
    for note in &gone.notes {
        let _ = write!(text, "\n  {}", output::harmless(note));
    }
}

fn ids(gone: &Forgotten) -> String {
    let ids: Vec<String> = gone.in_prompts_again.iter().map(|lesson| format!("#{}", lesson.0)).collect();
    ids.join(", ")
}

fn version(version: PolicyVersion) -> String {
    if version == PolicyVersion::BASE { "the base".to_owned() } else { version.to_string() }
}

/// The rebuild's end, and each prompt with both answers.
pub(super) fn shown(
    gone: &Forgotten,
    rebuilt: Option<&RunRow>,
    after: &[Answered],
    took: Duration,
) -> String {
    let mut parts = Vec::new();
    if let Some(run) = rebuilt {
        parts.push(learn::decision(run));
        if run.state != RunState::Promoted {
            parts.push("the other lessons stay in prompts until a round is promoted".to_owned());
        }
    }
    for (before, after) in gone.before.iter().zip(after) {
        let asked = before.messages.iter().rfind(|message| message.role == Role::User);
        let asked = one_line(asked.map_or("", |message| &message.content));
        parts.push(format!(
            "{asked}\n  before  {}\n  after   {}",
            one_line(&before.answer),
            one_line(&after.answer)
        ));
    }
    parts.push(format!("it took {:.1} s", took.as_secs_f64()));
    parts.join("\n")
}

fn one_line(text: &str) -> String {
    let line = output::harmless(text).split_whitespace().collect::<Vec<_>>().join(" ");
    output::cut(&line, WIDTH)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::daemon::wire::forgetting::ForgottenTurn;
    use crate::daemon::wire::{LessonId, RunId};
    use crate::lesson::{Lesson, Scope};
    use crate::turn::{Message, TurnId};

    fn gone() -> Forgotten {
        let prompt = |text: &str| vec![Message::new(Role::User, text)];
        Forgotten {
            dry_run: false,
            counts: ForgottenCounts {
                turns: 21,
                lessons: 1,
                versions: 1,
                typed: 2,
                ..ForgottenCounts::default()
            },
            lessons: vec![Lesson::new(LessonId(3), "use rg", Scope::Program("grep".into()), 0)],
            turns: vec![ForgottenTurn { turn: TurnId(17), request: "find\n\u{1b}[31mtodo".into() }],
            versions: vec![PolicyVersion(2)],
            served: PolicyVersion(2),
            serves: PolicyVersion::BASE,
            in_prompts_again: vec![LessonId(1), LessonId(4)],
            said_in: vec![TurnId(16)],
            before: vec![Answered { messages: prompt("find todo"), answer: "rg todo".into() }],
            rebuild: Some(RunId(5)),
            removed_files: vec!["/data/ledger.db.v2.bak".into()],
            still_in: Vec::new(),
            notes: vec!["a note".into()],
            took_ms: 5,
        }
    }

    #[test]
    fn the_preview_says_what_goes_and_what_answers_instead() {
        let expected = "This goes:\n  lesson #3 use rg · for grep · active\n  turn 17 find [31mtodo\n  and 20 older turns\n  v2 of the policy\n  \
            in all: 21 turns, 1 lesson, 1 version, 2 lines that were typed\n  \
            the base answers in the place of v2\n  back into prompts until a new version holds them: #1, #4\n  \
            what was said stays: `chela forget turn 16` takes that out too\n  a note";
        assert_eq!(goes(&gone()), expected);
    }

    #[test]
    fn nothing_is_said_of_what_is_not_there() {
        let none = Forgotten { counts: ForgottenCounts::default(), ..gone() };
        assert_eq!(goes(&none), "Nothing goes: there is nothing of it.");
    }

    #[test]
    fn a_file_that_still_holds_it_is_named() {
        let text = went(&Forgotten { still_in: vec!["/config.toml".into()], ..gone() });
        assert!(text.contains("\n  it still stands in /config.toml"), "{text}");
    }

    #[test]
    fn each_prompt_is_shown_with_both_answers() {
        let after = [Answered { answer: "grep todo".into(), ..gone().before.remove(0) }];
        let text = shown(&gone(), None, &after, Duration::from_millis(1250));
        assert_eq!(text, "find todo\n  before  rg todo\n  after   grep todo\nit took 1.2 s");
        let text = went(&gone());
        assert!(text.contains("in prompts again: #1, #4; a new version learns them"), "{text}");
        assert!(text.contains("ledger.db.v2.bak (a copy of the ledger)"), "{text}");
    }
}
