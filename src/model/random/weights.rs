//! Random numbers, fast, in the number formats of weights.

use std::io::{self, Write};

use crate::gguf::{TensorEntry, TensorType};

/// Weights of a `Q8_0` or `Q4_0` block.
const BLOCK: usize = 32;

/// A stream of numbers that are nearly normal (the sum of four uniform ones), from xorshift64*.
pub(super) struct Noise {
    state: u64,
}

impl Noise {
    pub(super) fn new(seed: u64) -> Self {
        // Spread small seeds over all bits (splitmix64); xorshift must not start at zero.
        let mut mixed = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        Self { state: (mixed ^ (mixed >> 31)).max(1) }
    }

    /// All weights of a tensor, a block at a time.
    pub(super) fn write(
        &mut self,
        tensor: &TensorEntry,
        mean: f32,
        deviation: f32,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        let mut left = tensor.n_elements().unwrap_or(0);
        let mut buffer = Vec::with_capacity(CHUNK * 4);
        while left > 0 {
            buffer.clear();
            let mut in_chunk = left.min(CHUNK as u64);
            left -= in_chunk;
            while in_chunk > 0 {
                let block: [f32; BLOCK] = std::array::from_fn(|_| self.next().mul_add(deviation, mean));
                let len = in_chunk.min(BLOCK as u64);
                encode(&block, usize::try_from(len).unwrap_or(BLOCK), tensor.tensor_type, &mut buffer);
                in_chunk -= len;
            }
            out.write_all(&buffer)?;
        }
        Ok(())
    }

    /// Mean 0, deviation 1, never beyond ±3.5.
    fn next(&mut self) -> f32 {
        self.state ^= self.state >> 12;
        self.state ^= self.state << 25;
        self.state ^= self.state >> 27;
        let bits = self.state.wrapping_mul(0x2545_F491_4F6C_DD1D);
        let sum = (bits & 0xffff) + ((bits >> 16) & 0xffff) + ((bits >> 32) & 0xffff) + (bits >> 48);
        #[expect(clippy::cast_precision_loss, reason = "the sum has 18 bits")]
        let centred = sum as f32 - 131_070.0;
        // The sum of four uniform numbers of width 65,536 deviates by 65,536 / √3.
        centred * (1.732_050_8 / 65_536.0)
    }
}

/// Weights that are made between two writes; a multiple of the block.
const CHUNK: usize = 1 << 14;

fn encode(block: &[f32; BLOCK], len: usize, tensor_type: TensorType, out: &mut Vec<u8>) {
    let weights = block.get(..len).unwrap_or(block);
    match tensor_type {
        TensorType::Q8_0 => encode_q8_0(block, out),
        TensorType::Q4_0 => encode_q4_0(block, out),
        TensorType::F16 => weights.iter().for_each(|weight| out.extend(f16_bits(*weight).to_le_bytes())),
        _ => weights.iter().for_each(|weight| out.extend(weight.to_le_bytes())),
    }
}

/// A scale in half precision, then 32 signed bytes.
fn encode_q8_0(block: &[f32; BLOCK], out: &mut Vec<u8>) {
    let largest = block.iter().fold(0.0_f32, |largest, weight| largest.max(weight.abs()));
    let scale = largest / 127.0;
    let inverse = if scale > 0.0 { scale.recip() } else { 0.0 };
    out.extend(f16_bits(scale).to_le_bytes());
    #[expect(clippy::cast_possible_truncation, reason = "the largest weight becomes ±127")]
    out.extend(block.map(|weight| (weight * inverse).round() as i8).map(|byte| byte.to_le_bytes()[0]));
}

/// A scale in half precision, then 32 numbers from 0 to 15, two in a byte: weight i below weight i + 16. As ggml's
/// `quantize_row_q4_0_ref`: the weight farthest from zero becomes 0, which stands for −8.
fn encode_q4_0(block: &[f32; BLOCK], out: &mut Vec<u8>) {
    let farther = |far: f32, weight: &f32| if weight.abs() > far.abs() { *weight } else { far };
    let scale = block.iter().fold(0.0, farther) / -8.0;
    let inverse = if scale == 0.0 { 0.0 } else { scale.recip() };
    out.extend(f16_bits(scale).to_le_bytes());
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0.5 to 16.5, and capped")]
    let nibbles = block.map(|weight| ((weight * inverse + 8.5) as u8).min(15));
    let (low, high) = nibbles.split_at(BLOCK / 2);
    out.extend(low.iter().zip(high).map(|(low, high)| low | high << 4));
}

