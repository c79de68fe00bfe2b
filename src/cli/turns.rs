//! `chela turns`: the newest turns, a line for each: what was asked, what was concluded of the answer and by which
//! rule.

use std::path::PathBuf;

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use serde::de::DeserializeOwned;

use super::place::Place;
use super::{Exit, output};
use crate::client::Client;
use crate::daemon::wire::looking::{Judged, TurnLine, TurnQuery};
use crate::signal::Evidence;
use crate::turn::{Role, Source};

/// List turns, newest first: what was asked, what was concluded of the answers, and by which rule
#[derive(Debug, Args)]
#[command(after_help = "The sign: + good, - bad, ? neither; none: no verdict yet.\n\
    All of one turn: chela why NUMBER")]
pub(super) struct TurnsArgs {
    /// Only those that came through this surface
    #[arg(long, value_name = "SURFACE", value_parser = one_of::<Source>(&["chat", "shell", "api", "agent"]))]
    source: Option<Source>,
    /// Only those decided by this rule, or by the rules of this kind (`exit` finds `exit.failed`)
    #[arg(long)]
    rule: Option<String>,
    /// Only those judged so; `none`: without a verdict
    #[arg(long, value_parser = one_of::<Judged>(&["good", "bad", "unclear", "none"]))]
    reward: Option<Judged>,
    /// Only those asked in or below this folder
    #[arg(long, value_name = "DIR")]
    project: Option<PathBuf>,
    /// Only those with all of these words in request or answer
    #[arg(long, value_name = "WORDS")]
    find: Option<String>,
    /// At most so many (1000 and no more)
    #[arg(long, value_name = "N", default_value_t = 20)]
    limit: usize,
    /// As one JSON object
    #[arg(long)]
    json: bool,
}

/// Words that stand for values as they are written in JSON.
fn one_of<T: DeserializeOwned + Clone + Send + Sync + 'static>(
    words: &'static [&'static str],
) -> impl TypedValueParser<Value = T> {
    PossibleValuesParser::new(words)
        .try_map(|word| serde_json::from_value::<T>(serde_json::Value::String(word)))
}

pub(super) fn run(place: &Place, args: TurnsArgs) -> anyhow::Result<Exit> {
    // Turns stay when their folder goes, so a folder that is not there may still be asked for.
    let whole = |folder| std::fs::canonicalize(folder).or_else(|_| std::path::absolute(folder));
    let project = args.project.as_ref().map(whole).transpose()?;
    let query = TurnQuery {
        source: args.source,
        rule: args.rule,
        reward: args.reward,
        project: project.map(|folder| folder.display().to_string()),
        find: args.find,
        limit: Some(args.limit),
        ..TurnQuery::default()
    };
    let found = Client::connect(&place.paths)?.turns(&query)?;
    if args.json {
        output::json(&found)?;
    } else if found.turns.is_empty() {
        let is_open = TurnQuery { limit: None, ..query } == TurnQuery::default();
        output::note(if is_open { "no turns yet; ask something" } else { "no turn fits" });
    } else {
        output::line(&listed(&found.turns, jiff::Timestamp::now().as_millisecond(), Place::width()))?;
    }
    Ok(Exit::Done)
}

/// One line a turn, each at most `width` columns wide.
fn listed(turns: &[TurnLine], now_ms: i64, width: Option<usize>) -> String {
    let head = ["turn", "ago", "from", "", "rule", "marks", "asked"].map(str::to_owned).to_vec();
    let rows = turns.iter().map(|line| row(line, now_ms));
    let table = output::table(&std::iter::once(head).chain(rows).collect::<Vec<_>>());
    let cut = |line| width.map_or_else(|| str::to_owned(line), |width| output::cut(line, width));
    table.lines().map(cut).collect::<Vec<_>>().join("\n")
}

fn row(line: &TurnLine, now_ms: i64) -> Vec<String> {
    let turn = &line.turn;
    let verdict = line.verdict.as_ref().map(|row| &row.verdict);
    vec![
        turn.id.0.to_string(),
        output::age(turn.started_at, now_ms),
        output::word(turn.source),
        verdict.map_or("", |verdict| sign(verdict.reward)).to_owned(),
        verdict.map_or_else(String::new, |verdict| verdict.rule.clone()),
        marks(line),
        asked(line),
    ]
}

