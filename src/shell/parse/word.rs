//! Words: quotes, escapes, expansions and braces.

use std::ops::Range;

use super::read::{End, Reader};
use super::{Why, Word};

/// More words than this out of one are not looked at.
const MOST_WORDS: usize = 64;

/// A word while it is read, letter by letter.
#[derive(Debug, Default)]
pub(super) struct Draft {
    letters: Vec<Letter>,
    has_quotes: bool,
    is_unknown: bool,
    is_home: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Letter {
    letter: char,
    is_quoted: bool,
}

impl Draft {
    fn push(&mut self, letter: char, is_quoted: bool) {
        self.letters.push(Letter { letter, is_quoted });
    }

    fn push_all(&mut self, text: &str, is_quoted: bool) {
        self.letters.extend(text.chars().map(|letter| Letter { letter, is_quoted }));
    }

    /// `NAME=` or `NAME+=` so far, so that `(` begins an array and not a subshell.
    fn is_assignment_head(&self) -> bool {
        let text: String = self.letters.iter().map(|one| one.letter).collect();
        text.ends_with('=') && !self.has_quotes && is_assignment(&text)
    }

    fn ends_with_any(&self, letters: &str) -> bool {
        self.letters.last().is_some_and(|last| !last.is_quoted && letters.contains(last.letter))
    }

    /// `a=(…)`, `@(…)`: a bracket that belongs to the word.
    fn takes_bracket(&self) -> bool {
        self.is_assignment_head() || self.ends_with_any("?*+@!")
    }

    fn is_empty(&self) -> bool {
        self.letters.is_empty() && !self.has_quotes
    }
}

/// Whether a word sets a variable.
pub(super) fn is_assignment(text: &str) -> bool {
    let Some((name, _)) = text.split_once('=') else { return false };
    let name = name.strip_suffix('+').unwrap_or(name);
    let name = name.split_once('[').filter(|(_, rest)| rest.ends_with(']')).map_or(name, |(name, _)| name);
    !name.is_empty()
        && !name.starts_with(|first: char| first.is_ascii_digit())
        && name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
}

impl Reader<'_> {
    /// The word that begins here, as one word or, with braces, as several. `None`: nothing but an empty escape.
    pub(super) fn words(&mut self) -> Option<Vec<Word>> {
        let start = self.at;
        let mut draft = Draft::default();
        while let Some(letter) = self.peek() {
            if " \t\r\n;&|<>()".contains(letter) && !(letter == '(' && draft.takes_bracket()) {
                break;
            }
            self.piece(&mut draft, letter);
        }
        (!draft.is_empty()).then(|| self.finished(&draft, start))
    }

    /// A word within `[[ … ]]`, where `<`, `&&` and brackets are words too.
    pub(super) fn test_word(&mut self) -> Option<Word> {
        let start = self.at;
        let mut draft = Draft::default();
        if self.rest().starts_with("]]") {
            self.at += 2;
            draft.push_all("]]", true);
            return self.finished(&draft, start).into_iter().next();
        }
        while let Some(letter) = self.peek().filter(|letter| !letter.is_whitespace()) {
            if letter == '(' {
                self.bump();
                draft.push('(', true);
            } else {
                self.piece(&mut draft, letter);
            }
        }
        (!draft.is_empty()).then(|| self.finished(&draft, start))?.into_iter().next()
    }

    fn piece(&mut self, draft: &mut Draft, letter: char) {
        match letter {
            '\\' => self.escaped(draft),
            '\'' => self.single_quoted(draft),
            '"' => self.double_quoted(draft),
            '$' => self.dollar(draft, false),
            '`' => self.backticks(draft, false),
            '(' => {
                let from = self.at;
                self.items();
                draft.is_unknown = true;
                let text = self.since(from);
                draft.push_all(&text, true);
            }
            '~' if draft.is_empty() => {
                self.bump();
                draft.is_home =
                    !self.peek().is_some_and(|next| next.is_ascii_alphanumeric() || "_-+".contains(next));
                draft.push('~', false);
            }
            _ => {
                self.bump();
                draft.push(letter, false);
            }
        }
    }

