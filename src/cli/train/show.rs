//! What `chela train` shows: notes and a moving line on stderr, the new version on stdout; or, with `--json`, one
//! object per event on stdout.

use std::fmt::Write as _;
use std::time::Duration;

use indicatif::{HumanDuration, ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;
use serde_json::json;

use super::curve::curve;
use crate::cli::output;
use crate::learn::chat_sample::Reading;
use crate::learn::plan::Plan;
use crate::learn::run::{Evaluation, Outcome, Progress, TrainEvent};
use crate::turn::PolicyVersion;

/// Skipped lines that are named on a screen; `--json` names more.
const NAMED: usize = 10;
/// Bars of the loss curve.
const CURVE_WIDTH: usize = 24;

pub(super) struct Show {
    json: bool,
    bar: Option<ProgressBar>,
    losses: Vec<f64>,
    held_out: Vec<f64>,
    /// Tenths of the run that were told in plain lines.
    told: u64,
}

/// What a run is going to do.
#[derive(Debug, Serialize)]
pub(super) struct Planned<'a> {
    model: &'a str,
    examples: usize,
    /// The answers to one prompt share its computation.
    prompts: usize,
    held_out: usize,
    skipped: u64,
    tokens: usize,
    steps: u64,
    threads: usize,
    memory_mib: u64,
}

impl<'a> Planned<'a> {
    pub(super) fn new(model: &'a str, plan: &Plan, skipped: u64, threads: usize, memory_mib: u64) -> Self {
        Self {
            model,
            examples: plan.training.n_examples(),
            prompts: plan.training.n_prompts(),
            held_out: plan.held_out.n_examples(),
            skipped,
            tokens: plan.training.n_tokens(),
            steps: plan.total_steps(),
            threads,
            memory_mib,
        }
    }

    fn sentence(&self) -> String {
        let Self { model, examples, prompts, held_out, tokens, steps, threads, memory_mib, .. } = self;
        format!(
            "training {model} on {} ({prompts} different prompts, {tokens} tokens), {held_out} held out: {}, {}, \
             at most {memory_mib} MiB",
            counted(*examples as u64, "example"),
            counted(*steps, "gradient step"),
            counted(*threads as u64, "thread")
        )
    }
}

