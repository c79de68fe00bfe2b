//! A text as normalised words, each with its bytes in the original.
//!
//! Small letters without accents and apostrophes, so that `Don’t`, `dont` and `DON'T` are one word; options, paths and
//! file names stay whole. What stands in quotes or code marks is one opaque word: nobody says it, somebody shows it.

use std::ops::Range;

/// Longest text that is read, in bytes; what a person means stands at the front.
const MAX_BYTES: usize = 6_000;
/// What an opaque word reads as. No phrase names it.
const QUOTED: &str = "\u{1}";

/// One word of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Word {
    pub(super) text: String,
    pub(super) span: Range<usize>,
    /// Whether a clause begins here: the text's start, or behind a comma, full stop, line end, bracket or dash.
    pub(super) starts: bool,
    /// Whether a question mark follows.
    pub(super) asks: bool,
}

impl Word {
    pub(super) fn is_quoted(&self) -> bool {
        self.text == QUOTED
    }
}

/// The words of `text`, in order.
pub(super) fn words(text: &str) -> Vec<Word> {
    let text = head(text);
    let mut found = Words { found: Vec::new(), starts: true };
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let at = text.len() - rest.len();
        let line_start = text.get(..at).is_none_or(|before| before.is_empty() || before.ends_with('\n'));
        let taken = if first.is_whitespace() {
            found.starts |= first == '\n';
            first.len_utf8()
        } else if first == '>' && line_start {
            let line = rest.find('\n').unwrap_or(rest.len());
            found.push(QUOTED.into(), at..at + line);
            found.starts = true;
            line
        } else if let Some(length) = quoted(rest) {
            found.push(QUOTED.into(), at..at + length);
            length
        } else {
            let length = run(rest);
            found.read(rest.get(..length).unwrap_or_default(), at);
            length
        };
        rest = rest.get(taken..).unwrap_or_default();
    }
    found.found
}

/// Words as a phrase table writes them; the same folding, without marks.
pub(super) fn folded(word: &str) -> String {
    let lower = word.chars().flat_map(char::to_lowercase).collect::<String>();
    let mut folded = String::with_capacity(lower.len());
    for letter in lower.chars() {
        match letter {
            'à' | 'á' | 'â' | 'ã' | 'ä' | 'å' | 'ā' | 'ą' => folded.push('a'),
            'ç' | 'č' | 'ć' => folded.push('c'),
            'è' | 'é' | 'ê' | 'ë' | 'ę' | 'ě' => folded.push('e'),
            'ì' | 'í' | 'î' | 'ï' => folded.push('i'),
            'ñ' | 'ń' | 'ň' => folded.push('n'),
            'ò' | 'ó' | 'ô' | 'õ' | 'ö' | 'ø' => folded.push('o'),
            'ù' | 'ú' | 'û' | 'ü' | 'ů' => folded.push('u'),
            'ß' => folded.push_str("ss"),
            'œ' => folded.push_str("oe"),
            'æ' => folded.push_str("ae"),
            letter if is_apostrophe(letter) || is_silent(letter) => {}
            letter => folded.push(letter),
        }
    }
    shortened(&folded)
}

struct Words {
    found: Vec<Word>,
    starts: bool,
}

impl Words {
    fn push(&mut self, text: String, span: Range<usize>) {
        self.found.push(Word { text, span, starts: self.starts, asks: false });
        self.starts = false;
    }

    /// One run without spaces: its marks off, and what is left as a word.
    fn read(&mut self, run: &str, at: usize) {
        if is_emoticon(run) {
            self.push(run.to_owned(), at..at + run.len());
            return;
        }
        let body = run.trim_start_matches(is_opening);
        let opened = run.len() - body.len();
        self.starts |= opened > 0;
        let word = body.trim_end_matches(is_closing);
        let tail = body.get(word.len()..).unwrap_or_default();
        let text = folded(word);
        if !text.is_empty() && !matches!(text.as_str(), "-" | "--") {
            self.push(text, at + opened..at + opened + word.len());
        } else {
            self.starts |= !run.is_empty();
        }
        if let (true, Some(last)) = (tail.contains('?'), self.found.last_mut()) {
            last.asks = true;
        }
        self.starts |= tail.chars().any(|mark| !is_apostrophe(mark) && !matches!(mark, '*' | '_' | '~'));
    }
}

