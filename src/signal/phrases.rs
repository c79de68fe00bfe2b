//! Tables of phrases, as text files, and where they stand in a text.
//!
//! A line is one phrase of words: `a|b` either word, `word?` may be missing, `_` any word, `<flag>` an option, `...` up
//! to four words of the same clause, `,` a clause begins here. A phrase stands at the start of a clause, behind words
//! that only lead in; with `~` in front anywhere; with `=` it is the whole text. `$` behind: the clause ends there.
//! `= NAME STRENGTH` begins a section, `#` a comment. Of phrases that overlap the one with more words counts.

use std::ops::Range;

use super::normal::{Word, folded};

/// Words before or behind a phrase that change nothing.
const LEADS: &str = "oh ok okay hm hmm mhm ah aha well so hey hi hello sorry um uh please pls plz just and but then yes yep yeah \
    actually really ugh argh oops chela bitte aber also ach ja na nur und dann mais et alors oui ben bon pero y entonces \
    si por favor hola bueno no nope nah nein non though however instead like i think guess afraid im thats je trouve \
    that this it is was its first still honestly frankly sadly unfortunately leider lol haha now only";
const TRAILS: &str = "please pls plz thanks thank you so much very thx ty bitte danke merci gracias now then here again mate man \
    dude bro buddy chela lol haha :) ;) :d <3 stp sil te plait vous por favor though tho indeed really all at today already \
    everyone actually ok okay right wirklich jetzt hier maintenant ahora :( :-( :-) to me for yes ja oui si";

/// Longest gap, in words.
const GAP: usize = 4;

/// One phrase of a table.
#[derive(Debug)]
pub(super) struct Phrase<'a> {
    pub(super) section: &'a str,
    pub(super) strength: f32,
    atoms: Vec<Atom>,
    place: Place,
    ends_clause: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Clause,
    Anywhere,
    Whole,
}

#[derive(Debug)]
enum Atom {
    OneOf(Vec<String>, Need),
    Any,
    Flag,
    Gap,
    ClauseStart,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Need {
    Must,
    May,
}

/// Where a phrase was found.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Hit<'a> {
    pub(super) section: &'a str,
    pub(super) strength: f32,
    /// Indices of words.
    pub(super) words: Range<usize>,
    /// How many of the words the table names; the rest are gaps.
    named: usize,
}

impl Hit<'_> {
    /// The bytes of the text that it covers.
    pub(super) fn span(&self, words: &[Word]) -> Range<usize> {
        let start = words.get(self.words.start).map_or(0, |word| word.span.start);
        let end = self
            .words
            .end
            .checked_sub(1)
            .and_then(|last| words.get(last))
            .map_or(start, |word| word.span.end);
        start..end
    }
}

/// The phrases of a table. A section without a readable strength gets 0; a test sees to it that there is none.
pub(super) fn parse(table: &str) -> Vec<Phrase<'_>> {
    let mut section = ("", 0.0);
    let mut phrases = Vec::new();
    for line in table.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if let Some((name, strength)) = line.strip_prefix("= ").and_then(|heading| heading.split_once(' ')) {
            section = (name, strength.trim().parse().unwrap_or(0.0));
        } else {
            phrases.push(phrase(section, line));
        }
    }
    phrases
}

fn phrase<'a>((section, strength): (&'a str, f32), line: &str) -> Phrase<'a> {
    let (place, line) = match (line.strip_prefix('~'), line.strip_prefix('=')) {
        (Some(rest), _) => (Place::Anywhere, rest),
        (_, Some(rest)) => (Place::Whole, rest),
        _ => (Place::Clause, line),
    };
    let (line, ends_clause) = line.strip_suffix('$').map_or((line, false), |rest| (rest, true));
    Phrase { section, strength, atoms: line.split_whitespace().map(atom).collect(), place, ends_clause }
}

fn atom(text: &str) -> Atom {
    match text {
        "_" => Atom::Any,
        "<flag>" => Atom::Flag,
        "..." => Atom::Gap,
        "," => Atom::ClauseStart,
        _ => {
            let (body, need) = text.strip_suffix('?').map_or((text, Need::Must), |body| (body, Need::May));
            Atom::OneOf(body.split('|').map(folded).collect(), need)
        }
    }
}

/// Phrases found in the words, first to last, none overlapping.
pub(super) fn hits<'a>(words: &[Word], phrases: &[Phrase<'a>]) -> Vec<Hit<'a>> {
    let mut found: Vec<Hit<'a>> = Vec::new();
    for at in 0..words.len() {
        let opens = opens_clause(words, at);
        let whole = opens && (0..at).all(|before| words.get(before).is_some_and(is_lead));
        for phrase in phrases {
            let named = phrase.atoms.iter().filter(|atom| matches!(atom, Atom::OneOf(..))).count();
            let stands = match phrase.place {
                Place::Anywhere => true,
                Place::Clause => opens,
                Place::Whole => whole,
            };
            if let Some(end) = stands.then(|| longest(phrase, words, at)).flatten() {
                found.push(Hit { section: phrase.section, strength: phrase.strength, words: at..end, named });
            }
        }
    }
    // Longer first; of equal ones the earlier, then the stronger.
    found.sort_by(|a, b| {
        (b.words.len().cmp(&a.words.len()))
            .then(a.words.start.cmp(&b.words.start))
            .then(b.named.cmp(&a.named))
            .then(b.strength.total_cmp(&a.strength))
    });
    let mut kept: Vec<Hit<'a>> = Vec::new();
    for hit in found {
        if kept.iter().all(|other| other.words.end <= hit.words.start || hit.words.end <= other.words.start) {
            kept.push(hit);
        }
    }
    kept.sort_by_key(|hit| hit.words.start);
    kept
}