impl Show {
    pub(super) fn new(json: bool, may_redraw: bool) -> Self {
        let bar = (may_redraw && !json).then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(10));
            let template = "{wide_msg} {percent:>3} % [{bar:12}] {pos}/{len}";
            let style =
                ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
            bar.with_style(style.progress_chars("=> "))
        });
        Self { json, bar, losses: Vec::new(), held_out: Vec::new(), told: 0 }
    }

    /// Names what is not trained on, and why.
    pub(super) fn skipped(&self, reading: &Reading) -> anyhow::Result<()> {
        if self.json {
            for skipped in &reading.skipped {
                output::json(&json!({"event": "skipped", "line": skipped.line, "reason": skipped.reason}))?;
            }
            return Ok(());
        }
        for skipped in reading.skipped.iter().take(NAMED) {
            output::note(&format!("line {} {}", skipped.line, output::harmless(&skipped.reason)));
        }
        let n_more = reading.n_skipped.saturating_sub(NAMED as u64);
        if n_more > 0 {
            output::note(&format!("… and {n_more} more"));
        }
        if reading.n_skipped > 0 {
            output::note(&format!("{} skipped", counted(reading.n_skipped, "line")));
        }
        Ok(())
    }

    pub(super) fn planned(&mut self, planned: &Planned) -> anyhow::Result<()> {
        if let Some(bar) = &self.bar {
            bar.set_length(planned.steps);
        }
        self.say("planned", planned, || planned.sentence())
    }

    pub(super) fn resumed(&self, step: u64, steps: u64) -> anyhow::Result<()> {
        self.say("resumed", &json!({"step": step}), || format!("going on after step {step} of {steps}"))
    }

    pub(super) fn event(&mut self, event: &TrainEvent) -> anyhow::Result<()> {
        match event {
            TrainEvent::Evaluated(look) => self.evaluated(*look),
            TrainEvent::Stepped(progress) => self.stepped(progress),
            TrainEvent::Saved { step } if self.json => output::json(&json!({"event": "saved", "step": step})),
            TrainEvent::Saved { .. } => Ok(()),
        }
    }

    fn evaluated(&mut self, look: Evaluation) -> anyhow::Result<()> {
        self.held_out.push(look.loss);
        let Evaluation { step, loss } = look;
        self.say("evaluated", &json!({"step": step, "held_out_loss": loss}), || {
            format!("held-out loss {loss:.4} after step {step}")
        })
    }

    fn stepped(&mut self, progress: &Progress) -> anyhow::Result<()> {
        self.losses.push(progress.report.loss);
        if self.json {
            return output::json(&step_json(progress));
        }
        if let Some(bar) = &self.bar {
            bar.set_position(progress.report.step);
            bar.set_message(self.moving_line(progress));
            return Ok(());
        }
        let tenth = progress.report.step * 10 / progress.total_steps.max(1);
        if tenth > self.told {
            self.told = tenth;
            output::note(&plain_line(progress));
        }
        Ok(())
    }

    fn moving_line(&self, progress: &Progress) -> String {
        format!(
            "loss {:.4} {} {:.0} tokens/s, {} left",
            progress.report.loss,
            curve(&self.losses, CURVE_WIDTH),
            progress.tokens_per_s,
            left(progress.eta_s)
        )
    }

    /// Takes the moving line off the screen.
    pub(super) fn clear(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    pub(super) fn stopped(&self, outcome: &Outcome, command: &str) -> anyhow::Result<()> {
        let step = outcome.steps;
        self.say("stopped", &json!({"step": step}), || match step {
            0 => "stopped before the first step; nothing was learned".to_owned(),
            _ => format!("stopped after step {step}; to go on: {command}"),
        })
    }

    pub(super) fn done(&self, outcome: &Outcome, version: PolicyVersion) -> anyhow::Result<()> {
        if self.json {
            return output::json(&json!({
                "event": "candidate",
                "version": version.to_string(),
                "steps": outcome.steps,
                "held_out_before": outcome.held_out_before,
                "held_out_after": outcome.held_out_after,
            }));
        }
        output::note(&self.result(outcome));
        output::note(&format!("{version} is a candidate; to answer with it: chela adapter use {version}"));
        Ok(output::line(&version.to_string())?)
    }

    /// What a run came to, in a line for each curve.
    fn result(&self, outcome: &Outcome) -> String {
        let mut text = String::new();
        if let (Some(first), Some(last)) = (self.losses.first(), self.losses.last()) {
            let _ = write!(text, "loss {first:.4} → {last:.4} {}", curve(&self.losses, CURVE_WIDTH));
        }
        match (outcome.held_out_before, outcome.held_out_after) {
            (Some(before), Some(after)) => {
                let bars = curve(&self.held_out, CURVE_WIDTH);
                let _ = write!(text, "\nheld-out loss {before:.4} → {after:.4} {bars}");
                if after >= before {
                    text.push_str("\nit did not get better on what it has not seen: more examples or fewer epochs may help");
                }
            }
            _ => text.push_str(
                "\nnothing was held out: whether more than these examples was learned is not known",
            ),
        }
        text
    }

    /// An object on stdout with `--json`, else a sentence on stderr, above the moving line.
    fn say(
        &self,
        event: &str,
        value: &impl Serialize,
        sentence: impl FnOnce() -> String,
    ) -> anyhow::Result<()> {
        if self.json {
            let mut object = serde_json::Map::from_iter([("event".to_owned(), json!(event))]);
            if let serde_json::Value::Object(fields) = serde_json::to_value(value)? {
                object.extend(fields);
            }
            return output::json(&object);
        }
        match &self.bar {
            Some(bar) => bar.suspend(|| output::note(&sentence())),
            None => output::note(&sentence()),
        }
        Ok(())
    }
}

