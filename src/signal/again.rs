//! Whether a reply asks the same thing again: a retry of the client, the person's repetition, other words for it, or
//! something new.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use super::normal::{Word, words};
use super::words::opens_request;
use super::{Answered, Evidence, Says, Signal};

/// The same text within this time was sent by a client that retries, or by a finger that slipped.
const RETRY_MS: u64 = 5_000;
/// Share of common words from which two requests are about the same.
const ALIKE: f32 = 0.5;

/// Frames in which a request is said again.
const AGAIN: &str = "i said|i asked|again|once more|my question was|i repeat|what i asked|let me say it again|you did not answer|hello|no|\
    as i said|nochmal|noch einmal|ich sagte|meine frage war|encore une fois|j'ai dit|je répète|otra vez|he dicho|repito|just|please|try again";

/// Whether the reply has content words in common with the request or the answer.
pub(super) fn is_related(answered: &Answered<'_>, reply: &[Word]) -> bool {
    let reply = content(reply);
    let known: BTreeSet<String> =
        content(&words(answered.request)).union(&content(&words(answered.answer))).cloned().collect();
    reply.intersection(&known).next().is_some()
}

/// The same text at once: nothing can be concluded.
pub(super) fn retried(answered: &Answered<'_>, reply: &[Word]) -> Option<Signal> {
    let at_once = answered.after_ms.is_some_and(|ms| ms <= RETRY_MS);
    (at_once && !reply.is_empty() && same(reply, &words(answered.request)))
        .then(|| signal("request.retried", Says::Nothing, 1.0, reply))
}

/// What asking again, or not, says of the answer.
pub(super) fn asked(answered: &Answered<'_>, reply: &[Word]) -> Option<Signal> {
    let request = words(answered.request);
    if reply.is_empty() || request.is_empty() {
        return None;
    }
    if same(reply, &request) || repeats(reply, &request) {
        return Some(signal("request.repeated", Says::Bad, 0.85, reply));
    }
    if answered.earlier.iter().any(|earlier| same(reply, &words(earlier))) {
        return Some(signal("request.earlier", Says::Nothing, 0.6, reply));
    }
    compared(answered, reply, &request)
}

/// Share of two texts' content words that they have in common, 0 to 1.
#[expect(clippy::cast_precision_loss, reason = "counts of words in a message")]
pub(super) fn likeness(a: &[Word], b: &[Word]) -> f32 {
    let (a, b) = (content(a), content(b));
    let common = a.intersection(&b).count();
    let all = a.union(&b).count();
    if all == 0 { 0.0 } else { common as f32 / all as f32 }
}

fn compared(answered: &Answered<'_>, reply: &[Word], request: &[Word]) -> Option<Signal> {
    let (new, old) = (content(reply), content(request));
    let added: Vec<&String> = new.difference(&old).collect();
    let dropped: Vec<&String> = old.difference(&new).collect();
    let common = new.intersection(&old).count();
    let alike = likeness(reply, request);
    if common >= 2 && added.is_empty() && dropped.len() <= common {
        return Some(signal("request.rephrased", Says::Bad, 0.65, reply));
    }
    if common >= 2 && dropped.is_empty() && added.len() <= common + 2 {
        return Some(signal("request.refined", Says::Bad, 0.6, reply));
    }
    if common >= 2 && alike >= ALIKE {
        // Another file, number or name in the same words is the next task of its kind.
        return Some(if added.len() == 1 && dropped.len() == 1 || added.iter().any(|word| is_value(word)) {
            signal("request.sibling", Says::Nothing, 0.6, reply)
        } else {
            signal("request.rephrased", Says::Bad, 0.5, reply)
        });
    }
    let is_new = opens_request(reply) && new.len() >= 2 && !is_related(answered, reply);
    is_new.then(|| signal("request.new", Says::Nothing, 0.75, reply))
}

/// The request behind a frame such as "I said: …", or before "again".
fn repeats(reply: &[Word], request: &[Word]) -> bool {
    static FRAMES: LazyLock<Vec<Vec<Word>>> =
        LazyLock::new(|| AGAIN.split('|').map(|frame| words(frame.trim())).collect());
    FRAMES.iter().any(|frame| {
        let n = frame.len();
        let framed = reply.len() == request.len() + n && request.len() > 1;
        framed
            && (same(reply.get(..n).unwrap_or_default(), frame)
                && same(reply.get(n..).unwrap_or_default(), request)
                || same(reply.get(request.len()..).unwrap_or_default(), frame)
                    && same(reply.get(..request.len()).unwrap_or_default(), request))
    })
}

fn same(a: &[Word], b: &[Word]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.text == b.text)
}

/// Words that carry what is asked, without those that stand in every sentence; plurals cut.
fn content(words: &[Word]) -> BTreeSet<String> {
    static COMMON: LazyLock<BTreeSet<String>> = LazyLock::new(|| {
        let table = include_str!("../../assets/signals/common.txt");
        table
            .lines()
            .filter(|line| !line.starts_with('#'))
            .flat_map(str::split_whitespace)
            .map(super::normal::folded)
            .collect()
    });
    let carrying = words.iter().filter(|word| !word.is_quoted() && !COMMON.contains(&word.text));
    carrying.map(|word| stem(&word.text).to_owned()).collect()
}

fn stem(word: &str) -> &str {
    if word.chars().count() > 4 { word.strip_suffix('s').unwrap_or(word) } else { word }
}

/// A file, a path, a number: what changes from one task to the next of its kind.
fn is_value(word: &str) -> bool {
    word.chars().any(|letter| letter.is_ascii_digit() || matches!(letter, '/' | '.' | '_' | '@'))
}

fn signal(rule: &str, says: Says, strength: f32, reply: &[Word]) -> Signal {
    let start = reply.first().map_or(0, |word| word.span.start);
    let end = reply.last().map_or(start, |word| word.span.end);
    Signal {
        rule: rule.into(),
        says,
        evidence: Evidence::Replacement,
        strength,
        span: start..end,
        is_directive: false,
    }
}
