//! One step: a proposed command is ruled on, asked about, run and reported.

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::PathBuf;

use super::ask::{Choice, Look};
use super::held::Held;
use super::report::{StepReport, Why};
use super::talk::Talk;
use crate::cli::output;
use crate::shell::danger::{Level, dangers};
use crate::shell::rules::{Decision, Ruling};
use crate::shell::run::{Command, Ran, run};
use crate::turn::TurnId;
use crate::turn::next_state::CommandOutcome;

/// A task while it is done.
pub(super) struct Doing {
    pub(super) talk: Talk,
    pub(super) held: Held,
    pub(super) cwd: PathBuf,
    /// The person's shell runs the commands.
    pub(super) shell: String,
    /// There is a person who can be asked.
    pub(super) asks: bool,
    pub(super) dry_run: bool,
    pub(super) json: bool,
    pub(super) look: Look,
    pub(super) steps: Vec<StepReport>,
}

/// What follows a step.
pub(super) enum Next {
    GoOn { has_run: bool },
    End(Why),
}

impl Doing {
    /// Whether the last command that ran is this one, and its status.
    pub(super) fn just_ran(&self, command: &str) -> Option<i32> {
        let last = self.steps.last().filter(|last| last.command == command)?;
        last.status
    }

    /// The status of the last command that ran.
    pub(super) fn last_status(&self) -> Option<i32> {
        self.steps.iter().rev().find_map(|step| step.status)
    }

    fn stopped(&self) -> Why {
        Why::Stopped { has_worked: self.last_status() == Some(0) }
    }

    pub(super) fn has_worked(&self) -> bool {
        self.steps.iter().any(|step| step.status == Some(0))
    }

    /// Rules, the person, the run.
    pub(super) fn take(&mut self, turn: Option<TurnId>, proposed: &str) -> anyhow::Result<Next> {
        let ruling = self.looked_at(turn, proposed, proposed);
        self.show(proposed, &ruling);
        if self.dry_run {
            return Ok(Next::End(Why::DryRun));
        }
        match ruling.decision {
            Decision::Allow => self.run(turn, proposed, "rule"),
            _ if self.asks => self.asked(turn, proposed, ruling),
            Decision::Deny => Ok(Next::End(Why::Refused { said: format!("not run: {}", ruling.why) })),
            Decision::Ask => {
                let said = format!(
                    "not run, nobody can be asked here: {} Rules that would allow it: chela do --rules",
                    ruling.why
                );
                Ok(Next::End(Why::Refused { said }))
            }
        }
    }

    fn show(&self, command: &str, ruling: &Ruling) {
        self.look.show(command, &self.cwd.display().to_string(), &dangers(command), ruling);
    }

    /// Rules on a command and begins its report.
    fn looked_at(&mut self, turn: Option<TurnId>, proposed: &str, command: &str) -> Ruling {
        let ruling = self.held.rule_on(command, &self.shell);
        let found = dangers(command);
        self.steps.push(StepReport {
            turn,
            proposed: proposed.to_owned(),
            command: command.to_owned(),
            ruling: match ruling.decision {
                Decision::Allow => "allow",
                Decision::Ask => "ask",
                Decision::Deny => "deny",
            },
            why: ruling.why.clone(),
            dangers: found.into_iter().map(|danger| danger.why).collect(),
            ..StepReport::default()
        });
        ruling
    }

    fn asked(&mut self, turn: Option<TurnId>, proposed: &str, first: Ruling) -> anyhow::Result<Next> {
        let (mut command, mut ruling) = (proposed.to_owned(), first);
        loop {
            match Look::choice(ruling.decision == Decision::Deny)? {
                Choice::Yes => return self.run(turn, &command, "yes"),
                Choice::No => return self.instead(turn),
                Choice::End => return Ok(Next::End(self.stopped())),
                Choice::Interrupt => return Ok(Next::End(Why::Interrupted)),
                Choice::Always => {
                    if self.always(&command)? {
                        return self.run(turn, &command, "always");
                    }
                }
                Choice::Edit => {
                    let Some(edited) = self.look.line("> ", &command)?.filter(|text| !text.trim().is_empty())
                    else {
                        continue;
                    };
                    if edited == command {
                        continue;
                    }
                    command = edited;
                    self.steps.pop();
                    ruling = self.looked_at(turn, proposed, &command);
                    let is_grave = dangers(&command).iter().any(|danger| danger.level == Level::Grave);
                    // The edit is the yes, unless there is something new to be said about it.
                    if ruling.decision != Decision::Deny && !is_grave {
                        return self.run(turn, &command, "edit");
                    }
                    self.show(&command, &ruling);
                }
            }
        }
    }

