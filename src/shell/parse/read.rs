//! The grammar around words: how commands are joined, grouped and redirected.

use std::ops::Range;

use super::word::is_assignment;
use super::{Joined, Line, Redirect, RedirectKind, Simple, Unknown, Why, Word};

/// Deeper than any line that a person writes; bounds the stack.
pub(super) const DEEPEST: usize = 24;

/// Words that only group or join commands.
const KEYWORDS: &[&str] = &[
    "!", "{", "}", "if", "then", "elif", "else", "fi", "while", "until", "do", "done", "and", "or", "not",
    "begin", "end", "coproc", "esac",
];

/// Where a list of commands ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Text,
    Bracket,
}

pub(super) struct Reader<'a> {
    text: &'a str,
    pub(super) at: usize,
    depth: usize,
    /// All spans are this one: the text is a script inside another line.
    within: Option<Range<usize>>,
    found: Line,
    documents: Vec<Document>,
}

/// A here-document whose text is still to come.
struct Document {
    delimiter: String,
    is_indented: bool,
    is_literal: bool,
    command: usize,
    redirect: usize,
}

/// A command while it is read.
#[derive(Default)]
struct Draft {
    simple: Simple,
    start: usize,
    /// `for x in …`, `case x in`: its words are no program.
    is_clause: bool,
    is_pattern: bool,
    /// Here-documents by redirection: delimiter, `<<-`, quoted.
    documents: Vec<(usize, Word, bool, bool)>,
}

impl Draft {
    fn hanging(joined: Joined) -> Self {
        Self { simple: Simple { joined, ..Simple::default() }, ..Self::default() }
    }

    /// The first thing of a command is where it starts.
    fn begin(&mut self, at: usize) {
        let Simple { words, assignments, redirects, .. } = &self.simple;
        if words.is_empty() && assignments.is_empty() && redirects.is_empty() {
            self.start = at;
        }
    }

    fn is_in_test(&self) -> bool {
        let mut words = self.simple.words.iter().map(|word| word.text.as_str());
        words.next() == Some("[[") && words.next_back() != Some("]]")
    }
}

pub(super) fn read(text: &str, within: Option<Range<usize>>, depth: usize) -> Line {
    let mut reader = Reader { text, at: 0, depth, within, found: Line::default(), documents: Vec::new() };
    reader.list(End::Text);
    reader.take_documents();
    reader.found
}

