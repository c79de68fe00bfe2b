//! How an answer was changed before it was used: taken as it is, filled in, or corrected.
//!
//! Another file, a filled-in placeholder or a repaired typo is how anybody uses a suggestion. Another program or option,
//! or `sudo` added, is a correction by hand, the strongest there is: the person shows what should have been said.

use std::ops::Range;

use super::commands::{is_command, proposed, steps};
use super::normal::{folded, words};
use super::{Answered, Evidence, Says, Signal};

/// How two commands differ, least first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Change {
    Same,
    /// A placeholder was replaced by what it stood for.
    Filled,
    /// A letter or two.
    Typo,
    /// Another file or folder.
    Path,
    /// Another value.
    Value,
    Options,
    Sudo,
    Rewritten,
    Program,
    /// Nothing in common: not an edit.
    Unrelated,
}

/// The signal of an edit.
pub(super) fn edited(answered: &Answered<'_>, text: &str) -> Vec<Signal> {
    let candidates = proposed(answered.answer);
    let one_command = candidates.iter().any(|candidate| is_command(candidate)) && is_command(text);
    if !one_command {
        return vec![reworded(answered.answer, text)];
    }
    let (change, span) = compared(&candidates, text);
    let (rule, says, strength) = match change {
        Change::Same => ("edit.kept", Says::Good, 0.85),
        Change::Filled => ("edit.filled_in", Says::Good, 0.6),
        Change::Typo => ("edit.typo", Says::Nothing, 0.6),
        Change::Path => ("edit.path", Says::Nothing, 0.6),
        Change::Value => ("edit.value", Says::Bad, 0.65),
        Change::Options => ("edit.options", Says::Bad, 0.85),
        Change::Sudo => ("edit.sudo", Says::Bad, 0.9),
        Change::Rewritten => ("edit.rewritten", Says::Bad, 0.85),
        Change::Program => ("edit.program", Says::Bad, 0.95),
        Change::Unrelated => ("edit.unrelated", Says::Nothing, 0.7),
    };
    vec![signal(rule, says, strength, span)]
}

/// A reply that is the proposed command, typed as it should be: "I ran rg TODO src instead".
pub(super) fn retyped(answered: &Answered<'_>, text: &str) -> Option<Signal> {
    const FRAMES: &[&str] =
        &["no, ", "better: ", "i ran ", "it should be ", "make it ", "make that ", "just ", "use "];
    let trimmed = text.trim();
    let framed = FRAMES.iter().find_map(|frame| {
        let head = trimmed.get(..frame.len())?;
        head.eq_ignore_ascii_case(frame).then(|| trimmed.get(frame.len()..)).flatten()
    });
    let command = framed.unwrap_or(trimmed).trim_end_matches(" instead").trim();
    let candidates = proposed(answered.answer);
    let typed: Vec<&str> = command.split_whitespace().collect();
    let kept = candidates
        .iter()
        .map(|candidate| shared(&candidate.split_whitespace().collect::<Vec<_>>(), &typed))
        .max();
    let is_near = typed.len() >= 2 && !command.contains('?') && kept.unwrap_or(0) * 2 >= typed.len();
    let (change, _) = compared(&candidates, command);
    let is_edit = matches!(
        change,
        Change::Program | Change::Options | Change::Sudo | Change::Rewritten | Change::Value
    );
    (is_near && is_edit && is_command(command) && candidates.iter().any(|candidate| is_command(candidate)))
        .then(|| signal("edit.retyped", Says::Bad, 0.85, 0..text.len()))
}

/// The least change from one of the commands to `text`, and the bytes of `text` that are new.
pub(super) fn compared(candidates: &[String], text: &str) -> (Change, Range<usize>) {
    let found = candidates.iter().map(|candidate| change(candidate, text)).min_by_key(|found| found.0);
    found.unwrap_or((Change::Unrelated, 0..text.len()))
}