    /// A no may say what is wanted.
    fn instead(&mut self, turn: Option<TurnId>) -> anyhow::Result<Next> {
        if let Some(last) = self.steps.last_mut() {
            last.decided = Some("no");
        }
        match self.look.line("What instead? (Enter ends) ", "")?.filter(|words| !words.trim().is_empty()) {
            Some(words) => {
                self.talk.reply(turn, words.trim());
                Ok(Next::GoOn { has_run: false })
            }
            None => Ok(Next::End(self.stopped())),
        }
    }

    /// Shows the rules that would be written, and writes them after a yes.
    fn always(&mut self, command: &str) -> anyhow::Result<bool> {
        let rules = match self.held.always(command) {
            Ok(rules) => rules,
            Err(why) => {
                output::note(&format!("  no rule can allow this: {why}"));
                return Ok(false);
            }
        };
        for rule in &rules {
            let within = rule.within.as_ref().map(|dir| format!(" in {}", dir.display())).unwrap_or_default();
            output::note(&format!("  allow {}{within}", output::harmless(&rule.command)));
        }
        if !Look::confirm("Write this?")? {
            return Ok(false);
        }
        self.held.add(&rules)?;
        Ok(true)
    }

    fn run(&mut self, turn: Option<TurnId>, command: &str, decided: &'static str) -> anyhow::Result<Next> {
        let plain: Vec<OsString> = vec![self.shell.clone().into(), "-c".into(), command.into()];
        let by_rule = decided == "rule" || decided == "always";
        let boxed = by_rule.then(|| self.held.sandboxed(plain.clone()));
        if let Some(Err(why)) = &boxed {
            output::note(&self.look.dim(&format!("  without a sandbox: {why}")));
        }
        let (words, sandboxed) = match boxed {
            Some(Ok(words)) => (words, true),
            _ => (plain, false),
        };
        let is_edited = self.steps.last().is_some_and(|step| step.proposed != command);
        if is_edited {
            self.talk.edited(turn, command);
        }
        let shown: Box<dyn Write + Send> =
            if self.json { Box::new(io::stderr()) } else { Box::new(io::stdout()) };
        let ran = run(&Command { words, cwd: self.cwd.clone(), takes_keys: self.asks }, shown)?;
        self.ran(turn, command, &ran);
        if let Some(step) = self.steps.last_mut() {
            (step.decided, step.sandboxed) = (Some(decided), sandboxed);
        }
        if sandboxed && ran.status != 0 && ran.output.contains("ermission denied") {
            output::note(
                &self.look.dim(
                    "  it ran in the sandbox: [sandbox] write in the rules names more places to write to",
                ),
            );
        }
        if ran.was_ended || ran.status == INTERRUPTED {
            return Ok(Next::End(Why::Interrupted));
        }
        Ok(Next::GoOn { has_run: true })
    }

    /// Says how it ended: to the person, in the report, to the daemon.
    fn ran(&mut self, turn: Option<TurnId>, command: &str, ran: &Ran) {
        let line_end = if ran.output.is_empty() || ran.output.ends_with('\n') { "" } else { "\n" };
        let seconds = ran.duration.as_secs_f64();
        output::note(&self.look.dim(&format!("{line_end}  exit {} · {seconds:.1} s", ran.status)));
        let duration_ms = u64::try_from(ran.duration.as_millis()).ok();
        if let Some(step) = self.steps.last_mut() {
            step.status = Some(ran.status);
            step.duration_ms = duration_ms;
            step.output = Some(ran.output.clone());
        }
        let outcome = CommandOutcome {
            command: command.to_owned(),
            status: ran.status,
            pipeline: Vec::new(),
            output: ran.output.clone(),
            duration_ms,
        };
        self.talk.ended(turn, outcome);
    }
}

/// 128 + SIGINT: the person stopped it.
const INTERRUPTED: i32 = 130;
