//! What the words of a reply say of the answer: tables of phrases in four languages, and who wins when they disagree.
//!
//! A correction beats praise around it ("thanks, but use rg"); after praise, damage is sarcasm; of praise and blame the
//! one behind a "but" counts. What stands inside a new request is not said of the answer. Phrases: `assets/signals/`.

use std::ops::Range;
use std::sync::LazyLock;

use super::normal::Word;
use super::phrases::{Hit, Phrase, hits, is_filler, parse};
use super::{Evidence, Says, Signal};

static PHRASES: LazyLock<Vec<Phrase<'static>>> = LazyLock::new(|| {
    [
        include_str!("../../assets/signals/words.en.txt"),
        include_str!("../../assets/signals/words.de.txt"),
        include_str!("../../assets/signals/words.fr.txt"),
        include_str!("../../assets/signals/words.es.txt"),
    ]
    .into_iter()
    .flat_map(parse)
    .collect()
});

/// Words that a request begins with.
const REQUESTS: &str = include_str!("../../assets/signals/requests.txt");
/// Longest clause, in words, in which `use X` alone is taken for a correction and not for a request.
const BARE_CLAUSE: usize = 6;

/// The signals of a reply's words. `is_related`: whether the reply has to do with what was asked before.
pub(super) fn said(words: &[Word], is_related: bool) -> Vec<Signal> {
    let found = meant(words, is_related);
    let of = |sections: &[&str]| -> Vec<&Hit<'static>> {
        found.iter().filter(|hit| sections.contains(&hit.section)).collect()
    };
    let directives = of(&["correct", "bare", "standing"]);
    let bad = of(&["wrong", "tone", "complaint"]);
    let redo = of(&["undo", "again"]);
    let good = of(&["thanks", "praise", "accept"]);
    let neutral = of(&["question", "wait", "stop", "changed"]);

    let mut signals = if !directives.is_empty() {
        directed(words, &directives, &bad, &good, &neutral)
    } else if !redo.is_empty() || !bad.is_empty() {
        blamed(words, &bad, &redo, &good)
    } else if is_only_accepted(&good) && !neutral.is_empty() {
        Vec::new()
    } else {
        praised(words, &good)
    };
    if signals.is_empty() {
        let doubted = of(&["why"]);
        signals.extend(strongest(&doubted).map(|hit| signal(words, hit, Says::Bad)));
    }
    if signals.is_empty() {
        signals.extend(strongest(&neutral).map(|hit| signal(words, hit, Says::Nothing)));
    }
    signals
}

/// An option that the answer lacks, named in a few words: "where is --dry-run?", "rm -i".
pub(super) fn missing_option(words: &[Word], answer: &str) -> Option<Signal> {
    let asks_what = words
        .first()
        .is_some_and(|word| matches!(word.text.as_str(), "what" | "how" | "was" | "wie" | "que" | "como"));
    let option = words.iter().find(|word| {
        word.text.trim_start_matches('-').starts_with(char::is_alphabetic) && word.text.starts_with('-')
    })?;
    let is_there = answer.split_whitespace().any(|word| word.eq_ignore_ascii_case(&option.text));
    let names_program = answer.split_whitespace().any(|word| words.iter().any(|said| said.text == word));
    let is_short =
        words.len() <= 3 || words.len() <= 8 && (names_program || words.iter().any(|word| word.asks));
    (is_short && !is_there && !asks_what).then(|| Signal {
        rule: "words.option".into(),
        says: Says::Bad,
        evidence: Evidence::Explicit,
        strength: 0.7,
        span: option.span.clone(),
        is_directive: true,
    })
}

/// Whether the text begins like a request of its own: a verb of doing, or a question.
pub(super) fn opens_request(words: &[Word]) -> bool {
    opening(words).and_then(|at| words.get(at)).is_some_and(|word| is_request(&word.text))
}