    /// `(…)` of an array or of a pattern: words, among which commands may stand in `$(…)`.
    fn items(&mut self) {
        let from = self.at;
        if !self.go_deeper() {
            return self.is_unknown(Why::TooDeep, from);
        }
        self.bump();
        while let Some(letter) = self.peek() {
            if letter == ')' {
                self.bump();
                self.come_back();
                return;
            }
            let before = self.at;
            if "(|&;<> \t\r\n".contains(letter) || self.words().is_none() && self.at == before {
                self.bump();
            }
        }
        self.come_back();
        self.is_unknown(Why::Unclosed, from);
    }

    fn escaped(&mut self, draft: &mut Draft) {
        self.bump();
        match self.bump() {
            Some('\n') | None => {}
            Some(letter) => draft.push(letter, true),
        }
    }

    fn single_quoted(&mut self, draft: &mut Draft) {
        let from = self.at;
        self.bump();
        draft.has_quotes = true;
        loop {
            match self.bump() {
                Some('\'') if draft.letters.last().is_some_and(|last| last.letter == '\\') => {
                    return self.is_unknown(Why::Ambiguous, from);
                }
                Some('\'') => return,
                Some(letter) => draft.push(letter, true),
                None => return self.is_unknown(Why::Unclosed, from),
            }
        }
    }

    fn double_quoted(&mut self, draft: &mut Draft) {
        let from = self.at;
        self.bump();
        draft.has_quotes = true;
        while let Some(letter) = self.peek() {
            match letter {
                '"' => {
                    self.bump();
                    return;
                }
                '\\' => {
                    self.bump();
                    match self.bump() {
                        Some(kept @ ('$' | '`' | '"' | '\\')) => draft.push(kept, true),
                        Some('\n') | None => {}
                        Some(other) => {
                            draft.push('\\', true);
                            draft.push(other, true);
                        }
                    }
                }
                '$' => self.dollar(draft, true),
                '`' => self.backticks(draft, true),
                _ => {
                    self.bump();
                    draft.push(letter, true);
                }
            }
        }
        self.is_unknown(Why::Unclosed, from);
    }

    /// What begins with `$`: a variable, a command's output, arithmetic, or quotes of their own kind.
    fn dollar(&mut self, draft: &mut Draft, is_quoted: bool) {
        let from = self.at;
        self.bump();
        match self.peek() {
            Some('\'') if !is_quoted => return self.c_quoted(draft),
            Some('"') if !is_quoted => return self.double_quoted(draft),
            Some('(') if self.rest().starts_with("((") => self.arithmetic(),
            Some('(') => {
                self.bump();
                self.nested(End::Bracket);
            }
            Some('{') => self.braced_variable(),
            Some('[') => {
                draft.push('$', true);
                return;
            }
            Some(letter) if letter == '_' || letter.is_ascii_alphabetic() => {
                while self.peek().is_some_and(|next| next == '_' || next.is_ascii_alphanumeric()) {
                    self.bump();
                }
            }
            Some(letter) if letter.is_ascii_digit() || "?$!#@*-".contains(letter) => {
                self.bump();
            }
            _ => {
                draft.push('$', true);
                return;
            }
        }
        self.expanded(draft, from, is_quoted);
    }

    /// The home and the present directory are known as far as it matters, everything else is not. Without quotes
    /// a variable may become several words.
    fn expanded(&mut self, draft: &mut Draft, from: usize, is_quoted: bool) {
        let text = self.since(from);
        match text.as_str() {
            "$HOME" | "${HOME}" if draft.letters.is_empty() => {
                draft.is_home = true;
                draft.is_unknown |= !is_quoted;
                draft.push('~', true);
            }
            "$PWD" | "${PWD}" if draft.letters.is_empty() => {
                draft.is_unknown |= !is_quoted;
                draft.push('.', true);
            }
            _ => {
                draft.is_unknown = true;
                draft.push_all(&text, true);
            }
        }
        draft.has_quotes |= is_quoted;
    }

