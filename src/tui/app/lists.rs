//! Lists to choose from (sessions, models), what came back from calls, and the status report. Pure.

use std::path::PathBuf;

use ratatui::text::{Line, Span};

use super::event::{Effect, Link, Purpose};
use super::{App, Overlay, Running};
use crate::daemon::wire::{ModelState, SessionList, Status};
use crate::tui::composer::in_bytes;
use crate::tui::picker::{Choice, Item, Picker};
use crate::tui::theme;
use crate::turn::SessionId;

impl App {
    pub(super) fn on_sessions(&mut self, outcome: Result<SessionList, String>) {
        self.running = Running::Nothing;
        let sessions = match outcome {
            Ok(list) => list.sessions,
            Err(reason) => return self.print_error(&reason),
        };
        let items: Vec<Item> = sessions
            .into_iter()
            .filter(|row| row.n_turns > 0)
            .map(|row| Item {
                value: row.id.0,
                label: if row.title.is_empty() {
                    "untitled".into()
                } else {
                    crate::tui::ansi::harmless(&row.title).replace('\n', " ")
                },
                detail: format!(
                    "{} · {} {} · {}",
                    local_time(row.last_turn_at),
                    row.n_turns,
                    if row.n_turns == 1 { "turn" } else { "turns" },
                    row.cwd.as_deref().unwrap_or("-")
                ),
            })
            .collect();
        self.open_picker(
            Picker::new("resume a session", Choice::Session, items),
            "there is no earlier session",
        );
    }

    pub(super) fn on_models(&mut self, outcome: Result<Vec<(String, String)>, String>) {
        self.running = Running::Nothing;
        let models = match outcome {
            Ok(models) => models,
            Err(reason) => return self.print_error(&reason),
        };
        let items = models
            .into_iter()
            .map(|(name, about)| Item { value: name.clone(), label: name, detail: about })
            .collect();
        self.open_picker(
            Picker::new("switch the model", Choice::Model, items),
            "there is no model; `chela model pull` downloads one",
        );
    }

    fn open_picker(&mut self, picker: Picker, when_empty: &str) {
        if picker.items.is_empty() {
            self.print_dim(when_empty);
        } else {
            self.overlay = Overlay::Picker(picker);
        }
    }

    /// The choices as numbered lines (plain mode). Said once, when the list opens.
    pub(super) fn print_choices(&mut self) {
        let Overlay::Picker(picker) = &mut self.overlay else { return };
        if std::mem::replace(&mut picker.is_printed, true) {
            return;
        }
        let mut lines = vec![Line::from(format!("{}:", picker.title))];
        for (idx, item) in picker.items.iter().enumerate() {
            lines.push(Line::from(format!("{}. {} ({})", idx + 1, item.label, item.detail)));
        }
        lines.push(Line::from("number, or nothing to cancel:"));
        self.print(lines);
    }

    pub(super) fn choose_by_number(&mut self, line: &str) {
        let Overlay::Picker(picker) = &mut self.overlay else { return };
        let chosen = line.parse::<usize>().ok().and_then(|number| picker.items.get(number.checked_sub(1)?));
        match chosen.cloned() {
            Some(item) => {
                let choice = picker.choice;
                self.choose(choice, item.value);
            }
            None if line.is_empty() => {
                self.overlay = Overlay::None;
                self.print_dim("nothing chosen");
            }
            None => {
                let last = picker.items.len();
                self.print_error(&format!("\"{line}\" is not a number from 1 to {last}"));
            }
        }
    }

    pub(super) fn choose(&mut self, choice: Choice, value: String) {
        self.overlay = Overlay::None;
        match choice {
            Choice::Session => {
                self.running = Running::Call("reading the session");
                self.effect(Effect::LoadThread { session: SessionId(value), purpose: Purpose::Resume });
            }
            Choice::Model => self.use_model(value),
        }
    }

    pub(super) fn use_model(&mut self, name: String) {
        self.running = Running::Call("loading the model");
        self.link = Link::Loading(name.clone());
        self.effect(Effect::UseModel(name));
    }

    pub(super) fn on_model_used(&mut self, outcome: Result<Status, String>) {
        self.running = Running::Nothing;
        match outcome {
            Ok(status) => {
                if let ModelState::Ready { model } = &status.model {
                    self.print_done(&format!("{} answers now ({})", model.name, model.placement));
                    self.n_ctx = Some(model.n_ctx);
                }
                self.link = Link::Ready(Box::new(status));
            }
            Err(reason) => {
                self.print_error(&reason);
                // What serves now, if anything, is the daemon's to say.
                self.reconnect();
            }
        }
    }

    pub(super) fn on_status(&mut self, outcome: Result<Status, String>) {
        self.running = Running::Nothing;
        match outcome {
            Ok(status) => {
                let mut rows = status_rows(&status);
                rows.push(("session", self.thread.session.0.clone()));
                let lines = rows.into_iter().map(|(name, value)| {
                    Line::from(vec![Span::styled(format!("{name:<11}"), theme::DIM), Span::raw(value)])
                });
                self.print(lines.chain([Line::default()]).collect());
            }
            Err(reason) => self.print_error(&reason),
        }
    }

    pub(super) fn on_written(&mut self, outcome: Result<PathBuf, String>) {
        match outcome {
            Ok(path) => self.print_done(&format!("written to {}", path.display())),
            Err(reason) => self.print_error(&reason),
        }
    }

    pub(super) fn on_edited(&mut self, outcome: Result<String, String>) {
        match outcome {
            Ok(text) => self.composer.set_text(text.trim_end_matches('\n'), 64 * 1024),
            Err(reason) => self.print_error(&reason),
        }
    }
}

fn status_rows(status: &Status) -> Vec<(&'static str, String)> {
    let mut rows = Vec::new();
    match &status.model {
        ModelState::None { reason } => rows.push(("model", format!("none: {reason}"))),
        ModelState::Loading { name } => rows.push(("model", format!("loading {name}"))),
        ModelState::Ready { model } => {
            let trained = if model.n_ctx_train > 0 {
                format!(", trained with {}", model.n_ctx_train)
            } else {
                String::new()
            };
            rows.push((
                "model",
                format!(
                    "{} ({}, {})",
                    model.name,
                    model.description,
                    in_bytes(usize::try_from(model.size_bytes).unwrap_or(usize::MAX))
                ),
            ));
            rows.push(("file", model.path.clone()));
            rows.push(("runs on", model.placement.clone()));
            rows.push(("context", format!("{} tokens{trained}", model.n_ctx)));
        }
    }
    rows.push(("policy", status.policy.to_string()));
    if let Some(memory) = status.memory_bytes {
        rows.push(("memory", in_bytes(usize::try_from(memory).unwrap_or(usize::MAX))));
    }
    rows.push((
        "daemon",
        format!(
            "{} (pid {}, up {} s, {} running)",
            status.version, status.pid, status.uptime_s, status.running_requests
        ),
    ));
    rows.extend(status.tcp.iter().map(|tcp| ("endpoint", tcp.clone())));
    rows.push(("ledger", status.ledger.clone()));
    rows.push(("log", status.log.clone()));
    rows
}

/// Unix milliseconds as a date and time that people read.
fn local_time(at: i64) -> String {
    let Ok(time) = jiff::Timestamp::from_millisecond(at) else { return "-".into() };
    time.to_zoned(jiff::tz::TimeZone::system()).strftime("%Y-%m-%d %H:%M").to_string()
}
