//! What a question is asked with: who answers, in which shell, system and folder, after which failure. Pure.
//!
//! The lines are those that the starter model was trained with. Recent commands are not among them: it never saw a list of
//! commands, and what a person wants remembered of them is a lesson. The last failure goes along only where the question
//! points at it, in the words of the fix prompt.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::Regex;

use crate::daemon::wire::shell::{ShellCommand, ShellKind};
use crate::turn::{Message, plain_request};

const FIX: &str = include_str!("../../../assets/prompts/fix.txt");
const FIX_END: &str = "Give the next command.";
/// A longer folder says little and costs much of a small model's attention.
const MAX_CWD: usize = 80;
/// What is kept of an output: errors stand at its end.
const MAX_LINES: usize = 12;
const MAX_CHARS: usize = 600;

/// Where a question is asked.
#[derive(Debug, Clone, Default)]
pub(super) struct Around {
    /// Who answers: the setting `chat.system`.
    pub(super) agent: String,
    pub(super) shell: Option<ShellKind>,
    pub(super) cwd: Option<String>,
    pub(super) home: Option<String>,
}

/// A command that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) command: String,
    pub(super) status: i32,
    /// Empty where it was not captured.
    pub(super) output: String,
}

impl Around {
    /// Words into messages.
    pub(super) fn question(&self, words: &str, last: Option<&Failure>) -> Vec<Message> {
        match last {
            Some(failure) if asks_for_fix(words) => self.fix(failure),
            Some(failure) if points_at_failure(words) => {
                plain_request(&self.system(), &self.told(failure).replace(FIX_END, words))
            }
            _ => plain_request(&self.system(), words),
        }
    }

    pub(super) fn fix(&self, failure: &Failure) -> Vec<Message> {
        plain_request(&self.system(), &self.told(failure))
    }

    /// The failure in the prompt's words. What every shell says of status 127 is known without having been captured.
    fn told(&self, failure: &Failure) -> String {
        let program = failure.command.split_whitespace().next().unwrap_or_default();
        let said = match self.shell {
            _ if failure.status != 127 || !failure.output.is_empty() => return failure.told(),
            Some(ShellKind::Zsh) => format!("zsh: command not found: {program}"),
            Some(ShellKind::Fish) => format!("fish: Unknown command: {program}"),
            Some(ShellKind::Bash) | None => format!("bash: {program}: command not found"),
        };
        Failure { output: said, ..failure.clone() }.told()
    }

    fn system(&self) -> String {
        let shell = self.shell.map(|shell| format!("Shell: {}", shell.name()));
        let os = if cfg!(target_os = "macos") { "OS: macOS" } else { "OS: Linux" };
        let cwd = self.cwd.as_deref().map(|cwd| shortened(cwd, self.home.as_deref()));
        let cwd = cwd.filter(|cwd| cwd.chars().count() <= MAX_CWD).map(|cwd| format!("Cwd: {cwd}"));
        let lines = [Some(self.agent.clone()), shell, Some(os.to_owned()), cwd];
        lines.into_iter().flatten().filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n")
    }
}

impl Failure {
    /// The prompt as the model knows it.
    fn told(&self) -> String {
        let output = end_of(&self.output);
        let (before, rest) = FIX.trim_end().split_once("{command}").unwrap_or((FIX, ""));
        let (between, rest) = rest.split_once("{status}").unwrap_or((rest, ""));
        let (above, below) = rest.split_once("{output}\n").unwrap_or((rest, ""));
        let output = if output.is_empty() { output } else { format!("{output}\n") };
        format!("{before}{}{between}{}{above}{output}{below}", self.command, self.status)
    }
}

