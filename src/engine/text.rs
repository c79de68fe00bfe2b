//! From token bytes to text that can be shown: whole characters, and nothing of a stop string. Pure.
//!
//! Only `engine` uses it. A character can be split over tokens, and so can a stop string; what might still become
//! either is held back.

/// The text side of one running answer.
#[derive(Debug, Clone, Default)]
pub(super) struct TextStream {
    stops: Vec<String>,
    /// Bytes that are not yet a whole character.
    bytes: Vec<u8>,
    /// Whole characters that may be the start of a stop string.
    held: String,
}

/// What one token's bytes led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pushed {
    pub(super) text: String,
    /// A stop string is complete; what followed it is gone.
    pub(super) stopped: bool,
}

impl TextStream {
    pub(super) fn new(stops: &[String]) -> Self {
        let stops = stops.iter().filter(|stop| !stop.is_empty()).cloned().collect();
        Self { stops, ..Self::default() }
    }

    pub(super) fn push(&mut self, bytes: &[u8]) -> Pushed {
        self.bytes.extend_from_slice(bytes);
        self.take_characters();
        if let Some(at) = self.stops.iter().filter_map(|stop| self.held.find(stop.as_str())).min() {
            self.held.truncate(at);
            self.bytes.clear();
            return Pushed { text: std::mem::take(&mut self.held), stopped: true };
        }
        let safe = self.held.len() - self.longest_stop_start();
        let rest = self.held.split_off(safe);
        Pushed { text: std::mem::replace(&mut self.held, rest), stopped: false }
    }

    /// The end of the answer: what was held back is text after all. Bytes that never became a character show as
    /// the replacement character.
    pub(super) fn finish(mut self) -> String {
        self.held.push_str(&String::from_utf8_lossy(&self.bytes));
        self.held
    }

    /// Moves whole characters from `bytes` to `held`; invalid bytes become replacement characters at once.
    fn take_characters(&mut self) {
        loop {
            match std::str::from_utf8(&self.bytes) {
                Ok(text) => {
                    self.held.push_str(text);
                    self.bytes.clear();
                    return;
                }
                Err(error) => {
                    let (valid, rest) = self.bytes.split_at(error.valid_up_to());
                    self.held.push_str(&String::from_utf8_lossy(valid));
                    let Some(invalid) = error.error_len() else {
                        self.bytes = rest.to_vec();
                        return;
                    };
                    self.held.push(char::REPLACEMENT_CHARACTER);
                    self.bytes = rest.iter().skip(invalid).copied().collect();
                }
            }
        }
    }

    /// Length of the longest end of `held` that is the start of a stop string.
    fn longest_stop_start(&self) -> usize {
        let starts = self.stops.iter().flat_map(|stop| {
            stop.char_indices()
                .map(|(at, c)| at + c.len_utf8())
                .filter(|&n| n < stop.len())
                .filter(|&n| stop.get(..n).is_some_and(|start| self.held.ends_with(start)))
        });
        starts.max().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(stops: &[&str], pieces: &[&[u8]], expected: &[&str], stopped: bool) {
        let stops: Vec<String> = stops.iter().map(|stop| (*stop).to_owned()).collect();
        let mut stream = TextStream::new(&stops);
        let mut texts = Vec::new();
        let mut last = false;
        for piece in pieces {
            let pushed = stream.push(piece);
            texts.push(pushed.text);
            last = pushed.stopped;
            if last {
                break;
            }
        }
        if !last {
            texts.push(stream.finish());
        }
        assert_eq!(texts, expected);
        assert_eq!(last, stopped);
    }

    #[test]
    fn plain_text_passes_at_once() {
        check(&[], &[b"ls", b" -l"], &["ls", " -l", ""], false);
    }

    #[test]
    fn a_split_character_waits_for_its_last_byte() {
        check(&[], &[b"a\xe2\x82", b"\xacb"], &["a", "€b", ""], false);
    }

    #[test]
    fn an_invalid_byte_is_replaced_and_what_follows_is_kept() {
        check(&[], &[b"a\xffb"], &["a\u{fffd}b", ""], false);
    }

    #[test]
    fn an_unfinished_character_at_the_end_is_replaced() {
        check(&[], &[b"a\xe2\x82"], &["a", "\u{fffd}"], false);
    }

    #[test]
    fn nothing_of_a_stop_string_is_shown() {
        check(&["END"], &[b"one E", b"N", b"D two"], &["one ", "", ""], true);
    }

    #[test]
    fn a_broken_promise_of_a_stop_string_is_released() {
        check(&["END"], &[b"one E", b"NOUGH"], &["one ", "ENOUGH", ""], false);
    }

    #[test]
    fn the_first_of_two_stop_strings_wins() {
        check(&["b", "a"], &[b"xab"], &["x"], true);
    }

    proptest! {
        #[test]
        fn the_answer_does_not_depend_on_how_tokens_split_it(text in "\\PC{0,40}", cuts in prop::collection::vec(1_usize..5, 0..40)) {
            let mut stream = TextStream::new(&[]);
            let (mut shown, mut rest, mut cuts) = (String::new(), text.as_bytes(), cuts.into_iter());
            while !rest.is_empty() {
                let (piece, after) = rest.split_at(cuts.next().unwrap_or(3).min(rest.len()));
                shown.push_str(&stream.push(piece).text);
                rest = after;
            }
            shown.push_str(&stream.finish());
            prop_assert_eq!(shown, text);
        }
    }
}
