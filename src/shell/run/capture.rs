//! What is kept of an output: its head and its tail. Bounded, whatever a command prints.

use std::collections::VecDeque;

use super::plain::plain_text;

const HEAD: usize = 16 * 1024;
const TAIL: usize = 16 * 1024;

#[derive(Debug, Default)]
pub(super) struct Capture {
    head: Vec<u8>,
    tail: VecDeque<u8>,
    n_dropped: usize,
}

impl Capture {
    pub(super) fn push(&mut self, bytes: &[u8]) {
        let room = HEAD.saturating_sub(self.head.len()).min(bytes.len());
        let (first, rest) = bytes.split_at(room);
        self.head.extend_from_slice(first);
        // Only the end of a large piece can stay.
        let skipped = rest.len().saturating_sub(TAIL);
        self.tail.extend(rest.get(skipped..).unwrap_or_default());
        let over = self.tail.len().saturating_sub(TAIL);
        self.tail.drain(..over);
        self.n_dropped += skipped + over;
    }

    /// The text, with a line that says what is missing.
    pub(super) fn text(&self) -> String {
        let tail: Vec<u8> = self.tail.iter().copied().collect();
        if self.n_dropped == 0 {
            return plain_text(&[self.head.as_slice(), &tail].concat());
        }
        format!("{}\n[{} bytes left out]\n{}", plain_text(&self.head), self.n_dropped, plain_text(&tail))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_long_output_keeps_its_head_and_its_tail() {
        let mut capture = Capture::default();
        capture.push(b"first\n");
        capture.push(&vec![b'x'; 100_000]);
        capture.push(b"\nlast");
        let text = capture.text();
        assert!(text.starts_with("first\nxxx") && text.ends_with("xxx\nlast"), "{}", text.len());
        let n_left_out = 100_000 + 11 - HEAD - TAIL;
        assert!(text.contains(&format!("\n[{n_left_out} bytes left out]\n")));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]
        #[test]
        fn pieces_make_no_difference(pieces in prop::collection::vec("[a-z]{0,20000}", 0..6)) {
            let (mut whole, mut apart) = (Capture::default(), Capture::default());
            whole.push(pieces.concat().as_bytes());
            for piece in &pieces {
                apart.push(piece.as_bytes());
            }
            prop_assert_eq!(whole.text(), apart.text());
        }
    }
}
