//! Bytes on their way to a descriptor that may not take them now.

use std::os::fd::BorrowedFd;

use rustix::io::Errno;

/// A reader waits as long as more than this is on its way: whoever is slow slows down whoever writes, and nobody else.
const ENOUGH: usize = 64 * 1024;

/// What a descriptor did with a piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flow {
    Open,
    /// End of file, or nobody at the other end.
    Closed,
}

#[derive(Debug, Default)]
pub(super) struct Pending {
    bytes: Vec<u8>,
    written: usize,
}

impl Pending {
    pub(super) fn is_empty(&self) -> bool {
        self.written == self.bytes.len()
    }

    /// Whether to read more for it.
    pub(super) fn has_room(&self) -> bool {
        self.bytes.len() - self.written < ENOUGH
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.written = 0;
    }

    /// Writes as much as is taken now. What nobody will read any more is dropped.
    pub(super) fn write_to(&mut self, fd: BorrowedFd<'_>) -> Flow {
        while !self.is_empty() {
            match rustix::io::write(fd, self.bytes.get(self.written..).unwrap_or_default()) {
                Ok(n) => self.written += n,
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => {
                    self.compact();
                    return Flow::Open;
                }
                Err(_) => {
                    self.clear();
                    return Flow::Closed;
                }
            }
        }
        self.clear();
        Flow::Open
    }

    /// Keeps what has been written from piling up while the other end is slow.
    fn compact(&mut self) {
        if self.written >= ENOUGH {
            self.bytes.drain(..self.written);
            self.written = 0;
        }
    }
}
