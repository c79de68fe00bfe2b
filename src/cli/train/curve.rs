//! A row of numbers as a row of bars, for curves in a line of text. Pure.

const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
/// In place of numbers that are none.
const GAP: char = ' ';

/// At most `width` bars from the first number to the last; each is the mean of its share of the numbers, and the
/// tallest and the shortest bar are the largest and the smallest mean. Numbers that are not finite are left out.
pub(in crate::cli) fn curve(numbers: &[f64], width: usize) -> String {
    let width = width.min(numbers.len());
    let means: Vec<Option<f64>> = (0..width)
        .map(|at| {
            let (from, to) = (at * numbers.len() / width, (at + 1) * numbers.len() / width);
            mean(numbers.get(from..to).unwrap_or_default())
        })
        .collect();
    let known = || means.iter().flatten().copied();
    let (low, high) = (known().fold(f64::INFINITY, f64::min), known().fold(f64::NEG_INFINITY, f64::max));
    means.iter().map(|mean| mean.map_or(GAP, |mean| bar(mean, low, high))).collect()
}

/// A bar for each share of 0 to 1, on that scale.
pub(in crate::cli) fn shares(shares: &[Option<f64>]) -> String {
    shares.iter().map(|share| share.map_or(GAP, |share| bar(share, 0.0, 1.0))).collect()
}

#[expect(clippy::cast_precision_loss, reason = "a mean for a bar of eight heights")]
fn mean(numbers: &[f64]) -> Option<f64> {
    let finite: Vec<f64> = numbers.iter().copied().filter(|number| number.is_finite()).collect();
    (!finite.is_empty()).then(|| finite.iter().sum::<f64>() / finite.len() as f64)
}

fn bar(number: f64, low: f64, high: f64) -> char {
    // Of numbers that are all the same, none is high.
    let height = if high > low { (number - low) / (high - low) * 7.0 } else { 0.0 };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 7")]
    let at = height.round().clamp(0.0, 7.0) as usize;
    BARS.get(at).copied().unwrap_or(GAP)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(numbers: &[f64], width: usize, expected: &str) {
        assert_eq!(curve(numbers, width), expected);
    }

    #[test]
    fn bars_go_from_the_smallest_number_to_the_largest() {
        check(&[8.0, 7.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.0], 8, "█▇▆▅▄▃▂▁");
        check(&[0.0, 1e-9], 2, "▁█");
    }

    #[test]
    fn many_numbers_share_a_bar() {
        check(&[4.0, 4.0, 2.0, 2.0, 0.0, 0.0], 3, "█▅▁");
        check(&[3.0, 2.0, 1.0], 2, "█▁");
    }

    #[test]
    fn few_numbers_have_few_bars() {
        check(&[], 10, "");
        check(&[1.0], 10, "▁");
        check(&[1.0, 1.0], 10, "▁▁");
        check(&[1.0, 2.0], 0, "");
    }

    #[test]
    fn shares_stand_on_one_scale() {
        assert_eq!(shares(&[Some(0.5), None, Some(1.0), Some(0.0)]), "▅ █▁");
        assert_eq!(shares(&[Some(0.9), Some(0.9)]), "▇▇");
    }

    #[test]
    fn what_is_no_number_is_a_gap() {
        check(&[2.0, f64::NAN, 1.0], 3, "█ ▁");
        check(&[f64::INFINITY, f64::NAN], 2, "  ");
    }
}
