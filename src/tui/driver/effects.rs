//! Executing effects: the terminal's share of them here, calls and programs by their own modules.

use crossterm::clipboard::CopyToClipboard;
use crossterm::execute;
use ratatui::text::Line;
use rustix::process::{Signal, getpid, kill_process};

use super::{Driver, Happening, write_all};
use crate::tui::ansi::write_line;
use crate::tui::app::{Effect, Event};
use crate::tui::reader::Mode;
use crate::tui::review::{self, Guest, Left, ReviewOptions};
use crate::tui::theme::Ink;
use crate::tui::{process, terminal};

impl Driver {
    pub(super) fn execute(&mut self, effect: Effect) -> anyhow::Result<()> {
        match effect {
            Effect::Print(lines) if self.app.is_plain() => return self.print_plain(&lines),
            Effect::Print(lines) => self.committed.extend(lines),
            Effect::Write(text) => return self.write_plain(&text),
            Effect::Connect => self.calls.connect(),
            Effect::StartAnswer { ticket, request } => self.calls.answer(ticket, *request),
            Effect::Interrupt(turn) => self.calls.interrupt(turn),
            Effect::LoadThread { session, purpose } => self.calls.thread(session, purpose),
            Effect::LoadSessions => self.calls.sessions(),
            Effect::LoadModels => self.calls.models(),
            Effect::LoadStatus => self.calls.status(),
            Effect::UseModel(name) => self.calls.use_model(name),
            Effect::Tell(telling) => self.calls.tell(telling),
            Effect::RunCommand(line) => return self.run_command(&line),
            Effect::StopCommand => {
                if let Some(command) = &mut self.command {
                    command.stop();
                }
            }
            Effect::Record(text) if self.remembers => self.record(text),
            Effect::Record(_) => {}
            Effect::OpenEditor(text) => return self.open_editor(&text),
            Effect::Copy(text) => return self.copy(&text),
            Effect::WriteNew { path, text } => {
                let outcome = process::write_new(&path, &text).map(|()| path);
                return self.handle(Event::Written(outcome));
            }
            Effect::OpenReview => return self.open_review(),
            Effect::ClearScreen => return self.clear_screen(),
            Effect::Suspend => return self.suspend(),
            Effect::SwitchPlain => return self.switch_plain(),
            Effect::Quit => self.exit = Some(0),
        }
        Ok(())
    }

    fn run_command(&mut self, line: &str) -> anyhow::Result<()> {
        let shell = self.env.shell.as_deref().unwrap_or("/bin/sh");
        match process::Running::start(shell, line, &self.cwd, self.events.clone()) {
            Ok(running) => {
                self.command = Some(running);
                Ok(())
            }
            Err(err) => self.handle(Event::CommandEnded(format!("{shell} cannot be started: {err}"))),
        }
    }

    /// On a thread: the disk may be slow, and the next key is not to wait for it.
    fn record(&self, text: String) {
        let (history, events) = (self.history.clone(), self.events.clone());
        let at = jiff::Timestamp::now().as_second();
        self.calls.spawn("history", move |_| {
            if let Err(err) = history.append(&text, at) {
                let path = history.path.display();
                let trouble = format!("the input history cannot be written to {path}: {err}");
                let _ = events.send(Happening::event(Event::Trouble(trouble)));
            }
        });
    }

    fn open_editor(&mut self, text: &str) -> anyhow::Result<()> {
        let editor = self.env.editor.clone().unwrap_or_else(|| "vi".into());
        self.release()?;
        let outcome = process::edit(&editor, text, &self.state_dir);
        self.reclaim()?;
        self.handle(Event::Edited(outcome))
    }

    fn copy(&mut self, text: &str) -> anyhow::Result<()> {
        if !self.env.is_stdout_tty {
            return self.handle(Event::Trouble("there is no terminal to copy to".into()));
        }
        Ok(execute!(std::io::stdout().lock(), CopyToClipboard::to_clipboard_from(text))?)
    }

