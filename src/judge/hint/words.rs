//! A message as sentences of words, and patterns over them. Pure.
//!
//! A pattern is a row of words: `use B instead|statt of? A`. A small word stands for itself, `|` parts alternatives,
//! `?` behind it makes it optional, and a single capital is a slot that takes one or more words that fit it.

/// Longest message that is read, and longest sentence: what is longer is no plain directive.
const MAX_SENTENCES: usize = 40;
const MAX_WORDS: usize = 40;
/// Most words that a slot takes.
const MAX_SLOT: usize = 3;

/// One word as it was written, without the marks around it, and in small letters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Word<'a> {
    pub(super) text: &'a str,
    pub(super) folded: String,
    /// A comma, a colon or a dash stands behind it.
    pub(super) pauses: bool,
}

/// A sentence, and whether it is a question.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Sentence<'a> {
    pub(super) words: Vec<Word<'a>>,
    pub(super) is_question: bool,
}

/// What the slots of a pattern took.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Slots<'a>(Vec<(char, Vec<&'a str>)>);

impl Slots<'_> {
    /// The words of a slot, joined by blanks.
    pub(super) fn get(&self, slot: char) -> Option<String> {
        self.0.iter().find(|(name, _)| *name == slot).map(|(_, words)| words.join(" "))
    }
}

/// The sentences of a text.
pub(super) fn sentences(text: &str) -> Vec<Sentence<'_>> {
    let mut found = Vec::new();
    for line in text.lines() {
        let mut open = Sentence::default();
        for raw in line.split_whitespace() {
            let word = bare(raw);
            let closing = raw.trim_end_matches(['"', '\'', '”', '“', '»', '`', ')', '*']);
            let is_only_marks = word.is_empty();
            if is_only_marks {
                if let Some(last) = open.words.last_mut() {
                    last.pauses = true;
                }
            } else {
                let pauses = closing.ends_with([',', ':', '–', '—']);
                open.words.push(Word { text: word, folded: word.to_lowercase().replace('’', "'"), pauses });
            }
            if closing.ends_with(['.', '!', '?', ';']) && closing != word {
                open.is_question = closing.ends_with('?');
                found.push(std::mem::take(&mut open));
            }
        }
        found.push(open);
    }
    found.retain(|sentence| (1..=MAX_WORDS).contains(&sentence.words.len()));
    found.truncate(MAX_SENTENCES);
    found
}

/// A word without quotes, brackets and sentence marks; `.` and `..` stay what they are, and so do options.
fn bare(raw: &str) -> &str {
    if raw == "." || raw == ".." {
        return raw;
    }
    let opened =
        raw.trim_start_matches(['"', '\'', '“', '„', '”', '«', '(', '¿', '¡', '*', '`', ',', ':', '!']);
    let word = opened.trim_end_matches([
        '"', '\'', '“', '”', '»', ')', '*', '`', '.', ',', ';', ':', '!', '?', '…', '–', '—',
    ]);
    if word.chars().all(|c| "-–—=>/&|".contains(c)) { "" } else { word }
}

/// Matches the whole of `words`. `fits` says whether a slot may take these words.
pub(super) fn matched<'a>(
    pattern: &str,
    words: &[Word<'a>],
    fits: &dyn Fn(char, &[Word<'a>]) -> bool,
) -> Option<Slots<'a>> {
    let parts: Vec<&str> = pattern.split_whitespace().collect();
    let mut slots = Slots::default();
    step(&parts, words, fits, &mut slots).then_some(slots)
}

fn step<'a>(
    parts: &[&str],
    words: &[Word<'a>],
    fits: &dyn Fn(char, &[Word<'a>]) -> bool,
    slots: &mut Slots<'a>,
) -> bool {
    let Some((part, rest)) = parts.split_first() else { return words.is_empty() };
    if let Some(slot) = slot_name(part) {
        return (1..=MAX_SLOT.min(words.len())).any(|n| {
            let (taken, left) = words.split_at(n);
            slots.0.push((slot, taken.iter().map(|word| word.text).collect()));
            let found = fits(slot, taken) && step(rest, left, fits, slots);
            if !found {
                slots.0.pop();
            }
            found
        });
    }
    let (alternatives, is_optional) = part.strip_suffix('?').map_or((*part, false), |part| (part, true));
    let takes = words.split_first().filter(|(word, _)| alternatives.split('|').any(|one| one == word.folded));
    takes.is_some_and(|(_, left)| step(rest, left, fits, slots))
        || is_optional && step(rest, words, fits, slots)
}

fn slot_name(part: &str) -> Option<char> {
    let mut chars = part.chars();
    let first = chars.next().filter(char::is_ascii_uppercase)?;
    chars.next().is_none().then_some(first)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(pattern: &str, text: &str, expected: Option<&[(char, &str)]>) {
        let read = sentences(text);
        let fits = |_: char, taken: &[Word<'_>]| taken.iter().all(|word| word.folded != "of");
        let found = matched(pattern, &read[0].words, &fits);
        let found: Option<Vec<(char, String)>> =
            found.map(|slots| slots.0.into_iter().map(|(name, words)| (name, words.join(" "))).collect());
        let expected =
            expected.map(|e| e.iter().map(|(name, text)| (*name, (*text).to_owned())).collect::<Vec<_>>());
        assert_eq!(found, expected);
    }

    #[test]
    fn slots_take_what_the_words_around_them_leave() {
        check("use B instead of? A", "Use `uv pip` instead of pip.", Some(&[('B', "uv pip"), ('A', "pip")]));
        check("use B", "use rg", Some(&[('B', "rg")]));
        check("use B", "never use rg", None);
        check("use|run the? B", "run the tests", Some(&[('B', "tests")]));
        check("use B", "use a b c d", None);
    }

    #[test]
    fn marks_part_sentences_but_not_names() {
        let read = sentences("no!! use ./run.sh, not a.out - ok? And 3:30");
        let texts: Vec<Vec<&str>> = read.iter().map(|s| s.words.iter().map(|w| w.text).collect()).collect();
        assert_eq!(texts, [vec!["no"], vec!["use", "./run.sh", "not", "a.out", "ok"], vec!["And", "3:30"]]);
        assert!(read[1].is_question && read[1].words[1].pauses && read[1].words[3].pauses);
    }

    #[test]
    fn folders_of_dots_are_words() {
        let read = sentences("look in .. and .");
        assert_eq!(read[0].words.len(), 5);
    }

    proptest! {
        #[test]
        fn any_text_can_be_read(text in "\\PC{0,200}") {
            for sentence in sentences(&text) {
                let _ = matched("B instead of A", &sentence.words, &|_, _| true);
                prop_assert!(sentence.words.iter().all(|word| text.contains(word.text)));
            }
        }
    }
}
