//! PEFT in a Python process of its own, which takes a step whenever a line comes on its stdin.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context, bail, ensure};
use serde::Deserialize;

use super::TrainBench;
use super::load::{Load, RANK};
use super::meter::Cost;
use crate::model::random::Architecture;

/// The process. Dropping it closes its stdin, at which it ends.
pub(super) struct Peer {
    /// Versions and number types, in its own words.
    pub(super) runs: String,
    child: Child,
    asks: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    said: std::path::PathBuf,
}

/// The first line.
#[derive(Debug, Deserialize)]
struct Greeting {
    ready: bool,
    peft: String,
    torch: String,
    base_dtype: String,
    adapter_dtype: String,
}

/// A line that tells of a step; other lines are passed over.
#[derive(Debug, Deserialize)]
struct Step {
    wall_s: f64,
    cpu_s: f64,
}

/// The line that tells of the whole run.
#[derive(Debug, Deserialize)]
struct Summary {
    peak_rss_bytes: f64,
}

impl Peer {
    /// Starts the process and waits until its model is made.
    pub(super) fn start(bench: &TrainBench, load: &Load, answers: usize) -> anyhow::Result<Self> {
        ensure!(bench.script.is_file(), "there is no {}; name it with --script", bench.script.display());
        let geometry = &load.geometry;
        ensure!(
            geometry.architecture == Architecture::Qwen2,
            "it is made for qwen2 only, and {} is {}",
            geometry.name,
            geometry.architecture.name()
        );
        let said = std::env::temp_dir().join(format!("chela-peer-{}.txt", std::process::id()));
        let threads = bench.n_threads().to_string();
        let mut command = Command::new(&bench.python);
        command.arg(&bench.script).args(["--threads", &threads, "--adapter-dtype", &bench.adapter_dtype]);
        for (name, number) in [
            ("--layers", geometry.n_layers),
            ("--width", geometry.width),
            ("--ffn-width", geometry.ffn_width),
            ("--heads", geometry.n_heads),
            ("--kv-heads", geometry.n_kv_heads),
            ("--steps", bench.steps),
        ] {
            command.arg(name).arg(number.to_string());
        }
        for (name, number) in [
            ("--vocab", load.n_vocab),
            ("--answers", answers),
            ("--tokens", bench.prompt_tokens + bench.answer_tokens),
            ("--answer-tokens", bench.answer_tokens),
            ("--rank", RANK),
        ] {
            command.arg(name).arg(number.to_string());
        }
        let mut child = command
            // Threads that wait must not take the time of the other side.
            .env("OMP_WAIT_POLICY", "passive")
            .env("OMP_NUM_THREADS", &threads)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(File::create(&said)?)
            .spawn()
            .with_context(|| format!("cannot start {}", bench.python.display()))?;
        let asks = child.stdin.take();
        let answers = child.stdout.take().context("it has no stdout")?;
        let mut peer = Self { runs: String::new(), child, asks, answers: BufReader::new(answers), said };
        peer.ready()?;
        Ok(peer)
    }

    /// Waits for the line that says that the model is made.
    fn ready(&mut self) -> anyhow::Result<()> {
        let line = self.line()?;
        let greeting: Greeting = serde_json::from_str(&line)
            .with_context(|| format!("it begins with {line:?} and not with \"ready\""))?;
        ensure!(greeting.ready, "it is not ready");
        self.runs = greeting.runs();
        Ok(())
    }

    /// One step, while this process waits.
    pub(super) fn step(&mut self) -> anyhow::Result<Cost> {
        let asks = self.asks.as_mut().context("it has no stdin")?;
        writeln!(asks, "step").and_then(|()| asks.flush())?;
        loop {
            if let Some(cost) = cost(&self.line()?) {
                return Ok(cost);
            }
        }
    }

    /// Ends the process; returns the most memory that it has had, in MiB.
    pub(super) fn finish(mut self) -> Option<f64> {
        self.asks = None;
        let lines = std::iter::from_fn(|| self.line().ok());
        let summary = lines.filter_map(|line| serde_json::from_str::<Summary>(&line).ok()).last()?;
        Some(summary.peak_rss_bytes / 1_048_576.0)
    }

    fn line(&mut self) -> anyhow::Result<String> {
        let mut line = String::new();
        if self.answers.read_line(&mut line)? == 0 {
            let said = std::fs::read_to_string(&self.said).unwrap_or_default();
            let last =
                said.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("it ended without a word");
            bail!("{}", last.trim());
        }
        Ok(line)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.asks = None;
        // It may be in the middle of something; nothing of it is needed any more.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_file(&self.said);
    }
}

impl Greeting {
    fn runs(&self) -> String {
        let Self { peft, torch, base_dtype, adapter_dtype, .. } = self;
        format!("PEFT {peft} on PyTorch {torch}, base in {base_dtype}, adapter in {adapter_dtype}")
    }
}

fn cost(line: &str) -> Option<Cost> {
    let Step { wall_s, cpu_s } = serde_json::from_str(line).ok()?;
    // Its memory is told at the end.
    Some(Cost { wall_s, cpu_s, peak_rss_mib: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_a_line_with_its_costs() {
        let expected = Cost { wall_s: 1.5, cpu_s: 3.0, peak_rss_mib: None };
        assert_eq!(cost(r#"{"wall_s": 1.5, "cpu_s": 3.0, "loss": 2, "counted": true}"#), Some(expected));
        assert_eq!(cost(r#"{"ready": true}"#), None);
        assert_eq!(cost("loading …"), None);
    }
}
