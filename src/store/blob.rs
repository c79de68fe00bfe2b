//! Token ids and log-probabilities as bytes: LEB128 for ids, little-endian f32 for log-probabilities. Pure.
//!
//! Both forms can be concatenated: the blob of two lists in a row is the two blobs in a row.

use crate::engine::Token;

/// Ids as LEB128 of their 32 bits: one byte below 128, two below 16384, three for nearly all of a vocabulary.
pub(super) fn from_ids(ids: impl IntoIterator<Item = Token>) -> Vec<u8> {
    let mut blob = Vec::new();
    for id in ids {
        let mut rest = id.cast_unsigned();
        while rest >= 0x80 {
            blob.push(low_seven_bits(rest) | 0x80);
            rest >>= 7;
        }
        blob.push(low_seven_bits(rest));
    }
    blob
}

/// `None` when the blob is not whole.
pub(super) fn to_ids(blob: &[u8]) -> Option<Vec<Token>> {
    let mut ids = Vec::with_capacity(blob.len() / 2);
    let (mut id, mut shift) = (0_u32, 0);
    for byte in blob {
        let bits = u32::from(byte & 0x7f);
        if shift > 28 || (shift == 28 && bits > 0x0f) {
            return None;
        }
        id |= bits << shift;
        shift += 7;
        if byte & 0x80 == 0 {
            ids.push(id.cast_signed());
            (id, shift) = (0, 0);
        }
    }
    (shift == 0).then_some(ids)
}

pub(super) fn from_logprobs(logprobs: impl IntoIterator<Item = f32>) -> Vec<u8> {
    logprobs.into_iter().flat_map(f32::to_le_bytes).collect()
}

/// `None` when the blob is not whole.
pub(super) fn to_logprobs(blob: &[u8]) -> Option<Vec<f32>> {
    let (words, rest) = blob.as_chunks::<4>();
    rest.is_empty().then(|| words.iter().copied().map(f32::from_le_bytes).collect())
}

fn low_seven_bits(value: u32) -> u8 {
    let [low, ..] = value.to_le_bytes();
    low & 0x7f
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check_ids(ids: &[Token], blob: &[u8]) {
        assert_eq!(from_ids(ids.iter().copied()), blob);
        assert_eq!(to_ids(blob).as_deref(), Some(ids));
    }

    #[test]
    fn small_ids_are_small() {
        check_ids(&[], &[]);
        check_ids(&[0, 127], &[0, 127]);
        check_ids(&[128, 300], &[0x80, 1, 0xac, 2]);
        check_ids(&[151_643], &[0xdb, 0xa0, 0x09]);
    }

    #[test]
    fn the_ends_of_the_range_survive() {
        check_ids(&[i32::MAX], &[0xff, 0xff, 0xff, 0xff, 0x07]);
        check_ids(&[-1], &[0xff, 0xff, 0xff, 0xff, 0x0f]);
    }

    #[test]
    fn broken_blobs_are_noticed() {
        assert_eq!(to_ids(&[0x80]), None);
        assert_eq!(to_ids(&[0xff, 0xff, 0xff, 0xff, 0x10]), None);
        assert_eq!(to_ids(&[0x80, 0x80, 0x80, 0x80, 0x80, 0x00]), None);
        assert_eq!(to_logprobs(&[0, 0, 0]), None);
    }

    proptest! {
        #[test]
        fn ids_survive(ids: Vec<Token>) {
            prop_assert_eq!(to_ids(&from_ids(ids.iter().copied())), Some(ids));
        }

        #[test]
        fn logprobs_survive_to_the_bit(bits: Vec<u32>) {
            let blob = from_logprobs(bits.iter().copied().map(f32::from_bits));
            let back: Vec<u32> = to_logprobs(&blob).unwrap().into_iter().map(f32::to_bits).collect();
            prop_assert_eq!(back, bits);
        }

        #[test]
        fn blobs_can_be_concatenated(one: Vec<Token>, two: Vec<Token>) {
            let apart = [from_ids(one.clone()), from_ids(two.clone())].concat();
            prop_assert_eq!(apart, from_ids(one.into_iter().chain(two)));
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
            if let Some(ids) = to_ids(&bytes) {
                prop_assert!(ids.len() <= bytes.len());
            }
        }
    }
}
