//! What an answer proposes: one command, the end of the task, or only words. Pure.

/// An answer, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Proposed {
    Command(String),
    /// The task is done, says the model; its words.
    Done(String),
    Words(String),
}

pub(super) fn read(answer: &str, is_whole: bool) -> Proposed {
    let text = answer.trim();
    let plain = text.trim_matches(['`', '.', '!', '"', '\'']).to_lowercase();
    if plain == "done" || plain.starts_with("done:") || plain.starts_with("done.") {
        return Proposed::Done(text.to_owned());
    }
    if !is_whole || text.is_empty() {
        return Proposed::Words(text.to_owned());
    }
    if let Some(block) = fenced(text) {
        return Proposed::Command(block);
    }
    if is_command(bare(text)) {
        return Proposed::Command(bare(text).to_owned());
    }
    match marked(text) {
        Some(command) if is_command(bare(command)) => Proposed::Command(bare(command).to_owned()),
        _ => Proposed::Words(text.to_owned()),
    }
}

/// The first code block, without its language and the prompt signs before its lines.
fn fenced(text: &str) -> Option<String> {
    let (_, after) = text.split_once("```")?;
    let (body, _) = after.split_once("```")?;
    let body = body
        .split_once('\n')
        .map_or(body, |(language, rest)| if language.contains(' ') { body } else { rest });
    let lines: Vec<&str> = body.trim().lines().map(|line| line.strip_prefix("$ ").unwrap_or(line)).collect();
    let block = lines.join("\n");
    (!block.trim().is_empty()).then_some(block)
}

/// The only piece of code in a sentence.
fn marked(text: &str) -> Option<&str> {
    let mut pieces = text.split('`').skip(1).step_by(2);
    let only = pieces.next()?;
    pieces.next().is_none().then_some(only)
}

fn bare(text: &str) -> &str {
    let text = text.trim();
    let inner =
        text.strip_prefix('`').and_then(|rest| rest.strip_suffix('`')).filter(|inner| !inner.contains('`'));
    let text = inner.unwrap_or(text).trim();
    text.strip_prefix("$ ").unwrap_or(text)
}

/// Whether a text reads as a command and not as a sentence.
fn is_command(text: &str) -> bool {
    let Some(first) = text.split_whitespace().next() else { return false };
    let letters =
        first.chars().all(|one| one.is_ascii_alphanumeric() || "._/-+=~$!([{<>:\\'\"@".contains(one));
    let is_sentence =
        text.ends_with(['.', '?', '!']) && text.split_whitespace().count() > 4 && !text.ends_with(" .");
    letters
        && !is_sentence
        && !first.ends_with(':')
        && (!first.starts_with(char::is_uppercase) || first.contains('='))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(answer: &str, expected: &str) {
        assert_eq!(read(answer, true), Proposed::Command(expected.to_owned()));
    }

    #[test]
    fn a_command_is_found_in_the_forms_that_models_use() {
        check("ls -l", "ls -l");
        check("$ ls -l\n", "ls -l");
        check("`ls -l`", "ls -l");
        check("```sh\n$ cd x\n$ ls\n```", "cd x\nls");
        check("Run this:\n```\nls -l\n```\nIt lists.", "ls -l");
        check("You can use `ls -l` for that.", "ls -l");
        check("echo `date`", "echo `date`");
        check("LANG=C sort a", "LANG=C sort a");
        check("find . -name '*.rs'", "find . -name '*.rs'");
        check("./run.sh", "./run.sh");
    }

    #[test]
    fn the_end_is_seen() {
        for answer in ["done", "Done.", "`done`", "Done: the file is there.", "done. All good"] {
            assert_eq!(read(answer, true), Proposed::Done(answer.to_owned()), "{answer}");
        }
        check("done_tool --x", "done_tool --x");
    }

    #[test]
    fn words_are_no_command() {
        for answer in [
            "Sorry, I cannot do that.",
            "",
            "The task is impossible, because there is no file.",
            "Use `a` or `b`.",
        ] {
            assert_eq!(read(answer, true), Proposed::Words(answer.to_owned()), "{answer}");
        }
        assert_eq!(read("ls $(ls $(ls", false), Proposed::Words("ls $(ls $(ls".to_owned()), "it was cut off");
    }
}