/// The phrases that are said of the answer, without those that only sound like it.
fn meant(words: &[Word], is_related: bool) -> Vec<Hit<'static>> {
    let start = opening(words).filter(|&at| words.get(at).is_some_and(|word| is_request(&word.text)));
    let mut found = hits(words, &PHRASES);
    let praised_first = found.first().is_some_and(|hit| start.is_none_or(|at| hit.words.start < at));
    found.retain(|hit| {
        let follows_question =
            hit.words.start.checked_sub(1).and_then(|at| words.get(at)).is_some_and(|word| word.asks);
        let is_own_clause = match (hit.section, start) {
            ("correct" | "bare", _) if follows_question => true,
            (_, None) | ("standing", _) => true,
            ("correct" | "wrong" | "complaint" | "undo" | "again", Some(at)) => {
                is_related || hit.words.start <= at
            }
            (_, Some(at)) => hit.words.start <= at,
        };
        let is_question = matches!(hit.section, "thanks" | "praise" | "accept") && is_asked(words, hit);
        let is_long = hit.section == "bare" && clause_from(words, hit.words.start).len() > BARE_CLAUSE;
        let is_next_task = hit.section == "bare" && praised_first && !is_related && hit.words.start > 0;
        // "use yarn to add x" and "reboot please" ask for something.
        let is_task = hit.section == "bare"
            && (words
                .get(hit.words.end)
                .is_some_and(|word| matches!(word.text.as_str(), "to" | "um" | "pour" | "para"))
                || words.get(hit.words.start).is_some_and(|word| is_request(&word.text)));
        let is_far = is_next_task && clause_from(words, hit.words.start).len() > 3;
        is_own_clause && !(is_task || is_question || is_long || is_far)
    });
    let polite: Vec<bool> = found.iter().map(|hit| is_after_other_words(words, hit, &found)).collect();
    let mut polite = polite.into_iter();
    found.retain(|_| !polite.next().unwrap_or(false));
    found
}

/// Whether thanks only close a text that says something else: politeness, and no praise.
fn is_after_other_words(words: &[Word], hit: &Hit<'_>, all: &[Hit<'_>]) -> bool {
    let unsaid = words
        .iter()
        .take(hit.words.start)
        .enumerate()
        .filter(|(at, word)| !is_filler(word) && all.iter().all(|other| !other.words.contains(at)));
    matches!(hit.section, "thanks" | "accept") && unsaid.count() > 0
}