/// The failure to be fixed: of what the shell says, and of what the daemon remembers, which has the output.
pub(super) fn failure(told: Option<(&str, i32)>, recent: &[ShellCommand]) -> Option<Failure> {
    let remembered = |ran: &ShellCommand| Failure {
        command: ran.text.trim().to_owned(),
        status: ran.status,
        output: ran.output.clone().unwrap_or_default(),
    };
    let last = recent.last();
    match told {
        Some((text, status)) => {
            let same = last.filter(|ran| ran.text.trim() == text.trim() && ran.status == status);
            let known = Failure { command: text.trim().to_owned(), status, output: String::new() };
            Some(same.map_or(known, remembered))
        }
        None => last.filter(|ran| is_failure(ran.status)).map(remembered),
    }
}

/// Whether a status may be one to fix: not success, not the person's own doing (128 + INT, KILL, PIPE, TERM, TSTP).
pub(super) fn is_failure(status: i32) -> bool {
    !matches!(status, 0 | 130 | 137 | 141 | 143 | 148)
}

/// `/home/ada/src` as `~/src`.
fn shortened(cwd: &str, home: Option<&str>) -> String {
    let home = home.map(|home| home.trim_end_matches('/')).filter(|home| !home.is_empty());
    match home.and_then(|home| cwd.strip_prefix(home)) {
        Some("") => "~".to_owned(),
        Some(rest) if rest.starts_with('/') => format!("~{rest}"),
        _ => cwd.to_owned(),
    }
}

/// Whether the words speak of what just went wrong.
fn points_at_failure(words: &str) -> bool {
    static POINTS: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(
            r"(?i)\b(fix (it|this|that)|(it|this|that) (failed|fails|does ?n.t work|did ?n.t work)|(this|that|the) (error|failure)|why did|what went wrong|last (command|error)|try again|retry|with sudo$)",
        )
        .ok()
    });
    POINTS.as_ref().is_some_and(|points| points.is_match(words))
}

/// Whether the words say no more than the usual last line of the fix prompt.
fn asks_for_fix(words: &str) -> bool {
    let words = words.to_lowercase();
    let said = words.trim().trim_end_matches(['.', '!']).trim_start_matches("please ");
    matches!(said, "fix" | "fix it" | "fix this" | "fix that")
}

/// The last lines of an output, without what only a terminal reads.
fn end_of(output: &str) -> String {
    let is_text = |c: &char| !c.is_control() || matches!(c, '\n' | '\t');
    let plain: String = without_escapes(output).chars().filter(is_text).collect();
    let lines: Vec<&str> = plain.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect();
    let kept = lines.get(lines.len().saturating_sub(MAX_LINES)..).unwrap_or_default().join("\n");
    let n_chars = kept.chars().count();
    kept.chars().skip(n_chars.saturating_sub(MAX_CHARS)).collect()
}

