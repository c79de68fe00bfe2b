//! `chela why`: the whole row of a turn, from what was said to which version learned it.

use clap::Args;

use super::place::Place;
use super::{Exit, lessons, output};
use crate::client::Client;
use crate::daemon::wire::credit::{Credit, CreditBy};
use crate::judge::provenance::outcome_only;
use crate::store::{NextStateRow, TurnStory, VerdictRow};
use crate::turn::next_state::NextState;
use crate::turn::{Role, TurnId};

/// Explain an answer: what it was asked, what followed, what was concluded and learned from it
#[derive(Debug, Args)]
pub(super) struct WhyArgs {
    /// The turn's number; the newest turn when absent
    turn: Option<i64>,
    /// Which tokens of the answer learning would push towards `+[…]` or away from `-[…]`, each with its figures
    #[arg(long)]
    credit: bool,
    /// As one JSON object
    #[arg(long)]
    json: bool,
}

pub(super) fn run(place: &Place, args: &WhyArgs) -> anyhow::Result<Exit> {
    let client = Client::connect(&place.paths)?;
    let turn = match args.turn {
        Some(number) => TurnId(number),
        None => newest(&client)?,
    };
    if args.credit {
        return weighed(&client, turn, args.json);
    }
    let story = client.why(turn)?;
    if args.json {
        output::json(&story)?;
    } else {
        output::line(&told(&story))?;
    }
    Ok(Exit::Done)
}

fn weighed(client: &Client, turn: TurnId, as_json: bool) -> anyhow::Result<Exit> {
    let credit = client.credit(turn, None)?;
    if as_json {
        output::json(&credit)?;
    } else {
        output::line(&told_of_tokens(&credit))?;
    }
    Ok(Exit::Done)
}

/// The answer with its strongest pushes in brackets, where they come from, and each token's figures.
fn told_of_tokens(credit: &Credit) -> String {
    let mut lines: Vec<String> = vec![credit.marked().into_iter().map(|(_, text)| text).collect()];
    lines.extend(credit.by.sentences());
    if matches!(credit.by, CreditBy::Lessons { .. }) {
        lines.push(format!("teacher less student → what counts, clipped at ±{:.2} nats:", credit.gap));
    }
    let rows: Vec<Vec<String>> =
        credit.tokens.iter().map(|token| vec![token.named(), token.figures()]).collect();
    lines.push(output::table(&rows));
    output::harmless(&lines.join("\n"))
}

fn newest(client: &Client) -> anyhow::Result<TurnId> {
    let sessions = client.sessions(1, "")?.sessions;
    let session = sessions.first().ok_or_else(|| anyhow::anyhow!("there is no turn yet; ask something"))?;
    let thread = client.session(&session.id)?;
    let last = thread.turns.last().map(|turn| turn.id);
    last.ok_or_else(|| anyhow::anyhow!("the newest session has no turn yet; ask something"))
}

/// The story as lines of `what  text`.
fn told(story: &TurnStory) -> String {
    let turn = &story.turn;
    let mut rows = vec![
        ("turn", format!("{} of session {}, {} {}", turn.id.0, turn.session.0, turn.model, turn.policy)),
        (
            "asked",
            turn.messages
                .iter()
                .rfind(|message| message.role == Role::User)
                .map_or_else(String::new, |message| message.content.clone()),
        ),
        ("answered", turn.response.clone()),
    ];
    for used in &story.used {
        let effect = match used.helped {
            Some(true) => ", it helped",
            Some(false) => ", it did not help",
            None => "",
        };
        rows.push(("lesson", format!("#{} {}{effect}", used.lesson.id.0, used.lesson.text)));
    }
    let newest = story.verdicts.iter().find(|row| row.is_newest);
    for (at, state) in story.next_states.iter().enumerate() {
        rows.push(("then", followed(state)));
        let seen_by = newest.filter(|row| usize::try_from(row.seen).is_ok_and(|seen| at < seen));
        let concluded = seen_by.map(|row| (&row.verdict, row.signals.as_slice()));
        let only = outcome_only(&state.state, concluded);
        rows.extend(only.map(|only| ("counts", format!("as {only}"))));
    }
    for verdict in &story.verdicts {
        rows.extend(
            verdict
                .signals
                .iter()
                .map(|signal| ("signal", format!("{} ({:.2})", signal.rule, signal.strength))),
        );
        rows.push(("verdict", concluded(verdict)));
    }
    if story.is_waiting {
        rows.push(("verdict", "waits for the judge".to_owned()));
    }
    rows.extend(story.drawn.iter().map(|lesson| ("taught", lessons::line(lesson))));
    rows.extend(story.samples.iter().map(|row| {
        let version = row.candidate.map_or_else(|| "no version".to_owned(), |version| version.to_string());
        ("learned", format!("run {} for {version}", row.run.0))
    }));
    let cells = |(what, text): &(&str, String)| {
        vec![(*what).to_owned(), output::harmless(text).replace('\n', "\n          ")]
    };
    output::table(&rows.iter().map(cells).collect::<Vec<_>>())
}

fn followed(row: &NextStateRow) -> String {
    match &row.state {
        NextState::Reply { text } => format!("you: {text}"),
        NextState::Edit { text } => format!("you made of it: {text}"),
        NextState::Command(outcome) => format!("exit {}: {}", outcome.status, outcome.command),
        NextState::Tools { results } => format!("{} tool results", results.len()),
        NextState::Page { .. } => "the page changed".to_owned(),
        NextState::Tests { report } => report.lines().last().unwrap_or_default().to_owned(),
        NextState::Rating { good, note } => {
            let word = if *good { "good" } else { "bad" };
            format!(
                "you rated it {word}{}",
                note.as_ref().map(|note| format!(": {note}")).unwrap_or_default()
            )
        }
        NextState::Closed { .. } => "the session ended".to_owned(),
    }
}

fn concluded(row: &VerdictRow) -> String {
    let verdict = &row.verdict;
    let reward = match verdict.reward {
        Some(1) => "good",
        Some(-1) => "bad",
        Some(_) => "neither",
        None => "nothing can be said",
    };
    let hint = verdict.hint.as_ref().map(|hint| format!("; hint: {hint}")).unwrap_or_default();
    let votes =
        if verdict.votes.is_empty() { String::new() } else { format!(", {} votes", verdict.votes.len()) };
    format!("{reward} by {} ({:.2}{votes}){hint}", verdict.rule, verdict.confidence)
}
