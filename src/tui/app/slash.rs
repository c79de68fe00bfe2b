//! What each `/` command does. Pure.

use std::path::PathBuf;

use ratatui::text::{Line, Span};

use super::event::{Effect, Link};
use super::thread::last_code_block;
use super::{App, Running, Thread};
use crate::config::AlternateScreen;
use crate::tui::commands::{COMMANDS, Command};
use crate::tui::pager::Pager;
use crate::tui::theme::{self, Background, Ink};

/// Keys, as `/help` and `?` show them.
pub(crate) const KEYS: &[(&str, &str)] = &[
    ("Enter", "send"),
    ("Alt+Enter, Ctrl+J, \\ Enter", "new line"),
    ("Esc", "stop the answer"),
    ("Esc Esc", "change the previous message"),
    ("Up, Down", "earlier messages"),
    ("Ctrl+R", "search them"),
    ("Ctrl+G", "write in $EDITOR"),
    ("Ctrl+T", "transcript"),
    ("Ctrl+C", "stop, clear; twice: quit"),
    ("Ctrl+Z", "suspend"),
    ("!command", "run it, show the model its output"),
    ("/", "commands"),
];

impl App {
    pub(super) fn run_slash(&mut self, command: Command, argument: &str) {
        if self.refuses_off_record(command) {
            return;
        }
        match command {
            Command::Help => self.print_help(),
            Command::New => self.begin_session(),
            Command::Resume => self.call("reading the ledger", Effect::LoadSessions),
            Command::Model if argument.is_empty() => self.call("looking for models", Effect::LoadModels),
            Command::Model => self.use_model(argument.to_owned()),
            Command::Status => self.call("asking the daemon", Effect::LoadStatus),
            Command::Edit => self.edit_previous(),
            Command::Teach => self.teach(argument),
            Command::Good => self.rate(true, argument),
            Command::Bad => self.rate(false, argument),
            Command::Undo => self.undo_lesson(),
            Command::Lessons => self.list_lessons(),
            Command::Review => self.open_review(),
            Command::Why => self.explain(),
            Command::Learn => self.learn(),
            Command::RollBack => self.roll_back(),
            Command::Off => self.switch_record(),
            Command::On => self.end_off_record(),
            Command::Forget => self.forget(argument),
            Command::Copy => self.copy(argument),
            Command::Export => self.export(argument),
            Command::Transcript => self.open_transcript(),
            Command::Theme => self.set_theme(argument),
            Command::Plain => self.effect(Effect::SwitchPlain),
            Command::Clear => self.effect(Effect::ClearScreen),
            Command::Quit => self.quit(),
        }
    }

    fn call(&mut self, what: &'static str, effect: Effect) {
        if matches!(self.link, Link::Starting) && !matches!(effect, Effect::LoadModels) {
            self.print_dim("the daemon is starting; try again in a moment");
            return;
        }
        self.running = Running::Call(what);
        self.effect(effect);
    }

    /// What is on the screen of a running answer stays there; the ledger has it as disconnected.
    pub(super) fn quit(&mut self) {
        if let Running::Answer(answer) = &mut self.running
            && !self.is_plain
        {
            let lines = answer.stream.finish();
            self.print(lines);
            self.print_dim("(left before the end)");
        }
        self.effect(Effect::Quit);
    }

    fn print_help(&mut self) {
        let row = |name: String, about: &str| {
            Line::from(vec![Span::styled(format!("  {name:<30}"), theme::HINT), Span::raw(about.to_owned())])
        };
        let mut lines = vec![Line::styled("keys", theme::BOLD)];
        lines.extend(KEYS.iter().map(|(key, about)| row((*key).to_owned(), about)));
        lines.push(Line::styled("commands", theme::BOLD));
        lines.extend(
            COMMANDS.iter().map(|entry| row(format!("/{} {}", entry.name, entry.argument), entry.about)),
        );
        lines.push(Line::default());
        self.print(lines);
    }

    fn begin_session(&mut self) {
        let session = (self.name_session)();
        self.thread = Thread::new(session);
        let fresh = self.thread.clone();
        self.set_aside(&fresh);
        self.usage = None;
        self.n_lessons = 0;
        self.last_lesson = None;
        let said = if self.is_off_record() {
            "a new session, off the record"
        } else {
            "a new session; the old one is in /resume"
        };
        self.print_done(said);
    }

    /// Fills the composer with the last message; sending it branches off before that message.
    pub(super) fn edit_previous(&mut self) {
        match self.thread.edit_last() {
            Some(draft) => self.composer.set(draft),
            None => self.print_dim("there is no earlier message"),
        }
    }

    fn copy(&mut self, what: &str) {
        let Some(answer) = self.thread.last_answer() else {
            return self.print_dim("there is no answer to copy");
        };
        let copied = match what {
            "" => Some(answer.to_owned()),
            "code" => last_code_block(answer),
            other => {
                let reason = format!("/copy takes nothing or \"code\", not \"{other}\"");
                return self.print_error(&reason);
            }
        };
        match copied {
            Some(text) => {
                let n = text.chars().count();
                self.effect(Effect::Copy(text));
                self.print_done(&format!("{n} characters sent to the clipboard (OSC 52)"));
            }
            None => self.print_dim("there is no code in the last answer"),
        }
    }

    fn export(&mut self, file: &str) {
        if self.thread.exchanges.is_empty() {
            return self.print_dim("there is nothing to export yet");
        }
        let name = if file.is_empty() { format!("{}.md", self.thread.session.0) } else { file.to_owned() };
        let path = PathBuf::from(&self.cwd).join(name);
        self.effect(Effect::WriteNew { path, text: self.thread.as_markdown() });
    }

    pub(super) fn open_transcript(&mut self) {
        if self.thread.exchanges.is_empty() {
            return self.print_dim("nothing has been said yet");
        }
        if self.is_plain || self.settings.alternate_screen == AlternateScreen::Never {
            let text = self.thread.as_markdown();
            let lines = crate::tui::markdown::Stream::whole(&text, self.look());
            self.print(lines);
        } else {
            self.pager = Some(Pager::new(self.thread.as_markdown()));
        }
    }

    fn open_review(&mut self) {
        if self.is_plain || self.settings.alternate_screen == AlternateScreen::Never {
            self.print_dim(
                "the review pane fills the screen; chela turns, chela lessons and chela why print the same",
            );
        } else {
            self.effect(Effect::OpenReview);
        }
    }

    fn set_theme(&mut self, wanted: &str) {
        let background = match wanted {
            "light" => Background::Light,
            "dark" => Background::Dark,
            "none" => {
                self.ink = if self.ink == Ink::None { Ink::None } else { Ink::NoColour };
                return self.print_done("no colours from here on");
            }
            other => {
                let reason = format!(
                    "/theme takes light, dark or none, not \"{other}\"; `chela config set chat.theme` keeps a choice"
                );
                return self.print_error(&reason);
            }
        };
        self.background = background;
        self.ink = if self.ink == Ink::None { Ink::None } else { Ink::Full };
        self.print_done(&format!("colours for a {wanted} background from here on"));
    }
}