fn change(old: &str, new: &str) -> (Change, Range<usize>) {
    let before: Vec<&str> = old.split_whitespace().collect();
    let after = spans(new);
    let after_words: Vec<&str> = after.iter().map(|(word, _)| *word).collect();
    let front = before.iter().zip(&after_words).take_while(|(a, b)| unquoted(a) == unquoted(b)).count();
    let longest = before.len().min(after_words.len()) - front;
    let back = before
        .iter()
        .rev()
        .zip(after_words.iter().rev())
        .take(longest)
        .take_while(|(a, b)| unquoted(a) == unquoted(b))
        .count();
    let removed = before.get(front..before.len() - back).unwrap_or_default();
    let added = after_words.get(front..after_words.len() - back).unwrap_or_default();
    let first = after.get(front).map_or(new.len(), |(_, span)| span.start);
    let last =
        (after.len() - back).checked_sub(1).and_then(|at| after.get(at)).map_or(first, |(_, span)| span.end);
    (kind(&before, &after_words, removed, added), first..last.max(first))
}

fn kind(before: &[&str], after: &[&str], removed: &[&str], added: &[&str]) -> Change {
    if removed.is_empty() && added.is_empty() {
        return Change::Same;
    }
    if matches!((removed, added), ([], ["sudo"]) | (["sudo"], [])) {
        return Change::Sudo;
    }
    let (old_programs, new_programs) = (programs(before), programs(after));
    if before.len() == after.len() && removed.len() == added.len() {
        let pairs = removed.iter().zip(added);
        let worst = pairs.map(|(old, new)| pair(old, new, &old_programs)).max().unwrap_or(Change::Same);
        if worst != Change::Program || shared(before, after) > 0 || before.len() == 1 {
            return worst;
        }
        return Change::Unrelated;
    }
    if removed.iter().chain(added).any(|word| word.starts_with('-'))
        && old_programs == new_programs
        && shared(before, after) > 0
    {
        let only_options = removed.iter().chain(added).filter(|word| !word.starts_with('-')).count() <= 1;
        return if only_options { Change::Options } else { Change::Rewritten };
    }
    match (old_programs == new_programs, shared(before, after)) {
        (true, _) => Change::Rewritten,
        (false, 0) => Change::Unrelated,
        (false, _) => Change::Program,
    }
}

fn pair(old: &str, new: &str, programs: &[String]) -> Change {
    let (old, new) = (unquoted(old), unquoted(new));
    let names_program =
        programs.iter().any(|program| old == program || old.ends_with(&format!("/{program}")));
    if old == new {
        Change::Same
    } else if is_placeholder(old) {
        Change::Filled
    } else if is_typo(old, new) {
        Change::Typo
    } else if names_program {
        Change::Program
    } else if old.starts_with('-') || new.starts_with('-') {
        Change::Options
    } else if is_path(old) && is_path(new) {
        Change::Path
    } else {
        Change::Value
    }
}

/// Words of both, besides `sudo` and the like, counted once.
fn shared(before: &[&str], after: &[&str]) -> usize {
    let plain = |word: &&&str| !matches!(**word, "sudo" | "|" | "&&" | ";" | "." | "-" | "<" | ">");
    before.iter().filter(plain).filter(|word| after.contains(word)).count()
}

fn programs(words: &[&str]) -> Vec<String> {
    steps(&words.join(" ")).into_iter().map(|step| step.program).collect()
}

fn unquoted(word: &str) -> &str {
    word.trim_matches(['"', '\''])
}

fn is_placeholder(word: &str) -> bool {
    let upper = word.len() > 2 && word.chars().all(|letter| letter.is_ascii_uppercase() || letter == '_');
    upper
        || word.starts_with(['<', '{', '[']) && word.ends_with(['>', '}', ']'])
        || [
            "path/to",
            "example.com",
            "your-",
            "your_",
            "your.",
            "yourname",
            "placeholder",
            "xxx",
            "foo",
            "bar.txt",
        ]
        .iter()
        .any(|hole| word.contains(hole))
}

/// Letters swapped, missing or doubled in one word; a changed digit is another value.
fn is_typo(old: &str, new: &str) -> bool {
    let letters = |word: &str| word.chars().filter(char::is_ascii_digit).collect::<String>();
    let long = old.chars().count().min(new.chars().count()) >= 4;
    let limit = if old.chars().count() >= 8 { 2 } else { 1 };
    let swapped = strsim::osa_distance(old, new) <= limit;
    let extends = new.starts_with(old) || old.starts_with(new) || new.ends_with(old) || old.ends_with(new);
    long && swapped && !extends && letters(old) == letters(new) && !old.starts_with('-')
}

