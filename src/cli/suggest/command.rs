//! The command in an answer: without fences, prompts and prose. Pure.

use super::context::without_escapes;

/// What an answer holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Found {
    Command(String),
    /// Words for a person.
    Prose(String),
    Nothing,
}

/// The first command of `answer`. `is_program`: whether a word is a program that this machine has.
pub(super) fn command(answer: &str, is_program: impl Fn(&str) -> bool) -> Found {
    let answer = visible(answer);
    if answer.trim().is_empty() {
        return Found::Nothing;
    }
    let fenced = first_fence(&answer);
    let text = fenced.as_deref().unwrap_or(&answer);
    let found = joined_lines(text)
        .map(|line| unquoted(&line).to_owned())
        .find(|line| !line.is_empty() && !is_comment(line) && looks_like_command(line, &is_program));
    match found {
        Some(line) => Found::Command(line),
        None => Found::Prose(answer.split_whitespace().collect::<Vec<_>>().join(" ")),
    }
}

/// Without what a terminal would obey and what the eye does not see: escape sequences, control characters, changes of
/// the writing direction, characters without a width.
fn visible(text: &str) -> String {
    let is_hidden = |c: char| {
        (c.is_control() && c != '\n' && c != '\t')
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
    };
    without_escapes(text).replace("\r\n", "\n").chars().filter(|c| !is_hidden(*c)).collect()
}

/// What stands between the first pair of fences; a fence that is not closed goes to the end.
fn first_fence(text: &str) -> Option<String> {
    let mut lines = text.lines().skip_while(|line| !line.trim_start().starts_with("```"));
    let opening = lines.next()?.trim();
    // All of it may stand on one line.
    if let Some(inside) = opening.strip_prefix("```").and_then(|rest| rest.strip_suffix("```"))
        && !inside.trim().is_empty()
    {
        return Some(inside.trim().to_owned());
    }
    let inside: Vec<&str> = lines.take_while(|line| !line.trim_start().starts_with("```")).collect();
    Some(inside.join("\n"))
}

/// Lines, those that end in a backslash joined with the next one.
fn joined_lines(text: &str) -> impl Iterator<Item = String> {
    let mut lines: Vec<String> = Vec::new();
    let mut is_open = false;
    for line in text.lines() {
        let line = line.trim();
        let (line, goes_on) = match line.strip_suffix('\\') {
            Some(start) if !start.ends_with('\\') => (start.trim_end(), true),
            _ => (line, false),
        };
        match lines.last_mut() {
            Some(last) if is_open => {
                last.push(' ');
                last.push_str(line);
            }
            _ => lines.push(line.to_owned()),
        }
        is_open = goes_on;
    }
    lines.into_iter()
}

/// Without a shell's prompt in front and quotes of Markdown around.
fn unquoted(line: &str) -> &str {
    let line = line.trim();
    let inside = line.strip_prefix('`').and_then(|rest| rest.strip_suffix('`'));
    let line = inside.filter(|inside| !inside.contains('`')).unwrap_or(line);
    ["$ ", "% ", "❯ "].into_iter().find_map(|prompt| line.strip_prefix(prompt)).unwrap_or(line).trim()
}

fn is_comment(line: &str) -> bool {
    line.starts_with('#')
}

fn looks_like_command(line: &str, is_program: &impl Fn(&str) -> bool) -> bool {
    let mut words = line.split_whitespace().skip_while(|word| is_assignment(word));
    let Some(first) = words.next() else { return line.contains('=') };
    let last = words.last().unwrap_or(first);
    if first.starts_with(['(', '{', '[', '!', '<', '>', '$', '"', '\'', '~', '.', '/', '\\']) {
        return !first.ends_with(['.', ':', ',']) || first == ".";
    }
    let is_name = first.chars().all(|c| c.is_alphanumeric() || "_./+-@~$".contains(c) || c == ';');
    // `sudo`, `for` and `cd` are on no PATH or mean nothing by themselves; a sentence ends like one or begins like one.
    let ends_like_prose = last.starts_with(char::is_alphabetic)
        && last.trim_end_matches(['.', '!', '?', ':']).chars().all(char::is_alphabetic)
        && last.ends_with(['.', '!', '?', ':'])
        && line.split_whitespace().count() > 1;
    let begins_like_prose = first.starts_with(char::is_uppercase) && !is_program(first);
    is_name && !ends_like_prose && !begins_like_prose && !is_long_prose(line, first, is_program)
}

