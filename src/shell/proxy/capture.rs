//! What a command printed: the bytes between its marks, head and tail, made into text a person would have read. Pure.
//!
//! Left out: escape sequences and titles, what a line showed before it was overwritten, zsh's mark for a missing end
//! of line, notices about jobs. A command that drew a whole screen has no output.

use super::line::Line;

/// The beginning is short: what failed is said at the end.
const HEAD: usize = 8 * 1024;
const TAIL: usize = 16 * 1024;

/// The output of the command that runs now.
#[derive(Debug, Default)]
pub(super) struct Capture {
    head: Vec<u8>,
    /// At least the last `TAIL` bytes after the head.
    tail: Vec<u8>,
    n_bytes: usize,
    drew_screen: bool,
}

impl Capture {
    /// Takes the next bytes; costs little for those that will be left out.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        if self.drew_screen {
            return;
        }
        self.n_bytes = self.n_bytes.saturating_add(bytes.len());
        let (head, rest) = bytes.split_at(bytes.len().min(HEAD - self.head.len()));
        self.head.extend_from_slice(head);
        let rest = rest.get(rest.len().saturating_sub(TAIL)..).unwrap_or_default();
        if self.tail.len() + rest.len() > 2 * TAIL {
            let surplus = (self.tail.len() + rest.len()).saturating_sub(TAIL).min(self.tail.len());
            self.tail.drain(..surplus);
        }
        self.tail.extend_from_slice(rest);
    }

    /// Somebody took the whole screen.
    pub(super) fn draws_screen(&mut self) {
        self.drew_screen = true;
        self.head = Vec::new();
        self.tail = Vec::new();
    }

    /// The text. `None`: it was a screen, not lines.
    pub(super) fn finish(self) -> Option<String> {
        if self.drew_screen {
            return None;
        }
        let tail = self.tail.get(self.tail.len().saturating_sub(TAIL)..).unwrap_or_default();
        let n_left_out = self.n_bytes - self.head.len() - tail.len();
        if n_left_out == 0 {
            let whole = [self.head.as_slice(), tail].concat();
            return Some(readable(without_prompt_mark(&whole)));
        }
        // Both ends are cut where a line ends, so that no sequence and no character is halved.
        let head_end = self.head.iter().rposition(|&byte| byte == b'\n').map_or(self.head.len(), |at| at + 1);
        let tail_start = tail.iter().position(|&byte| byte == b'\n').map_or(0, |at| at + 1);
        let head = self.head.get(..head_end).unwrap_or_default();
        let tail = tail.get(tail_start..).unwrap_or_default();
        let n_left_out = n_left_out + (self.head.len() - head_end) + tail_start;
        let end = readable(without_prompt_mark(tail));
        Some(format!("{}[{n_left_out} bytes left out]\n{end}", readable(head)))
    }
}

/// The bytes without what zsh prints before a prompt: a mark for a missing end of line, then blanks to the edge.
fn without_prompt_mark(bytes: &[u8]) -> &[u8] {
    let Some(blanks) = bytes.strip_suffix(b"\r \r") else { return bytes };
    let end = blanks.iter().rposition(|&byte| byte != b' ').map_or(0, |at| at + 1);
    if end == blanks.len() {
        return bytes;
    }
    let marked = blanks.get(..end).unwrap_or_default();
    // `%` or `#` between sequences that make it bold and inverse, and end that.
    let before_style = without_styles(marked);
    match before_style.split_last() {
        Some((b'%' | b'#', before)) if before_style.len() < marked.len() => without_styles(before),
        _ => marked,
    }
}

/// The bytes without the colour sequences at their end.
fn without_styles(mut bytes: &[u8]) -> &[u8] {
    loop {
        let Some(start) = bytes.iter().rposition(|&byte| byte == 0x1b) else { return bytes };
        let sequence = bytes.get(start + 1..).unwrap_or_default();
        let is_style = sequence
            .strip_prefix(b"[")
            .and_then(|style| style.strip_suffix(b"m"))
            .is_some_and(|parameters| parameters.iter().all(|byte| byte.is_ascii_digit() || *byte == b';'));
        if !is_style {
            return bytes;
        }
        bytes = bytes.get(..start).unwrap_or_default();
    }
}

/// The lines as they stood on the screen at last, without notices about jobs.
fn readable(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let mut shown = String::with_capacity(text.len());
    for (line, end) in lines(&text) {
        let line = Line::shown(line);
        if !is_job_notice(&line) {
            shown.push_str(&line);
            shown.push_str(end);
        }
    }
    shown
}

/// Lines with what ended them.
fn lines(text: &str) -> Vec<(&str, &'static str)> {
    text.split_inclusive('\n')
        .map(|line| match line.strip_suffix('\n') {
            Some(line) => (line.trim_end_matches('\r'), "\n"),
            None => (line, ""),
        })
        .collect()
}

/// `[1]+  Done   sleep 1`, `[1] 4711`: what bash and zsh say about a job, in the middle of another command's output.
fn is_job_notice(line: &str) -> bool {
    const STATES: [&str; 14] = [
        "Done",
        "Running",
        "Stopped",
        "Exit",
        "Terminated",
        "Killed",
        "Hangup",
        "Interrupt",
        "done",
        "running",
        "suspended",
        "exit",
        "terminated",
        "continued",
    ];
    let Some((number, rest)) = line.strip_prefix('[').and_then(|rest| rest.split_once(']')) else {
        return false;
    };
    if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return false;
    }
    let rest = rest.trim_start();
    let said = rest.trim_start_matches(['+', '-']).trim_start();
    let is_process =
        !said.is_empty() && said.split(' ').all(|id| id.bytes().all(|byte| byte.is_ascii_digit()));
    is_process || STATES.iter().any(|state| said.starts_with(state))
}

#[cfg(test)]
mod tests;
