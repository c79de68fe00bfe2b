//! A row's proof: what was asked, answered and said next, what was concluded from it and by what, the lesson, who
//! learned it, and what would be answered now. Pure.

use std::ops::Range;

use jiff::tz::TimeZone;
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};

use super::credit::paragraphs;
use super::event::{Story, Way};
use super::story::{Answer, Detail, Weighed};
use crate::daemon::wire::review::{
    NextStateRow, Origin, SampleRole, SampleRow, VerdictRow, outcome_only, text_of,
};
use crate::daemon::wire::{LessonStory, RunState, TurnRow, TurnStory};
use crate::lesson::Lesson;
use crate::tui::ansi::harmless;
use crate::tui::theme;
use crate::tui::wrap::{Cell, cells, wrap};
use crate::turn::Role;
use crate::turn::next_state::NextState;

/// Longest text of one part, in characters: more is in `chela why --json`.
const MOST_CHARS: usize = 4_000;
/// Above the answer.
pub(super) const ANSWERED: &str = "answered";
/// What a verdict rests on.
const SPAN: Style = Style::new().add_modifier(Modifier::BOLD.union(Modifier::UNDERLINED));

/// All rows, however many, none wider than `columns`.
pub(super) fn rows(detail: &Detail, zone: &TimeZone, columns: usize) -> Vec<Line<'static>> {
    let mut page = Page { rows: Vec::new(), columns, zone, credit: detail.credit.as_ref() };
    match &detail.story {
        None => page.text(theme::DIM, "reading …"),
        Some(Err(reason)) => page.text(theme::ERROR, reason),
        Some(Ok(story)) => page.story(story),
    }
    page.answers(&detail.answers);
    page.rows
}

/// Rows as they are written, top down.
struct Page<'a> {
    rows: Vec<Line<'static>>,
    columns: usize,
    zone: &'a TimeZone,
    credit: Option<&'a Weighed>,
}