/// `A=1`
fn is_assignment(word: &str) -> bool {
    word.split_once('=').is_some_and(|(name, _)| {
        !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    })
}

/// Many words and nothing that a shell would read as more than a word, after a word that is no program.
fn is_long_prose(line: &str, first: &str, is_program: &impl Fn(&str) -> bool) -> bool {
    let is_word = |word: &str| word.chars().all(|c| c.is_alphabetic() || "',".contains(c));
    let n_words = line.split_whitespace().count();
    n_words >= 5 && line.split_whitespace().all(is_word) && !is_program(first)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn known(word: &str) -> bool {
        ["find", "ls", "git", "R", "echo"].contains(&word)
    }

    #[track_caller]
    fn check(answer: &str, expected: &str) {
        assert_eq!(command(answer, known), Found::Command(expected.into()));
    }

    #[track_caller]
    fn check_prose(answer: &str) {
        let found = command(answer, known);
        assert!(matches!(found, Found::Prose(_)), "{found:?}");
    }

    #[test]
    fn a_bare_command_is_itself() {
        check("find . -size +100M", "find . -size +100M");
        check("  ls -l\n", "ls -l");
        check("tar -xzf a.tar.gz -C /tmp", "tar -xzf a.tar.gz -C /tmp");
    }

    #[test]
    fn only_the_first_command_is_taken() {
        check("git add .\ngit commit", "git add .");
    }

    #[test]
    fn fences_and_what_is_around_them_go() {
        check("Use this:\n```sh\nfind . -name x\n```\nIt looks everywhere.", "find . -name x");
        check("```\n# all files\nls -a\n```", "ls -a");
        check("```bash\nls", "ls");
        check("```ls -l```", "ls -l");
    }

    #[test]
    fn prompts_and_markdown_quotes_go() {
        check("$ ls -l", "ls -l");
        check("`ls -l`", "ls -l");
        check("echo `date`", "echo `date`");
    }

    #[test]
    fn prose_in_front_of_a_bare_command_goes() {
        check("You can list them:\nls -l", "ls -l");
    }

    #[test]
    fn a_command_over_several_lines_is_one() {
        check("find . \\\n  -name x \\\n  -print", "find . -name x -print");
    }

    #[test]
    fn shell_syntax_is_a_command() {
        check("for f in *; do echo $f; done", "for f in *; do echo $f; done");
        check("(cd x && ls)", "(cd x && ls)");
        check("LANG=C sort x", "LANG=C sort x");
        check("PATH=$PATH:/x", "PATH=$PATH:/x");
        check("./run.sh", "./run.sh");
        check("cp a.txt .", "cp a.txt .");
        check("cd ..", "cd ..");
        check("[ -e x ] && ls", "[ -e x ] && ls");
        check("R CMD check .", "R CMD check .");
        check(". ~/.profile", ". ~/.profile");
    }

    #[test]
    fn words_for_a_person_are_no_command() {
        check_prose("You are Emacs.");
        check_prose("Hello! What can I do for you?");
        check_prose("hint: none");
        check_prose("I cannot do that");
        check_prose("there is nothing that could be done");
        check_prose("sure, here you go.");
    }

    #[test]
    fn an_empty_answer_holds_nothing() {
        assert_eq!(command(" \n", known), Found::Nothing);
    }

    #[test]
    fn what_a_terminal_obeys_and_the_eye_does_not_see_goes() {
        check("ls\u{1b}[31m -l", "ls -l");
        check("ls \u{202e}-l\u{200b}", "ls -l");
        check("ls\u{7} -l\r\n", "ls -l");
    }

    proptest! {
        #[test]
        fn a_command_is_one_line_without_control_characters(answer in "(?s).{0,80}") {
            if let Found::Command(line) = command(&answer, |_| true) {
                prop_assert!(!line.is_empty() && line.trim() == line);
                prop_assert!(!line.chars().any(|c| c.is_control() && c != '\t'), "{line:?}");
            }
        }
    }
}