    fn c_quoted(&mut self, draft: &mut Draft) {
        let from = self.at;
        self.bump();
        draft.has_quotes = true;
        loop {
            match self.bump() {
                Some('\'') => return,
                Some('\\') => {
                    if let Some(letter) = self.c_escape() {
                        draft.push(letter, true);
                    }
                }
                Some(letter) => draft.push(letter, true),
                None => return self.is_unknown(Why::Unclosed, from),
            }
        }
    }

    fn c_escape(&mut self) -> Option<char> {
        let letter = self.bump()?;
        Some(match letter {
            'n' => '\n',
            't' => '\t',
            'r' => '\r',
            'a' => '\u{7}',
            'b' => '\u{8}',
            'e' | 'E' => '\u{1b}',
            'f' => '\u{c}',
            'v' => '\u{b}',
            'x' => self.number(2, 16)?,
            'u' => self.number(4, 16)?,
            'U' => self.number(8, 16)?,
            '0'..='7' => {
                self.at -= 1;
                self.number(3, 8)?
            }
            other => other,
        })
    }

    fn number(&mut self, most: usize, radix: u32) -> Option<char> {
        let mut value = 0_u32;
        for _ in 0..most {
            let Some(digit) = self.peek().and_then(|letter| letter.to_digit(radix)) else { break };
            self.bump();
            value = value.checked_mul(radix)?.checked_add(digit)?;
        }
        char::from_u32(value)
    }

    /// `$((…))` and `((…))`: numbers, but commands may stand inside.
    pub(super) fn arithmetic(&mut self) {
        let from = self.at;
        let mut depth = 0_usize;
        let mut ignored = Draft::default();
        while let Some(letter) = self.peek() {
            match letter {
                '(' => {
                    depth += 1;
                    self.bump();
                }
                ')' => {
                    self.bump();
                    depth = depth.saturating_sub(1);
                    if depth == 0 {
                        return;
                    }
                }
                _ => self.piece(&mut ignored, letter),
            }
        }
        self.is_unknown(Why::Unclosed, from);
    }

    fn braced_variable(&mut self) {
        let from = self.at;
        self.bump();
        if !self.go_deeper() {
            return self.is_unknown(Why::TooDeep, from);
        }
        let mut ignored = Draft::default();
        while let Some(letter) = self.peek() {
            if letter == '}' {
                self.bump();
                self.come_back();
                return;
            }
            if letter == '(' {
                self.bump();
            } else {
                self.piece(&mut ignored, letter);
            }
        }
        self.come_back();
        self.is_unknown(Why::Unclosed, from);
    }

    /// `` `…` ``: its text without the backslashes that protect inner backticks is a line of its own.
    fn backticks(&mut self, draft: &mut Draft, is_quoted: bool) {
        let from = self.at;
        self.bump();
        let mut inner = String::new();
        loop {
            match self.bump() {
                Some('`') => break,
                Some('\\') => match self.bump() {
                    Some(kept @ ('`' | '\\' | '$')) => inner.push(kept),
                    Some(other) => inner.extend(['\\', other]),
                    None => {}
                },
                Some(letter) => inner.push(letter),
                None => {
                    self.is_unknown(Why::Unclosed, from);
                    break;
                }
            }
        }
        self.inner_line(&inner, from);
        draft.is_unknown = true;
        draft.has_quotes |= is_quoted;
        let text = self.since(from);
        draft.push_all(&text, true);
    }