impl Reader<'_> {
    pub(super) fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or_default()
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    pub(super) fn bump(&mut self) -> Option<char> {
        let letter = self.peek()?;
        self.at += letter.len_utf8();
        Some(letter)
    }

    fn take(&mut self, text: &str) -> bool {
        let is_next = self.rest().starts_with(text);
        if is_next {
            self.at += text.len();
        }
        is_next
    }

    pub(super) fn since(&self, from: usize) -> String {
        self.text.get(from..self.at).unwrap_or_default().to_owned()
    }

    pub(super) fn span(&self, from: usize) -> Range<usize> {
        self.within.clone().unwrap_or(from..self.at)
    }

    pub(super) fn is_unknown(&mut self, why: Why, from: usize) {
        let span = self.span(from);
        self.found.unknown.push(Unknown { why, span });
    }

    pub(super) fn go_deeper(&mut self) -> bool {
        self.depth += 1;
        if self.depth > DEEPEST {
            self.depth -= 1;
            self.at = self.text.len();
            return false;
        }
        true
    }

    pub(super) fn come_back(&mut self) {
        self.depth -= 1;
    }

    /// The commands of a group whose opening bracket has been read, to its end.
    pub(super) fn nested(&mut self, end: End) {
        let from = self.at;
        if !self.go_deeper() {
            return self.is_unknown(Why::TooDeep, from);
        }
        let first = self.found.commands.len();
        self.list(end);
        if !self.take(")") {
            self.is_unknown(Why::Unclosed, from);
        }
        for command in self.found.commands.get_mut(first..).unwrap_or_default() {
            command.is_nested = true;
        }
        self.come_back();
    }

    /// A line that stands inside this one with letters of its own.
    pub(super) fn inner_line(&mut self, text: &str, from: usize) {
        if self.depth >= DEEPEST {
            return self.is_unknown(Why::TooDeep, from);
        }
        let inner = read(text, Some(self.span(from)), self.depth + 1);
        self.found
            .commands
            .extend(inner.commands.into_iter().map(|command| Simple { is_nested: true, ..command }));
        self.found.unknown.extend(inner.unknown);
    }

    fn list(&mut self, end: End) {
        let mut draft = Draft::default();
        let mut n_cases = 0_usize;
        while let Some(letter) = self.peek() {
            match letter {
                ' ' | '\t' | '\r' => {
                    self.bump();
                }
                '\n' if draft.is_in_test() => {
                    self.bump();
                }
                _ if draft.is_in_test() => self.next_word(&mut draft, &mut n_cases),
                '\\' if self.rest().starts_with("\\\n") => {
                    self.take("\\\n");
                }
                ')' if draft.is_pattern || (n_cases > 0 && draft.simple.words.len() == 1) => {
                    self.bump();
                    draft = Draft::hanging(Joined::Then);
                }
                ')' if end == End::Bracket => break,
                '#' => self.comment(),
                '\n' | ';' | '&' | '|' | ')' if !self.redirects_both() => {
                    let was_case_end = self.rest().starts_with(";;") || self.rest().starts_with(";&");
                    let joined = self.join();
                    self.finish(&mut draft, joined);
                    draft.is_pattern = was_case_end && n_cases > 0;
                    if letter == '\n' {
                        self.take_documents();
                    }
                }
                '(' if !draft.is_pattern => self.bracket(&mut draft),
                '(' => {
                    self.bump();
                }
                _ if self.is_redirect() => self.redirect(&mut draft),
                _ => self.next_word(&mut draft, &mut n_cases),
            }
        }
        self.finish(&mut draft, Joined::First);
    }

    fn comment(&mut self) {
        while self.peek().is_some_and(|letter| letter != '\n') {
            self.bump();
        }
    }

    /// `&>` is no `&`.
    fn redirects_both(&self) -> bool {
        self.rest().starts_with("&>")
    }

    fn join(&mut self) -> Joined {
        for (sign, joined) in [
            ("&&", Joined::And),
            ("||", Joined::Or),
            ("|&", Joined::Pipe),
            ("|", Joined::Pipe),
            (";;&", Joined::Then),
            (";;", Joined::Then),
            (";&", Joined::Then),
        ] {
            if self.take(sign) {
                return joined;
            }
        }
        self.bump();
        Joined::Then
    }

    /// Puts the command away and begins the next one, which hangs on it as `next` says.
    fn finish(&mut self, draft: &mut Draft, next: Joined) {
        let done = std::mem::take(draft);
        let mut simple = done.simple;
        let is_nothing =
            simple.words.is_empty() && simple.redirects.is_empty() && simple.assignments.is_empty();
        draft.simple.joined = if is_nothing && next == Joined::Then { simple.joined } else { next };
        if is_nothing || (done.is_clause && simple.redirects.is_empty()) || done.is_pattern {
            return;
        }
        if done.is_clause {
            simple.words.clear();
        }
        let command = self.found.commands.len();
        for (redirect, delimiter, is_indented, is_literal) in done.documents {
            let delimiter = delimiter.text;
            self.documents.push(Document { delimiter, is_indented, is_literal, command, redirect });
        }
        if simple.words.first().is_some_and(|program| !program.is_known || program.is_pattern) {
            let span = simple.words.first().map_or(0..0, |program| program.span.clone());
            self.found.unknown.push(Unknown { why: Why::Program, span });
        }
        self.found.commands.push(simple);
    }

    /// `(`: a subshell, arithmetic, the head of a function, or fish's way to use a command's output.
    fn bracket(&mut self, draft: &mut Draft) {
        let from = self.at;
        let is_first = draft.simple.words.is_empty();
        if (is_first || draft.is_clause) && self.rest().starts_with("((") {
            return self.arithmetic();
        }
        self.bump();
        if draft.simple.words.len() == 1 && self.rest().trim_start().starts_with(')') {
            while self.bump().is_some_and(|letter| letter != ')') {}
            *draft = Draft::hanging(draft.simple.joined);
            return;
        }
        let (joined, first) = (draft.simple.joined, self.found.commands.len());
        self.nested(End::Bracket);
        if !is_first {
            let word = Word { text: self.since(from), span: self.span(from), ..Word::default() };
            draft.simple.words.push(word);
            draft.simple.span = self.span(draft.start);
        } else if let Some(command) = self.found.commands.get_mut(first) {
            command.joined = joined;
        }
    }

    fn next_word(&mut self, draft: &mut Draft, n_cases: &mut usize) {
        let start = self.at;
        let words = if draft.is_in_test() { self.test_word().map(|word| vec![word]) } else { self.words() };
        draft.begin(start);
        for word in words.unwrap_or_default() {
            self.place(draft, word, n_cases);
        }
        draft.simple.span = self.span(draft.start);
    }

    fn place(&mut self, draft: &mut Draft, word: Word, n_cases: &mut usize) {
        let is_bare = word.is_known && self.is_as_written(&word);
        let first = draft.simple.words.first().map(|word| word.text.clone());
        match first.as_deref() {
            None if draft.is_pattern && is_bare && word.text == "esac" => {
                *n_cases = n_cases.saturating_sub(1);
                draft.is_pattern = false;
            }
            None if draft.is_pattern => draft.simple.words.push(word),
            None if is_bare && KEYWORDS.contains(&word.text.as_str()) => {
                if word.text == "esac" {
                    *n_cases = n_cases.saturating_sub(1);
                }
            }
            None if is_assignment(&word.text) && self.is_written_assignment(&word) => {
                draft.simple.assignments.push(word);
            }
            None => {
                draft.is_clause =
                    is_bare && ["for", "select", "case", "function", "switch"].contains(&word.text.as_str());
                draft.simple.words.push(word);
            }
            Some("case") if draft.is_clause && is_bare && word.text == "in" => {
                *n_cases += 1;
                *draft = Draft { is_pattern: true, ..Draft::default() };
            }
            Some("function") if draft.is_clause && draft.simple.words.len() == 2 => {
                *draft = Draft::hanging(draft.simple.joined);
                self.place(draft, word, n_cases);
            }
            Some(_) => draft.simple.words.push(word),
        }
    }

    /// Without quotes or escapes: only then a word can be a keyword.
    fn is_as_written(&self, word: &Word) -> bool {
        self.rest_before(word.text.len()) == word.text
    }

    /// The name and the `=` of an assignment stand outside quotes.
    fn is_written_assignment(&self, word: &Word) -> bool {
        match (&self.within, self.text.get(word.span.clone())) {
            (None, Some(written)) => is_assignment(written),
            _ => true,
        }
    }

    fn rest_before(&self, length: usize) -> &str {
        self.at.checked_sub(length).and_then(|from| self.text.get(from..self.at)).unwrap_or_default()
    }

    fn is_redirect(&self) -> bool {
        let rest = self.rest();
        let signs = rest.trim_start_matches(|letter: char| letter.is_ascii_digit());
        signs.starts_with(['<', '>']) || rest.starts_with("&>") || is_named_redirect(rest)
    }

    fn redirect(&mut self, draft: &mut Draft) {
        let from = self.at;
        draft.begin(from);
        if self.is_process() {
            let word = self.process_substitution();
            draft.simple.words.push(word);
            draft.simple.span = self.span(draft.start);
            return;
        }
        while self.peek().is_some_and(|letter| !"<>&".contains(letter)) {
            self.bump();
        }
        let (sign, kind) = self.redirect_sign();
        while self.peek().is_some_and(|letter| letter == ' ' || letter == '\t') {
            self.bump();
        }
        let start = self.at;
        let target = if self.is_process() {
            Some(self.process_substitution())
        } else {
            self.words().and_then(|words| words.into_iter().next())
        };
        let Some(mut target) = target else { return self.is_unknown(Why::Unclosed, from) };
        let is_number = target.text == "-" || target.text.chars().all(|digit| digit.is_ascii_digit());
        let kind = match kind {
            RedirectKind::Duplicate if !is_number => RedirectKind::Write,
            kind => kind,
        };
        if sign == "<<" || sign == "<<-" {
            let is_literal = self.since(start).contains(['\'', '"', '\\']);
            draft.documents.push((draft.simple.redirects.len(), target.clone(), sign == "<<-", is_literal));
            target.is_known = false;
        }
        draft.simple.redirects.push(Redirect { kind, target, span: self.span(from) });
        draft.simple.span = self.span(draft.start);
    }

    fn redirect_sign(&mut self) -> (&'static str, RedirectKind) {
        for (sign, kind) in [
            ("<<<", RedirectKind::Text),
            ("<<-", RedirectKind::Text),
            ("<<", RedirectKind::Text),
            ("<>", RedirectKind::ReadWrite),
            ("<&", RedirectKind::Duplicate),
            ("<", RedirectKind::Read),
            ("&>>", RedirectKind::Append),
            ("&>", RedirectKind::Write),
            (">>", RedirectKind::Append),
            (">|", RedirectKind::Write),
            (">&", RedirectKind::Duplicate),
            (">", RedirectKind::Write),
        ] {
            if self.take(sign) {
                return (sign, kind);
            }
        }
        self.bump();
        ("&", RedirectKind::Duplicate)
    }

    fn is_process(&self) -> bool {
        self.rest().starts_with("<(") || self.rest().starts_with(">(")
    }

    /// `<(…)`, `>(…)`: a word that is a pipe.
    fn process_substitution(&mut self) -> Word {
        let from = self.at;
        self.bump();
        self.bump();
        self.nested(End::Bracket);
        Word { text: self.since(from), span: self.span(from), ..Word::default() }
    }

    /// The texts of the here-documents that were announced in the line before.
    fn take_documents(&mut self) {
        for document in std::mem::take(&mut self.documents) {
            let from = self.at;
            let body = self.document_body(&document);
            let mut is_known = true;
            if !document.is_literal && body.contains(['$', '`']) {
                is_known = false;
                self.commands_in_text(&body, from);
            }
            let span = self.span(from);
            let command = self.found.commands.get_mut(document.command);
            if let Some(redirect) = command.and_then(|command| command.redirects.get_mut(document.redirect)) {
                redirect.target = Word { text: body, span, is_known, ..Word::default() };
            }
        }
    }

    fn document_body(&mut self, document: &Document) -> String {
        let mut body = String::new();
        while !self.rest().is_empty() {
            let line = self.rest().split_inclusive('\n').next().unwrap_or_default().to_owned();
            self.at += line.len();
            let bare = if document.is_indented { line.trim_start_matches('\t') } else { line.as_str() };
            if bare.trim_end_matches('\n') == document.delimiter {
                return body;
            }
            body.push_str(bare);
        }
        body
    }

    /// `$(…)` and backticks within a text that the shell expands.
    fn commands_in_text(&mut self, body: &str, from: usize) {
        if self.depth >= DEEPEST {
            return self.is_unknown(Why::TooDeep, from);
        }
        let quoted = format!("\"{}\"", body.replace('"', "\\\""));
        let mut inner = Reader {
            text: &quoted,
            at: 0,
            depth: self.depth + 1,
            within: Some(self.span(from)),
            found: Line::default(),
            documents: Vec::new(),
        };
        inner.words();
        let found = inner.found;
        self.found.commands.extend(found.commands);
        self.found.unknown.extend(found.unknown);
    }
}

/// `{fd}>`: the shell chooses the number.
fn is_named_redirect(rest: &str) -> bool {
    let Some(name) = rest.strip_prefix('{') else { return false };
    let signs = name.trim_start_matches(|letter: char| letter.is_ascii_alphanumeric() || letter == '_');
    signs.strip_prefix('}').is_some_and(|after| after.starts_with(['<', '>'])) && signs.len() < name.len()
}
