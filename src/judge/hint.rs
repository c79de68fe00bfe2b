//! Hints: what a person's words or edit ask to be done differently, as one short imperative sentence.
//!
//! What lives here: the two ways to a hint (rules first, the model's sentence second) and what makes one acceptable.
//! What does not: scopes and the life of lessons (`lesson`).
//!
//! What always holds: a hint needs [`HumanWords`]; each of its words is a person's, the request's, the answer's, or one
//! of a fixed list; it holds no secret and no order to drop a rule. Quoted blocks inside a message are not the person's.

mod command;
mod directive;
mod edit;
mod grounds;
mod meaning;
mod phrases;
mod rows;
mod wishes;
mod words;

use serde::{Deserialize, Serialize};

use super::{Case, Judge, JudgeError};
use crate::turn::next_state::{HumanWords, NextState};

/// Longest hint, in characters.
pub const MAX_CHARS: usize = 160;
/// What the model says where there is nothing to learn.
const NONE: &str = "none";

/// What should have been done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hint {
    /// Imperative, one line, at most [`MAX_CHARS`] characters: `use fd instead of find`.
    pub text: String,
    /// Worth a lesson. Else it was about this one answer (`I meant Q3`): good for training, of no use later.
    pub lasting: bool,
    /// `hint.swap`, `hint.flag`, …, or `hint.model`.
    pub rule: String,
    /// The program that it is about, if it is about one.
    pub program: Option<String>,
}

/// What came of looking for a hint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Drawn {
    Hint(Hint),
    Refused {
        text: String,
        why: Refusal,
    },
    /// The person asked for nothing that could be done differently.
    Nothing,
}

/// Why a sentence is no hint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("it is longer than {MAX_CHARS} characters")]
    TooLong,
    #[error("it does not say what to do")]
    NotImperative,
    #[error("it puts nothing in another's place")]
    NoSwap,
    #[error("it only repeats the request")]
    RepeatsRequest,
    #[error("nobody said \"{0}\"")]
    Invented(String),
    #[error("nothing in the person's words asks for it")]
    Unasked,
    #[error("it holds what looks like a secret")]
    Secret,
    #[error("it asks to drop a rule or to act without asking")]
    Disobedient,
}

/// Looks for a hint: by rule, then by the model. Only a person's words are looked at; with a program's output, a page or
/// a tool's result as next state nothing is drawn and the model is not asked.
pub fn draw(case: &Case<'_>, judge: &mut dyn Judge) -> Result<Drawn, JudgeError> {
    let Some(words) = case.next.human_words() else { return Ok(Drawn::Nothing) };
    if words.text().trim().is_empty() {
        return Ok(Drawn::Nothing);
    }
    if let Some(found) = by_rule(case, words) {
        return Ok(found);
    }
    let Some(text) = judge.hint(case)? else { return Ok(Drawn::Nothing) };
    Ok(match accept(&text, case, words) {
        Ok(hint) => Drawn::Hint(hint),
        Err(why) => Drawn::Refused { text: text.trim().to_owned(), why },
    })
}

/// What plain directives and edits say, without a model. `None`: no rule fits.
pub fn by_rule(case: &Case<'_>, words: HumanWords<'_>) -> Option<Drawn> {
    let found = match case.next {
        NextState::Edit { text } => edit::hint(case.answer, text),
        _ => directive::hint(case, words.text()),
    }?;
    Some(match safe(&found.text).and_then(|()| swaps(&found.text)) {
        Ok(()) => Drawn::Hint(found),
        Err(why) => Drawn::Refused { text: found.text, why },
    })
}

/// The model's sentence as a hint, if it is one and the person's words carry it.
pub fn accept(text: &str, case: &Case<'_>, words: HumanWords<'_>) -> Result<Hint, Refusal> {
    let text = normal_form(text);
    safe(&text)?;
    if !meaning::is_imperative(&text) {
        return Err(Refusal::NotImperative);
    }
    let own = grounds::own_words(words.text());
    grounds::check(&text, &own, case)?;
    swaps(&text)?;
    grounds::check_swap(&text, &own, case)?;
    Ok(Hint {
        lasting: lasts(&text, &own, case),
        program: program(&text, case),
        text,
        rule: "hint.model".to_owned(),
    })
}

/// What holds for every hint, whoever worded it.
fn safe(text: &str) -> Result<(), Refusal> {
    if text.chars().count() > MAX_CHARS {
        return Err(Refusal::TooLong);
    }
    if grounds::holds_secret(text) {
        return Err(Refusal::Secret);
    }
    if meaning::is_disobedient(text) {
        return Err(Refusal::Disobedient);
    }
    Ok(())
}

/// `use NEW instead of OLD`, or `use NEW`: refused where these are no things (`use right instead of shuf`, from "that's
/// right"), or one and the same.
fn swaps(text: &str) -> Result<(), Refusal> {
    let Some(rest) = text.strip_prefix("use ") else { return Ok(()) };
    let (new, old) = rest.split_once(" instead of ").unwrap_or((rest, ""));
    let names_things = [new, old].iter().all(|words| !phrases::is_no_thing(words));
    if names_things && new != old { Ok(()) } else { Err(Refusal::NoSwap) }
}

/// The model's line as a sentence: without its label. `None`: it says that there is nothing.
pub(super) fn spoken(line: &str) -> Option<String> {
    let line = line.trim();
    let text = line.strip_prefix("hint:").unwrap_or(line).trim();
    let bare = text.trim_end_matches(['.', '!']).to_lowercase();
    (!bare.is_empty() && bare != NONE).then(|| text.to_owned())
}

/// One line, without label, quotes, politeness and final stop; the first letter small unless the word is a name.
fn normal_form(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let line = line.strip_prefix("hint:").unwrap_or(&line).trim();
    let mut line = line.trim_matches(['"', '“', '”', '`']);
    for polite in ["please ", "Please ", "you should ", "You should ", "you must ", "You must "] {
        line = line.strip_prefix(polite).unwrap_or(line);
    }
    let line = line.trim_end_matches(['.', '!']).trim();
    let mut chars = line.chars();
    match chars.next() {
        Some(first)
            if chars.clone().next().is_some_and(char::is_lowercase)
                && meaning::is_imperative(&lowered(line)) =>
        {
            first.to_lowercase().chain(chars).collect()
        }
        _ => line.to_owned(),
    }
}

fn lowered(line: &str) -> String {
    let mut chars = line.chars();
    chars.next().map_or_else(String::new, |first| first.to_lowercase().chain(chars).collect())
}

/// A value of this answer in another's place is for this answer only, unless the person said otherwise.
fn lasts(text: &str, own: &str, case: &Case<'_>) -> bool {
    let Some((new, old)) = text.strip_prefix("use ").and_then(|rest| rest.split_once(" instead of ")) else {
        return true;
    };
    directive::swap_lasts(new, old, case) || phrases::is_for_good(own)
}

/// The program that a sentence names, if the answer runs it.
fn program(text: &str, case: &Case<'_>) -> Option<String> {
    let line = command::line(case.answer)?;
    let mut named = text.split_whitespace();
    let utilities = command::utilities(line);
    named.find(|word| utilities.contains(word)).map(str::to_owned)
}

#[cfg(test)]
mod tests;
