//! The order of samples: a shuffle that its seed decides, today and in every later version.
//!
//! Numbers come from `SplitMix64` (Steele, Lea, Flood 2014, "Fast splittable pseudorandom number generators"): the n-th
//! is a bijective mix of `seed + n · 0x9E3779B97F4A7C15`, so there is no state but a counter. Bounds are drawn with
//! Lemire's method (arXiv 1805.10941), places with Fisher and Yates.

/// A stream of numbers.
#[derive(Debug, Clone)]
pub struct Draws {
    seed: u64,
    n: u64,
}

impl Draws {
    pub fn new(seed: u64) -> Self {
        Self { seed, n: 0 }
    }

    /// The stream of `seed` for one purpose: streams of different purposes share nothing.
    pub fn of(seed: u64, purpose: u64) -> Self {
        Self::new(mix(seed).wrapping_add(mix(purpose ^ GOLDEN)))
    }

    pub fn next_u64(&mut self) -> u64 {
        self.n = self.n.wrapping_add(1);
        mix(self.seed.wrapping_add(self.n.wrapping_mul(GOLDEN)))
    }

    /// A number below `bound`, each equally likely; 0 for a bound of 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        let floor = bound.wrapping_neg().checked_rem(bound).unwrap_or(0);
        loop {
            let product = u128::from(self.next_u64()) * u128::from(bound);
            let high = u64::try_from(product >> 64).unwrap_or(u64::MAX);
            let low = u64::try_from(product & u128::from(u64::MAX)).unwrap_or(u64::MAX);
            if low >= floor {
                return high;
            }
        }
    }

    /// Puts `items` in an order that is each equally likely.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            let at = self.below(last as u64 + 1);
            items.swap(last, usize::try_from(at).unwrap_or(last));
        }
    }
}

const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

fn mix(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    number ^ (number >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_those_of_the_published_generator() {
        let mut stream = Draws::new(1_234_567);
        let drawn: [u64; 3] = std::array::from_fn(|_| stream.next_u64());
        assert_eq!(drawn, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
    }

    #[test]
    fn a_shuffle_keeps_everything_and_repeats_with_its_seed() {
        let shuffled = |seed| {
            let mut items: Vec<u32> = (0..100).collect();
            Draws::of(seed, 3).shuffle(&mut items);
            items
        };
        let mut sorted = shuffled(1);
        sorted.sort_unstable();
        assert_eq!(sorted, (0..100).collect::<Vec<_>>());
        assert_eq!(shuffled(1), shuffled(1));
        assert_ne!(shuffled(1), shuffled(2));
    }

    #[test]
    fn bounds_are_kept_and_reached() {
        let mut draws = Draws::new(9);
        let mut counts = [0_u32; 3];
        for _ in 0..3000 {
            counts[usize::try_from(draws.below(3)).unwrap()] += 1;
        }
        assert!(counts.iter().all(|count| (850..1150).contains(count)), "{counts:?}");
        assert_eq!((draws.below(1), draws.below(0)), (0, 0));
    }

    #[test]
    fn streams_of_different_purposes_differ() {
        assert_ne!(Draws::of(1, 0).next_u64(), Draws::of(1, 1).next_u64());
        assert_ne!(Draws::of(1, 0).next_u64(), Draws::of(0, 1).next_u64());
    }
}
