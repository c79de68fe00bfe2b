//! What one thread does with panels and tiles: packing, outer products.

use super::{UNTOUCHED, assert_close, bf16_bits, f32_decoder, values};
use crate::learn::kernels::{Kernels, Rows, Shared, available};

/// The words of a panel whose lanes are `lane(l)` along k.
fn panel(per_word: usize, k: usize, width: usize, value: impl Fn(usize, usize) -> f32) -> Vec<u32> {
    let word = |word: usize, lane: usize| {
        let at = |step: usize| if step < k { value(step, lane) } else { 0.0 };
        if per_word == 1 {
            at(word).to_bits()
        } else {
            bf16_bits(at(word * 2)) | bf16_bits(at(word * 2 + 1)) << 16
        }
    };
    let places = (0..k.div_ceil(per_word)).flat_map(|at| (0..width).map(move |lane| (at, lane)));
    places.map(|(at, lane)| word(at, lane)).collect()
}

#[track_caller]
fn check_packing(kernels: &dyn Kernels, k: usize, present: usize, width: usize) {
    let per_word = kernels.shape().per_word;
    let what = format!("{} packing {present} of {width} lanes, k {k}", kernels.name());
    let n_words = k.div_ceil(per_word) * width;
    // Two values more in a row than are packed, and a panel that goes on.
    let (rows, columns) = (values(present * (k + 2), 5), values(k * (present + 2), 6));
    let mut found = vec![0xdead_beef; n_words + 40];

    kernels.pack_rows(Rows::new(&rows, k + 2), (present, k), width, &mut found);
    let value = |step: usize, lane: usize| if lane < present { rows[lane * (k + 2) + step] } else { 0.0 };
    assert_eq!(found[..n_words], panel(per_word, k, width, value), "rows, {what}");
    assert!(found[n_words..].iter().all(|word| *word == 0xdead_beef), "rows, beyond the panel, {what}");

    found.fill(0xdead_beef);
    kernels.pack_columns(Rows::new(&columns, present + 2), (k, present), width, &mut found);
    let value =
        |step: usize, lane: usize| if lane < present { columns[step * (present + 2) + lane] } else { 0.0 };
    assert_eq!(found[..n_words], panel(per_word, k, width, value), "columns, {what}");
    assert!(found[n_words..].iter().all(|word| *word == 0xdead_beef), "columns, beyond the panel, {what}");
}

#[test]
fn packing_pads_with_zeros_and_stays_inside() {
    for kernels in available() {
        let shape = kernels.shape();
        for width in [shape.left, shape.right] {
            for present in [1, 2, width / 2, width - 1, width] {
                for k in [1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 32, 33, 64, 65] {
                    check_packing(kernels, k, present, width);
                }
            }
        }
    }
}

#[track_caller]
fn check_outer(kernels: &dyn Kernels, k: usize, (rows, cols): (usize, usize), accumulate: bool) {
    let (left, right) = (values(k * (rows + 1) + rows, 1), values(k * (cols + 2) + cols, 2));
    let (left, right) = (Rows::new(&left, rows + 1), Rows::new(&right, cols + 2));
    let stride = cols + 3;
    let mut out = vec![UNTOUCHED; (rows + 1) * stride];
    for row in out.chunks_exact_mut(stride).take(rows) {
        row[1..=cols].fill(0.5);
    }
    // SAFETY: the only window.
    #[expect(unsafe_code, reason = "a window of a matrix that nobody else writes to")]
    let tile = unsafe { Shared::new(&mut out, stride).window((0, 1), (rows, cols), accumulate) };
    kernels.outer(left, right, k, tile);
    let expected = |at: usize| {
        let (row, col) = (at / stride, at % stride);
        if row == rows || col == 0 || col > cols {
            return f64::from(UNTOUCHED);
        }
        let product =
            |at: usize| f64::from(left.row(at, rows)[row]) * f64::from(right.row(at, cols)[col - 1]);
        (0..k).map(product).sum::<f64>() + if accumulate { 0.5 } else { 0.0 }
    };
    let expected: Vec<f64> = (0..out.len()).map(expected).collect();
    assert_close(&format!("{} outer, {rows} by {cols}, k {k}", kernels.name()), &out, &expected, 2e-6);
}

#[test]
fn outer_products_of_every_size_are_summed_in_f32() {
    for kernels in available() {
        for rows in 1..=16 {
            for cols in 1..=16 {
                check_outer(kernels, 3, (rows, cols), false);
            }
        }
        for k in [0, 1, 2, 33, 128] {
            check_outer(kernels, k, (16, 16), false);
            check_outer(kernels, k, (5, 13), true);
        }
    }
}

#[test]
fn decoding_gives_the_weights() {
    for kernels in available() {
        let weights = values(100, 1);
        let bytes: Vec<u8> = weights.iter().flat_map(|weight| weight.to_le_bytes()).collect();
        let mut out = vec![0.0; 100];
        kernels.decode(f32_decoder(), &bytes, &mut out);
        assert_eq!(out, weights, "{}", kernels.name());
    }
}
