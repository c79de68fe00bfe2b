//! `chela lessons`: what was taught and drawn from corrections; look at it, change it, take it back.

use anyhow::bail;
use clap::{Args, Subcommand};

use super::place::Place;
use super::{Exit, output};
use crate::client::Client;
use crate::daemon::wire::{ChangeLesson, LessonWish};
use crate::lesson::{Lesson, LessonId, Origin, State};
use crate::store::LessonStory;

/// Look at lessons, change them, take them back
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct LessonsArgs {
    #[command(subcommand)]
    command: Option<LessonsCommand>,
    /// Only those with these words
    words: Vec<String>,
    /// Pruned and retired ones too
    #[arg(long)]
    all: bool,
    /// As one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum LessonsCommand {
    /// Print one with its history and the turns that it stood in
    Show {
        /// As in the list
        number: i64,
        /// As one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Say it in other words
    Edit {
        /// As in the list
        number: i64,
        /// The new sentence
        #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
        lesson: Vec<String>,
    },
    /// Take it out of all prompts: it was wrong
    Rm {
        /// As in the list
        number: i64,
    },
    /// Bring back one that was removed or retired, or say yes to a proposed one
    On {
        /// As in the list
        number: i64,
    },
    /// Keep it in prompts for good, also when the weights hold it
    Pin {
        /// As in the list
        number: i64,
        /// Let it retire again
        #[arg(long)]
        off: bool,
    },
}

pub(super) fn run(place: &Place, args: LessonsArgs) -> anyhow::Result<Exit> {
    let client = Client::connect(&place.paths)?;
    match args.command {
        None => list(&client, &args),
        Some(LessonsCommand::Show { number, json }) => show(&client, LessonId(number), json),
        Some(LessonsCommand::Edit { number, lesson }) => {
            change(&client, number, LessonWish::Reword { text: lesson.join(" ") })
        }
        Some(LessonsCommand::Rm { number }) => change(&client, number, LessonWish::Prune),
        Some(LessonsCommand::On { number }) => change(&client, number, LessonWish::Activate),
        Some(LessonsCommand::Pin { number, off }) => {
            change(&client, number, LessonWish::Pin { pinned: !off })
        }
    }
}

fn list(client: &Client, args: &LessonsArgs) -> anyhow::Result<Exit> {
    let mut found = client.lessons(None, &args.words.join(" "), 10_000)?;
    if !args.all {
        found.lessons.retain(|lesson| !matches!(lesson.state, State::Pruned | State::Retired));
    }
    if args.json {
        output::json(&found)?;
        return Ok(Exit::Done);
    }
    if found.lessons.is_empty() {
        output::note("no lessons yet; correct an answer, or: chela teach \"use rg instead of grep\"");
        return Ok(Exit::Done);
    }
    let head = ["", "lesson", "where", "state", "used", "helped"].map(str::to_owned).to_vec();
    let rows = found.lessons.iter().map(row);
    output::line(&output::table(&std::iter::once(head).chain(rows).collect::<Vec<_>>()))?;
    Ok(Exit::Done)
}

fn row(lesson: &Lesson) -> Vec<String> {
    vec![
        format!("#{}", lesson.id.0),
        output::harmless(&lesson.text),
        scope(lesson),
        state(lesson),
        lesson.used.to_string(),
        lesson.helped.to_string(),
    ]
}

/// One lesson on one line, for those who just made or changed it.
pub(super) fn line(lesson: &Lesson) -> String {
    let text = output::harmless(&lesson.text);
    format!("#{} {text} · {} · {}", lesson.id.0, scope(lesson), state(lesson))
}

/// Where it holds. The name of a folder or program may hold anything.
fn scope(lesson: &Lesson) -> String {
    output::harmless(&lesson.scope.to_string())
}

fn state(lesson: &Lesson) -> String {
    let pinned = if lesson.pinned { ", pinned" } else { "" };
    format!("{}{pinned}", lesson.state)
}

fn show(client: &Client, lesson: LessonId, json: bool) -> anyhow::Result<Exit> {
    let story = client.lesson(lesson)?;
    if json {
        output::json(&story)?;
        return Ok(Exit::Done);
    }
    output::line(&line(&story.lesson))?;
    output::line(&details(&story).join("\n"))?;
    Ok(Exit::Done)
}

fn details(story: &LessonStory) -> Vec<String> {
    let lesson = &story.lesson;
    let origin = match lesson.origin {
        Origin::Taught => "taught",
        Origin::Corrected => "drawn from a correction",
        Origin::Confirmed => "seen in a program's output and confirmed",
    };
    let turns: Vec<String> = lesson.sources.iter().map(|turn| turn.0.to_string()).collect();
    let from = if turns.is_empty() { String::new() } else { format!(", turn {}", turns.join(", ")) };
    let mut lines = vec![
        format!("from      {origin}{from}"),
        format!(
            "used      in {} prompts, helped in {}, failed in {}",
            lesson.used, lesson.helped, lesson.failed
        ),
    ];
    if let Some(by) = story.retired_by {
        lines.push(format!("replaced  by #{}", by.0));
    }
    let versions: Vec<String> = story.learned_in.iter().map(ToString::to_string).collect();
    if !versions.is_empty() {
        lines.push(format!("learned   in {}", versions.join(", ")));
    }
    lines.extend(story.history.iter().map(|event| {
        let reason = if event.reason.is_empty() { String::new() } else { format!(": {}", event.reason) };
        let at = jiff::Timestamp::from_millisecond(event.at).unwrap_or_default();
        let at = at.to_zoned(jiff::tz::TimeZone::system()).strftime("%Y-%m-%d %H:%M").to_string();
        format!("{at}  {}{}", event.what, output::harmless(&reason))
    }));
    lines
}

fn change(client: &Client, number: i64, change: LessonWish) -> anyhow::Result<Exit> {
    if let LessonWish::Reword { text } = &change
        && text.trim().is_empty()
    {
        bail!("the new sentence is empty; to remove the lesson: chela lessons rm {number}");
    }
    let changed = client.change_lesson(LessonId(number), &ChangeLesson { change, reason: String::new() })?;
    output::line(&line(&changed.now))?;
    Ok(Exit::Done)
}