fn is_path(word: &str) -> bool {
    word.contains('/')
        || word.starts_with('~')
        || word.rsplit_once('.').is_some_and(|(stem, end)| {
            !stem.is_empty()
                && end.len() <= 5
                && end.chars().all(char::is_alphanumeric)
                && !end.chars().all(|c| c.is_ascii_digit())
        })
        || word == "."
}

/// An edit of sentences: by how many words stay.
#[expect(clippy::cast_precision_loss, reason = "counts of words in a message")]
fn reworded(answer: &str, text: &str) -> Signal {
    let all = spans(text);
    let old: Vec<&str> = answer.split_whitespace().collect();
    let new: Vec<&str> = all.iter().map(|(word, _)| *word).collect();
    let front = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
    let longest = old.len().min(new.len()) - front;
    let back = old.iter().rev().zip(new.iter().rev()).take(longest).take_while(|(a, b)| a == b).count();
    let first = all.get(front).map_or(text.len(), |(_, span)| span.start);
    let last =
        (all.len() - back).checked_sub(1).and_then(|at| all.get(at)).map_or(first, |(_, span)| span.end);
    let span = first..last.max(first);
    if old == new {
        return signal("edit.kept", Says::Good, 0.85, span);
    }
    let plain = |text: &str| words(text).into_iter().map(|word| folded(&word.text)).collect::<Vec<_>>();
    if plain(answer) == plain(text) {
        return signal("edit.punctuation", Says::Good, 0.6, span);
    }
    let kept = (front + back) as f32 / old.len().max(new.len()).max(1) as f32;
    signal("edit.reworded", Says::Bad, 0.9 - 0.25 * kept, span)
}

/// Words with their bytes.
fn spans(text: &str) -> Vec<(&str, Range<usize>)> {
    let start = text.as_ptr() as usize;
    text.split_whitespace()
        .map(|word| {
            let at = word.as_ptr() as usize - start;
            (word, at..at + word.len())
        })
        .collect()
}

fn signal(rule: &str, says: Says, strength: f32, span: Range<usize>) -> Signal {
    let is_directive = says == Says::Bad;
    Signal { rule: rule.into(), says, evidence: Evidence::Edit, strength, span, is_directive }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(answer: &str, text: &str, expected: Change, new: &str) {
        let (change, span) = compared(&proposed(answer), text);
        assert_eq!((change, &text[span]), (expected, new), "{answer:?} -> {text:?}");
    }

    #[test]
    fn a_path_a_typo_or_a_placeholder_is_no_correction() {
        check("tar -czf src.tgz src", "tar -czf src.tgz src", Change::Same, "");
        check("cat 'a.txt'", "cat a.txt", Change::Same, "");
        check("cat notes.txt", "cat todo.txt", Change::Path, "todo.txt");
        check("cp a.txt /tmp/x", "cp a.txt ~/x", Change::Path, "~/x");
        check("pyhton run.py", "python run.py", Change::Typo, "python");
        check("ssh user@<host>", "ssh user@<host>", Change::Same, "");
        check("ping <host>", "ping db.lan", Change::Filled, "db.lan");
        check("cat path/to/file", "cat notes.md", Change::Filled, "notes.md");
        check("mv FILE backup", "mv notes backup", Change::Filled, "notes");
    }

    #[test]
    fn another_program_option_or_value_is_one() {
        check("grep -rn TODO src", "rg TODO src", Change::Program, "rg");
        check("python app.py", "python3 app.py", Change::Program, "python3");
        check("npm install lodash", "pnpm install lodash", Change::Program, "pnpm");
        check("find . -size +100M", "fd -S +100M", Change::Program, "fd -S");
        check("ls", "eza", Change::Program, "eza");
        check("df", "df -h", Change::Options, "-h");
        check("git push --force", "git push", Change::Options, "");
        check("vim /etc/hosts", "sudo vim /etc/hosts", Change::Sudo, "sudo");
        check("sudo docker ps", "docker ps", Change::Sudo, "");
        check("find . -size +100M", "find . -size +200M", Change::Value, "+200M");
        check("cat readme.md", "ssh raspberrypi", Change::Unrelated, "ssh raspberrypi");
    }

    #[test]
    fn the_nearest_of_several_proposals_counts() {
        check("Run `ls -l` or `du -sh`.", "du -sh", Change::Same, "");
        check("```sh\ngrep x a\n```", "rg x a", Change::Program, "rg");
    }
}