fn sign(reward: Option<i8>) -> &'static str {
    match reward {
        Some(1) => "+",
        Some(-1) => "-",
        _ => "?",
    }
}

/// What is going on with a turn, and what lessons have to do with it.
fn marks(line: &TurnLine) -> String {
    let running = line.turn.ending.is_none().then(|| "runs".to_owned());
    let waiting = line.is_waiting.then(|| "waits".to_owned());
    let used = (line.n_lessons > 0).then(|| format!("{} used", line.n_lessons));
    let drawn = (line.n_drawn > 0).then(|| format!("{} drawn", line.n_drawn));
    let only = is_outcome_only(line).then(|| "outcome only".to_owned());
    [running, waiting, used, drawn, only].into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// Whether nothing but programs' words was concluded from: success or failure, and never a lesson.
fn is_outcome_only(line: &TurnLine) -> bool {
    let signals = line.verdict.as_ref().map(|row| row.signals.as_slice()).unwrap_or_default();
    !signals.is_empty() && signals.iter().all(|signal| signal.evidence == Evidence::Outcome)
}

/// The request on one line.
fn asked(line: &TurnLine) -> String {
    let request = line.turn.messages.iter().rfind(|message| message.role == Role::User);
    let words = request.map_or("", |message| &message.content).split_whitespace();
    output::harmless(&words.collect::<Vec<_>>().join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::Verdict;
    use crate::store::{TurnRow, VerdictRow};
    use crate::turn::{Ending, Message, PolicyVersion, SessionId, TurnId, TurnKind};

    const NOW: i64 = 1_000_000_000;

    fn line(id: i64, source: Source, age_s: i64, request: &str) -> TurnLine {
        let turn = TurnRow {
            id: TurnId(id),
            session: SessionId("s".into()),
            parent: None,
            kind: TurnKind::Main,
            source,
            cwd: None,
            messages: vec![Message::new(Role::System, "be brief"), Message::new(Role::User, request)],
            response: "ls".into(),
            ending: Some(Ending::Stop),
            error: None,
            policy: PolicyVersion::BASE,
            model: "m".into(),
            n_prompt: 1,
            n_response: 1,
            started_at: NOW - age_s * 1000,
            ended_at: Some(NOW),
        };
        TurnLine { turn, verdict: None, is_waiting: false, n_lessons: 0, n_drawn: 0, is_excluded: false }
    }

    fn judged(mut line: TurnLine, reward: Option<i8>, rule: &str) -> TurnLine {
        let verdict = Verdict { reward, hint: None, rule: rule.into(), votes: Vec::new(), confidence: 0.9 };
        line.verdict = Some(VerdictRow {
            turn: line.turn.id,
            judged_at: NOW,
            seen: 1,
            model: "m".into(),
            is_newest: true,
            verdict,
            signals: Vec::new(),
        });
        line
    }

    fn some() -> Vec<TurnLine> {
        let mut running = line(112, Source::Chat, 3, "and the same for every folder below it,\nplease");
        running.turn.ending = None;
        let mut waiting = line(111, Source::Chat, 90, "search src for todo");
        (waiting.is_waiting, waiting.n_lessons) = (true, 2);
        let mut corrected = judged(
            line(98, Source::Shell, 7_300, "find \x1b[31mlarge files 日本語"),
            Some(-1),
            "exit.failed",
        );
        corrected.n_drawn = 1;
        let thanked = judged(line(7, Source::Api, 200_000, "what is a claw"), Some(1), "words.thanks");
        let unclear = judged(line(6, Source::Agent, 300_000, ""), None, "votes");
        vec![running, waiting, corrected, thanked, unclear]
    }

    #[test]
    fn a_turn_is_one_line() {
        insta::assert_snapshot!(listed(&some(), NOW, None));
    }

    #[test]
    fn a_narrow_terminal_gets_narrow_lines() {
        insta::assert_snapshot!(listed(&some(), NOW, Some(60)));
    }
}
