//! Explicit ratings: given as such, by a slash command, by stars or by a number out of another.

use super::normal::Word;
use super::{Evidence, Says, Signal};

/// The signal of a rating with its reason.
pub(super) fn rated(good: bool, note: Option<&str>) -> Signal {
    let note = note.unwrap_or_default();
    let (rule, says) = if good { ("rating.good", Says::Good) } else { ("rating.bad", Says::Bad) };
    // A reason for a bad mark is what to do differently; a reason for a good one praises.
    signal(rule, says, 0..note.len(), !good && !note.trim().is_empty())
}

/// A reply that is a command of the chat, or a mark. A reason behind it is the person's hint.
pub(super) fn commanded(text: &str, words: &[Word]) -> Option<Signal> {
    let (rest, offset) = (text.trim(), text.len() - text.trim_start().len());
    let (name, reason) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    let reason_span = || {
        let start = offset + rest.len() - reason.trim_start().len();
        if reason.trim().is_empty() { offset..offset + name.len() } else { start..offset + rest.len() }
    };
    let has_reason = !reason.trim().is_empty();
    match name.to_ascii_lowercase().as_str() {
        "/good" | "/right" | "/yes" => Some(signal("rating.good", Says::Good, reason_span(), false)),
        "/bad" | "/wrong" | "/no" => Some(signal("rating.bad", Says::Bad, reason_span(), has_reason)),
        "/teach" => Some(signal("rating.teach", Says::Nothing, reason_span(), has_reason)),
        "/undo" => Some(Signal {
            evidence: Evidence::Replacement,
            strength: 0.85,
            ..signal("words.undo", Says::Bad, offset..offset + name.len(), false)
        }),
        command if is_slash(command) => {
            let nothing = signal("words.command", Says::Nothing, offset..offset + name.len(), false);
            Some(Signal { evidence: Evidence::Words, ..nothing })
        }
        _ => marked(rest, words).map(|says| signal("rating.mark", says, offset..offset + rest.len(), false)),
    }
}

/// `8/10`, `2 out of 5`, `4 stars`, `★★★★☆`; only where the mark is the whole text.
fn marked(text: &str, words: &[Word]) -> Option<Says> {
    let small = text.to_lowercase();
    let stars = small.chars().filter(|letter| matches!(letter, '★' | '⭐')).count();
    if stars > 0 && small.chars().all(|letter| matches!(letter, '★' | '⭐' | '☆' | '\u{fe0f}' | ' ')) {
        return share(u32::try_from(stars).ok()?, 5);
    }
    if words.len() > 4 {
        return None;
    }
    let body = small
        .trim_start_matches("rating:")
        .trim()
        .trim_end_matches(['!', '.'])
        .replace(" out of ", "/")
        .replace(" von ", "/");
    let stars = ["stars", "star", "sterne", "stern", "étoiles", "étoile", "estrellas", "estrella"];
    if let Some(number) = stars.iter().find_map(|word| body.strip_suffix(word)) {
        return share(number.trim().parse().ok()?, 5);
    }
    let (given, most) = body.split_once('/')?;
    match (given.trim().parse().ok()?, most.trim().parse().ok()?) {
        (given, most @ (5 | 10 | 20 | 100)) if given <= most => share(given, most),
        _ => None,
    }
}

fn share(given: u32, most: u32) -> Option<Says> {
    let percent = given.checked_mul(100)?.checked_div(most)?;
    Some(match percent {
        0..=40 => Says::Bad,
        41..=69 => Says::Nothing,
        _ => Says::Good,
    })
}

/// A command, and not a path such as `/etc/hosts`.
fn is_slash(word: &str) -> bool {
    word.strip_prefix('/')
        .is_some_and(|name| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase()))
}

fn signal(rule: &str, says: Says, span: std::ops::Range<usize>, is_directive: bool) -> Signal {
    Signal { rule: rule.into(), says, evidence: Evidence::Explicit, strength: 1.0, span, is_directive }
}