/// Without the sequences that colour, move and name things on a terminal.
pub(super) fn without_escapes(text: &str) -> Cow<'_, str> {
    static ESCAPES: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(r"\x1b(?:\[[ -?]*[@-~]|[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)|[ -/]*[0-~])").ok()
    });
    match ESCAPES.as_ref() {
        Some(escapes) => escapes.replace_all(text, ""),
        None => text.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn around() -> Around {
        Around {
            agent: "You are chela, a terminal agent.".into(),
            shell: Some(ShellKind::Zsh),
            cwd: Some("/home/ada/src".into()),
            home: Some("/home/ada".into()),
        }
    }

    fn failed(output: &str) -> Failure {
        Failure { command: "gti status".into(), status: 127, output: output.into() }
    }

    fn ran(text: &str, status: i32, output: Option<&str>) -> ShellCommand {
        ShellCommand {
            text: text.into(),
            status,
            pipeline: vec![],
            cwd: "/".into(),
            cwd_after: None,
            output: output.map(str::to_owned),
            duration_ms: None,
            suggestion: None,
            ended_ms: 0,
        }
    }

    #[test]
    fn the_system_message_has_the_lines_of_the_training() {
        let os = if cfg!(target_os = "macos") { "macOS" } else { "Linux" };
        let expected = format!("You are chela, a terminal agent.\nShell: zsh\nOS: {os}\nCwd: ~/src");
        assert_eq!(around().question("list files", None)[0].content, expected);
    }

    #[test]
    fn what_is_not_known_has_no_line() {
        let around = Around { agent: "A".into(), cwd: Some("/".repeat(100)), ..Around::default() };
        assert_eq!(around.system().lines().count(), 2);
    }

    #[track_caller]
    fn check_cwd(cwd: &str, home: Option<&str>, expected: &str) {
        assert_eq!(shortened(cwd, home), expected);
    }

    #[test]
    fn home_is_written_as_a_tilde() {
        check_cwd("/home/ada", Some("/home/ada"), "~");
        check_cwd("/home/ada/x", Some("/home/ada/"), "~/x");
        check_cwd("/home/adam", Some("/home/ada"), "/home/adam");
        check_cwd("/x", Some("/"), "/x");
        check_cwd("/x", None, "/x");
    }

    #[test]
    fn a_failure_is_told_in_the_words_of_the_prompt() {
        let told = failed("bash: gti: command not found\n").told();
        let expected = "This command failed:\n$ gti status\nexit 127\nbash: gti: command not found\nGive the next command.";
        assert_eq!(told, expected);
    }

    #[test]
    fn a_failure_without_output_has_no_empty_line() {
        assert_eq!(failed("").told(), "This command failed:\n$ gti status\nexit 127\nGive the next command.");
    }

    #[test]
    fn a_program_that_is_not_there_is_told_as_the_shell_says_it() {
        let told = &around().fix(&failed(""))[1].content;
        assert!(told.contains("exit 127\nzsh: command not found: gti\n"), "{told}");
    }

    #[test]
    fn braces_in_a_command_are_not_filled_in() {
        let failure = Failure { command: "echo {status} {output}".into(), status: 1, output: "x".into() };
        assert!(failure.told().contains("echo {status} {output}"), "{}", failure.told());
    }

    #[test]
    fn of_a_long_output_the_end_is_told_without_colours() {
        let output = format!("{}\x1b[31mlast\x1b[0m\x1b]0;t\x07 line\r\n", "x\n".repeat(50));
        let end = end_of(&output);
        assert!(end.ends_with("\nlast line") && end.lines().count() == MAX_LINES, "{end}");
        assert_eq!(end_of(&"y".repeat(5000)).chars().count(), MAX_CHARS);
    }

    #[track_caller]
    fn check_points(words: &str, expected: bool) {
        assert_eq!(points_at_failure(words), expected, "{words}");
    }

    #[test]
    fn the_last_failure_goes_along_where_the_words_point_at_it() {
        check_points("fix it", true);
        check_points("why did that fail", true);
        check_points("what does this error mean", true);
        check_points("list files", false);
        check_points("find files that contain error", false);
        check_points("show failed services", false);
    }

    #[test]
    fn the_question_takes_the_place_of_the_usual_last_line() {
        let messages = around().question("fix it with sudo", Some(&failed("no")));
        assert!(messages[1].content.ends_with("exit 127\nno\nfix it with sudo"), "{}", messages[1].content);
        assert_eq!(around().question("list files", Some(&failed("no")))[1].content, "list files");
        assert_eq!(around().question("Fix it!", Some(&failed("no"))), around().fix(&failed("no")));
    }

    #[test]
    fn the_output_comes_from_the_memory_of_the_same_command() {
        let recent = [ran("gti status", 127, Some("not found"))];
        assert_eq!(failure(Some(("gti status ", 127)), &recent), Some(failed("not found")));
        assert_eq!(failure(Some(("gti status", 126)), &recent).unwrap().output, "");
        assert_eq!(failure(None, &recent), Some(failed("not found")));
        assert_eq!(failure(None, &[ran("ls", 0, None)]), None);
        assert_eq!(failure(None, &[ran("sleep 9", 130, None)]), None);
        assert_eq!(failure(None, &[]), None);
    }
}