fn step_json(progress: &Progress) -> serde_json::Value {
    let report = &progress.report;
    json!({
        "event": "step",
        "step": report.step,
        "steps": progress.total_steps,
        "epoch": progress.epoch + 1,
        "loss": report.loss,
        "kl": report.kl,
        "grad_norm": report.grad_norm,
        "learning_rate": report.learning_rate,
        "tokens": report.n_tokens,
        "targets": report.n_targets,
        "tokens_per_s": progress.tokens_per_s,
        "eta_s": progress.eta_s,
    })
}

fn plain_line(progress: &Progress) -> String {
    format!(
        "step {} of {}, loss {:.4}, {:.0} tokens/s, {} left",
        progress.report.step,
        progress.total_steps,
        progress.report.loss,
        progress.tokens_per_s,
        left(progress.eta_s)
    )
}

fn left(eta_s: f64) -> String {
    let eta = Duration::try_from_secs_f64(eta_s.max(0.0).round()).unwrap_or(Duration::MAX);
    HumanDuration(eta).to_string()
}

fn counted(n: u64, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::learn::StepReport;

    fn progress(step: u64, loss: f64) -> Progress {
        let report = StepReport { step, loss, ..StepReport::default() };
        Progress { report, total_steps: 40, epoch: 0, tokens_per_s: 512.4, eta_s: 61.2 }
    }

    #[test]
    fn a_plain_line_says_where_the_run_stands() {
        let line = plain_line(&progress(4, 1.234_56));
        assert_eq!(line, "step 4 of 40, loss 1.2346, 512 tokens/s, 61 seconds left");
    }

    #[test]
    fn the_moving_line_has_the_curve() {
        let mut show = Show::new(false, false);
        show.losses = vec![3.0, 2.0, 1.0];
        let line = show.moving_line(&progress(3, 1.0));
        assert_eq!(line, "loss 1.0000 █▅▁ 512 tokens/s, 61 seconds left");
    }

    #[test]
    fn the_plan_is_one_sentence() {
        let planned = Planned {
            model: "m",
            examples: 1,
            prompts: 1,
            held_out: 0,
            skipped: 0,
            tokens: 30,
            steps: 3,
            threads: 2,
            memory_mib: 512,
        };
        let expected = "training m on 1 example (1 different prompts, 30 tokens), 0 held out: 3 gradient steps, \
                        2 threads, at most 512 MiB";
        assert_eq!(planned.sentence(), expected);
    }

    #[track_caller]
    fn check_result(before: Option<f64>, after: Option<f64>, last_line: &str) {
        let mut show = Show::new(false, false);
        show.losses = vec![2.0, 1.0];
        show.held_out = before.into_iter().chain(after).collect();
        let outcome = Outcome { steps: 2, is_complete: true, held_out_before: before, held_out_after: after };
        let text = show.result(&outcome);
        assert!(text.starts_with("loss 2.0000 → 1.0000 █▁\n"), "{text}");
        assert_eq!(text.lines().last(), Some(last_line));
    }

    #[test]
    fn the_result_says_whether_it_got_better_on_what_was_held_out() {
        check_result(Some(2.0), Some(1.0), "held-out loss 2.0000 → 1.0000 █▁");
        let worse = "it did not get better on what it has not seen: more examples or fewer epochs may help";
        check_result(Some(1.0), Some(2.0), worse);
        let unknown = "nothing was held out: whether more than these examples was learned is not known";
        check_result(None, None, unknown);
    }

    #[test]
    fn a_step_is_one_object() {
        let value = step_json(&progress(4, 1.5));
        assert_eq!(
            (&value["event"], &value["step"], &value["loss"]),
            (&json!("step"), &json!(4), &json!(1.5))
        );
    }
}