/// IEEE half precision, rounded to nearest even.
pub(super) fn f16_bits(number: f32) -> u16 {
    let bits = number.to_bits();
    let sign = (bits >> 16) & 0x8000;
    let magnitude = bits & 0x7fff_ffff;
    let half = if magnitude >= 0x4780_0000 {
        // Too large, infinite, or no number.
        if magnitude > 0x7f80_0000 { 0x7e00 } else { 0x7c00 }
    } else if magnitude < 0x3880_0000 {
        // Subnormal: adding 0.5 puts the wanted bits at the end of the mantissa, rounded by the hardware.
        (f32::from_bits(magnitude) + 0.5).to_bits() - 0.5_f32.to_bits()
    } else {
        let odd = (magnitude >> 13) & 1;
        (magnitude - 0x3800_0000 + 0xfff + odd) >> 13
    };
    u16::try_from(sign | half).unwrap_or(0x7e00)
}

#[cfg(test)]
mod tests {
    use super::{Noise, encode_q4_0, encode_q8_0, f16_bits};

    #[test]
    fn half_precision_has_the_known_bits() {
        for (number, bits) in [
            (0.0, 0x0000),
            (-0.0, 0x8000),
            (1.0, 0x3c00),
            (-2.0, 0xc000),
            (65504.0, 0x7bff),
            (65520.0, 0x7c00),
            (f32::INFINITY, 0x7c00),
            (6.103_515_6e-5, 0x0400),
            (5.960_464_5e-8, 0x0001),
            (2.980_232_2e-8, 0x0000),
            (0.1, 0x2e66),
            (1.000_488_3, 0x3c00),
            (1.001_464_8, 0x3c02),
        ] {
            assert_eq!(f16_bits(number), bits, "{number}");
        }
        assert_eq!(f16_bits(f32::NAN), 0x7e00);
    }

    #[test]
    fn noise_is_nearly_normal_and_repeats_with_its_seed() {
        let draw = |seed| {
            let mut noise = Noise::new(seed);
            (0..100_000).map(|_| f64::from(noise.next())).collect::<Vec<_>>()
        };
        let numbers = draw(1);
        let mean = numbers.iter().sum::<f64>() / 1e5;
        let variance = numbers.iter().map(|number| number * number).sum::<f64>() / 1e5;
        assert!(mean.abs() < 0.02 && (variance - 1.0).abs() < 0.02, "{mean} {variance}");
        assert!(numbers.iter().all(|number| number.abs() < 3.5));
        assert_eq!(numbers, draw(1));
        assert_ne!(numbers, draw(2));
    }

    #[test]
    fn a_block_keeps_its_weights_within_half_a_step() {
        let mut noise = Noise::new(3);
        let block: [f32; 32] = std::array::from_fn(|_| noise.next());
        let mut bytes = Vec::new();
        encode_q8_0(&block, &mut bytes);
        assert_eq!(bytes.len(), 34);
        let largest = block.iter().fold(0.0_f32, |largest, weight| largest.max(weight.abs()));
        let scale = largest / 127.0;
        for (weight, byte) in block.iter().zip(&bytes[2..]) {
            let back = f32::from(byte.cast_signed()) * scale;
            assert!((back - weight).abs() <= scale * 0.501, "{weight} {back}");
        }
    }

    /// Weights of a block as ggml reads them.
    fn decoded_q4_0(bytes: &[u8], scale: f32) -> Vec<f32> {
        let nibbles = bytes[2..].iter().map(|byte| byte & 15).chain(bytes[2..].iter().map(|byte| byte >> 4));
        nibbles.map(|nibble| (f32::from(nibble) - 8.0) * scale).collect()
    }

    #[test]
    fn a_block_of_four_bits_has_the_bytes_of_ggml() {
        let mut block = [0.0; 32];
        (block[0], block[1], block[16], block[31]) = (-8.0, 7.0, 3.0, -1.4);
        let mut bytes = Vec::new();
        encode_q4_0(&block, &mut bytes);
        // A scale of one, then zero is 8: weights 0 and 16 are 0 and 11, 1 and 17 are 15 and 8, 15 and 31 are 8 and 7.
        assert_eq!(bytes[..4], [0x00, 0x3c, 0xb0, 0x8f]);
        assert_eq!((bytes.len(), bytes[17]), (18, 0x78));
        let decoded = decoded_q4_0(&bytes, 1.0);
        assert_eq!((decoded[0], decoded[1], decoded[16], decoded[31]), (-8.0, 7.0, 3.0, -1.0));
        let mut zeros = Vec::new();
        encode_q4_0(&[0.0; 32], &mut zeros);
        assert_eq!(decoded_q4_0(&zeros, 0.0), [0.0; 32]);
    }

    #[test]
    fn four_bits_keep_weights_within_a_step() {
        let mut noise = Noise::new(3);
        let block: [f32; 32] = std::array::from_fn(|_| noise.next());
        let mut bytes = Vec::new();
        encode_q4_0(&block, &mut bytes);
        let far =
            block.iter().fold(0.0_f32, |far, weight| if weight.abs() > far.abs() { *weight } else { far });
        for (weight, back) in block.iter().zip(decoded_q4_0(&bytes, far / -8.0)) {
            // The side opposite to the farthest weight ends at 7 steps, so the error there is up to one step.
            assert!((back - weight).abs() <= far.abs() / 8.0 * 1.001, "{weight} {back}");
        }
    }
}
