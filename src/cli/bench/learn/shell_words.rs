//! The words of a command line, and which of them are programs. A reader for checks, not a shell: quotes, operators and
//! the usual wrappers (`sudo`, `xargs`, …) are understood, expansions are not.

use std::ops::Range;

/// Programs that run the program after them.
const WRAPPERS: &[&str] =
    &["sudo", "doas", "env", "time", "nohup", "nice", "xargs", "exec", "command", "run0", "then", "do"];

/// A word as it stands in the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Word {
    pub(super) at: Range<usize>,
    /// Without quotes.
    pub(super) text: String,
    /// Stands where a shell looks for a program.
    pub(super) is_program: bool,
}

/// The words of the commands in an answer, in order. Where the answer fences or quotes its command, only that is read.
pub(super) fn words(answer: &str) -> Vec<Word> {
    let code = code_span(answer);
    let mut words = Vec::new();
    let mut expects_program = true;
    for piece in pieces(answer.get(code.clone()).unwrap_or_default()) {
        let Piece::Word { at, text } = piece else {
            expects_program = true;
            continue;
        };
        let is_assignment = expects_program && text.split_once('=').is_some_and(|(name, _)| is_name(name));
        // Options of a wrapper and their numbers, `xargs -n 1 rm`.
        let is_option = text.starts_with('-') || text.parse::<u32>().is_ok();
        let is_program = expects_program && !is_assignment && !is_option;
        let runs_next = matches!(text.as_str(), "-exec" | "-execdir" | "-ok");
        if is_program || runs_next {
            expects_program = runs_next || WRAPPERS.contains(&text.as_str());
        }
        words.push(Word { at: code.start + at.start..code.start + at.end, text, is_program });
    }
    words
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// Where the command stands: in a fence, between backquotes, else it is the whole answer.
fn code_span(answer: &str) -> Range<usize> {
    if let Some(fence) = answer.find("```") {
        let after = fence + 3;
        let start = answer.get(after..).and_then(|rest| rest.find('\n')).map_or(after, |at| after + at + 1);
        let end = answer.get(start..).and_then(|rest| rest.find("```")).map_or(answer.len(), |at| start + at);
        return start..end;
    }
    let quoted = answer.find('`').and_then(|open| {
        let close = answer.get(open + 1..)?.find('`')?;
        Some(open + 1..open + 1 + close)
    });
    quoted.unwrap_or(0..answer.len())
}

#[derive(Debug)]
enum Piece {
    Word {
        at: Range<usize>,
        text: String,
    },
    /// Ends a command: `|`, `&&`, `;`, a line break, a parenthesis.
    Operator,
}

fn pieces(line: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut open: Option<(usize, String)> = None;
    let mut quote = None;
    for (at, c) in line.char_indices() {
        let ends_word = quote.is_none() && (c.is_whitespace() || is_operator(c));
        if ends_word {
            if let Some((start, text)) = open.take() {
                pieces.push(Piece::Word { at: start..at, text });
            }
            if c == '\n' || is_operator(c) {
                pieces.push(Piece::Operator);
            }
            continue;
        }
        let (_, text) = open.get_or_insert_with(|| (at, String::new()));
        match quote {
            Some(mark) if mark == c => quote = None,
            None if c == '\'' || c == '"' => quote = Some(c),
            _ => text.push(c),
        }
    }
    if let Some((start, text)) = open {
        pieces.push(Piece::Word { at: start..line.len(), text });
    }
    pieces
}

fn is_operator(c: char) -> bool {
    matches!(c, '|' | '&' | ';' | '(' | ')')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(answer: &str, expected: &[&str]) {
        let found: Vec<_> =
            words(answer).into_iter().filter(|word| word.is_program).map(|word| word.text).collect();
        assert_eq!(found, expected, "{answer}");
    }

    #[test]
    fn the_first_word_is_a_program() {
        check("grep -r x src", &["grep"]);
    }

    #[test]
    fn each_part_of_a_pipe_has_one() {
        check("grep x a | sort|uniq -c && echo done; ls", &["grep", "sort", "uniq", "echo", "ls"]);
    }

    #[test]
    fn wrappers_run_the_next_word() {
        check("sudo -n apt update", &["sudo", "apt"]);
        check("ls | xargs -n 1 rm", &["ls", "xargs", "rm"]);
        check("find . -name x -exec rm {} +", &["find", "rm"]);
    }

    #[test]
    fn assignments_are_skipped() {
        check("LC_ALL=C sort a", &["sort"]);
    }

    #[test]
    fn quoted_operators_are_text() {
        check("grep 'a | rm b' c", &["grep"]);
    }

    #[test]
    fn substitutions_count() {
        check("kill $(pgrep x)", &["kill", "pgrep"]);
    }

    #[test]
    fn a_fence_or_backquotes_hold_the_command() {
        check("Do this:\n```sh\nrg x\n```\nIt is faster than grep.", &["rg"]);
        check("Run `rg x src` here.", &["rg"]);
    }

    #[test]
    fn an_unclosed_quote_or_fence_is_read_to_the_end() {
        check("echo 'a b", &["echo"]);
        check("```\nls", &["ls"]);
        check("```", &[]);
    }

    proptest! {
        #[test]
        fn spans_are_in_order_and_inside_any_text(answer in "\\PC{0,60}") {
            let mut end = 0;
            for word in words(&answer) {
                prop_assert!(word.at.start >= end && word.at.end <= answer.len());
                prop_assert!(answer.get(word.at.clone()).is_some());
                end = word.at.end;
            }
        }
    }
}
