//! What is left of output.

use proptest::prelude::*;

use super::*;

fn captured(bytes: &[u8]) -> Option<String> {
    let mut capture = Capture::default();
    capture.push(bytes);
    capture.finish()
}

#[track_caller]
fn check(bytes: &[u8], expected: &str) {
    assert_eq!(captured(bytes).as_deref(), Some(expected));
}

#[test]
fn text_stays_text() {
    check(b"one\r\ntwo\r\n", "one\ntwo\n");
    check("no end ü".as_bytes(), "no end ü");
    check(b"", "");
}

#[test]
fn titles_colours_and_progress_are_left_out() {
    check(b"\x1b]0;make\x07\x1b[32mok\x1b[0m\r\n1%\r50%\r100%\r\n", "ok\n100%\n");
}

#[test]
fn zsh_s_mark_for_a_missing_end_of_line_is_no_output() {
    let mark = format!("\x1b[1m\x1b[7m%\x1b[27m\x1b[1m\x1b[0m{}\r \r", " ".repeat(79));
    check(format!("abc{mark}").as_bytes(), "abc");
    check(mark.as_bytes(), "");
    check(format!("50%{}", mark.replace('%', "#")).as_bytes(), "50%");
    check(format!("abc{}\r \r", " ".repeat(79)).as_bytes(), "abc");
}

#[test]
fn what_only_looks_like_that_mark_stays() {
    check(b"100%\r\n", "100%\n");
    check(b"100%   \r\n", "100%   \n");
    check(b"x\r \r", " ");
}

#[test]
fn notices_about_jobs_are_left_out() {
    check(b"out\r\n[1]+  Done                    sleep 1\r\n", "out\n");
    check(b"[1] 4711\r\nout\r\n[2]-  Exit 3   make\r\n", "out\n");
    check(b"[1]  + done       sleep 1\r\n[1]  + 4711 suspended  vim\r\n", "[1]  + 4711 suspended  vim\n");
    check(b"[1] first\r\n[12/40] CC x.o\r\n[] x\r\n[ok] y\r\n", "[1] first\n[12/40] CC x.o\n[] x\n[ok] y\n");
}

#[test]
fn a_whole_screen_is_not_kept() {
    let mut capture = Capture::default();
    capture.push(b"before");
    capture.draws_screen();
    capture.push(b"after");
    assert_eq!(capture.finish(), None);
}

#[test]
fn of_much_output_both_ends_are_kept_in_whole_lines() {
    let lines = (0..20_000).map(|n| format!("line {n}\r\n")).collect::<Vec<_>>().concat();
    let text = captured(lines.as_bytes()).unwrap();
    assert!(text.starts_with("line 0\nline 1\n"), "{}", &text[..40]);
    assert!(text.ends_with("line 19998\nline 19999\n"));
    assert!(text.len() <= HEAD + TAIL + 64);
    let (head, rest) = text.split_once(" bytes left out]\n").unwrap();
    let (head, n) = head.rsplit_once('[').unwrap();
    let kept = (head.matches('\n').count() + head.len()) + (rest.matches('\n').count() + rest.len());
    assert_eq!(kept + n.parse::<usize>().unwrap(), lines.len());
}

proptest! {
    #[test]
    fn how_reads_split_the_output_changes_nothing(
        pieces in prop::collection::vec("[a-z\u{fc} \r\n\x1b\\[m%0-9]{0,400}", 0..90)
    ) {
        let whole = pieces.concat();
        let mut capture = Capture::default();
        for piece in &pieces {
            capture.push(piece.as_bytes());
        }
        prop_assert_eq!(capture.finish(), captured(whole.as_bytes()));
    }

    #[test]
    fn memory_is_bounded(pieces in prop::collection::vec(0..60_000_usize, 0..40)) {
        let mut capture = Capture::default();
        for len in pieces {
            capture.push(&vec![b'x'; len]);
            prop_assert!(capture.head.len() <= HEAD && capture.tail.len() <= 2 * TAIL);
        }
    }

    #[test]
    fn no_control_character_is_left(bytes in any::<Vec<u8>>()) {
        let text = captured(&bytes).unwrap();
        prop_assert!(!text.chars().any(|c| c.is_control() && c != '\n' && c != '\t'), "{text:?}");
    }
}
