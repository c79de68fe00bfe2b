//! Whether an adapter's matrices are sound in themselves. Pure; readers and writers both ask.

use super::{Adapter, Pair, Site};

/// What is wrong with the adapter, naming the first place where it is.
pub(super) fn problem(adapter: &Adapter) -> Result<(), String> {
    if adapter.rank == 0 {
        return Err("its rank is 0".to_owned());
    }
    if !adapter.alpha.is_finite() || adapter.alpha <= 0.0 {
        return Err(format!("its alpha is {}, which is not a positive number", adapter.alpha));
    }
    if adapter.pairs.is_empty() {
        return Err("it changes nothing: there is no pair of matrices in it".to_owned());
    }
    adapter.pairs.iter().try_for_each(|(site, pair)| pair_problem(adapter.rank, *site, pair))
}

fn pair_problem(rank: usize, site: Site, pair: &Pair) -> Result<(), String> {
    for (half, values, n_rows, row_len) in [("A", &pair.a, rank, pair.n_in), ("B", &pair.b, pair.n_out, rank)]
    {
        let expected = n_rows.checked_mul(row_len);
        if expected != Some(values.len()) || row_len == 0 || n_rows == 0 {
            return Err(format!(
                "{half} of {site} has {} values instead of {n_rows} rows of {row_len}",
                values.len()
            ));
        }
        if let Some(at) = values.iter().position(|value| !value.is_finite()) {
            let value = values.get(at).copied().unwrap_or(f32::NAN);
            return Err(format!("{half} of {site} holds {value} at row {}", at / row_len));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::{Linear, arbitrary};
    use super::*;

    fn sound() -> Adapter {
        arbitrary::adapter(2, &[(Site { layer: 1, linear: Linear::Up }, 3, 5)])
    }

    #[track_caller]
    fn check(change: impl FnOnce(&mut Adapter), expected: &str) {
        let mut adapter = sound();
        change(&mut adapter);
        let problem = problem(&adapter).unwrap_err();
        assert!(problem.contains(expected), "{problem}");
    }

    fn pair(adapter: &mut Adapter) -> &mut Pair {
        adapter.pairs.values_mut().next().unwrap()
    }

    #[test]
    fn a_sound_adapter_is_sound() {
        assert_eq!(problem(&sound()), Ok(()));
    }

    #[test]
    fn what_is_not_sound_is_named() {
        check(|adapter| adapter.rank = 0, "rank is 0");
        check(|adapter| adapter.alpha = f32::NAN, "alpha is NaN");
        check(|adapter| adapter.alpha = 0.0, "alpha is 0");
        check(|adapter| adapter.pairs.clear(), "changes nothing");
        check(|adapter| pair(adapter).n_in = 4, "A of blk.1.ffn_up has 6 values instead of 2 rows of 4");
        check(|adapter| pair(adapter).b.clear(), "B of blk.1.ffn_up has 0 values instead of 5 rows of 2");
        check(|adapter| pair(adapter).n_in = usize::MAX, "A of blk.1.ffn_up");
        check(|adapter| pair(adapter).a[4] = f32::NAN, "A of blk.1.ffn_up holds NaN at row 1");
        check(|adapter| pair(adapter).b[9] = f32::INFINITY, "B of blk.1.ffn_up holds inf at row 4");
    }
}