fn head(text: &str) -> &str {
    let mut end = text.len().min(MAX_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

/// Length of what is quoted at the front, with its marks; `None`: nothing is.
fn quoted(text: &str) -> Option<usize> {
    let closing: &[&str] = if text.starts_with("```") {
        &["```"]
    } else {
        match text.chars().next()? {
            '"' => &["\""],
            '`' => &["`"],
            '“' => &["”"],
            '„' => &["“", "”"],
            '«' => &["»"],
            '\'' | '‘' => return single_quoted(text),
            _ => return None,
        }
    };
    let open = if text.starts_with("```") { 3 } else { text.chars().next()?.len_utf8() };
    let inside = text.get(open..)?;
    let (at, mark) =
        closing.iter().filter_map(|mark| Some((inside.find(mark)?, mark))).min_by_key(|found| found.0)?;
    Some(open + at + mark.len())
}

/// `'…'` on one line, where the marks stand like quotes and not like apostrophes.
fn single_quoted(text: &str) -> Option<usize> {
    let open = text.chars().next()?.len_utf8();
    let line = text.lines().next()?;
    let mut before = None;
    for (at, letter) in line.char_indices() {
        if at >= open && is_apostrophe(letter) && before.is_some_and(|letter: char| !letter.is_whitespace()) {
            let end = at + letter.len_utf8();
            let next = line.get(end..).and_then(|rest| rest.chars().next());
            if next.is_none_or(|next| !next.is_alphanumeric()) {
                return Some(end);
            }
        }
        before = (at >= open).then_some(letter);
    }
    None
}

/// Length of what reads as one word with its marks.
fn run(text: &str) -> usize {
    let mut letters = text.char_indices().peekable();
    let mut before = None;
    while let Some((at, letter)) = letters.next() {
        let end = at + letter.len_utf8();
        if is_picture(letter) {
            return if at == 0 { end } else { at };
        }
        let next = letters.peek().map(|&(_, next)| next);
        let between = before.is_some_and(char::is_alphabetic) && next.is_some_and(char::is_alphabetic);
        if matches!(letter, '—' | '–') || (matches!(letter, ',' | ';' | '!' | '?') && between) {
            return end;
        }
        if next.is_none_or(|next| next.is_whitespace() || matches!(next, '"' | '“' | '„' | '«' | '`')) {
            return end;
        }
        before = Some(letter);
    }
    text.len()
}

/// Letters drawn out (`nooo`) come back to one.
fn shortened(word: &str) -> String {
    if !word.chars().all(char::is_alphabetic) {
        return word.to_owned();
    }
    let letters: Vec<char> = word.chars().collect();
    letters.chunk_by(|a, b| a == b).fold(String::with_capacity(word.len()), |mut short, group| {
        short.extend(group.iter().take(if group.len() > 2 { 1 } else { 2 }));
        short
    })
}

fn is_apostrophe(letter: char) -> bool {
    matches!(letter, '\'' | '’' | '‘' | 'ʼ' | '´')
}

/// Combining accents and characters without width.
fn is_silent(letter: char) -> bool {
    matches!(letter, '\u{300}'..='\u{36f}' | '\u{200b}'..='\u{200f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ad}' | '\u{1f3fb}'..='\u{1f3ff}')
}

/// Emoji and signs, each a word of its own.
fn is_picture(letter: char) -> bool {
    matches!(letter, '\u{2300}'..='\u{2bff}' | '\u{1f000}'..='\u{1f3fa}' | '\u{1f400}'..='\u{1faff}')
}

fn is_emoticon(run: &str) -> bool {
    matches!(run, ":)" | ":-)" | ":(" | ":-(" | ";)" | ":D" | "<3" | ":/" | "+1" | "-1" | "->")
}

fn is_opening(mark: char) -> bool {
    matches!(
        mark,
        '(' | '['
            | '{'
            | '<'
            | '¿'
            | '¡'
            | '*'
            | '_'
            | '#'
            | '|'
            | ','
            | ';'
            | ':'
            | '!'
            | '?'
            | '…'
            | '—'
            | '–'
            | '"'
            | '“'
            | '„'
            | '«'
    ) || is_apostrophe(mark)
}

fn is_closing(mark: char) -> bool {
    matches!(
        mark,
        ')' | ']'
            | '}'
            | '>'
            | '*'
            | '_'
            | '~'
            | '|'
            | ','
            | ';'
            | ':'
            | '.'
            | '!'
            | '?'
            | '…'
            | '—'
            | '–'
            | '"'
            | '”'
            | '“'
            | '»'
            | '`'
    ) || is_apostrophe(mark)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &[&str]) {
        let found = words(text);
        let read: Vec<String> = found
            .iter()
            .map(|word| {
                format!(
                    "{}{}{}",
                    if word.starts { "|" } else { "" },
                    word.text,
                    if word.asks { "?" } else { "" }
                )
            })
            .collect();
        assert_eq!(read, expected, "{text:?}");
    }

    #[test]
    fn words_are_folded_and_clauses_marked() {
        check("No, DON’T!", &["|no", "|dont"]);
        check("don't use grep", &["|dont", "use", "grep"]);
        check("Schöne Grüße", &["|schone", "grusse"]);
        check("fac\u{327}ade", &["|facade"]);
        check("¿por qué?", &["|por", "que?"]);
        check("nooo, thaaanks", &["|no", "|thanks"]);
        check("cool—now rg", &["|cool", "|now", "rg"]);
        check("yes,please", &["|yes", "|please"]);
    }

    #[test]
    fn options_paths_and_numbers_stay_whole() {
        check("add -h to /etc/hosts.", &["|add", "-h", "to", "/etc/hosts"]);
        check("1,000 files in a.txt", &["|1,000", "files", "in", "a.txt"]);
        check("+1", &["|+1"]);
        check("rg - not grep", &["|rg", "|not", "grep"]);
    }

    #[test]
    fn quotes_are_opaque() {
        check("fixed the \"not found\" error", &["|fixed", "the", QUOTED, "error"]);
        check("use 'rg' here", &["|use", QUOTED, "here"]);
        check("run `ls -l`", &["|run", QUOTED]);
        check("> wrong\nthanks", &["|\u{1}", "|thanks"]);
        check("don't 'quote", &["|dont", "|quote"]);
    }

    #[test]
    fn pictures_are_words() {
        check("nice👍🏽", &["|nice", "👍"]);
        check("👎", &["|👎"]);
    }
}