/// Whether the word begins a clause, but for words that only lead in.
fn opens_clause(words: &[Word], at: usize) -> bool {
    let mut at = at;
    loop {
        let Some(word) = words.get(at) else { return false };
        if word.starts
            || matches!(
                word.text.as_str(),
                "but" | "aber" | "mais" | "pero" | "thanks" | "thank" | "thx" | "danke" | "merci" | "gracias"
            )
        {
            return true;
        }
        match at.checked_sub(1).and_then(|before| words.get(before)) {
            Some(before) if is_lead(before) => at -= 1,
            _ => return false,
        }
    }
}

fn longest(phrase: &Phrase<'_>, words: &[Word], at: usize) -> Option<usize> {
    let mut ends = Vec::new();
    ends_of(&phrase.atoms, words, at, &mut ends);
    ends.retain(|&end| end > at);
    if phrase.ends_clause {
        ends.retain(|&end| closes_clause(words, end));
    }
    if phrase.place == Place::Whole {
        ends.retain(|&end| words.iter().skip(end).all(is_trail));
    }
    ends.into_iter().max()
}

/// Every index at which the atoms can end when they begin at `at`.
fn ends_of(atoms: &[Atom], words: &[Word], at: usize, ends: &mut Vec<usize>) {
    let Some((first, rest)) = atoms.split_first() else {
        ends.push(at);
        return;
    };
    let word = words.get(at);
    match first {
        Atom::OneOf(options, need) => {
            if word.is_some_and(|word| options.iter().any(|option| is_one(option, word))) {
                ends_of(rest, words, at + 1, ends);
            }
            if *need == Need::May {
                ends_of(rest, words, at, ends);
            }
        }
        Atom::Any if word.is_some_and(|word| is_one("_", word)) => ends_of(rest, words, at + 1, ends),
        Atom::Flag if word.is_some_and(|word| is_one("<flag>", word)) => {
            ends_of(rest, words, at + 1, ends);
        }
        Atom::ClauseStart if word.is_some_and(|word| word.starts) => ends_of(rest, words, at, ends),
        Atom::Gap => {
            for skipped in 0..=GAP {
                let next = at + skipped;
                if skipped > 0 && words.get(next - 1).is_none_or(|word| skipped > 1 && word.starts) {
                    break;
                }
                ends_of(rest, words, next, ends);
            }
        }
        Atom::Any | Atom::Flag | Atom::ClauseStart => {}
    }
}

/// Whether a word is what the table writes: itself, any that says something, or an option.
fn is_one(option: &str, word: &Word) -> bool {
    match option {
        "_" => !is_trail(word),
        "<flag>" => word.text.starts_with('-') && word.text.len() > 1,
        option => word.text == option,
    }
}

fn closes_clause(words: &[Word], end: usize) -> bool {
    for word in words.iter().skip(end) {
        if word.starts || matches!(word.text.as_str(), "but" | "aber" | "mais" | "pero") {
            return true;
        }
        if !is_trail(word) {
            return false;
        }
    }
    true
}

/// Whether the word changes nothing, before or behind a phrase.
pub(super) fn is_filler(word: &Word) -> bool {
    is_lead(word) || is_trail(word)
}

fn is_lead(word: &Word) -> bool {
    LEADS.split_whitespace().any(|lead| lead == word.text)
}

fn is_trail(word: &Word) -> bool {
    TRAILS.split_whitespace().any(|trail| trail == word.text)
}

#[cfg(test)]
mod tests {
    use super::super::normal::words;
    use super::*;

    #[track_caller]
    fn check(pattern: &str, text: &str, expected: Option<&str>) {
        let table = format!("= rule 0.5\n{pattern}");
        let words = words(text);
        let found = hits(&words, &parse(&table)).first().map(|hit| hit.span(&words));
        assert_eq!(found.map(|span| &text[span]), expected, "{pattern:?} in {text:?}");
    }

    #[test]
    fn a_phrase_stands_at_the_start_of_a_clause() {
        check("use _", "No, use rg!", Some("use rg"));
        check("use _", "but please use rg", Some("use rg"));
        check("use _", "how do I use rg", None);
        check("~use _", "how do I use rg", Some("use rg"));
        check("=works", "ok, works now", Some("works"));
        check("=works", "works on my machine", None);
    }

    #[test]
    fn words_may_vary_be_missing_or_stand_between() {
        check("that|it is|was not? right", "It was right", Some("It was right"));
        check("that|it is|was not? right", "that is not right", Some("that is not right"));
        check("you ... file", "you have lost my file", Some("you have lost my file"));
        check("you ... file", "you won, my file", None);
        check("add <flag>", "add --color", Some("add --color"));
        check("add <flag>", "add color", None);
        check("not _ , _", "not grep, rg", Some("not grep, rg"));
        check("not _ , _", "not so fast", None);
        check("good $", "good morning", None);
        check("good $", "good, thanks", Some("good"));
    }

    #[test]
    fn the_longer_of_two_counts() {
        let table = "= bad 0.5\nbad\n= good 0.5\nnot bad";
        let words = words("not bad");
        let found: Vec<&str> = hits(&words, &parse(table)).iter().map(|hit| hit.section).collect();
        assert_eq!(found, ["good"]);
    }
}
