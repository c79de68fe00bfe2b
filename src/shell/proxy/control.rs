//! What bash writes into its control file: the newest line of its history after each command. Pure.
//!
//! A record is `n=<command's number>`, NUL, the output of `history 1`, NUL.

/// The history line after command `n`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) n: u64,
    /// The line without its number. `None`: the history is empty or off.
    pub(super) text: Option<String>,
}

/// Reads complete records; returns them and how many bytes they took. What is no record is skipped.
pub(super) fn records(bytes: &[u8]) -> (Vec<Record>, usize) {
    let (mut found, mut taken) = (Vec::new(), 0);
    let mut rest = bytes;
    while let Some((head, after_head)) = until_nul(rest) {
        let Some((line, after_line)) = until_nul(after_head) else { break };
        match number(head) {
            Some(n) => {
                found.push(Record { n, text: history_text(&String::from_utf8_lossy(line)) });
                rest = after_line;
            }
            // A record was cut short: the next one may begin after this NUL.
            None => rest = after_head,
        }
        taken = bytes.len() - rest.len();
    }
    (found, taken)
}

fn until_nul(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = memchr::memchr(0, bytes)?;
    Some((bytes.get(..at)?, bytes.get(at + 1..)?))
}

fn number(head: &[u8]) -> Option<u64> {
    std::str::from_utf8(head).ok()?.trim().strip_prefix("n=")?.parse().ok()
}

/// `  501  ls -l` → `ls -l`: a number, a star where the line was edited, one blank, the line as it was typed.
fn history_text(line: &str) -> Option<String> {
    let line = line.trim_start();
    let rest = line.trim_start_matches(|character: char| character.is_ascii_digit());
    if rest.len() == line.len() {
        return None;
    }
    let text = rest.strip_prefix([' ', '*'])?.strip_prefix(' ')?;
    Some(text.strip_suffix('\n').unwrap_or(text).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(bytes: &[u8], expected: &[(u64, Option<&str>)], taken: usize) {
        let (found, n_taken) = records(bytes);
        let found: Vec<_> = found.iter().map(|record| (record.n, record.text.as_deref())).collect();
        assert_eq!((found.as_slice(), n_taken), (expected, taken));
    }

    #[test]
    fn a_record_is_a_number_and_a_line() {
        check(b"n=3\0  501  ls -l\n\0", &[(3, Some("ls -l"))], 18);
    }

    #[test]
    fn a_leading_blank_and_further_lines_are_kept() {
        check(b"n=1\0    7   secret\n\0", &[(1, Some(" secret"))], 20);
        check(b"n=1\0    7* for x\ndo y\n\0", &[(1, Some("for x\ndo y"))], 23);
    }

    #[test]
    fn an_empty_history_has_no_line() {
        check(b"n=1\0\0", &[(1, None)], 5);
    }

    #[test]
    fn what_is_not_complete_stays() {
        check(b"n=1\0 1  a\n\0n=2\0 2  b", &[(1, Some("a"))], 11);
        check(b"", &[], 0);
    }

    #[test]
    fn a_record_that_was_cut_short_costs_only_itself() {
        check(b" 1  a\n\0n=2\0 2  b\n\0", &[(2, Some("b"))], 18);
    }
}
