//! Row-wise arithmetic: norms, rotations, SwiGLU, exponentials.

use super::{assert_close, bits, values, wide};
use crate::learn::kernels::{Kernels, available, elementwise};

/// Lengths around whole and half vectors.
const LENGTHS: [usize; 12] = [1, 2, 7, 8, 9, 15, 16, 17, 31, 64, 100, 897];

/// Runs `check` for every set of kernels and length, with four rows of that length.
fn for_rows(check: impl Fn(&dyn Kernels, [Vec<f32>; 4])) {
    for kernels in available() {
        for n in LENGTHS {
            check(
                kernels,
                [1, 2, 3, 4].map(|seed| values(n, seed).iter().map(|value| value * 3.0).collect()),
            );
        }
    }
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

#[test]
fn rms_norm_divides_by_the_root_mean_square() {
    for_rows(|kernels, [x, weight, ..]| {
        let mut out = vec![0.0; x.len()];
        kernels.rms_norm(&x, &weight, 1e-6, &mut out);
        let r = inverse_rms(&x);
        let expected: Vec<f64> =
            wide(&x).iter().zip(wide(&weight)).map(|(x, weight)| x * r * weight).collect();
        assert_close(kernels.name(), &out, &expected, 1e-6);
    });
}

fn inverse_rms(x: &[f32]) -> f64 {
    let n = f64::from(u32::try_from(x.len()).unwrap());
    (wide(x).iter().map(|x| x * x).sum::<f64>() / n + 1e-6).sqrt().recip()
}

#[test]
fn the_gradient_of_rms_norm_is_that_of_its_differences() {
    for_rows(|kernels, [x, weight, dy, before]| {
        let mut dx = before.clone();
        kernels.rms_norm_backward(&x, &weight, 1e-6, &dy, &mut dx);
        // d/dx_i of Σ dy·norm(x), as a central difference in f64.
        let loss = |x: &[f64]| {
            let n = f64::from(u32::try_from(x.len()).unwrap());
            let r = (x.iter().map(|x| x * x).sum::<f64>() / n + 1e-6).sqrt().recip();
            x.iter()
                .zip(&weight)
                .zip(&dy)
                .map(|((x, w), dy)| x * r * f64::from(*w) * f64::from(*dy))
                .sum::<f64>()
        };
        let mut at = wide(&x);
        for i in (0..x.len()).step_by(x.len().div_ceil(50)) {
            let value = at[i];
            at[i] = value + 1e-5;
            let up = loss(&at);
            at[i] = value - 1e-5;
            let expected = f64::from(before[i]) + (up - loss(&at)) / 2e-5;
            at[i] = value;
            let off = (f64::from(dx[i]) - expected).abs();
            assert!(
                off <= 2e-5 * (1.0 + expected.abs()),
                "{}: {} instead of {expected}",
                kernels.name(),
                dx[i]
            );
        }
    });
}

#[track_caller]
fn check_rotation(kernels: &dyn Kernels, n_pairs: usize, halves: bool) {
    let x = values(2 * n_pairs, 1);
    let angles = values(n_pairs, 2);
    let (cos, sin): (Vec<f32>, Vec<f32>) = angles.iter().map(|angle| (angle.cos(), angle.sin())).unzip();
    let mut found = x.clone();
    kernels.rotate(&mut found, &cos, &sin, halves);
    let (mut expected, wide_x) = (wide(&x), wide(&x));
    for (pair, (cos, sin)) in wide(&cos).into_iter().zip(wide(&sin)).enumerate() {
        let (i, j) = if halves { (pair, pair + n_pairs) } else { (2 * pair, 2 * pair + 1) };
        expected[i] = wide_x[i] * cos - wide_x[j] * sin;
        expected[j] = wide_x[i] * sin + wide_x[j] * cos;
    }
    assert_close(kernels.name(), &found, &expected, 1e-6);
    let back: Vec<f32> = sin.iter().map(|sin| -sin).collect();
    kernels.rotate(&mut found, &cos, &back, halves);
    assert_close(kernels.name(), &found, &wide(&x), 1e-6);
}

#[test]
fn rotations_turn_pairs_and_turn_them_back() {
    for kernels in available() {
        for n_pairs in [1, 3, 8, 32, 33, 64] {
            check_rotation(kernels, n_pairs, true);
            check_rotation(kernels, n_pairs, false);
        }
    }
}

#[test]
fn swiglu_and_its_gradient() {
    for_rows(|kernels, [gate, up, dout, _]| {
        let (name, n) = (kernels.name(), gate.len());
        let expect = |f: &dyn Fn(f64, f64, f64) -> f64| -> Vec<f64> {
            (0..n).map(|i| f(gate[i].into(), up[i].into(), dout[i].into())).collect()
        };
        let silu = |gate: f64| gate * sigmoid(gate);
        let slope = |gate: f64| sigmoid(gate) * (1.0 + gate * (1.0 - sigmoid(gate)));
        let swiglu = expect(&|gate, up, _| silu(gate) * up);
        let mut out = vec![0.0; n];
        kernels.swiglu(&gate, &up, &mut out);
        assert_close(name, &out, &swiglu, 1e-6);

        let (mut dup, mut dgate, mut again) = (dout.clone(), vec![0.0; n], vec![0.0; n]);
        kernels.swiglu_backward(&gate, &up, &mut dup, &mut dgate, &mut again);
        assert_close(name, &again, &swiglu, 1e-6);
        assert_close(name, &dup, &expect(&|gate, _, dout| dout * silu(gate)), 1e-6);
        assert_close(name, &dgate, &expect(&|gate, up, dout| dout * up * slope(gate)), 2e-6);
    });
}

#[test]
fn swiglu_is_finite_far_away() {
    for kernels in available() {
        let gate = [-1e4, -100.0, -88.0, 0.0, 88.0, 100.0, 1e4];
        let mut out = [0.0; 7];
        kernels.swiglu(&gate, &[1.0; 7], &mut out);
        assert_close(kernels.name(), &out, &[0.0, 0.0, 0.0, 0.0, 88.0, 100.0, 1e4], 1e-6);
    }
}

#[test]
fn the_largest_value_is_found_anywhere() {
    for_rows(|kernels, [x, ..]| {
        for at in (0..x.len()).step_by(x.len().div_ceil(40)) {
            let mut x = x.clone();
            x[at] = 9.0;
            assert_eq!(kernels.largest(&x).to_bits(), 9.0_f32.to_bits(), "{} at {at}", kernels.name());
        }
        assert_eq!(kernels.largest(&[]).to_bits(), f32::NEG_INFINITY.to_bits());
    });
}

#[test]
fn exponentials_and_their_sums() {
    for_rows(|kernels, [x, dp, ..]| {
        let (name, mut out) = (kernels.name(), x.clone());
        let expected: Vec<f64> = wide(&x).iter().map(|x| (x - 2.5).exp()).collect();
        let total: f64 = expected.iter().sum();
        let sum = kernels.exp_shifted(&mut out, 2.5);
        assert_close(name, &out, &expected, 3e-7);
        assert_close(name, &[sum, kernels.sum_exp_shifted(&x, 2.5)], &[total, total], 1e-6);

        kernels.scaled_exp(&x, 2.5, -0.75, &mut out);
        assert_close(name, &out, &expected.iter().map(|x| x * -0.75).collect::<Vec<_>>(), 3e-7);

        let (mut p, mut dscores) = (x.clone(), dp.clone());
        kernels.softmax_backward(&mut p, &mut dscores, 2.5, 0.3);
        assert_close(name, &p, &expected, 3e-7);
        let gradient = |(p, dp): (&f64, f64)| p * (dp - f64::from(0.3_f32));
        assert_close(name, &dscores, &expected.iter().zip(wide(&dp)).map(gradient).collect::<Vec<_>>(), 1e-6);
    });
}

/// `e^x` of all of `x`, by way of a method.
fn exp(kernels: &dyn Kernels, x: &[f32]) -> Vec<f32> {
    let mut out = vec![0.0; x.len()];
    kernels.scaled_exp(x, 0.0, 1.0, &mut out);
    out
}

#[test]
fn exp_is_exact_to_two_units_over_the_whole_range() {
    // Every 131st of the numbers from 0 to 88 and from -0 to -87.
    let between = |start: f32, end: f32| (start.to_bits()..=end.to_bits()).step_by(131).map(f32::from_bits);
    let x: Vec<f32> = between(0.0, 88.0).chain(between(-0.0, -87.0)).collect();
    for kernels in available() {
        for (x, found) in x.iter().zip(exp(kernels, &x)) {
            let expected = f64::from(*x).exp();
            let relative = (f64::from(found) / expected - 1.0).abs();
            assert!(relative < 2.4e-7, "{}: e^{x} is off by {relative:e}", kernels.name());
        }
    }
}

#[test]
fn exp_saturates_and_passes_on_what_is_not_a_number() {
    let x = [f32::NEG_INFINITY, f32::MIN, -1e3, -87.1, 88.1, 1e3, f32::MAX, f32::INFINITY];
    for kernels in available() {
        let out = exp(kernels, &x);
        assert!(out[..4].iter().all(|y| *y > 0.0 && *y < 2e-38), "{}: {out:?}", kernels.name());
        assert!(out[4..].iter().all(|y| y.is_finite() && *y > 1e38), "{}: {out:?}", kernels.name());
        assert!(exp(kernels, &[f32::NAN; 20]).iter().all(|y| y.is_nan()), "{}", kernels.name());
        assert_eq!(exp(kernels, &[0.0, -0.0, 1e-40]), [1.0; 3], "{}", kernels.name());
        assert!(kernels.sum_exp_shifted(&[1.0, f32::NAN, 2.0], 0.0).is_nan(), "{}", kernels.name());
    }
}

#[test]
fn dot_products_and_scaling() {
    for_rows(|kernels, [a, b, ..]| {
        let dot: f64 = wide(&a).iter().zip(wide(&b)).map(|(a, b)| a * b).sum();
        assert_close(kernels.name(), &[kernels.dot(&a, &b)], &[dot], 3e-6);
        let mut scaled = a.clone();
        kernels.scale(&mut scaled, 0.1);
        assert_close(kernels.name(), &scaled, &wide(&a).iter().map(|a| a * 0.1).collect::<Vec<_>>(), 1e-6);
    });
}

#[test]
fn rows_are_the_same_on_every_cpu() {
    for_rows(|kernels, [x, weight, ..]| {
        let (mut found, mut expected) = (x.clone(), x.clone());
        let sum = kernels.exp_shifted(&mut found, 0.5);
        assert_eq!(
            sum.to_bits(),
            elementwise::exp_shifted(&mut expected, 0.5).to_bits(),
            "{}",
            kernels.name()
        );
        assert_eq!(bits(&found), bits(&expected), "{}", kernels.name());
        kernels.rms_norm(&x, &weight, 1e-5, &mut found);
        elementwise::rms_norm(&x, &weight, 1e-5, &mut expected);
        assert_eq!(bits(&found), bits(&expected), "{}", kernels.name());
    });
}
