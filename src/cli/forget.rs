//! `chela forget`: takes a lesson or a turn back out of everything, and shows how the policy answers before and after.

use std::fmt::Write as _;
use std::io::{IsTerminal, Write as _};
use std::str::FromStr;

use clap::Args;
use serde_json::json;

use super::exit::Stop;
use super::place::Place;
use super::{Exit, learn, lessons, output};
use crate::client::Client;
use crate::daemon::wire::forgetting::{Answered, Forget, Forgotten};
use crate::daemon::wire::{LearnNow, LessonId, RunRow, RunState};
use crate::turn::{Message, PolicyVersion, Role, TurnId};

/// Longest line of a request or an answer.
const WIDTH: usize = 100;

/// Take a lesson or a turn back out of everything: prompts, ledger, weights, files
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
#[command(
    after_help = "Versions of the policy that were taught it are removed; what else they held is taught to a new one, from the \
                  base on.\n\nExamples:\n  chela forget 3 --dry-run\n  chela forget 3 turn:17 --yes"
)]
pub(super) struct ForgetArgs {
    /// A lesson's number in `chela lessons`, or `turn:N` with a number in `chela turns`
    #[arg(required = true, value_name = "LESSON|turn:N")]
    items: Vec<Item>,
    /// Only say what would go
    #[arg(long)]
    dry_run: bool,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
    /// Leave the other lessons of removed versions in prompts, and build no new version now
    #[arg(long)]
    no_rebuild: bool,
    /// As one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Item {
    Lesson(LessonId),
    Turn(TurnId),
}

impl FromStr for Item {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = |digits: &str| {
            digits.parse().map_err(|_| format!("\"{text}\" is neither a lesson's number nor turn:N"))
        };
        match text.split_once(':') {
            Some(("turn", digits)) => Ok(Self::Turn(TurnId(number(digits)?))),
            Some(("lesson", digits)) => Ok(Self::Lesson(LessonId(number(digits)?))),
            Some(_) => Err(format!("\"{text}\" is neither a lesson's number nor turn:N")),
            None => Ok(Self::Lesson(LessonId(number(text.strip_prefix('#').unwrap_or(text))?))),
        }
    }
}

pub(super) fn run(place: &Place, args: &ForgetArgs) -> anyhow::Result<Exit> {
    let client = Client::connect(&place.paths)?;
    let wish = wish(args);
    let would = client.forget(&Forget { dry_run: true, ..wish.clone() })?;
    if args.dry_run {
        if args.json {
            output::json(&would)?;
        } else {
            output::line(&goes(&would))?;
        }
        return Ok(Exit::Done);
    }
    if !args.yes {
        output::note(&goes(&would));
        if !is_wanted()? {
            output::note("nothing was forgotten");
            return Ok(Exit::Failed);
        }
    }
    // Without a model nothing can be asked before and after, and the report says so; forgetting goes on.
    if let Err(err) = client.wait_for_model() {
        output::note(&err.to_string());
    }
    let gone = client.forget(&wish)?;
    if !args.json {
        output::line(&went(&gone))?;
    }
    let rebuilt = match gone.rebuild {
        Some(after) => Some(learn::wait_for(place, &client, LearnNow { running: None, after })?),
        None => None,
    };
    let after = after(&client, &gone)?;
    if args.json {
        output::json(&json!({ "forgotten": gone, "rebuilt": rebuilt, "after": after }))?;
    } else {
        output::line(&shown(&gone, rebuilt.as_ref(), &after))?;
    }
    Ok(Exit::Done)
}

fn wish(args: &ForgetArgs) -> Forget {
    let lessons = args.items.iter().filter_map(|item| match item {
        Item::Lesson(lesson) => Some(*lesson),
        Item::Turn(_) => None,
    });
    let turns = args.items.iter().filter_map(|item| match item {
        Item::Turn(turn) => Some(*turn),
        Item::Lesson(_) => None,
    });
    Forget {
        lessons: lessons.collect(),
        turns: turns.collect(),
        dry_run: args.dry_run,
        rebuild: !args.no_rebuild,
    }
}

