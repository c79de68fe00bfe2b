//! The question before a command runs: what it is, where, what is dangerous about it, and the keys.

use std::fmt::Write as _;
use std::io::{self, Write};

use super::edit::{Edited, LineEdit};
use super::keys::{Key, Keys};
use crate::cli::output;
use crate::shell::danger::{Danger, Level};
use crate::shell::rules::{Decision, Ruling};
use crate::shell::run::size;

/// What the person wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Choice {
    Yes,
    No,
    Always,
    Edit,
    End,
    Interrupt,
}

/// How questions look.
#[derive(Debug, Clone, Copy)]
pub(super) struct Look {
    pub(super) color: bool,
    /// Nothing is redrawn.
    pub(super) plain: bool,
}

impl Look {
    fn painted(self, code: &str, text: &str) -> String {
        if self.color { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    pub(super) fn dim(self, text: &str) -> String {
        self.painted("2", text)
    }

    /// The command, where it would run, and what is to be known about it.
    pub(super) fn show(self, command: &str, cwd: &str, dangers: &[Danger], ruling: &Ruling) {
        let mut text = String::new();
        for line in output::harmless(command).lines() {
            let _ = writeln!(text, "  {}", self.painted("1", line));
        }
        text.push_str(&self.dim(&format!("  in {cwd}")));
        for danger in dangers {
            let (mark, code) = match danger.level {
                Level::Grave => ("danger:", "1;31"),
                Level::Mild => ("note:", "33"),
            };
            let _ = write!(text, "\n  {} {}", self.painted(code, mark), danger.why);
        }
        let is_said = dangers.iter().any(|danger| ruling.why.starts_with(&danger.why));
        if ruling.decision != Decision::Ask || ruling.always_asks && !is_said {
            let _ = write!(text, "\n  {}", self.dim(&ruling.why));
        }
        output::note(&text);
    }

    /// Waits for one of the keys. Enter alone is no.
    pub(super) fn choice(is_denied: bool) -> io::Result<Choice> {
        let keys = if is_denied {
            "Not allowed.  n no · e edit · Esc end [n] "
        } else {
            "Run it?  y yes · n no · a always · e edit · Esc end [n] "
        };
        say(keys);
        let mut terminal = Keys::open()?;
        let (choice, word) = loop {
            match terminal.next()? {
                Key::Char('y' | 'Y') if !is_denied => break (Choice::Yes, "yes"),
                Key::Char('a' | 'A') if !is_denied => break (Choice::Always, "always"),
                Key::Char('n' | 'N') | Key::Enter => break (Choice::No, "no"),
                Key::Char('e' | 'E') => break (Choice::Edit, "edit"),
                Key::Escape => break (Choice::End, "end"),
                Key::CtrlC => break (Choice::Interrupt, "^C"),
                _ => {}
            }
        };
        drop(terminal);
        output::note(word);
        Ok(choice)
    }

    /// Yes or no; Enter alone is no.
    pub(super) fn confirm(question: &str) -> io::Result<bool> {
        say(&format!("{question}  y yes · n no [n] "));
        let mut terminal = Keys::open()?;
        let is_yes = loop {
            match terminal.next()? {
                Key::Char('y' | 'Y') => break true,
                Key::Char('n' | 'N') | Key::Enter | Key::Escape | Key::CtrlC => break false,
                _ => {}
            }
        };
        drop(terminal);
        output::note(if is_yes { "yes" } else { "no" });
        Ok(is_yes)
    }

    /// A line that the person types or edits; `None`: Esc or Ctrl+C.
    pub(super) fn line(self, prompt: &str, text: &str) -> io::Result<Option<String>> {
        if self.plain {
            return plain_line(prompt, text);
        }
        let mut edit = LineEdit::new(text);
        let mut terminal = Keys::open()?;
        let edited = loop {
            let width = size().map_or(80, |size| usize::from(size.ws_col));
            let n_prompt = prompt.chars().count();
            let (shown, column) = edit.view(width.saturating_sub(n_prompt));
            say(&format!("\r\x1b[K{prompt}{shown}\r\x1b[{}C", (n_prompt + column).max(1)));
            match edit.press(terminal.next()?) {
                Edited::Going => {}
                Edited::Done(text) => break Some(text),
                Edited::Cancelled | Edited::Interrupted => break None,
            }
        };
        drop(terminal);
        output::note("");
        Ok(edited)
    }
}

/// Without redrawing: the line as it is, and a new one.
fn plain_line(prompt: &str, text: &str) -> io::Result<Option<String>> {
    let before = if text.is_empty() { String::new() } else { format!("now: {text}\n") };
    say(&format!("{before}{prompt}"));
    let mut line = String::new();
    let n = io::stdin().read_line(&mut line)?;
    let line = line.trim_end_matches(['\n', '\r']);
    Ok((n > 0 && (!line.is_empty() || text.is_empty())).then(|| line.to_owned()))
}

/// Nobody listening on stderr is no reason to fail.
fn say(text: &str) {
    let mut stderr = io::stderr().lock();
    let _ = stderr.write_all(text.as_bytes()).and_then(|()| stderr.flush());
}
