//! How far trainer and engine are apart, as figures and as text.

use serde::Serialize;

use crate::cli::output;

#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub(super) machine: String,
    pub(super) model: String,
    /// Of the engine: what runs where.
    pub(super) placement: String,
    pub(super) samples: usize,
    pub(super) answer_tokens: usize,
    pub(super) steps: u32,
    pub(super) cases: Vec<Case>,
}

/// One family of kernels.
#[derive(Debug, PartialEq, Serialize)]
pub(super) struct Case {
    kernels: String,
    /// Mean over the answer tokens, in nats, before the first step and after the last.
    loss_first: f64,
    loss_last: f64,
    /// Trainer and engine without an adapter.
    base: Distance,
    /// The same with the adapter.
    adapter: Distance,
    /// What the adapter changes, in the trainer and in the engine.
    learned: Distance,
    /// How much the adapter changes in the engine.
    effect: Distance,
}

/// Absolute differences of natural log-probabilities.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
struct Distance {
    mean: f64,
    max: f64,
}

/// What one side says of all answer tokens.
#[derive(Debug)]
pub(super) struct LogProbs {
    pub(super) base: Vec<f32>,
    pub(super) adapter: Vec<f32>,
}

impl LogProbs {
    fn changes(&self) -> Vec<f64> {
        let pairs = self.adapter.iter().zip(&self.base);
        pairs.map(|(adapter, base)| f64::from(*adapter) - f64::from(*base)).collect()
    }
}

impl Case {
    pub(super) fn new(
        kernels: &str,
        (loss_first, loss_last): (f64, f64),
        trainer: &LogProbs,
        engine: &LogProbs,
    ) -> Self {
        let wide = |logprobs: &[f32]| logprobs.iter().copied().map(f64::from).collect::<Vec<_>>();
        let (here, served) = (trainer.changes(), engine.changes());
        Self {
            kernels: kernels.to_owned(),
            loss_first,
            loss_last,
            base: distance(&wide(&trainer.base), &wide(&engine.base)),
            adapter: distance(&wide(&trainer.adapter), &wide(&engine.adapter)),
            learned: distance(&here, &served),
            effect: distance(&served, &vec![0.0; served.len()]),
        }
    }
}

fn distance(one: &[f64], other: &[f64]) -> Distance {
    let apart = || one.iter().zip(other).map(|(one, other)| (one - other).abs());
    #[expect(clippy::cast_precision_loss, reason = "counts of tokens are small")]
    let n = one.len().max(1) as f64;
    // Not f64::max, which would hide what is not a number.
    let max = apart().fold(0.0, |max, apart| if apart <= max { max } else { apart });
    Distance { mean: apart().sum::<f64>() / n, max }
}

pub(super) fn print(report: &Report) -> anyhow::Result<()> {
    Ok(output::line(&text(report))?)
}

fn text(report: &Report) -> String {
    let mut lines = vec![
        format!("machine   {}", report.machine),
        format!("model     {}", report.model),
        format!("engine    {}", report.placement),
        format!(
            "learned   {} samples, {} answer tokens, {} steps",
            report.samples, report.answer_tokens, report.steps
        ),
        String::new(),
        "absolute differences of log-probabilities, mean / largest".to_owned(),
    ];
    let head = ["kernels", "loss", "base", "adapter", "learned", "effect"].map(str::to_owned).to_vec();
    let rows = report.cases.iter().map(|case| {
        let loss = format!("{:.3} → {:.3}", case.loss_first, case.loss_last);
        let mut row = vec![case.kernels.clone(), loss];
        let distances = [case.base, case.adapter, case.learned, case.effect];
        row.extend(distances.map(|distance| format!("{:.1e} / {:.1e}", distance.mean, distance.max)));
        row
    });
    lines.push(output::table(&std::iter::once(head).chain(rows).collect::<Vec<_>>()));
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn case() -> Case {
        let trainer = LogProbs { base: vec![-1.0, -2.0], adapter: vec![-0.5, -1.0] };
        let engine = LogProbs { base: vec![-1.25, -2.0], adapter: vec![-0.5, -1.5] };
        Case::new("plain", (1.5, 0.75), &trainer, &engine)
    }

    #[test]
    fn distances_are_of_probabilities_and_of_what_was_learned() {
        let case = case();
        assert_eq!(case.base, Distance { mean: 0.125, max: 0.25 });
        assert_eq!(case.adapter, Distance { mean: 0.25, max: 0.5 });
        assert_eq!(case.learned, Distance { mean: 0.375, max: 0.5 });
        assert_eq!(case.effect, Distance { mean: 0.625, max: 0.75 });
    }

    #[test]
    fn what_is_not_a_number_is_not_hidden() {
        assert!(distance(&[0.0, f64::NAN], &[0.0, 0.0]).max.is_nan());
    }

    #[test]
    fn the_report_is_a_table() {
        let report = Report {
            machine: "a machine".to_owned(),
            model: "chela-starter".to_owned(),
            placement: "8 of 8 layers on the CPU (1 thread)".to_owned(),
            samples: 3,
            answer_tokens: 2,
            steps: 8,
            cases: vec![case()],
        };
        insta::assert_snapshot!(text(&report));
    }
}
