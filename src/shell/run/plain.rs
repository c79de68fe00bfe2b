//! Output of a terminal program as text: without colours, titles and what only moves the cursor.

/// The text that stays on the screen, roughly: what a line overwrote is gone, full-screen programs leave nothing.
pub fn plain_text(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let mut shown = String::new();
    let mut line = String::new();
    let mut is_full_screen = false;
    let mut rest = text.as_ref();
    while let Some(letter) = rest.chars().next() {
        if letter == '\u{1b}' {
            let (sequence, after) = escape(rest);
            match sequence {
                "\u{1b}[?1049h" | "\u{1b}[?1047h" | "\u{1b}[?47h" => is_full_screen = true,
                "\u{1b}[?1049l" | "\u{1b}[?1047l" | "\u{1b}[?47l" => is_full_screen = false,
                _ => {}
            }
            rest = after;
            continue;
        }
        rest = rest.get(letter.len_utf8()..).unwrap_or_default();
        if is_full_screen {
            continue;
        }
        match letter {
            '\n' => {
                shown.push_str(&line);
                shown.push('\n');
                line.clear();
            }
            '\r' if rest.starts_with(['\n', '\r']) => {}
            // A progress bar writes over itself.
            '\r' => line.clear(),
            '\u{8}' => {
                line.pop();
            }
            '\t' => line.push('\t'),
            letter if letter.is_control() => {}
            letter => line.push(letter),
        }
    }
    shown.push_str(&line);
    shown
}

/// The escape sequence at the start, and what follows it.
fn escape(text: &str) -> (&str, &str) {
    let body = text.get(1..).unwrap_or_default();
    let length = match body.chars().next() {
        Some('[') => body
            .char_indices()
            .skip(1)
            .find(|(_, one)| ('@'..='~').contains(one))
            .map(|(at, one)| at + one.len_utf8()),
        Some(']' | 'P' | '_' | '^' | 'X') => {
            let bell = body.find('\u{7}').map(|at| at + 1);
            let terminator = body.find("\u{1b}\\").map(|at| at + 2);
            bell.into_iter().chain(terminator).min()
        }
        Some('(' | ')' | '#' | '%') => body.char_indices().nth(1).map(|(at, one)| at + one.len_utf8()),
        Some(one) => Some(one.len_utf8()),
        None => Some(0),
    };
    // One that does not end takes the rest: it was cut off.
    let length = 1 + length.unwrap_or(body.len());
    text.split_at_checked(length).unwrap_or((text, ""))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(bytes: &str, expected: &str) {
        assert_eq!(plain_text(bytes.as_bytes()), expected);
    }

    #[test]
    fn what_stays_on_the_screen_is_text() {
        check("a\r\nb\r\n", "a\nb\n");
        check("\x1b[1;31mred\x1b[0m é", "red é");
        check("\x1b]0;title\x07a\x1b]8;;http://x\x1b\\b", "ab");
        check("10%\r20%\r100%\r\ndone", "100%\ndone");
        check("ab\x08c\tx\x07", "ac\tx");
        check("before\x1b[?1049hfull screen\x1b[?1049lafter", "beforeafter");
        check("cut \x1b[3", "cut ");
        check("\x1b(Bx\x1b=y", "xy");
    }

    proptest! {
        #[test]
        fn any_bytes_become_text_without_control_letters(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let text = plain_text(&bytes);
            prop_assert!(text.chars().all(|one| !one.is_control() || one == '\n' || one == '\t'));
        }
    }
}