impl Page<'_> {
    fn text(&mut self, style: Style, text: &str) {
        self.cells(&cells(&harmless(&cut(text)), style), "");
    }

    /// Rows behind an indent.
    fn indented(&mut self, style: Style, text: &str) {
        self.cells(&cells(&harmless(&cut(text)), style), "  ");
    }

    fn cells(&mut self, cells: &[Cell], indent: &'static str) {
        for row in wrap(cells, self.columns.saturating_sub(indent.len())) {
            let mut line = Line::from(Span::raw(indent));
            line.spans.extend(row.line.spans);
            self.rows.push(line);
        }
    }

    fn heading(&mut self, name: &str) {
        if !self.rows.is_empty() {
            self.rows.push(Line::default());
        }
        self.rows.push(Line::styled(name.to_owned(), theme::BOLD));
    }

    fn story(&mut self, story: &Story) {
        if let Some(turn) = &story.turn {
            self.turn(turn);
        }
        if let Some(lesson) = &story.lesson {
            self.lesson(lesson);
        }
        if let Some(turn) = &story.turn {
            self.learned(turn);
        }
    }

    fn turn(&mut self, story: &TurnStory) {
        let turn = &story.turn;
        let place = turn.cwd.as_deref().map(|cwd| format!(" · {cwd}")).unwrap_or_default();
        let head = format!("turn {} · {} · {}{place}", turn.id.0, self.time(turn.started_at), turn.policy);
        self.text(theme::DIM, &head);
        self.text(theme::DIM, &format!("session {} · {}", turn.session.0, turn.model));
        if story.is_excluded {
            self.text(theme::ERROR, "excluded: nothing more is learned from this turn");
        }
        self.heading("asked");
        self.indented(theme::PLAIN, asked(turn));
        self.heading(ANSWERED);
        match self.credit {
            None => self.indented(theme::PLAIN, &turn.response),
            Some(weighed) => {
                for paragraph in paragraphs(weighed, &turn.response, MOST_CHARS) {
                    self.cells(&paragraph, "  ");
                }
            }
        }
        if let Some(error) = &turn.error {
            self.indented(theme::ERROR, error);
        }
        for used in &story.used {
            let effect = match used.helped {
                Some(true) => ", it helped",
                Some(false) => ", it did not help",
                None => "",
            };
            let line = format!("with lesson #{}: {}{effect}", used.lesson.id.0, used.lesson.text);
            self.indented(theme::DIM, &line);
        }
        self.followed(story);
        self.verdicts(story);
    }

    fn followed(&mut self, story: &TurnStory) {
        let newest = story.verdicts.iter().find(|row| row.is_newest);
        for (at, row) in story.next_states.iter().enumerate() {
            self.heading(&format!("then · {} · {}", said_by(&row.state), self.time(row.at)));
            if let NextState::Command(outcome) = &row.state {
                self.indented(theme::PLAIN, &format!("$ {} → exit {}", outcome.command, outcome.status));
            }
            let spans = newest.map(|verdict| spans_in(verdict, &story.next_states, at)).unwrap_or_default();
            let text = text_of(&row.state);
            if !text.trim().is_empty() {
                let marked = marked(&text, &spans);
                self.cells(&marked, "  ");
            }
            let seen_by = newest.filter(|row| usize::try_from(row.seen).is_ok_and(|seen| at < seen));
            let concluded = seen_by.map(|row| (&row.verdict, row.signals.as_slice()));
            if let Some(only) = outcome_only(&row.state, concluded) {
                let style = if only.quoted.is_some() { theme::HINT } else { theme::DIM };
                self.indented(style, &only.to_string());
            }
        }
    }

    fn verdicts(&mut self, story: &TurnStory) {
        for verdict in story.verdicts.iter().filter(|verdict| verdict.is_newest) {
            self.heading("concluded");
            for signal in &verdict.signals {
                let says = format!("{:?}", signal.says).to_lowercase();
                let quoted = quoted(verdict, &story.next_states, &signal.span);
                let line = format!("signal {} · {says} · {:.2}{quoted}", signal.rule, signal.strength);
                self.indented(theme::PLAIN, &line);
            }
            for vote in &verdict.verdict.votes {
                let line = format!(
                    "vote · good {:.2} · bad {:.2} · unclear {:.2} · asked as \"{}\"",
                    vote.good, vote.bad, vote.unclear, vote.order
                );
                self.indented(theme::PLAIN, &line);
            }
            let (word, style) = reward(verdict.verdict.reward);
            let by = format!(
                "{word} by {} ({:.2}) · {} · {}",
                verdict.verdict.rule,
                verdict.verdict.confidence,
                verdict.model,
                self.time(verdict.judged_at)
            );
            self.indented(style, &by);
            if let Some(hint) = &verdict.verdict.hint {
                self.indented(theme::HINT, &format!("hint: {hint}"));
            }
        }
        let n_older = story.verdicts.iter().filter(|verdict| !verdict.is_newest).count();
        if n_older > 0 {
            self.indented(theme::DIM, &format!("{n_older} earlier verdicts: chela why {}", story.turn.id.0));
        }
        if story.is_waiting {
            self.heading("concluded");
            self.indented(theme::DIM, "waits for the judge");
        }
    }

    fn lesson(&mut self, story: &LessonStory) {
        let lesson = &story.lesson;
        self.heading(&format!("lesson #{}", lesson.id.0));
        self.indented(theme::PLAIN, &lesson.text);
        let pinned = if lesson.pinned { " · pinned" } else { "" };
        self.indented(theme::DIM, &format!("{} · {}{pinned}", lesson.scope, state(lesson)));
        self.indented(theme::DIM, &format!("{}{}", origin(lesson), sources(lesson)));
        let (used, helped, failed) = (lesson.used, lesson.helped, lesson.failed);
        self.indented(theme::DIM, &format!("in {used} prompts · helped in {helped} · failed in {failed}"));
        let versions: Vec<String> = story.learned_in.iter().map(ToString::to_string).collect();
        let versions = if versions.is_empty() {
            "no version has learned it".to_owned()
        } else {
            format!("learned in {}", versions.join(", "))
        };
        self.indented(theme::DIM, &versions);
        for event in &story.history {
            let reason = if event.reason.is_empty() { String::new() } else { format!(": {}", event.reason) };
            self.indented(theme::DIM, &format!("{} {}{reason}", self.time(event.at), event.what));
        }
    }

    /// What runs made of the turn.
    fn learned(&mut self, story: &TurnStory) {
        self.heading("learned");
        if story.samples.is_empty() {
            self.indented(theme::DIM, "no run has learned from this turn");
            return;
        }
        let mut lines: Vec<String> = story.samples.iter().map(sample).collect();
        lines.dedup();
        for line in lines {
            self.indented(theme::PLAIN, &line);
        }
        self.indented(theme::DIM, "how much each token counted is not kept by runs; c weighs them now");
    }

    fn answers(&mut self, answers: &[Answer]) {
        if answers.is_empty() {
            return;
        }
        self.heading("answered now · greedy, not recorded");
        for answer in answers {
            let name = match answer.way {
                Way::Base => "base, no lesson".to_owned(),
                Way::Lessons => "base with lessons".to_owned(),
                Way::Adapter(version) => format!("{version}, no lesson"),
            };
            match &answer.outcome {
                None => self.indented(theme::DIM, &format!("{name}: asking …")),
                Some(Err(reason)) => self.indented(theme::ERROR, &format!("{name}: {reason}")),
                Some(Ok(now)) => {
                    let with: Vec<String> =
                        now.lessons.iter().map(|lesson| format!("#{}", lesson.id.0)).collect();
                    let with =
                        if with.is_empty() { String::new() } else { format!(" ({})", with.join(", ")) };
                    self.indented(theme::HINT, &format!("{name}{with}"));
                    self.cells(&cells(&harmless(&cut(now.answer.trim())), theme::PLAIN), "    ");
                }
            }
        }
    }

    fn time(&self, unix_ms: i64) -> String {
        let at = jiff::Timestamp::from_millisecond(unix_ms).unwrap_or_default();
        at.to_zoned(self.zone.clone()).strftime("%Y-%m-%d %H:%M").to_string()
    }
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(MOST_CHARS) {
        Some((at, _)) => format!("{} … (cut here)", text.get(..at).unwrap_or_default()),
        None => text.to_owned(),
    }
}

