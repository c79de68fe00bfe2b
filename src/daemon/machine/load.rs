//! The work of other programs, from counters of processor time (Linux) or a table of processes (macOS). Pure.

/// A look that came sooner than so many ticks of all cores together tells less than a percent.
const ENOUGH_TICKS: u64 = 100;

/// Processor time of all cores since the machine's start, in clock ticks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ticks {
    busy: u64,
    total: u64,
    /// Of `busy`: this process with all its threads, those that have ended included.
    own: u64,
}

/// From the texts of `/proc/stat` and `/proc/self/stat`; `None` when one of them is something else.
pub(super) fn ticks(stat: &str, own: &str) -> Option<Ticks> {
    let all = stat.lines().find_map(|line| line.strip_prefix("cpu "))?;
    let all: Vec<u64> = all.split_ascii_whitespace().map_while(|word| word.parse().ok()).collect();
    // What a hypervisor takes (steal) is nobody's work here, and time of guests is in the user's already.
    let &[user, nice, system, idle, waiting, irq, softirq, ..] = all.as_slice() else { return None };
    let busy = [user, nice, system, irq, softirq].into_iter().fold(0, u64::saturating_add);
    let total = busy.saturating_add(idle).saturating_add(waiting);
    // The name in parentheses may hold anything, parentheses too.
    let (_, fields) = own.rsplit_once(')')?;
    let mut times = fields.split_ascii_whitespace().skip(11).map(str::parse::<u64>);
    let (user, system) = (times.next()?.ok()?, times.next()?.ok()?);
    Some(Ticks { busy, total, own: user.saturating_add(system) })
}

/// The load from one look to the next, and what the one after that compares with. Too soon: `last`, and the earlier
/// look stays.
pub(super) fn since(
    before: Option<Ticks>,
    now: Option<Ticks>,
    last: Option<u8>,
) -> (Option<Ticks>, Option<u8>) {
    let (Some(earlier), Some(later)) = (before, now) else { return (now, None) };
    let total = later.total.saturating_sub(earlier.total);
    if total < ENOUGH_TICKS && later.total >= earlier.total {
        return (before, last);
    }
    let own = later.own.saturating_sub(earlier.own);
    let others = later.busy.saturating_sub(earlier.busy).saturating_sub(own);
    // Counters that went backwards say nothing.
    let percent = others.saturating_mul(100).checked_div(total).map(|percent| percent.min(100));
    (now, percent.and_then(|percent| u8::try_from(percent).ok()))
}

/// From `ps -A -o pid=,%cpu=`, where 100 is one core; `None` when there is no process in it.
pub(super) fn of_ps(table: &str, own: u32, n_cores: usize) -> Option<u8> {
    let row = |line: &str| {
        let (pid, percent) = line.trim().split_once(char::is_whitespace)?;
        Some((pid.parse::<u32>().ok()?, percent.trim().parse::<f64>().ok()?))
    };
    let rows: Vec<(u32, f64)> = table.lines().filter_map(row).collect();
    if rows.is_empty() {
        return None;
    }
    let others: f64 = rows.iter().filter(|(pid, _)| *pid != own).map(|(_, percent)| percent).sum();
    #[expect(clippy::cast_precision_loss, reason = "cores are few")]
    let share = others / n_cores.max(1) as f64;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 100 by then")]
    Some(share.clamp(0.0, 100.0).round() as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of a machine with two cores.
    const STAT: &str = "\
cpu  3743199 836579 468162 2081196 30819 0 4370 6597 0 0
cpu0 1831731 400515 220654 1119675 8934 0 253 3256 0 0
cpu1 1911468 436064 247508 961520 21885 0 4116 3340 0 0
intr 210734914 0 37 0 0 0 0 0 0
ctxt 331203114
btime 1795391234
";
    const OWN: &str = "18065 (chela) S 1 18061 17134 0 -1 4194304 102 0 0 0 4711 289 5 6 20 0 9 0 3592275 \
                       3133440 386 18446744073709551615 1 1 0 0 0 0 0 0 0 0 0 0 17 0 0 0 0 0 0 0 0 0 0 0 0 0 0";

    #[test]
    fn counters_are_those_of_all_cores_and_of_all_our_threads() {
        let busy = 3_743_199 + 836_579 + 468_162 + 4370;
        let total = busy + 2_081_196 + 30_819;
        assert_eq!(ticks(STAT, OWN), Some(Ticks { busy, total, own: 4711 + 289 }));
    }

    #[test]
    fn a_name_may_hold_parentheses_and_spaces() {
        let own = OWN.replace("(chela)", "(chela) 1 2) (x)");
        assert_eq!(ticks(STAT, &own).unwrap().own, 5000);
    }

    #[test]
    fn other_texts_are_no_counters() {
        for (stat, own) in [("", OWN), (STAT, ""), ("cpu  1 2 3", OWN), ("cpu  1 2 x 4 5 6 7 8", OWN)] {
            assert_eq!(ticks(stat, own), None, "{stat:?} {own:?}");
        }
        assert_eq!(ticks(STAT, "18065 (chela) S 1 18061"), None);
    }

    #[track_caller]
    fn check(before: (u64, u64, u64), now: (u64, u64, u64), expected: Option<u8>) {
        let ticks = |(busy, idle, own)| Some(Ticks { busy, total: busy + idle, own });
        assert_eq!(since(ticks(before), ticks(now), None).1, expected);
    }

    #[test]
    fn our_own_work_is_not_that_of_others() {
        check((0, 0, 0), (200, 0, 200), Some(0));
        check((0, 0, 0), (200, 0, 50), Some(75));
        check((100, 100, 10), (300, 300, 10), Some(50));
        check((0, 0, 0), (0, 200, 0), Some(0));
        // Counted at different moments, our own may be the larger by a little.
        check((0, 0, 0), (200, 0, 203), Some(0));
    }

    #[test]
    fn counters_that_begin_anew_say_nothing_once() {
        let (old, new) = (Ticks { busy: 900, total: 1800, own: 9 }, Ticks { busy: 1, total: 2, own: 0 });
        assert_eq!(since(Some(old), Some(new), Some(40)), (Some(new), None));
    }

    #[track_caller]
    fn check_ps(table: &str, n_cores: usize, expected: Option<u8>) {
        assert_eq!(of_ps(table, 512, n_cores), expected);
    }

    #[test]
    fn a_table_of_processes_is_summed_without_us() {
        let table = "    1   0.4\n  512 390.2\n  600  99.6\n12345 100.0\n";
        check_ps(table, 8, Some(25));
        check_ps(table, 1, Some(100));
        check_ps("  512 390.2\n", 8, Some(0));
    }

    #[test]
    fn without_a_table_the_load_is_unknown() {
        check_ps("", 8, None);
        check_ps("ps: illegal option\n", 8, None);
    }
}
