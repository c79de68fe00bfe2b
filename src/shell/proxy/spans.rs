//! Which commands ran: marks, output and bash's history lines made into finished commands. Pure.
//!
//! What always holds: only a mark with the shell's nonce begins or ends a command, and only the end with the number of
//! the beginning; an end without a beginning is nothing; a line that begins with a blank is nothing at all. What is not
//! known for sure is left out.

use std::borrow::Cow;

use super::capture::Capture;
use super::control::Record;
use super::line::Line;
use super::marks::{Event, Mark, Step};
use crate::daemon::wire::shell::quoting::{from_shell, from_url};
use crate::daemon::wire::shell::{ShellCommand, ShellKind};
use crate::turn::TurnId;

/// What is kept of an input line as it was echoed.
const MAX_ECHO: usize = 8 * 1024;

/// The commands of one shell.
#[derive(Debug)]
pub(super) struct Spans {
    kind: ShellKind,
    phase: Phase,
    is_full_screen: bool,
    /// The newest line of bash's history, as far as it was told.
    history: Option<String>,
    /// The directory that was named last, without a voucher.
    directory: Option<Vec<u8>>,
}

#[derive(Debug)]
enum Phase {
    /// Nothing is known: before the first prompt, or between a command's end and the next prompt.
    Between,
    /// The input line as the terminal shows it.
    Input(Vec<u8>),
    Running(Box<Running>),
    /// Bash tells the text after the end.
    Untold(Box<Untold>),
}

#[derive(Debug)]
struct Running {
    mark: Mark,
    began_ms: i64,
    echo: Option<Vec<u8>>,
    capture: Capture,
}

#[derive(Debug)]
struct Untold {
    n: u64,
    echo: Option<Vec<u8>>,
    command: ShellCommand,
}

impl Untold {
    /// The input line as it stood on the screen. `None`: it is not known for sure, a long line for instance.
    fn typed(&self) -> Option<String> {
        let echo = String::from_utf8_lossy(self.echo.as_deref()?);
        let echo = echo.trim_end_matches("\x1b[?2004l\r").trim_end_matches(['\r', '\n']);
        let echo = echo.trim_end_matches("\x1b[?2004l").trim_end_matches(['\r', '\n']);
        // A line that goes on at the left edge may have been wrapped.
        if echo.contains('\r') { None } else { Line::typed(echo) }
    }
}

impl Spans {
    pub(super) fn new(kind: ShellKind) -> Self {
        Self { kind, phase: Phase::Between, is_full_screen: false, history: None, directory: None }
    }

    /// Whether the control file may say what the last command was.
    pub(super) fn wants_records(&self) -> bool {
        matches!(self.phase, Phase::Untold(_))
    }

    /// Takes what the control file says. The command that waited for it, if it is worth telling.
    pub(super) fn told(&mut self, records: &[Record]) -> Option<ShellCommand> {
        let Phase::Untold(untold) = &self.phase else { return None };
        let record = records.iter().rfind(|record| record.n == untold.n)?;
        let Phase::Untold(untold) = std::mem::replace(&mut self.phase, Phase::Between) else { return None };
        if record.text.is_some() {
            self.history.clone_from(&record.text);
        }
        let text = record.text.clone().or_else(|| self.repeated(&untold))?;
        worth_telling(ShellCommand { text, ..untold.command })
    }

    /// The text of a command that the history did not take. It may be a private one: what stood on the screen counts
    /// only where it repeats the newest line of the history, which is why it was not taken.
    fn repeated(&self, untold: &Untold) -> Option<String> {
        untold.typed().filter(|typed| Some(typed) == self.history.as_ref())
    }

    /// Takes output, of which the caller knows nothing more.
    pub(super) fn output(&mut self, bytes: &[u8]) {
        match &mut self.phase {
            Phase::Input(echo) if echo.len() + bytes.len() <= MAX_ECHO => echo.extend_from_slice(bytes),
            Phase::Input(_) => self.phase = Phase::Between,
            Phase::Running(running) => running.capture.push(bytes),
            Phase::Between | Phase::Untold(_) => {}
        }
    }

    /// Takes what happened. A command that has ended, if its text is known already and worth telling.
    pub(super) fn hear(&mut self, event: Event, now_ms: i64) -> Option<ShellCommand> {
        match event {
            Event::Own(mark) => return self.hear_own(mark, now_ms),
            Event::Foreign(b'B') => self.input_begins(),
            Event::Foreign(_) => {}
            Event::Directory(directory) => self.directory = Some(directory),
            Event::FullScreen(is_full) => {
                self.is_full_screen = is_full;
                if let (true, Phase::Running(running)) = (is_full, &mut self.phase) {
                    running.capture.draws_screen();
                }
            }
        }
        None
    }

