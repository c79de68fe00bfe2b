//! How the tour speaks: steps, what is typed, what is answered, what happened inside, and Enter between steps.

use std::io::{self, BufRead, IsTerminal, Write};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::cli::output;
use crate::cli::place::Place;
use crate::daemon::wire::{LearnStatus, LoopEvent};

pub(super) struct Guide {
    waits: bool,
    may_redraw: bool,
    n_steps: usize,
}

impl Guide {
    /// Waits for Enter only where somebody can press it.
    pub(super) fn new(place: &Place, fast: bool) -> Self {
        let waits = !fast && io::stdin().is_terminal() && io::stdout().is_terminal();
        Self { waits, may_redraw: place.may_redraw() && io::stderr().is_terminal(), n_steps: 0 }
    }

    /// The next step's heading; before it, time to read the one before.
    pub(super) fn step(&mut self, title: &str, about: &str) -> io::Result<()> {
        if self.n_steps > 0 {
            self.pause()?;
        }
        self.n_steps += 1;
        output::line("")?;
        output::line(&format!("{}. {title}", self.n_steps))?;
        output::line(&format!("   {about}"))
    }

    fn pause(&self) -> io::Result<()> {
        if !self.waits {
            return Ok(());
        }
        let mut stderr = io::stderr().lock();
        write!(stderr, "   [Enter] ")?;
        stderr.flush()?;
        let mut line = String::new();
        io::stdin().lock().read_line(&mut line).map(drop)
    }

    /// A bar for a round of learning.
    pub(super) fn bar(&self) -> Bar {
        let target =
            if self.may_redraw { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(Some(1), target);
        if let Ok(style) = ProgressStyle::with_template("   {prefix:>10} {bar:30} {msg}") {
            bar.set_style(style);
        }
        Bar(bar)
    }
}

/// What the person says.
pub(super) fn says(text: &str) -> io::Result<()> {
    output::line(&format!("   > {text}"))
}

pub(super) fn answers(text: &str) -> io::Result<()> {
    for line in output::harmless(text).lines() {
        output::line(&format!("   {line}"))?;
    }
    Ok(())
}

/// What happened, and how to see it later.
pub(super) fn inside(what: &str, later: &str) -> io::Result<()> {
    output::line(&format!("     inside: {}", output::harmless(what)))?;
    if later.is_empty() {
        return Ok(());
    }
    output::line(&format!("     later:  {later}"))
}

pub(super) struct Bar(ProgressBar);

impl Bar {
    pub(super) fn show(&self, status: &LearnStatus) {
        if let Some(LoopEvent::Learning { phase, done, total, loss, .. }) = &status.progress {
            self.0.set_prefix(phase.name());
            self.0.set_length((*total).max(1));
            self.0.set_position(*done);
            self.0.set_message(loss.map(|loss| format!("loss {loss:.3}")).unwrap_or_default());
        }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// `0.21 s`.
pub(super) fn seconds(elapsed: Duration) -> String {
    format!("{:.2} s", elapsed.as_secs_f64())
}
