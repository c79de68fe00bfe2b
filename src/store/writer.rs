//! The store thread: one owner of the write connection, entries applied in the order in which they were sent.
//!
//! Tokens of several streams that wait at the same time are committed together, so that four answers at once do
//! not cost four commits each. Nobody is told that an entry is written before its commit.

use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::{self, JoinHandle};

use super::{Entry, Receipt, Store, StoreError};

/// Entries that go into one commit at most; bounds how long the first of them waits.
const MAX_GROUP: usize = 64;

/// Called once with the outcome, on the store's thread: hand over and return.
pub type OnDone = Box<dyn FnOnce(Result<Receipt, StoreError>) + Send>;

/// Sends entries to the store's thread. Cheap to clone; the thread ends when the last clone is gone.
#[derive(Clone)]
pub struct StoreHandle {
    inbox: Sender<Envelope>,
}

struct Envelope {
    entry: Entry,
    on_done: OnDone,
}

/// Starts the store's thread. Dropping every handle ends it after it has written what is queued; join it before
/// the process ends, so that nothing is lost and the ledger is closed.
pub fn spawn(store: Box<dyn Store>) -> std::io::Result<(StoreHandle, JoinHandle<()>)> {
    let (sender, inbox) = mpsc::channel();
    let thread = thread::Builder::new().name("store".into()).spawn(move || drain(store, &inbox))?;
    Ok((StoreHandle { inbox: sender }, thread))
}

impl StoreHandle {
    /// Waits until the entry is durable.
    pub fn append(&self, entry: Entry) -> Result<Receipt, StoreError> {
        let (sender, outcome) = mpsc::sync_channel(1);
        // Nobody can be gone here: this thread waits for the outcome.
        self.append_with(entry, Box::new(move |result| drop(sender.send(result))));
        outcome.recv().unwrap_or(Err(StoreError::Stopped))
    }

    /// Returns at once; `on_done` hears the outcome, [`StoreError::Stopped`] when the thread is gone.
    pub fn append_with(&self, entry: Entry, on_done: OnDone) {
        if let Err(mpsc::SendError(unsent)) = self.inbox.send(Envelope { entry, on_done }) {
            (unsent.on_done)(Err(StoreError::Stopped));
        }
    }
}

fn drain(mut store: Box<dyn Store>, inbox: &Receiver<Envelope>) {
    let mut next = inbox.recv().ok();
    while let Some(first) = next.take() {
        let mut group = vec![first];
        next = gather(&mut group, inbox);
        write(&mut *store, group);
        if next.is_none() {
            next = inbox.recv().ok();
        }
    }
}

/// Adds to a group of tokens the tokens that are waiting already. Returns the entry that ended the search: it
/// comes next.
fn gather(group: &mut Vec<Envelope>, inbox: &Receiver<Envelope>) -> Option<Envelope> {
    if !group.iter().all(is_groupable) {
        return None;
    }
    while group.len() < MAX_GROUP {
        let envelope = inbox.try_recv().ok()?;
        if !is_groupable(&envelope) {
            return Some(envelope);
        }
        group.push(envelope);
    }
    None
}

fn is_groupable(envelope: &Envelope) -> bool {
    matches!(envelope.entry, Entry::AppendTokens { .. } | Entry::AppendText { .. })
}

fn write(store: &mut dyn Store, group: Vec<Envelope>) {
    let (entries, waiting): (Vec<Entry>, Vec<OnDone>) =
        group.into_iter().map(|envelope| (envelope.entry, envelope.on_done)).unzip();
    let mut outcomes = store.append_group(entries).into_iter();
    for on_done in waiting {
        on_done(outcomes.next().unwrap_or(Err(StoreError::Stopped)));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::turn::TurnId;

    /// Remembers the sizes of the groups and begins only when the test has filled the inbox.
    struct Sizes {
        go: Receiver<()>,
        sizes: Arc<Mutex<Vec<usize>>>,
    }

    impl Store for Sizes {
        fn append(&mut self, entry: Entry) -> Result<Receipt, StoreError> {
            self.append_group(vec![entry]).remove(0)
        }

        fn append_group(&mut self, entries: Vec<Entry>) -> Vec<Result<Receipt, StoreError>> {
            self.go.recv().unwrap();
            self.sizes.lock().unwrap().push(entries.len());
            vec![Ok(Receipt::Done); entries.len()]
        }
    }

    fn text() -> Entry {
        Entry::AppendText { turn: TurnId(1), text: "x".into() }
    }

    fn close() -> Entry {
        Entry::CloseSession { session: crate::turn::SessionId("s".into()), closed_at: 0 }
    }

    /// Queues `close`, which the thread takes alone and holds, then `entries`; returns the groups' sizes.
    #[track_caller]
    fn check(entries: Vec<Entry>, expected: &[usize]) {
        let (go, wait) = mpsc::channel();
        let sizes = Arc::default();
        let (handle, thread) = spawn(Box::new(Sizes { go: wait, sizes: Arc::clone(&sizes) })).unwrap();
        let n_done = Arc::new(Mutex::new(0));
        let n_entries = entries.len();
        for entry in std::iter::once(close()).chain(entries) {
            let n_done = Arc::clone(&n_done);
            handle.append_with(entry, Box::new(move |_| *n_done.lock().unwrap() += 1));
        }
        drop(handle);
        for _ in 0..=expected.len() {
            go.send(()).unwrap();
        }
        thread.join().unwrap();
        assert_eq!(sizes.lock().unwrap()[1..], *expected);
        assert_eq!(*n_done.lock().unwrap(), n_entries + 1);
    }

    #[test]
    fn tokens_that_wait_are_written_together() {
        check(vec![text(), text(), text()], &[3]);
    }

    #[test]
    fn order_is_kept_around_other_entries() {
        check(vec![text(), text(), close(), text()], &[2, 1, 1]);
    }

    #[test]
    fn a_group_is_bounded() {
        check(vec![text(); MAX_GROUP + 1], &[MAX_GROUP, 1]);
    }
}