/// A correction, with what else is blamed.
fn directed(
    words: &[Word],
    directives: &[&Hit<'static>],
    bad: &[&Hit<'static>],
    good: &[&Hit<'static>],
    neutral: &[&Hit<'static>],
) -> Vec<Signal> {
    let Some(best) = strongest(directives) else { return Vec::new() };
    let changed_mind = neutral.iter().any(|hit| hit.section == "changed");
    let confirms = best.section == "standing" && bad.is_empty() && !good.is_empty() && says_like_that(words);
    let says = match (changed_mind, confirms) {
        (true, _) => Says::Nothing,
        (_, true) => Says::Good,
        _ => Says::Bad,
    };
    let mut correction = signal(words, best, says);
    let end = clause_from(words, best.words.end.saturating_sub(1)).end;
    correction.span.end = words.get(end.saturating_sub(1)).map_or(correction.span.end, |word| word.span.end);
    if says != Says::Bad {
        return vec![correction];
    }
    // "That's wrong, use rg": each makes the other surer.
    correction.strength = if bad.is_empty() { correction.strength } else { 0.97 };
    let mut signals = vec![correction];
    signals.extend(strongest(bad).map(|hit| signal(words, hit, Says::Bad)));
    signals
}

/// Praise; with a "but" and more behind it, it was a correction in words that no table knows.
fn praised(words: &[Word], good: &[&Hit<'static>]) -> Vec<Signal> {
    let but = good.iter().find_map(|hit| objection(words, hit.words.end));
    if let Some(span) = but {
        let (rule, evidence) = ("words.but".to_owned(), Evidence::Explicit);
        return vec![Signal { rule, says: Says::Bad, evidence, strength: 0.65, span, is_directive: true }];
    }
    strongest(good).map(|hit| signal(words, hit, Says::Good)).into_iter().collect()
}

/// What follows a "but" right behind praise.
fn objection(words: &[Word], from: usize) -> Option<Range<usize>> {
    let at =
        (from..words.len()).find(|&at| words.get(at).is_some_and(|word| !is_filler(word) || is_but(word)))?;
    let rest = words.get(at + 1..).filter(|rest| rest.iter().any(|word| !is_filler(word)))?;
    let but = words.get(at).filter(|word| is_but(word))?;
    Some(but.span.start..rest.last()?.span.end)
}

fn is_but(word: &Word) -> bool {
    matches!(
        word.text.as_str(),
        "but" | "except" | "only" | "however" | "aber" | "nur" | "mais" | "sauf" | "pero" | "salvo"
    )
}

/// Blame, redoing and praise without a correction.
fn blamed(
    words: &[Word],
    bad: &[&Hit<'static>],
    redo: &[&Hit<'static>],
    good: &[&Hit<'static>],
) -> Vec<Signal> {
    let last_good = good.iter().filter(|hit| hit.section != "accept").map(|hit| hit.words.start).max();
    let last_bad = bad.iter().chain(redo).map(|hit| hit.words.start).max().unwrap_or(0);
    if let (true, Some(at)) = (redo.is_empty(), last_good) {
        let only_a_no = bad.iter().all(|hit| hit.words.len() == 1 && is_no(words, hit));
        if at > last_bad && (only_a_no || turns(words, last_bad..at)) {
            let praise = good.iter().rev().find(|hit| hit.words.start == at);
            return praise.map(|hit| weakened(signal(words, hit, Says::Good), 0.75)).into_iter().collect();
        }
    }
    let mut signals: Vec<Signal> =
        strongest(redo).map(|hit| signal(words, hit, Says::Bad)).into_iter().collect();
    if let Some(hit) = strongest(bad) {
        let mut blame = signal(words, hit, Says::Bad);
        // "No, show me a dry run first": what follows says it, in words that no table knows.
        let rest = words.iter().skip(hit.words.end).filter(|word| !is_filler(word) && !word.asks).count();
        blame.is_directive = hit.section == "wrong" && rest >= 2 && good.is_empty();
        if hit.section == "complaint" && good.iter().any(|good| good.words.start < hit.words.start) {
            "words.sarcasm".clone_into(&mut blame.rule);
            blame.evidence = Evidence::Words;
        }
        signals.push(if good.is_empty() { blame } else { weakened(blame, 0.85) });
    }
    signals
}

fn signal(words: &[Word], hit: &Hit<'_>, says: Says) -> Signal {
    let (rule, evidence) = match hit.section {
        "correct" | "bare" => ("words.correction", Evidence::Explicit),
        "standing" => ("words.standing", Evidence::Explicit),
        "wrong" => ("words.wrong", Evidence::Explicit),
        "complaint" => ("words.complaint", Evidence::Words),
        "tone" => ("words.tone", Evidence::Words),
        "undo" => ("words.undo", Evidence::Replacement),
        "again" => ("words.again", Evidence::Replacement),
        "thanks" => ("words.thanks", Evidence::Words),
        "praise" => ("words.praise", Evidence::Words),
        "accept" => ("words.acceptance", Evidence::Words),
        "why" => ("words.why", Evidence::Words),
        "question" => ("words.question", Evidence::Words),
        "wait" => ("words.waiting", Evidence::Words),
        "stop" => ("words.stop", Evidence::Words),
        _ => ("words.changed_mind", Evidence::Words),
    };
    Signal {
        rule: rule.into(),
        says,
        evidence,
        strength: hit.strength,
        span: hit.span(words),
        is_directive: matches!(hit.section, "correct" | "bare" | "standing"),
    }
}

fn weakened(signal: Signal, factor: f32) -> Signal {
    Signal { strength: signal.strength * factor, ..signal }
}

/// The strongest, of equal ones the longest.
fn strongest<'a>(hits: &[&'a Hit<'static>]) -> Option<&'a Hit<'static>> {
    hits.iter()
        .copied()
        .max_by(|a, b| a.strength.total_cmp(&b.strength).then(a.words.len().cmp(&b.words.len())))
}

fn is_only_accepted(good: &[&Hit<'static>]) -> bool {
    good.iter().all(|hit| hit.section == "accept")
}

/// Index of the first word that begins a request in the first clauses, behind greetings, thanks and the like.
fn opening(words: &[Word]) -> Option<usize> {
    (0..words.len().min(12)).find(|&at| {
        let is_first = (0..=at).rev().find_map(|back| {
            let word = words.get(back)?;
            let is_polite = back == at
                || matches!(
                    word.text.as_str(),
                    "please"
                        | "pls"
                        | "now"
                        | "and"
                        | "then"
                        | "so"
                        | "also"
                        | "ok"
                        | "okay"
                        | "hi"
                        | "hey"
                        | "thanks"
                        | "next"
                        | "jetzt"
                        | "und"
                        | "bitte"
                        | "ahora"
                        | "y"
                        | "et"
                        | "maintenant"
                );
            if is_polite { word.starts.then_some(true) } else { Some(false) }
        });
        // "Close, but …" asks for nothing.
        let goes_on = words.get(at + 1).is_none_or(|next| !next.starts && !is_but(next));
        is_first == Some(true) && goes_on && words.get(at).is_some_and(|word| is_request(&word.text))
    })
}

fn is_request(word: &str) -> bool {
    static WORDS: LazyLock<Vec<String>> = LazyLock::new(|| {
        let lines = REQUESTS.lines().filter(|line| !line.starts_with('#'));
        lines.flat_map(str::split_whitespace).map(super::normal::folded).collect()
    });
    WORDS.iter().any(|known| known == word)
}

/// The words of the clause from this one on.
fn clause_from(words: &[Word], start: usize) -> Range<usize> {
    let end = (start + 1..words.len()).find(|&at| words.get(at).is_some_and(|word| word.starts));
    start..end.unwrap_or(words.len())
}

fn is_asked(words: &[Word], hit: &Hit<'_>) -> bool {
    let last = hit.words.end.saturating_sub(1);
    clause_from(words, last).any(|at| words.get(at).is_some_and(|word| word.asks))
}

fn is_no(words: &[Word], hit: &Hit<'_>) -> bool {
    let word = words.get(hit.words.start).map(|word| word.text.as_str());
    matches!(word, Some("no" | "nope" | "nah" | "nein" | "nee" | "non"))
}

/// Whether the tone turns between two words: what comes behind counts.
fn turns(words: &[Word], between: Range<usize>) -> bool {
    words.iter().skip(between.start).take(between.len() + 1).any(|word| {
        matches!(
            word.text.as_str(),
            "but"
                | "now"
                | "finally"
                | "yours"
                | "then"
                | "aber"
                | "jetzt"
                | "mais"
                | "maintenant"
                | "pero"
                | "ahora"
                | "yet"
                | "nevertheless"
        )
    })
}

fn says_like_that(words: &[Word]) -> bool {
    words.windows(2).any(|pair| {
        let pair: Vec<&str> = pair.iter().map(|word| word.text.as_str()).collect();
        matches!(
            pair.as_slice(),
            ["like", "that" | "this"]
                | ["this", "way"]
                | ["comme", "ca"]
                | ["genau" | "immer", "so"]
                | ["so", "machen"]
                | [_, "asi"]
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_phrase_of_the_tables_stands_in_a_known_section() {
        let known = [
            "thanks",
            "praise",
            "accept",
            "wrong",
            "tone",
            "complaint",
            "undo",
            "again",
            "correct",
            "bare",
            "standing",
            "why",
            "question",
            "wait",
            "stop",
            "changed",
        ];
        assert!(PHRASES.len() > 1000, "{}", PHRASES.len());
        for phrase in PHRASES.iter() {
            assert!(
                known.contains(&phrase.section) && phrase.strength > 0.0 && phrase.strength <= 1.0,
                "{phrase:?}"
            );
        }
    }
}
