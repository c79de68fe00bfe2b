//! The blocks of `chela stats` about learning: what goes on now, what each gate measured, what it costs, what lies on the
//! disk. Pure.

use crate::cli::output;
use crate::daemon::wire::dashboard::{Compared, DiskUse, GateFigures, LearningCost};
use crate::daemon::wire::{LearnStatus, LoopEvent};

/// Gates that are listed, the newest ones.
const MOST_GATES: usize = 8;

/// What is being learned, how far it is, or why nothing is.
pub(super) fn now(learning: &LearnStatus) -> String {
    let waiting = match learning.n_waiting {
        0 => "nothing waits to be learned".to_owned(),
        1 => "1 thing waits to be learned".to_owned(),
        n => format!("{n} things wait to be learned"),
    };
    let doing = match (&learning.progress, learning.running) {
        (Some(LoopEvent::Learning { run, phase, done, total, eta_s, .. }), Some(_)) => {
            let left = eta_s.map_or_else(String::new, |eta| format!(", {} left", duration(eta)));
            format!("run {run}: {} {done} of {total}{left}", phase.name())
        }
        (_, Some(run)) => format!("run {} begins", run.0),
        (_, None) if learning.paused => "paused; chela learn resume".to_owned(),
        (_, None) => learning.waits_for.as_deref().map_or("idle".to_owned(), output::harmless),
    };
    format!("{doing}; {waiting}")
}

/// A line for each of the last gates: shares of the candidate, and what it gained on what served.
pub(super) fn versions(gates: &[GateFigures], now_ms: i64) -> String {
    if gates.is_empty() {
        return "no version came to the gate yet".to_owned();
    }
    let head = ["", "", "when", "obeyed", "canaries", "held-out", "neutral", "KL", "secrets"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    rows.extend(gates.iter().rev().take(MOST_GATES).map(|gate| row(gate, now_ms)));
    output::table(&rows)
}

fn row(gate: &GateFigures, now_ms: i64) -> Vec<String> {
    vec![
        gate.version.map_or_else(|| format!("run {}", gate.run), |version| version.to_string()),
        if gate.is_promoted { "promoted".to_owned() } else { "rejected".to_owned() },
        format!("{} ago", output::age(gate.at, now_ms)),
        figure(gate.obeyed),
        figure(gate.canaries),
        figure(gate.held_out),
        figure(gate.neutral),
        format!("{:.4}", gate.kl_to_base),
        gate.secrets.to_string(),
    ]
}

/// `88 % (+38)`: the share, and by how many points of a hundred it is more than what served.
fn figure(compared: Compared) -> String {
    let Some(rate) = compared.candidate.rate() else { return "-".to_owned() };
    let gain = compared.gain().map_or_else(String::new, |gain| format!(" ({:+.0})", gain * 100.0));
    format!("{:.0} %{gain}", rate * 100.0)
}

/// Time and energy. What was not measured is not estimated.
pub(super) fn cost(cost: &LearningCost) -> String {
    if cost.rounds == 0 {
        return "no round of learning yet".to_owned();
    }
    let rounds = if cost.rounds == 1 { "1 round".to_owned() } else { format!("{} rounds", cost.rounds) };
    let mut lines = vec![format!("{} in {rounds}", duration(cost.wall_s))];
    if cost.rounds_measured > 0 {
        lines.push(format!(
            "{} of computing time in {} of them, answers given meanwhile included",
            duration(cost.cpu_s),
            cost.rounds_measured
        ));
    }
    lines.push(if cost.rounds_with_energy > 0 {
        format!(
            "{} used by the processors in {} of them, by all programs together",
            energy(cost.package_joules),
            cost.rounds_with_energy
        )
    } else {
        "energy is not known: this machine does not let chela read its counters (RAPL)".to_owned()
    });
    lines.join("\n")
}

pub(super) fn disk(disk: &DiskUse) -> String {
    let parts = [
        ("ledger", disk.ledger),
        ("adapters", disk.adapters),
        ("rounds under way", disk.rounds),
        ("backups", disk.backups),
        ("models", disk.models),
        ("logs and histories", disk.logs),
    ];
    let named = parts.iter().filter(|(_, bytes)| *bytes > 0);
    named.map(|(name, bytes)| format!("{name} {}", output::size(*bytes))).collect::<Vec<_>>().join(", ")
}

/// In the two largest units that say something.
fn duration(seconds: f64) -> String {
    let whole = std::time::Duration::try_from_secs_f64(seconds.max(0.0)).map_or(0, |time| time.as_secs());
    match whole {
        0..60 => format!("{whole} s"),
        60..3600 => format!("{} min {} s", whole / 60, whole % 60),
        _ => format!("{} h {} min", whole / 3600, whole % 3600 / 60),
    }
}

/// A kilojoule says little to people who pay for watt hours.
fn energy(joules: f64) -> String {
    format!("{:.1} Wh", joules / 3600.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::daemon::wire::dashboard::Part;

    #[test]
    fn times_are_in_units_that_fit() {
        assert_eq!(
            [0.4, 59.9, 61.0, 3600.0, 7_261.0].map(duration),
            ["0 s", "59 s", "1 min 1 s", "1 h 0 min", "2 h 1 min"]
        );
        assert_eq!(duration(f64::NAN), "0 s");
        assert_eq!(energy(7200.0), "2.0 Wh");
    }

    #[test]
    fn a_figure_says_what_was_gained() {
        let compared = |kept, of, was, was_of| Compared {
            candidate: Part { kept, of },
            serving: Part { kept: was, of: was_of },
        };
        assert_eq!(figure(compared(7, 8, 4, 8)), "88 % (+38)");
        assert_eq!(figure(compared(3, 4, 4, 4)), "75 % (-25)");
        assert_eq!(figure(compared(3, 4, 0, 0)), "75 %");
        assert_eq!(figure(compared(0, 0, 0, 0)), "-");
    }

    #[test]
    fn what_was_not_measured_is_said() {
        let one = LearningCost { rounds: 2, wall_s: 90.0, ..LearningCost::default() };
        assert!(cost(&one).starts_with("1 min 30 s in 2 rounds\nenergy is not known"));
        let measured = LearningCost {
            rounds_measured: 1,
            cpu_s: 120.0,
            rounds_with_energy: 1,
            package_joules: 3600.0,
            ..one
        };
        let said = cost(&measured);
        assert!(
            said.contains("2 min 0 s of computing time in 1 of them") && said.contains("1.0 Wh"),
            "{said}"
        );
    }
}
