//! What the proxy understands of the bytes that it passes. A fault in here costs what is learned, never a byte: the
//! relay goes on without it.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use super::control::{Record, records};
use super::marks::{Event, Marks, Passed};
use super::report::Reporter;
use super::spans::Spans;
use crate::daemon::wire::shell::{ShellCommand, ShellKind};

/// A control file that is longer is emptied once it has been read.
const LONG_CONTROL: u64 = 256 * 1024;

/// Reads along. Without hooks in the shell it only passes.
pub(super) struct Observer {
    understanding: Option<Understanding>,
    passed: Passed,
}

struct Understanding {
    marks: Marks,
    spans: Spans,
    control: ControlFile,
    reporter: Reporter,
}

impl Observer {
    /// For a shell of which nothing can be known.
    pub(super) fn blind() -> Self {
        Self { understanding: None, passed: Passed::default() }
    }

    pub(super) fn new(
        kind: ShellKind,
        nonce: &str,
        control: &Path,
        reporter: Reporter,
    ) -> std::io::Result<Self> {
        let understanding = Understanding {
            marks: Marks::new(nonce),
            spans: Spans::new(kind),
            control: ControlFile::open(control)?,
            reporter,
        };
        Ok(Self { understanding: Some(understanding), passed: Passed::default() })
    }

    /// What the terminal is to see of the next bytes.
    pub(super) fn pass(&mut self, chunk: &[u8], clock: impl Fn() -> i64) -> &[u8] {
        self.passed.clear();
        self.understand(|understanding, passed| understanding.pass(chunk, passed, &clock));
        if self.understanding.is_none() {
            self.passed.clear();
            self.passed.bytes.extend_from_slice(chunk);
        }
        &self.passed.bytes
    }

    /// What was held back, at the end.
    pub(super) fn finish(&mut self, clock: impl Fn() -> i64) -> &[u8] {
        self.passed.clear();
        self.understand(|understanding, passed| {
            understanding.marks.finish(passed);
            understanding.listen(passed, &clock);
            understanding.hear_control();
            understanding.reporter.finish();
        });
        &self.passed.bytes
    }

    /// How many commands nobody was told of.
    pub(super) fn n_untold(&self) -> u64 {
        self.understanding.as_ref().map_or(0, |understanding| understanding.reporter.n_dropped())
    }

    /// A panic in the understanding ends it; the hook of `mod.rs` keeps what it says off the screen.
    fn understand(&mut self, with: impl FnOnce(&mut Understanding, &mut Passed)) {
        let Some(understanding) = &mut self.understanding else { return };
        let passed = &mut self.passed;
        if catch_unwind(AssertUnwindSafe(|| with(understanding, passed))).is_err() {
            self.understanding = None;
        }
    }
}

impl Understanding {
    fn pass(&mut self, chunk: &[u8], passed: &mut Passed, clock: &dyn Fn() -> i64) {
        self.marks.feed(chunk, passed);
        self.listen(passed, clock);
    }

    /// Output and events in their order.
    fn listen(&mut self, passed: &mut Passed, clock: &dyn Fn() -> i64) {
        let mut from = 0;
        for (at, event) in passed.events.drain(..) {
            self.spans.output(passed.bytes.get(from..at.start).unwrap_or_default());
            from = at.end;
            let is_mark = matches!(event, Event::Own(_) | Event::Foreign(_));
            let ended = self.spans.hear(event, clock());
            self.tell(ended);
            // Bash writes its control file before the end mark; a look at each mark finds it.
            if is_mark {
                self.hear_control();
            }
        }
        self.spans.output(passed.bytes.get(from..).unwrap_or_default());
    }

    /// What bash has written about the last command, if one waits for it.
    fn hear_control(&mut self) {
        if self.spans.wants_records() {
            let records = self.control.read();
            let ended = self.spans.told(&records);
            self.tell(ended);
        }
    }

    fn tell(&mut self, ended: Option<ShellCommand>) {
        if let Some(command) = ended {
            self.reporter.tell(command);
        }
    }
}

struct ControlFile {
    file: File,
    read: u64,
}

impl ControlFile {
    fn open(path: &Path) -> std::io::Result<Self> {
        Ok(Self { file: OpenOptions::new().read(true).write(true).open(path)?, read: 0 })
    }

    /// The records that are new. A file that cannot be read has none.
    fn read(&mut self) -> Vec<Record> {
        let mut bytes = Vec::new();
        let read = self.file.seek(SeekFrom::Start(self.read)).and_then(|_| self.file.read_to_end(&mut bytes));
        let (found, taken) = records(&bytes);
        self.read += u64::try_from(taken).unwrap_or(0);
        // The shell waits at its prompt now, and appends only after the next command.
        if read.is_ok() && taken == bytes.len() && self.read > LONG_CONTROL && self.file.set_len(0).is_ok() {
            self.read = 0;
        }
        found
    }
}
