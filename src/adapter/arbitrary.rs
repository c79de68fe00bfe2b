//! Adapters for unit tests: any small sound one, and ones of a given shape.

use proptest::prelude::*;

use super::{Adapter, Linear, Pair, Site};

/// An adapter with these sites (`n_in`, `n_out`); every value is different.
pub(super) fn adapter(rank: usize, sites: &[(Site, usize, usize)]) -> Adapter {
    let mut next = 0_u16;
    let mut values = |n: usize| -> Vec<f32> {
        (0..n)
            .map(|_| {
                next += 1;
                f32::from(next) * 0.001 - 0.02
            })
            .collect()
    };
    let pairs = sites
        .iter()
        .map(|&(site, n_in, n_out)| {
            (site, Pair { n_in, n_out, a: values(rank * n_in), b: values(n_out * rank) })
        })
        .collect();
    Adapter { architecture: "llama".into(), rank, alpha: 8.0, pairs }
}

/// Any sound adapter of one to four sites.
pub(super) fn adapters() -> impl Strategy<Value = Adapter> {
    let site =
        (0..300_usize, 0..7_usize).prop_map(|(layer, linear)| Site { layer, linear: Linear::ALL[linear] });
    let widths = prop::collection::btree_map(site, (1..9_usize, 1..9_usize), 1..5);
    (1..5_usize, 0.1..64.0_f32, "[a-z0-9]{1,9}", widths).prop_flat_map(
        |(rank, alpha, architecture, widths)| {
            let n_values: usize = widths.values().map(|(n_in, n_out)| rank * (n_in + n_out)).sum();
            let value = prop::num::f32::NORMAL | prop::num::f32::ZERO | prop::num::f32::SUBNORMAL;
            prop::collection::vec(value, n_values).prop_map(move |values| {
                let mut values = values.into_iter();
                let pairs = widths
                    .iter()
                    .map(|(&site, &(n_in, n_out))| {
                        let a = values.by_ref().take(rank * n_in).collect();
                        let b = values.by_ref().take(n_out * rank).collect();
                        (site, Pair { n_in, n_out, a, b })
                    })
                    .collect();
                Adapter { architecture: architecture.clone(), rank, alpha, pairs }
            })
        },
    )
}
