//! What `chela bench train` measured, as figures and as text.

use serde::Serialize;

use super::super::report::{machine, median};
use super::TrainBench;
use super::kernels::{self, KernelSpeed};
use super::load::Load;
use super::meter::Cost;
use super::serving::{Serving, Speed};
use crate::cli::output;

#[derive(Debug, Serialize)]
pub(super) struct Report {
    machine: String,
    model: String,
    threads: usize,
    prompt_tokens: usize,
    answer_tokens: usize,
    steps: u32,
    /// What the peer says that it runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    peer: Option<String>,
    cases: Vec<Case>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    kernels: Vec<KernelSpeed>,
    #[serde(skip_serializing_if = "Option::is_none")]
    serving: Option<Serving>,
}

/// One number of answers.
#[derive(Debug, Serialize)]
pub(super) struct Case {
    answers: usize,
    /// Prompt and answer tokens of a step.
    tokens: usize,
    useful_tflop: f64,
    chela: Figures,
    #[serde(skip_serializing_if = "Option::is_none")]
    peer: Option<Figures>,
    /// How many times as much the peer needs: medians of the steps' ratios.
    #[serde(skip_serializing_if = "Option::is_none")]
    ratios: Option<Ratios>,
}

/// Medians over the steps; the peak is the highest.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
struct Figures {
    wall_s: f64,
    cpu_s: f64,
    tokens_per_s: f64,
    gflops: f64,
    peak_rss_mib: Option<f64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
struct Ratios {
    wall: f64,
    cpu: f64,
    memory: Option<f64>,
}

impl Report {
    pub(super) fn new(
        bench: &TrainBench,
        load: &Load,
        (peer, cases): (Option<String>, Vec<Case>),
        kernels: Vec<KernelSpeed>,
        serving: Option<Serving>,
    ) -> Self {
        Self {
            machine: machine(),
            model: format!("random {}", load.name),
            threads: bench.n_threads(),
            prompt_tokens: bench.prompt_tokens,
            answer_tokens: bench.answer_tokens,
            steps: bench.steps,
            peer,
            cases,
            kernels,
            serving,
        }
    }
}

impl Case {
    /// `work`: useful floating point operations of a step. `peers` is empty, or as long as `own`.
    pub(super) fn new(answers: usize, tokens: usize, work: f64, own: &[Cost], peers: &[Cost]) -> Self {
        let chela = figures(own, tokens, work);
        let peer = (!peers.is_empty()).then(|| figures(peers, tokens, work));
        let ratio = |of: fn(&Cost) -> f64| {
            median(own.iter().zip(peers).map(|(own, peer)| of(peer) / of(own)).collect())
        };
        let ratios = peer.map(|peer| Ratios {
            wall: ratio(|cost| cost.wall_s),
            cpu: ratio(|cost| cost.cpu_s),
            memory: peer.peak_rss_mib.zip(chela.peak_rss_mib).map(|(peer, own)| peer / own),
        });
        Self { answers, tokens, useful_tflop: work / 1e12, chela, peer, ratios }
    }
}

fn figures(costs: &[Cost], tokens: usize, work: f64) -> Figures {
    let wall_s = median(costs.iter().map(|cost| cost.wall_s).collect());
    #[expect(clippy::cast_precision_loss, reason = "counts of tokens are small")]
    let tokens = tokens as f64;
    Figures {
        wall_s,
        cpu_s: median(costs.iter().map(|cost| cost.cpu_s).collect()),
        tokens_per_s: tokens / wall_s,
        gflops: work / wall_s / 1e9,
        peak_rss_mib: costs.iter().filter_map(|cost| cost.peak_rss_mib).max_by(f64::total_cmp),
    }
}

pub(super) fn print(report: &Report) -> anyhow::Result<()> {
    for line in lines(report) {
        output::line(&line)?;
    }
    Ok(())
}

fn lines(report: &Report) -> Vec<String> {
    let mut lines = vec![
        format!("machine   {}", report.machine),
        format!("model     {}, {} threads", report.model, report.threads),
        format!(
            "step      a prompt of {} tokens, answers of {}; medians of {} steps",
            report.prompt_tokens, report.answer_tokens, report.steps
        ),
    ];
    lines.extend(report.peer.iter().map(|peer| format!("peer      {peer}")));
    lines.extend([
        String::new(),
        "answers        tokens   wall s    CPU s  tokens/s  peak MiB  useful TFLOP  GFLOP/s".to_owned(),
    ]);
    for case in &report.cases {
        lines.push(row(&format!("{} chela", case.answers), case, &case.chela));
        if let (Some(peer), Some(ratios)) = (&case.peer, &case.ratios) {
            lines.push(row(&format!("{} peer", case.answers), case, peer));
            let memory = ratios.memory.map_or("-".to_owned(), |memory| format!("{memory:.2}x"));
            lines.push(format!(
                "  peer / chela        {:>8} {:>8}  {:>18}",
                format!("{:.2}x", ratios.wall),
                format!("{:.2}x", ratios.cpu),
                memory
            ));
        }
    }
    if !report.kernels.is_empty() {
        lines.push(String::new());
        lines.extend(kernels::lines(&report.kernels));
    }
    lines.extend(report.serving.iter().flat_map(serving_lines));
    lines
}

fn row(name: &str, case: &Case, figures: &Figures) -> String {
    let peak = figures.peak_rss_mib.map_or("-".to_owned(), |peak| format!("{peak:.0}"));
    format!(
        "{name:<13}{:>8} {:>8.3} {:>8.3}  {:>8.0}  {peak:>8}  {:>12.3}  {:>7.0}",
        case.tokens, figures.wall_s, figures.cpu_s, figures.tokens_per_s, case.useful_tflop, figures.gflops
    )
}

fn serving_lines(serving: &Serving) -> Vec<String> {
    let row = |name: &str, speed: &Speed| {
        let slower = (1.0 - speed.tokens_per_s / serving.idle.tokens_per_s) * 100.0;
        let later = speed.first_token_ms - serving.idle.first_token_ms;
        format!(
            "{name:<26}{:>9.1}{:>10.1} %{:>14.1}{later:>+10.1}",
            speed.tokens_per_s, slower, speed.first_token_ms
        )
    };
    vec![
        String::new(),
        format!(
            "answers of {} tokens to prompts of {} while training ({} steps meanwhile)",
            serving.answer_tokens, serving.prompt_tokens, serving.steps
        ),
        "                             tok/s      slower  first token ms  later".to_owned(),
        row("nothing is trained", &serving.idle),
        row("training pauses for it", &serving.pausing),
        row("training only gives way", &serving.priority_only),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cost(wall_s: f64, peak: f64) -> Cost {
        Cost { wall_s, cpu_s: wall_s * 2.0, peak_rss_mib: Some(peak) }
    }

    #[test]
    fn medians_and_ratios_come_from_the_steps() {
        let own = [cost(1.0, 900.0), cost(2.0, 1000.0), cost(4.0, 1000.0)];
        let peers = [cost(4.0, 4000.0), cost(6.0, 5000.0), cost(16.0, 5000.0)];
        let case = Case::new(4, 1000, 8e11, &own, &peers);
        assert_eq!(case.chela, figures(&own, 1000, 8e11));
        let expected = Figures {
            wall_s: 2.0,
            cpu_s: 4.0,
            tokens_per_s: 500.0,
            gflops: 400.0,
            peak_rss_mib: Some(1000.0),
        };
        assert_eq!(case.chela, expected);
        assert_eq!(case.ratios, Some(Ratios { wall: 4.0, cpu: 4.0, memory: Some(5.0) }));
        assert_eq!(Case::new(1, 10, 1.0, &own, &[]).ratios, None);
    }

    #[test]
    fn the_report_is_a_table() {
        let own = [cost(1.8, 1100.0)];
        let report = Report {
            machine: "a machine".to_owned(),
            model: "random qwen2-0.5b-q4_0".to_owned(),
            threads: 2,
            prompt_tokens: 384,
            answer_tokens: 128,
            steps: 5,
            peer: Some("PEFT 0.18 on PyTorch 2.9, base in bf16, adapter in bf16".to_owned()),
            cases: vec![
                Case::new(1, 512, 0.8e12, &own, &[]),
                Case::new(4, 896, 1.6e12, &own, &[cost(9.0, 8800.0)]),
            ],
            kernels: vec![KernelSpeed {
                kernels: "avx512-bf16".into(),
                weights: "q4_0".into(),
                shape: [512, 896, 4864],
                forward_gflops: 499.0,
                backward_gflops: 450.0,
            }],
            serving: Some(Serving {
                prompt_tokens: 64,
                answer_tokens: 64,
                steps: 12,
                idle: Speed { first_token_ms: 100.0, tokens_per_s: 50.0 },
                pausing: Speed { first_token_ms: 120.0, tokens_per_s: 49.0 },
                priority_only: Speed { first_token_ms: 180.0, tokens_per_s: 40.0 },
            }),
        };
        insta::assert_snapshot!(lines(&report).join("\n"));
    }
}
