//! Server-sent events out of bytes, however the reads split them. Pure.

/// Collects bytes until they make events.
#[derive(Debug, Default)]
pub(super) struct Events {
    unread: Vec<u8>,
    lines: Vec<String>,
}

impl Events {
    /// Takes bytes and returns the contents of the events that they complete; comments are left out.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Vec<String> {
        self.unread.extend_from_slice(bytes);
        let mut complete = Vec::new();
        let mut start = 0;
        while let Some(len) = self.unread.iter().skip(start).position(|&byte| byte == b'\n') {
            let line = self.unread.get(start..start + len).unwrap_or_default();
            let line = String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(line)).into_owned();
            start += len + 1;
            if line.is_empty() {
                let lines = std::mem::take(&mut self.lines);
                complete.extend((!lines.is_empty()).then(|| lines.join("\n")));
            } else if let Some(content) = line.strip_prefix("data:") {
                self.lines.push(content.strip_prefix(' ').unwrap_or(content).to_owned());
            }
        }
        self.unread.drain(..start);
        complete
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(bytes: &str, expected: &[&str]) {
        for chunk_len in 1..=bytes.len() {
            let mut events = Events::default();
            let found: Vec<String> =
                bytes.as_bytes().chunks(chunk_len).flat_map(|chunk| events.push(chunk)).collect();
            assert_eq!(found, expected, "in chunks of {chunk_len}");
        }
    }

    #[test]
    fn events_do_not_depend_on_how_reads_split_them() {
        check("data: {\"a\":\"ü\"}\n\n: keep-alive\n\ndata: [DONE]\n\n", &["{\"a\":\"ü\"}", "[DONE]"]);
    }

    #[test]
    fn lines_of_one_event_belong_together() {
        check("event: x\r\ndata: a\r\ndata:b\r\n\r\n", &["a\nb"]);
    }

    #[test]
    fn what_is_not_finished_is_no_event() {
        check("data: a\n", &[]);
    }
}