    fn hear_own(&mut self, mark: Mark, now_ms: i64) -> Option<ShellCommand> {
        match mark.step {
            Step::Prompt => None,
            Step::Input => {
                self.input_begins();
                None
            }
            Step::Began => {
                self.begin(mark, now_ms);
                None
            }
            Step::Ended => self.end(&mark, now_ms),
        }
    }

    /// The prompt ends here. Only what the shell itself printed counts, so not while a command runs.
    fn input_begins(&mut self) {
        if matches!(self.phase, Phase::Between | Phase::Input(_)) {
            self.phase = Phase::Input(Vec::new());
        }
    }

    fn begin(&mut self, mark: Mark, now_ms: i64) {
        let echo = match std::mem::replace(&mut self.phase, Phase::Between) {
            Phase::Input(echo) => Some(echo),
            // The first beginning counts.
            Phase::Running(running) if running.mark.n == mark.n => {
                self.phase = Phase::Running(running);
                return;
            }
            Phase::Running(_) | Phase::Between | Phase::Untold(_) => None,
        };
        let mut capture = Capture::default();
        if self.is_full_screen {
            capture.draws_screen();
        }
        self.phase = Phase::Running(Box::new(Running { mark, began_ms: now_ms, echo, capture }));
    }

    fn end(&mut self, mark: &Mark, now_ms: i64) -> Option<ShellCommand> {
        let running = match std::mem::replace(&mut self.phase, Phase::Between) {
            Phase::Running(running) if running.mark.n == mark.n => *running,
            // An end of another command ends nothing.
            other => {
                self.phase = other;
                return None;
            }
        };
        let Running { mark: began, echo, capture, began_ms } = running;
        let command = self.command(&began, mark, (began_ms, now_ms), capture)?;
        if let Some(text) = began.field("cmd") {
            let text = lossy(self.unquoted(text)?);
            return worth_telling(ShellCommand { text, ..command });
        }
        if self.kind == ShellKind::Bash {
            self.phase = Phase::Untold(Box::new(Untold { n: mark.n, echo, command }));
        }
        None
    }

    /// All but the text. `None`: the shell hides it (`p`), or a field cannot be read.
    fn command(
        &self,
        began: &Mark,
        ended: &Mark,
        (began_ms, now_ms): (i64, i64),
        capture: Capture,
    ) -> Option<ShellCommand> {
        let is_hidden = |mark: &Mark| mark.field("p").is_some();
        if is_hidden(began) || is_hidden(ended) {
            return None;
        }
        let directory = |mark: &Mark| Some(lossy(self.unquoted(mark.field("d")?)?));
        let cwd = directory(began)?;
        let cwd_after = directory(ended).or_else(|| self.directory.clone().map(lossy));
        let elapsed = u64::try_from(now_ms - began_ms).ok();
        Some(ShellCommand {
            text: String::new(),
            status: ended.status?,
            pipeline: ended.field("ps").map(statuses).unwrap_or_default(),
            cwd_after: cwd_after.filter(|after| *after != cwd),
            cwd,
            output: capture.finish(),
            duration_ms: duration(began, ended).or(elapsed),
            suggestion: began.field("s").and_then(number).map(TurnId),
            ended_ms: now_ms,
        })
    }

    fn unquoted(&self, value: &[u8]) -> Option<Vec<u8>> {
        let read = match self.kind {
            ShellKind::Bash | ShellKind::Zsh => from_shell(value),
            ShellKind::Fish => from_url(value),
        };
        read.ok()
    }
}

/// Nothing is told of an empty line, nor of one that begins with a blank: that is how people say "do not keep this".
fn worth_telling(command: ShellCommand) -> Option<ShellCommand> {
    let is_private = command.text.starts_with(char::is_whitespace);
    (!is_private && !command.text.is_empty()).then_some(command)
}

/// By the shell's own clock; by what it measured itself, where it says so.
fn duration(began: &Mark, ended: &Mark) -> Option<u64> {
    if let Some(measured) = ended.field("ms") {
        return number(measured);
    }
    let (from, to) = (microseconds(began.field("t")?)?, microseconds(ended.field("t")?)?);
    Some(to.checked_sub(from)? / 1000)
}

/// `1700000000.123456`, with the separator of any language.
fn microseconds(seconds: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(seconds).ok()?;
    let (whole, fraction) = text.split_once(|character: char| !character.is_ascii_digit())?;
    let fraction: Cow<'_, str> = fraction.chars().chain("000000".chars()).take(6).collect();
    whole.parse::<u64>().ok()?.checked_mul(1_000_000)?.checked_add(fraction.parse().ok()?)
}

fn statuses(text: &[u8]) -> Vec<i32> {
    String::from_utf8_lossy(text).split_ascii_whitespace().filter_map(|status| status.parse().ok()).collect()
}

fn number<T: std::str::FromStr>(digits: &[u8]) -> Option<T> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

fn lossy(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

#[cfg(test)]
mod tests;
