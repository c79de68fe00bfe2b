//! `!` commands: their output on the screen, and what of it goes along with the next message. Pure.

use std::fmt::Write;
use std::time::Duration;

use ratatui::text::Line;

use super::event::Effect;
use super::{App, Running};
use crate::tui::composer::in_bytes;
use crate::tui::{ansi, theme};

#[derive(Debug)]
pub(crate) struct ShellCommand {
    pub line: String,
    pub started: Duration,
    /// All bytes it has written so far, kept or not.
    pub n_bytes: usize,
    head: Vec<u8>,
    /// How much is missing between `head` and `tail`.
    n_skipped: usize,
    tail: Vec<u8>,
    /// An unfinished line.
    partial: Vec<u8>,
}

impl ShellCommand {
    /// The last unfinished line, for the live area.
    pub(crate) fn partial(&self) -> String {
        ansi::harmless(&String::from_utf8_lossy(&self.partial))
    }
}

impl App {
    pub(super) fn run_command(&mut self, line: String) {
        if !self.is_plain {
            self.print_said(&format!("!{line}"));
        }
        self.running = Running::Command(ShellCommand {
            line: line.clone(),
            started: self.now,
            n_bytes: 0,
            head: Vec::new(),
            n_skipped: 0,
            tail: Vec::new(),
            partial: Vec::new(),
        });
        self.effect(Effect::RunCommand(line));
    }

    pub(super) fn on_command_output(&mut self, bytes: &[u8]) {
        let Running::Command(command) = &mut self.running else { return };
        let kept = if command.n_skipped == 0 { &mut command.head } else { &mut command.tail };
        kept.extend_from_slice(bytes);
        command.n_bytes = command.n_bytes.max(command.head.len() + command.n_skipped + command.tail.len());
        command.partial.extend_from_slice(bytes);
        let Some(end) = command.partial.iter().rposition(|byte| *byte == b'\n') else { return };
        let rest = command.partial.split_off(end + 1);
        let whole = std::mem::replace(&mut command.partial, rest);
        self.print_output(&whole);
    }

    pub(super) fn on_command_progress(&mut self, n_bytes: usize) {
        if let Running::Command(command) = &mut self.running {
            command.n_bytes = n_bytes;
        }
    }

    pub(super) fn on_command_skipped(&mut self, n_bytes: usize) {
        let Running::Command(command) = &mut self.running else { return };
        command.n_skipped = n_bytes;
        let partial = std::mem::take(&mut command.partial);
        self.print_output(&partial);
        self.print_dim(&format!("… {} left out …", in_bytes(n_bytes)));
    }

    pub(super) fn on_command_ended(&mut self, outcome: &str) {
        if !matches!(self.running, Running::Command(_)) {
            return;
        }
        let Running::Command(mut command) = std::mem::replace(&mut self.running, Running::Nothing) else {
            return;
        };
        let partial = std::mem::take(&mut command.partial);
        self.print_output(&partial);
        let style = if outcome == "exit status 0" { theme::DIM } else { theme::ERROR };
        self.print(vec![
            Line::styled(format!("({outcome}; goes along with the next message)"), style),
            Line::default(),
        ]);
        let limit = self.n_ctx.unwrap_or(4096).clamp(1024, 64 * 1024);
        let carried = carried(&command, outcome, &self.cwd, limit);
        if carried.n_cut > 0 {
            self.print_dim(&format!(
                "(the model will see it without {} in the middle)",
                in_bytes(carried.n_cut)
            ));
        }
        self.thread.carried.push(carried.text);
    }

    fn print_output(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        let text = ansi::harmless(&String::from_utf8_lossy(bytes));
        let lines =
            text.trim_end_matches('\n').split('\n').map(|line| Line::styled(line.to_owned(), theme::DIM));
        self.print(lines.collect());
    }
}

struct Carried {
    text: String,
    n_cut: usize,
}

/// The command and its outcome as part of a message; at most `limit` bytes of output, from both ends.
fn carried(command: &ShellCommand, outcome: &str, cwd: &str, limit: usize) -> Carried {
    let (mut head, mut tail) = (command.head.as_slice(), command.tail.as_slice());
    let mut n_cut = command.n_skipped;
    if command.n_skipped == 0 && head.len() > limit {
        (head, tail) = head.split_at(head.len() / 2);
    }
    let half = limit / 2;
    if head.len() + tail.len() > limit {
        n_cut += head.len().saturating_sub(half) + tail.len().saturating_sub(half);
        head = head.get(..half).unwrap_or(head);
        tail = tail.get(tail.len().saturating_sub(half)..).unwrap_or(tail);
    }
    let mut output = ansi::harmless(&String::from_utf8_lossy(head));
    if n_cut > 0 {
        let _ = write!(output, "\n… {} left out …\n", in_bytes(n_cut));
    }
    output.push_str(&ansi::harmless(&String::from_utf8_lossy(tail)));
    let text =
        format!("I ran `{}` in {cwd}. Its output:\n```\n{}\n```\n{outcome}", command.line, output.trim_end());
    Carried { text, n_cut }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(head: &str, n_skipped: usize, tail: &str) -> ShellCommand {
        ShellCommand {
            line: "ls".into(),
            started: Duration::ZERO,
            n_bytes: 0,
            head: head.into(),
            n_skipped,
            tail: tail.into(),
            partial: Vec::new(),
        }
    }

    #[test]
    fn short_output_is_whole() {
        let carried = carried(&command("a\nb\n", 0, ""), "exit status 0", "/tmp", 100);
        assert_eq!(carried.text, "I ran `ls` in /tmp. Its output:\n```\na\nb\n```\nexit status 0");
        assert_eq!(carried.n_cut, 0);
    }

    #[test]
    fn long_output_keeps_both_ends_and_says_what_is_missing() {
        let cut = carried(&command(&"a".repeat(60), 0, ""), "exit status 1", "/", 20);
        assert!(
            cut.text.contains(&format!("{}\n… 40 B left out …\n{}", "a".repeat(10), "a".repeat(10))),
            "{}",
            cut.text
        );
        let skipped = carried(&command(&"a".repeat(30), 5, &"b".repeat(30)), "exit status 1", "/", 20);
        assert_eq!(skipped.n_cut, 5 + 20 + 20);
    }
}