    fn finished(&mut self, draft: &Draft, start: usize) -> Vec<Word> {
        let span = self.span(start);
        let drafts = with_braces(&draft.letters).unwrap_or_else(|| {
            self.is_unknown(Why::TooManyWords, start);
            vec![draft.letters.clone()]
        });
        let word = |letters: Vec<Letter>| {
            let begins_quoted = letters.first().is_none_or(|first| first.letter == '~' && first.is_quoted);
            Word {
                text: letters.iter().map(|one| one.letter).collect(),
                span: span.clone(),
                is_known: !draft.is_unknown,
                is_pattern: is_pattern(&letters),
                is_home: is_home(&letters) && (draft.is_home || !begins_quoted),
            }
        };
        drafts.into_iter().map(word).collect()
    }
}

fn is_pattern(letters: &[Letter]) -> bool {
    let bare: String = letters.iter().filter(|one| !one.is_quoted).map(|one| one.letter).collect();
    bare.contains(['*', '?'])
        || bare.find('[').is_some_and(|at| bare.get(at + 1..).is_some_and(|rest| rest.contains(']')))
}

fn is_home(letters: &[Letter]) -> bool {
    let mut text = letters.iter().map(|one| one.letter);
    text.next() == Some('~') && text.next().is_none_or(|next| next == '/')
}

/// `{a,b}` and `{1..3}` written out; `None`: too many.
fn with_braces(letters: &[Letter]) -> Option<Vec<Vec<Letter>>> {
    let mut open = vec![letters.to_vec()];
    let mut done: Vec<Vec<Letter>> = Vec::new();
    while let Some(next) = open.pop() {
        if open.len() + done.len() > MOST_WORDS {
            return None;
        }
        match first_brace(&next) {
            Some((range, parts)) => {
                let (before, after) = (next.get(..range.start)?, next.get(range.end..)?);
                for part in parts.into_iter().rev() {
                    open.push([before, &part, after].concat());
                }
            }
            None => done.push(next),
        }
    }
    Some(done)
}

/// The first brace that makes several words, and these.
fn first_brace(letters: &[Letter]) -> Option<(Range<usize>, Vec<Vec<Letter>>)> {
    let is =
        |at: usize, letter: char| letters.get(at).is_some_and(|one| one.letter == letter && !one.is_quoted);
    for start in 0..letters.len() {
        if !is(start, '{') {
            continue;
        }
        let (mut depth, mut parts, mut from) = (0_usize, Vec::new(), start + 1);
        for at in start..letters.len() {
            if is(at, '{') {
                depth += 1;
            } else if is(at, ',') && depth == 1 {
                parts.push(letters.get(from..at)?.to_vec());
                from = at + 1;
            } else if is(at, '}') {
                depth -= 1;
                if depth > 0 {
                    continue;
                }
                let last = letters.get(from..at)?;
                if parts.is_empty() {
                    match numbers(last) {
                        Some(numbers) => return Some((start..at + 1, numbers)),
                        None => break,
                    }
                }
                parts.push(last.to_vec());
                return Some((start..at + 1, parts));
            }
        }
    }
    None
}

/// `1..3`, `a..c`.
fn numbers(letters: &[Letter]) -> Option<Vec<Vec<Letter>>> {
    let text: String = letters.iter().map(|one| one.letter).collect();
    let (from, to) = text.split_once("..")?;
    let quoted = |text: String| text.chars().map(|letter| Letter { letter, is_quoted: true }).collect();
    if let (Ok(from), Ok(to)) = (from.parse::<i32>(), to.parse::<i32>()) {
        let most = i32::try_from(MOST_WORDS).unwrap_or(i32::MAX);
        let to = to.clamp(from.saturating_sub(most), from.saturating_add(most));
        return Some((from.min(to)..=from.max(to)).map(|number| quoted(number.to_string())).collect());
    }
    let (mut first, mut last) = (from.chars(), to.chars());
    match (first.next(), first.next(), last.next(), last.next()) {
        (Some(from), None, Some(to), None) if from.is_ascii_alphabetic() && to.is_ascii_alphabetic() => {
            Some((from.min(to)..=from.max(to)).map(|letter| quoted(letter.to_string())).collect())
        }
        _ => None,
    }
}