    /// The pane has the terminal until it is left; what comes for the chat meanwhile waits.
    fn open_review(&mut self) -> anyhow::Result<()> {
        let options = ReviewOptions {
            connect: self.calls.connect.clone(),
            env: self.env.clone(),
            theme: self.app.theme(),
            cwd: self.cwd.clone(),
            state_dir: self.state_dir.clone(),
        };
        let guest = Guest { inbox: &self.inbox, events: &self.events, reader: self.reader.as_ref() };
        let Left { exit, deferred } = review::visit(&guest, &options)?;
        self.exit = exit.or(self.exit);
        self.is_dirty = true;
        deferred.into_iter().try_for_each(|happening| self.take_in(happening))
    }

    fn clear_screen(&mut self) -> anyhow::Result<()> {
        if !self.app.is_plain() {
            self.flush_committed()?;
            terminal::write("\x1b[H\x1b[2J")?;
            self.surface.forget();
        }
        Ok(())
    }

    /// Stops this process as Ctrl+Z would; `SIGCONT` brings the chat back. An orphaned process group would ignore
    /// `SIGTSTP`, so it is `SIGSTOP`.
    fn suspend(&mut self) -> anyhow::Result<()> {
        if self.app.is_plain() {
            return Ok(());
        }
        self.release()?;
        self.is_suspended = true;
        kill_process(getpid(), Signal::STOP)?;
        Ok(())
    }

    /// After a stop: the shell has written to the screen and set its own modes.
    pub(super) fn come_back(&mut self) -> anyhow::Result<()> {
        if self.app.is_plain() {
            return Ok(());
        }
        if !self.is_suspended {
            // Stopped from outside, without a word to us.
            terminal::give_back();
            self.surface.forget();
        }
        self.is_suspended = false;
        self.reclaim()
    }

    /// Gives the terminal to somebody else for a while.
    fn release(&mut self) -> anyhow::Result<()> {
        if let Some(reader) = &self.reader {
            reader.set_mode(Mode::Paused);
        }
        self.flush_committed()?;
        terminal::give_back();
        Ok(())
    }

    fn reclaim(&mut self) -> anyhow::Result<()> {
        terminal::take()?;
        if let Some(reader) = &self.reader {
            reader.set_mode(Mode::Keys);
        }
        self.has_replied = false;
        self.asked = std::time::Instant::now();
        terminal::ask()?;
        self.is_dirty = true;
        Ok(())
    }

    fn switch_plain(&mut self) -> anyhow::Result<()> {
        if self.app.is_plain() {
            if !self.env.is_capable() {
                return self.handle(Event::Trouble("this terminal can show linear text only".into()));
            }
            self.app.set_plain(false, self.env.ink(self.app.theme()));
            return self.reclaim();
        }
        self.release()?;
        self.app.set_plain(true, Ink::None);
        if let Some(reader) = &self.reader {
            reader.set_mode(Mode::Lines);
        }
        self.write_plain("linear text from here on; /plain goes back\n")
    }

    /// Prints what waits and takes the live area away.
    pub(super) fn flush_committed(&mut self) -> anyhow::Result<()> {
        let mut bytes = self.surface.leave(terminal::size());
        for line in self.committed.drain(..) {
            write_line(&mut bytes, &line, self.app.ink());
            bytes.extend_from_slice(b"\r\n");
        }
        Ok(write_all(&bytes)?)
    }

    fn print_plain(&mut self, lines: &[Line<'static>]) -> anyhow::Result<()> {
        let mut text = Vec::new();
        for line in lines {
            write_line(&mut text, line, Ink::None);
            text.push(b'\n');
        }
        self.write_plain(&String::from_utf8_lossy(&text))
    }

    fn write_plain(&mut self, text: &str) -> anyhow::Result<()> {
        if std::mem::take(&mut self.has_prompt) {
            terminal::write("\n")?;
        }
        Ok(terminal::write(text)?)
    }
}
