//! What `chela bench serve` measured, as figures and as text.

use anyhow::ensure;
use serde::Serialize;

use super::ServeBench;
use super::rounds::{Round, Timing};
use crate::cli::output;
use crate::engine::Engine;

/// Medians over the rounds.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    machine: String,
    model: String,
    placement: String,
    prompt_tokens: usize,
    answer_tokens: usize,
    rounds: u32,
    bare: Speed,
    chela: Vec<ClientsSpeed>,
    /// chela with one client against the bare loop, round by round.
    decode_ratio: f64,
    prefill_ratio: f64,
    /// From the cancellation of a request in the middle of its prompt to its end.
    cancel_ms: f64,
}

#[derive(Debug, Clone, Copy, Serialize)]
struct Speed {
    prefill_tokens_per_s: f64,
    decode_tokens_per_s: f64,
    first_token_ms: f64,
}

#[derive(Debug, Serialize)]
struct ClientsSpeed {
    clients: usize,
    /// Of one client among them.
    each: Speed,
    /// Prompts and answers of all clients together, from the first request to the last token.
    total_tokens_per_s: f64,
    /// Only sampled tokens.
    answer_tokens_per_s: f64,
}

impl Timing {
    #[expect(clippy::cast_precision_loss, reason = "counts of tokens are small")]
    fn speed(self) -> Speed {
        Speed {
            prefill_tokens_per_s: self.n_prompt as f64 / self.first_s,
            decode_tokens_per_s: self.n_sampled.saturating_sub(self.n_first) as f64 / self.decode_s,
            first_token_ms: self.first_s * 1e3,
        }
    }
}

pub(super) fn report(bench: &ServeBench, engine: &dyn Engine, rounds: &[Round]) -> anyhow::Result<Report> {
    let card = engine.card();
    let bare: Vec<Speed> = rounds.iter().map(|round| round.bare.speed()).collect();
    let chela = bench.clients.iter().map(|&clients| clients_speed(clients, rounds)).collect();
    let ratio = |of: fn(&Speed) -> f64| {
        let ratios = rounds.iter().filter_map(|round| {
            let (_, answers, _) = round.chela.iter().find(|(clients, ..)| *clients == 1)?;
            Some(of(&answers.first()?.speed()) / of(&round.bare.speed()))
        });
        median(ratios.collect())
    };
    let n_sampled = rounds.first().map_or(0, |round| round.bare.n_sampled);
    ensure!(n_sampled > 1, "the model ends its answers at once; nothing can be measured with it");
    Ok(Report {
        machine: machine(),
        model: format!("{} ({})", card.name, card.description),
        placement: card.placement.clone(),
        prompt_tokens: rounds.first().map_or(0, |round| round.bare.n_prompt),
        answer_tokens: n_sampled,
        rounds: bench.rounds,
        bare: medians(&bare),
        chela,
        decode_ratio: ratio(|speed| speed.decode_tokens_per_s),
        prefill_ratio: ratio(|speed| speed.prefill_tokens_per_s),
        cancel_ms: median(rounds.iter().map(|round| round.cancel_s * 1e3).collect()),
    })
}

#[expect(clippy::cast_precision_loss, reason = "counts of tokens are small")]
fn clients_speed(clients: usize, rounds: &[Round]) -> ClientsSpeed {
    let of_clients = || rounds.iter().flat_map(|round| &round.chela).filter(|(n, ..)| *n == clients);
    let each: Vec<Speed> =
        of_clients().flat_map(|(_, answers, _)| answers).map(|answer| answer.speed()).collect();
    let rate = |count: fn(&Timing) -> usize| {
        let rates =
            of_clients().map(|(_, answers, wall)| answers.iter().map(count).sum::<usize>() as f64 / wall);
        median(rates.collect())
    };
    ClientsSpeed {
        clients,
        each: medians(&each),
        total_tokens_per_s: rate(|timing| timing.n_prompt + timing.n_sampled),
        answer_tokens_per_s: rate(|timing| timing.n_sampled),
    }
}

fn medians(speeds: &[Speed]) -> Speed {
    let of = |field: fn(&Speed) -> f64| median(speeds.iter().map(field).collect());
    Speed {
        prefill_tokens_per_s: of(|speed| speed.prefill_tokens_per_s),
        decode_tokens_per_s: of(|speed| speed.decode_tokens_per_s),
        first_token_ms: of(|speed| speed.first_token_ms),
    }
}

pub(super) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

pub(super) fn machine() -> String {
    let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name =
        cpu.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": ").map(|(_, name)| name));
    let name = name.unwrap_or(std::env::consts::ARCH);
    format!("{name}, {} cores, {}", num_cpus::get_physical(), std::env::consts::OS)
}

pub(super) fn print(report: &Report) -> anyhow::Result<()> {
    output::line(&format!("machine   {}", report.machine))?;
    output::line(&format!("model     {}", report.model))?;
    output::line(&format!("          {}", report.placement))?;
    output::line(&format!(
        "load      {} prompt tokens, {} answer tokens, greedy; medians of {} rounds",
        report.prompt_tokens, report.answer_tokens, report.rounds
    ))?;
    output::line("")?;
    output::line("                prefill tok/s  decode tok/s  first token ms  all clients: answer tok/s")?;
    let row = |name: &str, speed: &Speed, total: &str| {
        let Speed { prefill_tokens_per_s: prefill, decode_tokens_per_s: decode, first_token_ms: first } =
            speed;
        output::line(&format!("{name:<16}{prefill:>13.1}{decode:>14.1}{first:>16.1}{total:>27}"))
    };
    row("bare llama.cpp", &report.bare, "")?;
    for line in &report.chela {
        let name = format!("chela, {} client{}", line.clients, if line.clients == 1 { "" } else { "s" });
        row(&name, &line.each, &format!("{:.1}", line.answer_tokens_per_s))?;
    }
    output::line("")?;
    output::line(&format!(
        "chela / bare    decode {:.1} %, prefill {:.1} % (median of the rounds' ratios)",
        report.decode_ratio * 100.0,
        report.prefill_ratio * 100.0
    ))?;
    output::line(&format!("cancel          {:.1} ms in the middle of a prompt", report.cancel_ms))?;
    Ok(())
}
