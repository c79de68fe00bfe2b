//! A command line as its steps: which program each runs, and how they are joined. Only as far as signals need it.

use super::normal::words;

/// Programs that run another, which is what counts.
const WRAPPERS: &[&str] = &[
    "sudo", "doas", "env", "time", "nice", "nohup", "command", "exec", "builtin", "stdbuf", "ionice",
    "setsid", "xargs", "timeout", "!", "if", "while", "until", "then", "do", "else", "{", "(",
];

/// How a step hangs on the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Joined {
    First,
    Pipe,
    And,
    Or,
    Then,
}

/// One program with its words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) joined: Joined,
    /// Without its folder; empty where none is named.
    pub(super) program: String,
    /// What follows the program.
    pub(super) words: Vec<String>,
}

/// The steps of a command line, in order.
pub(super) fn steps(line: &str) -> Vec<Step> {
    let mut found = Vec::new();
    let mut joined = Joined::First;
    let mut current: Vec<String> = Vec::new();
    for token in tokens(line) {
        match token {
            Token::Word(word) => current.push(word),
            Token::Join(next) => {
                if !current.is_empty() {
                    found.push(step(joined, std::mem::take(&mut current)));
                }
                joined = next;
            }
        }
    }
    if !current.is_empty() {
        found.push(step(joined, current));
    }
    found
}

/// What an answer proposes to run: its code blocks, its marked code, or the whole of it.
pub(super) fn proposed(answer: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let parts: Vec<&str> = answer.split("```").collect();
    for block in parts.iter().skip(1).step_by(2) {
        let (language, body) = block.split_once('\n').unwrap_or(("", block));
        found.push(bare(if language.contains(' ') { block } else { body }));
        found.extend(body.lines().map(bare));
    }
    for prose in parts.iter().step_by(2) {
        found.extend(prose.split('`').skip(1).step_by(2).map(bare));
    }
    if found.is_empty() {
        found.push(bare(answer));
        found.extend(answer.lines().map(bare));
    }
    found.retain(|command| !command.is_empty());
    found.dedup();
    found
}

/// Whether a text reads as a command line and not as sentences.
pub(super) fn is_command(text: &str) -> bool {
    let text = text.trim();
    let Some(first) = text.split_whitespace().next() else { return false };
    let is_program =
        first.chars().all(|letter| letter.is_ascii_alphanumeric() || "._/-+=~$!([{".contains(letter));
    let sentence = text.ends_with(['.', '!', '?']) && words(text).len() > 4 && !text.ends_with(" .");
    is_program && !sentence && text.lines().count() <= 3 && !first.starts_with(char::is_uppercase)
}

enum Token {
    Word(String),
    Join(Joined),
}

fn bare(line: &str) -> String {
    let line = line.trim();
    line.strip_prefix("$ ").unwrap_or(line).split_whitespace().collect::<Vec<_>>().join(" ")
}

fn step(joined: Joined, all: Vec<String>) -> Step {
    let mut rest = all.into_iter().peekable();
    let mut wrapped = false;
    while let Some(word) = rest.next_if(|word| {
        let assigns = word.split_once('=').is_some_and(|(name, _)| {
            !name.is_empty() && name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
        });
        assigns
            || WRAPPERS.contains(&word.as_str())
            || wrapped && (word.starts_with('-') || word.starts_with(|c: char| c.is_ascii_digit()))
    }) {
        wrapped |= WRAPPERS.contains(&word.as_str());
    }
    let program =
        rest.next().map(|path| path.rsplit('/').next().unwrap_or_default().to_owned()).unwrap_or_default();
    Step { joined, program, words: rest.collect() }
}

/// Words and joins, with quotes and escapes respected.
fn tokens(line: &str) -> Vec<Token> {
    let mut found = Vec::new();
    let mut word = String::new();
    let mut quote: Option<char> = None;
    let mut depth = 0_usize;
    let mut letters = line.chars().peekable();
    while let Some(letter) = letters.next() {
        let inside = quote.is_some() || depth > 0;
        let join = match letter {
            '\\' if quote != Some('\'') => {
                word.extend(letters.next());
                continue;
            }
            '\'' | '"' if quote.is_none() || quote == Some(letter) => {
                quote = if quote.is_none() { Some(letter) } else { None };
                continue;
            }
            '(' if quote != Some('\'') && word.ends_with('$') || depth > 0 && letter == '(' => {
                depth += 1;
                None
            }
            ')' if depth > 0 => {
                depth -= 1;
                None
            }
            '|' if !inside => {
                Some(if letters.next_if_eq(&'|').is_some() { Joined::Or } else { Joined::Pipe })
            }
            '&' if !inside && (word.ends_with('>') || letters.peek() == Some(&'>')) => None,
            '&' if !inside => {
                Some(if letters.next_if_eq(&'&').is_some() { Joined::And } else { Joined::Then })
            }
            ';' | '\n' if !inside => Some(Joined::Then),
            _ if letter.is_whitespace() && !inside => {
                push(&mut found, &mut word);
                continue;
            }
            _ => None,
        };
        if let Some(join) = join {
            push(&mut found, &mut word);
            found.push(Token::Join(join));
        } else {
            word.push(letter);
        }
    }
    push(&mut found, &mut word);
    found
}

fn push(found: &mut Vec<Token>, word: &mut String) {
    if !word.is_empty() {
        found.push(Token::Word(std::mem::take(word)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &str, expected: &str) {
        let found: Vec<String> =
            steps(line).iter().map(|step| format!("{:?} {}", step.joined, step.program)).collect();
        assert_eq!(found.join(", "), expected, "{line}");
    }

    #[test]
    fn a_line_is_split_into_its_programs() {
        check("grep -r 'a | b' src", "First grep");
        check("cat a.txt | grep x | head", "First cat, Pipe grep, Pipe head");
        check("cd x && make; ls", "First cd, And make, Then ls");
        check("false || true", "First false, Or true");
        check("LANG=C sudo -n /usr/bin/find . 2>&1", "First find");
        check("timeout 5 curl x &", "First curl");
        check("echo $(ls | wc -l)", "First echo");
        check("", "");
    }

    #[test]
    fn an_answers_commands_are_found() {
        assert_eq!(proposed("ls -l"), ["ls -l"]);
        assert_eq!(proposed("Run `ls -l`, then `pwd`."), ["ls -l", "pwd"]);
        assert_eq!(proposed("Do this:\n```sh\n$ ls  -l\n```\nDone."), ["ls -l"]);
    }
}
