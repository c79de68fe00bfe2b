//! The answer in the colours of credit: what learning would push each token towards, or away from. Pure.
//!
//! Never colour alone: strong pushes stand in signed brackets, weak ones are bold (towards) or underlined (away), and
//! the figures of the strongest tokens are a key away.

use ratatui::style::{Modifier, Style};

use super::event::Effect;
use super::pane::Pane;
use super::story::Weighed;
use crate::daemon::wire::credit::{Credit, CreditBy, Push};
use crate::daemon::wire::review::ReviewRow;
use crate::tui::ansi::harmless;
use crate::tui::theme;
use crate::tui::wrap::{Cell, cells, width};

/// Tokens that are listed with their figures.
const LISTED: usize = 24;
/// Columns of a token's text in the list, unless one is wider.
const NAME: usize = 12;
const TOWARDS: Style = theme::OK.add_modifier(Modifier::BOLD);
const AWAY: Style = theme::ERROR.add_modifier(Modifier::UNDERLINED);

impl Pane {
    /// Weighs the tokens of the row's answer, or stops showing it; `lists`: with the figures of the strongest.
    pub(super) fn weigh(&mut self, row: &ReviewRow, lists: bool) -> Vec<Effect> {
        let (Some(key), Some(turn)) = (self.key(), row.turn) else {
            return self.say(Ok("a lesson without a turn has no answer to weigh".to_owned()));
        };
        self.is_in_detail = true;
        self.detail.scroll = self.row_of_answer();
        match &mut self.detail.credit {
            Some(weighed) if lists => {
                weighed.lists_tokens = !weighed.lists_tokens;
                Vec::new()
            }
            Some(_) => {
                self.detail.credit = None;
                Vec::new()
            }
            None => {
                self.detail.credit = Some(Weighed { outcome: None, lists_tokens: lists });
                vec![Effect::Weigh { key, turn, lesson: row.lesson }]
            }
        }
    }
}

/// Paragraphs: the answer, and what its colours mean. `most`: characters of the answer.
pub(super) fn paragraphs(weighed: &Weighed, response: &str, most: usize) -> Vec<Vec<Cell>> {
    let plain = |text: &str, style| cells(&harmless(text), style);
    let cut = || response.chars().take(most).collect::<String>();
    let credit = match &weighed.outcome {
        None => return vec![plain(&cut(), theme::PLAIN), plain("weighing the tokens …", theme::DIM)],
        Some(Err(reason)) => {
            return vec![plain(&cut(), theme::PLAIN), plain(&format!("no credit: {reason}"), theme::ERROR)];
        }
        Some(Ok(credit)) => credit,
    };
    let mut paragraphs = vec![answer(credit, most)];
    if credit.by != CreditBy::Nothing {
        paragraphs.push(legend(credit));
    }
    paragraphs.extend(credit.by.sentences().iter().map(|sentence| plain(sentence, theme::DIM)));
    if weighed.lists_tokens {
        paragraphs.extend(listed(credit));
    } else {
        paragraphs.push(plain("t lists the strongest tokens with their figures", theme::DIM));
    }
    paragraphs
}

fn answer(credit: &Credit, most: usize) -> Vec<Cell> {
    let (mut all, mut left) = (Vec::new(), most);
    for (push, text) in credit.marked() {
        let shown: String = text.chars().take(left).collect();
        left -= shown.chars().count();
        all.extend(cells(&harmless(&shown), style(push)));
        if left == 0 {
            all.extend(cells(" … (cut here)", theme::DIM));
            break;
        }
    }
    all
}

fn style(push: Push) -> Style {
    match push {
        Push::Towards { .. } => TOWARDS,
        Push::Away { .. } => AWAY,
        Push::Even => theme::PLAIN,
    }
}

fn legend(credit: &Credit) -> Vec<Cell> {
    let mut legend = cells("+[towards]", TOWARDS);
    legend.extend(cells(" · ", theme::DIM));
    legend.extend(cells("-[away]", AWAY));
    let bounds = match credit.by {
        CreditBy::Lessons { .. } => {
            format!(" · without brackets: a little · clipped at ±{:.2} nats", credit.gap)
        }
        CreditBy::Verdict { .. } | CreditBy::Nothing => " · the same for every token".to_owned(),
    };
    legend.extend(cells(&bounds, theme::DIM));
    legend
}

/// A line for each of the strongest tokens.
fn listed(credit: &Credit) -> Vec<Vec<Cell>> {
    let strongest = credit.strongest(LISTED);
    let names: Vec<String> = strongest.iter().map(|token| harmless(&token.named())).collect();
    let column = names.iter().map(|name| width(name)).max().unwrap_or(0).min(NAME);
    let rows = strongest.iter().zip(names).map(|(token, name)| {
        let pad = " ".repeat(column.saturating_sub(width(&name)));
        let mut row = cells(&name, style(Push::of(token.credit, credit.gap)));
        row.extend(cells(&format!("{pad} {}", token.figures()), theme::PLAIN));
        row
    });
    let (n, all) = (strongest.len(), credit.tokens.len());
    let heading = format!("{n} of {all} tokens, strongest first: teacher less student → what counts");
    std::iter::once(cells(&heading, theme::DIM)).chain(rows).collect()
}
