//! The status line: who answers, how full the context is, what is going on, which key helps now. Pure.

use ratatui::style::Modifier;
use ratatui::text::{Line, Span};

use super::app::{App, Armed, Link, Overlay, Running};
use super::composer::in_bytes;
use super::theme;
use super::wrap::{fit, width};

pub(crate) fn line(app: &App) -> Line<'static> {
    let mut parts: Vec<Span<'static>> = off_record(app).into_iter().chain([model(app)]).collect();
    parts.extend(meter(app).map(|meter| Span::styled(meter, theme::DIM)));
    parts.extend(lessons(app).map(|lessons| Span::styled(lessons, theme::DIM)));
    parts.extend(app.learning.clone().map(|learning| Span::styled(learning, theme::DIM)));
    parts.extend(doing(app).map(|doing| Span::styled(doing, theme::DIM)));
    let mut spans = vec![Span::raw("  ")];
    for (idx, part) in parts.into_iter().enumerate() {
        if idx > 0 {
            spans.push(Span::styled(" · ", theme::DIM));
        }
        spans.push(part);
    }
    // The hint goes first when there is no room for everything.
    let used: usize = spans.iter().map(|span| width(&span.content)).sum();
    let hint = hint(app);
    if !hint.is_empty() && used + 3 + width(hint) <= app.size.columns {
        spans.push(Span::styled(" · ", theme::DIM));
        spans.push(Span::styled(hint, theme::HINT));
    } else if app.armed.is_some() {
        spans = vec![Span::raw("  "), Span::styled(hint, theme::HINT)];
    }
    fit(Line::from(spans), app.size.columns)
}

/// First, because it must be seen: either the person switched it, or a rule of the settings is at work.
fn off_record(app: &App) -> Option<Span<'static>> {
    let last = app.thread.exchanges.last();
    if app.is_off_record() {
        Some(Span::styled("off the record", theme::BRAND.add_modifier(Modifier::BOLD)))
    } else if last.is_some_and(|exchange| !exchange.turn.is_recorded()) {
        Some(Span::styled("not recorded here", theme::BRAND))
    } else {
        None
    }
}

fn model(app: &App) -> Span<'static> {
    match &app.link {
        Link::Starting => Span::styled("starting…", theme::DIM),
        Link::Loading(name) => Span::styled(format!("loading {name}…"), theme::DIM),
        Link::Down(_) => Span::styled("no model", theme::ERROR),
        Link::Ready(_) => {
            let name = app.model().map_or("no model", |model| model.name.as_str());
            Span::styled(format!("{name} {}", app.policy), theme::DIM)
        }
    }
}

/// Tokens that the next request would have, of those it may have.
fn meter(app: &App) -> Option<String> {
    let n_ctx = app.n_ctx?;
    let used = app.usage.as_ref().map_or(0, |usage| usage.total_tokens) + app.composer_tokens;
    Some(format!("{}/{}", in_tokens(used), in_tokens(n_ctx)))
}

/// How many lessons the newest answer was given with.
fn lessons(app: &App) -> Option<String> {
    match app.n_lessons {
        0 => None,
        1 => Some("1 lesson".to_owned()),
        n => Some(format!("{n} lessons")),
    }
}

fn in_tokens(n: usize) -> String {
    match n {
        0..1000 => n.to_string(),
        1000..100_000 if n % 1000 < 100 => format!("{}k", n / 1000),
        1000..100_000 => format!("{}.{}k", n / 1000, n % 1000 / 100),
        _ => format!("{}k", n / 1000),
    }
}

fn doing(app: &App) -> Option<String> {
    if let Some(n_bytes) = app.pasting {
        return Some(format!("receiving a paste, {}", in_bytes(n_bytes)));
    }
    match &app.running {
        Running::Nothing if app.thread.branch.is_some() => Some("changing an earlier message".into()),
        Running::Nothing => None,
        Running::Call(what) => Some(format!("{what}…")),
        Running::Command(command) => {
            let seconds = app.now.saturating_sub(command.started).as_secs();
            Some(format!("running, {seconds} s, {}", in_bytes(command.n_bytes)))
        }
        Running::Answer(answer) if answer.is_unwanted => Some("stopping…".into()),
        Running::Answer(answer) => {
            let seconds = app.now.saturating_sub(answer.started).as_secs();
            Some(match answer.rate(app.now) {
                Some(rate) => format!("{rate:.0} tok/s, {seconds} s"),
                None => format!("thinking, {seconds} s"),
            })
        }
    }
}

fn hint(app: &App) -> &'static str {
    match &app.armed {
        Some((Armed::Quit, _)) => return "Ctrl+C again quits",
        Some((Armed::EditPrevious, _)) => return "Esc again changes the previous message",
        Some((Armed::CtrlX, _)) => return "Ctrl+E opens the editor",
        None => {}
    }
    match (&app.running, &app.overlay) {
        (_, Overlay::Picker(_)) => "Enter chooses · Esc closes",
        (Running::Answer(answer), _) if answer.is_unwanted => "",
        (Running::Answer(_) | Running::Command(_), _) => "Esc stops",
        (Running::Nothing, _) if app.thread.branch.is_some() => "Enter branches off · Esc cancels",
        (Running::Nothing, Overlay::None) if app.composer.is_empty() => "? keys · / commands",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn token_counts_are_short() {
        let shown: Vec<String> = [7, 999, 1000, 1234, 8192, 131_072].into_iter().map(in_tokens).collect();
        assert_eq!(shown, ["7", "999", "1k", "1.2k", "8.1k", "131k"]);
    }
}