fn asked(turn: &TurnRow) -> &str {
    let said = turn.messages.iter().rfind(|message| message.role == Role::User);
    said.map_or("", |message| &message.content)
}

fn said_by(state: &NextState) -> &'static str {
    match state {
        NextState::Reply { .. } => "you said",
        NextState::Edit { .. } => "you made of it",
        NextState::Command(_) => "it ran",
        NextState::Tools { .. } => "tools said",
        NextState::Page { .. } => "the page",
        NextState::Tests { .. } => "tests said",
        NextState::Rating { good: true, .. } => "you rated it good",
        NextState::Rating { good: false, .. } => "you rated it bad",
        NextState::Closed { .. } => "the session ended",
    }
}

fn reward(reward: Option<i8>) -> (&'static str, Style) {
    match reward {
        Some(1) => ("+ good", theme::OK),
        Some(-1) => ("- bad", theme::ERROR),
        Some(_) => ("? neither", theme::DIM),
        None => ("? nothing can be said", theme::DIM),
    }
}

/// Which states a verdict has seen and a span may lie in. Signals do not say in which of several they lie.
fn states_with<'a>(
    verdict: &VerdictRow,
    states: &'a [NextStateRow],
    span: &Range<usize>,
) -> Vec<(usize, &'a NextStateRow)> {
    let seen = usize::try_from(verdict.seen).unwrap_or(usize::MAX);
    let fits = |row: &NextStateRow| !span.is_empty() && text_of(&row.state).get(span.clone()).is_some();
    states.iter().take(seen).enumerate().filter(|(_, row)| fits(row)).collect()
}

/// Spans that lie in this state and can lie in no other.
fn spans_in(verdict: &VerdictRow, states: &[NextStateRow], at: usize) -> Vec<Range<usize>> {
    let is_here = |span: &&Range<usize>| match states_with(verdict, states, span).as_slice() {
        [(only, _)] => *only == at,
        _ => false,
    };
    verdict.signals.iter().map(|signal| &signal.span).filter(is_here).cloned().collect()
}

fn quoted(verdict: &VerdictRow, states: &[NextStateRow], span: &Range<usize>) -> String {
    match states_with(verdict, states, span).as_slice() {
        [(_, row)] => {
            let text = text_of(&row.state);
            let text = text.get(span.clone()).unwrap_or_default();
            let short: String = text.chars().take(80).collect();
            format!(" · \"{}\"", short.replace('\n', " "))
        }
        _ => String::new(),
    }
}

/// The text with these bytes of it emphasised.
fn marked(text: &str, spans: &[Range<usize>]) -> Vec<Cell> {
    let text = text.get(..text.floor_char_boundary(4 * MOST_CHARS)).unwrap_or_default();
    let mut edges: Vec<usize> = spans.iter().flat_map(|span| [span.start, span.end]).collect();
    edges.extend([0, text.len()]);
    edges.sort_unstable();
    edges.dedup();
    let mut all = Vec::new();
    for pair in edges.windows(2) {
        let &[from, to] = pair else { continue };
        let is_marked = spans.iter().any(|span| span.start <= from && to <= span.end);
        let style = if is_marked { SPAN } else { theme::PLAIN };
        all.extend(cells(&harmless(text.get(from..to).unwrap_or_default()), style));
    }
    all
}

fn state(lesson: &Lesson) -> String {
    match lesson.state {
        crate::lesson::State::Pruned => "pruned".to_owned(),
        other => other.to_string(),
    }
}

fn origin(lesson: &Lesson) -> &'static str {
    match lesson.origin {
        Origin::Taught => "taught",
        Origin::Corrected => "drawn from a correction",
        Origin::Confirmed => "seen in a program's output and confirmed",
    }
}

fn sources(lesson: &Lesson) -> String {
    let turns: Vec<String> = lesson.sources.iter().map(|turn| turn.0.to_string()).collect();
    if turns.is_empty() { String::new() } else { format!(", turn {}", turns.join(", ")) }
}

fn sample(row: &SampleRow) -> String {
    let role = match row.sample.role {
        SampleRole::Teach => "taught",
        SampleRole::Replay => "replayed, so that it stays as it is",
        SampleRole::HeldOut => "held out for the gate",
        SampleRole::Canary => "a canary of the gate",
    };
    let version = match (row.candidate, row.run_state) {
        (_, RunState::Running) => "the run is under way".to_owned(),
        (Some(version), RunState::Promoted) => format!("{version} learned it"),
        (Some(version), _) => format!("{version} was rejected"),
        (None, _) => "no version came of it".to_owned(),
    };
    format!("run {}: {role} · {version}", row.run.0)
}