fn is_wanted() -> anyhow::Result<bool> {
    if !std::io::stdin().is_terminal() {
        let message = "what is forgotten does not come back; say --yes, or look first with --dry-run";
        return Err(Stop::new(Exit::Usage, message).into());
    }
    let mut stderr = std::io::stderr().lock();
    write!(stderr, "It does not come back. Forget it? [y/N] ")?;
    stderr.flush()?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
}

/// The same prompts once more, for the version that serves now.
fn after(client: &Client, gone: &Forgotten) -> anyhow::Result<Vec<Answered>> {
    if gone.before.is_empty() {
        return Ok(Vec::new());
    }
    let prompts: Vec<Vec<Message>> = gone.before.iter().map(|one| one.messages.clone()).collect();
    let answers = client.answer_unrecorded(prompts.clone())?.answers;
    let pairs = prompts.into_iter().zip(answers);
    Ok(pairs.map(|(messages, answer)| Answered { messages, answer }).collect())
}

fn goes(would: &Forgotten) -> String {
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

fn went(gone: &Forgotten) -> String {
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
    for turn in &gone.turns {
        let _ = write!(text, "\n  turn {} {}", turn.turn.0, one_line(&turn.request));
    }
    for version in &gone.versions {
        let _ = write!(text, "\n  {version} of the policy");
    }
}

fn remarks(text: &mut String, gone: &Forgotten) {
    if !gone.said_in.is_empty() {
        let turns: Vec<String> = gone.said_in.iter().map(|turn| format!("turn:{}", turn.0)).collect();
        let turns = turns.join(" ");
        let _ = write!(text, "\n  what was said stays: `chela forget {turns}` takes that out too");
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
fn shown(gone: &Forgotten, rebuilt: Option<&RunRow>, after: &[Answered]) -> String {
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
    parts.join("\n")
}

fn one_line(text: &str) -> String {
    let line = output::harmless(text).split_whitespace().collect::<Vec<_>>().join(" ");
    output::cut(&line, WIDTH)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::daemon::wire::RunId;
    use crate::daemon::wire::forgetting::ForgottenTurn;
    use crate::lesson::{Lesson, Scope};

    #[track_caller]
    fn check(text: &str, expected: Option<Item>) {
        assert_eq!(text.parse().ok(), expected, "{text}");
    }

    #[test]
    fn lessons_and_turns_are_named_by_their_numbers() {
        check("3", Some(Item::Lesson(LessonId(3))));
        check("#3", Some(Item::Lesson(LessonId(3))));
        check("lesson:3", Some(Item::Lesson(LessonId(3))));
        check("turn:17", Some(Item::Turn(TurnId(17))));
        check("session:3", None);
        check("three", None);
        check("turn:", None);
    }

    fn gone() -> Forgotten {
        let prompt = |text: &str| vec![Message::new(Role::User, text)];
        Forgotten {
            dry_run: false,
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
            notes: vec!["a note".into()],
        }
    }

    #[test]
    fn the_preview_says_what_goes_and_what_answers_instead() {
        let expected = "This goes:\n  lesson #3 use rg · for grep · active\n  turn 17 find [31mtodo\n  v2 of the policy\n  \
            the base answers in the place of v2\n  back into prompts until a new version holds them: #1, #4\n  \
            what was said stays: `chela forget turn:16` takes that out too\n  a note";
        assert_eq!(goes(&gone()), expected);
    }

    #[test]
    fn each_prompt_is_shown_with_both_answers() {
        let after = [Answered { answer: "grep todo".into(), ..gone().before.remove(0) }];
        assert_eq!(shown(&gone(), None, &after), "find todo\n  before  rg todo\n  after   grep todo");
        let text = went(&gone());
        assert!(text.contains("in prompts again: #1, #4; a new version learns them"), "{text}");
        assert!(text.contains("ledger.db.v2.bak (a copy of the ledger)"), "{text}");
    }
}
