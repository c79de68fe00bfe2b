//! The background learner: one named thread of the lowest priority, one run at a time, always the newest request.
//!
//! What lives here: the slot, the thread, and how a run ends for whoever asked. What does not: what a run does
//! (`run`), how a trainer stops between two kernels (`pace`).
//!
//! What always holds: a request that has not begun is replaced by a newer one and hears of it; a panic in a run is an
//! end like another, and the next run finds a fresh start; threads that a run starts inherit its priority.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use super::{Pace, TrainError};

/// The lowest priority that Unix has for a thread that still runs.
const NICEST: i32 = 19;

/// What a run does; it looks at its pace between kernels.
pub type Work = Box<dyn FnOnce(&Pace) -> Result<(), TrainError> + Send>;

/// One run for the learner's thread. The trainer is opened inside `work`, so that its threads are as polite.
pub struct Request {
    pub work: Work,
    /// Called exactly once, on the learner's thread or on that of who replaces it: hand over and return.
    pub ended: Box<dyn FnOnce(End) + Send>,
}

/// What became of a request.
#[derive(Debug)]
pub enum End {
    Finished,
    /// [`TrainError::Cancelled`] included.
    Failed(TrainError),
    /// A newer request came before this one had begun, or the learner was dropped.
    Replaced,
    /// The run panicked with this message.
    Panicked(String),
}

/// The thread and its leash. Dropping it cancels the run and waits for its end.
pub struct Worker {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    slot: Mutex<Slot>,
    changed: Condvar,
}

/// At most one run and one wish.
#[derive(Default)]
struct Slot {
    wanted: Option<Request>,
    /// The leash of the run in progress.
    running: Option<Pace>,
    is_paused: bool,
    is_closed: bool,
}

impl Worker {
    /// Starts the thread, which waits for its first request.
    pub fn start() -> std::io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let inside = Arc::clone(&shared);
        let thread = thread::Builder::new().name("learner".to_owned()).spawn(move || {
            lower_priority();
            while let Some((request, pace)) = inside.next() {
                let end = carry_out(request.work, &pace);
                inside.slot().running = None;
                (request.ended)(end);
            }
        })?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Wants this run next. One that has not begun yet is replaced; the one in progress goes on to its end.
    pub fn request(&self, request: Request) {
        let replaced = self.shared.slot().wanted.replace(request);
        self.shared.changed.notify_all();
        if let Some(replaced) = replaced {
            (replaced.ended)(End::Replaced);
        }
    }

    /// Makes the run stop between two kernels, and keeps one that has not begun from beginning.
    pub fn pause(&self) {
        let mut slot = self.shared.slot();
        slot.is_paused = true;
        if let Some(pace) = &slot.running {
            pace.pause();
        }
    }

    pub fn resume(&self) {
        let mut slot = self.shared.slot();
        slot.is_paused = false;
        if let Some(pace) = &slot.running {
            pace.resume();
        }
        drop(slot);
        self.shared.changed.notify_all();
    }

    /// Ends the run in progress within one kernel, paused or not. What is wanted next stays wanted.
    pub fn cancel(&self) {
        if let Some(pace) = &self.shared.slot().running {
            pace.cancel();
        }
    }

    pub fn is_running(&self) -> bool {
        self.shared.slot().running.is_some()
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let mut slot = self.shared.slot();
        slot.is_closed = true;
        if let Some(pace) = &slot.running {
            pace.cancel();
        }
        let wanted = slot.wanted.take();
        drop(slot);
        self.shared.changed.notify_all();
        if let Some(wanted) = wanted {
            (wanted.ended)(End::Replaced);
        }
        let thread = self.thread.take();
        // What a run holds may be the last to hold this worker: then it ends here by itself, right after.
        if let Some(thread) = thread.filter(|thread| thread.thread().id() != thread::current().id()) {
            // A panic of a run was caught; one of a callback was reported by the thread itself.
            let _panicked = thread.join();
        }
    }
}

impl Shared {
    fn slot(&self) -> MutexGuard<'_, Slot> {
        self.slot.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a request and takes it; `None` when the worker is gone.
    fn next(&self) -> Option<(Request, Pace)> {
        let mut slot = self.slot();
        loop {
            if slot.is_closed {
                return None;
            }
            if !slot.is_paused
                && let Some(request) = slot.wanted.take()
            {
                let pace = Pace::default();
                slot.running = Some(pace.clone());
                return Some((request, pace));
            }
            slot = self.changed.wait(slot).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

fn carry_out(work: Work, pace: &Pace) -> End {
    // Nothing of the run outlives a panic: the trainer and all its memory are dropped with it.
    match catch_unwind(AssertUnwindSafe(|| work(pace))) {
        Ok(Ok(())) => End::Finished,
        Ok(Err(error)) => End::Failed(error),
        Err(panic) => End::Panicked(message(panic.as_ref())),
    }
}

fn message(panic: &(dyn std::any::Any + Send)) -> String {
    let text =
        panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("without a message").to_owned()
}

/// Makes the calling thread, and those that it starts, give way to all others.
pub fn lower_priority() {
    // On Linux "the process" is the calling thread. Elsewhere it is the whole process, the engine included, and that
    // would be worse than none: there the pause alone protects serving.
    if cfg!(target_os = "linux") {
        // Without it, training is only less polite.
        if let Err(error) = rustix::process::setpriority_process(None, NICEST) {
            tracing::warn!(%error, "the learner keeps its priority");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{self, Receiver, Sender, channel, sync_channel};

    use super::*;
    use crate::learn::scripted::Scripted;
    use crate::learn::{Sample, Trainer};

    fn request(
        work: impl FnOnce(&Pace) -> Result<(), TrainError> + Send + 'static,
    ) -> (Request, Receiver<String>) {
        let (told, ends) = channel();
        let ended = Box::new(move |end: End| {
            let text = match end {
                End::Failed(error) => format!("failed: {error}"),
                other => format!("{other:?}"),
            };
            told.send(text).unwrap();
        });
        (Request { work: Box::new(work), ended }, ends)
    }

    fn sample() -> Vec<Sample> {
        vec![Sample { prompt: vec![1], answers: Vec::new() }]
    }

    /// A run of `steps` scripted steps that tells every kernel before it goes on.
    fn stepping(
        steps: usize,
        kernel: impl FnMut(u64) + Send + 'static,
    ) -> impl FnOnce(&Pace) -> Result<(), TrainError> + Send + 'static {
        move |pace| {
            let mut trainer = Scripted::new().on_kernel(Box::new(kernel));
            (0..steps).try_for_each(|_| trainer.step(&sample(), pace).map(drop))
        }
    }

    #[test]
    fn a_pause_is_obeyed_within_one_kernel() {
        let worker = Worker::start().unwrap();
        let log = Arc::new(Mutex::new(Vec::new()));
        // A kernel is over when the test has taken its number.
        let (kernel, kernels) = sync_channel::<u64>(0);
        let inside = Arc::clone(&log);
        let (run, ends) = request(stepping(3, move |number| {
            inside.lock().unwrap().push(number.to_string());
            kernel.send(number).unwrap();
        }));
        worker.request(run);
        for expected in 1..=6 {
            assert_eq!(kernels.recv().unwrap(), expected);
        }
        // Wherever the run is between the sixth and the seventh kernel, at most the seventh still begins.
        worker.pause();
        let after = kernels.try_recv().map_or(6, |seventh| seventh);
        log.lock().unwrap().push("resumed".to_owned());
        worker.resume();
        let rest: Vec<u64> = kernels.iter().collect();
        assert_eq!(rest, (after + 1..=12).collect::<Vec<_>>());
        assert_eq!(ends.recv().unwrap(), "Finished");
        let log = log.lock().unwrap();
        let at = log.iter().position(|line| line == "resumed").unwrap();
        assert!((6..=7).contains(&at), "{log:?}");
    }

    #[test]
    fn a_paused_run_stands_until_it_is_resumed() {
        let worker = Worker::start().unwrap();
        let (kernel, kernels) = channel();
        let (run, ends, begins, go) = held(stepping(1, move |number| kernel.send(number).unwrap()));
        worker.request(run);
        begins.recv().unwrap();
        worker.pause();
        go.send(()).unwrap();
        // The run stands before its first kernel: nothing can come before the pause is lifted.
        assert_eq!(kernels.try_recv(), Err(mpsc::TryRecvError::Empty));
        worker.resume();
        assert_eq!(kernels.iter().count(), 4);
        assert_eq!(ends.recv().unwrap(), "Finished");
    }

    #[test]
    fn a_paused_worker_begins_nothing() {
        let worker = Worker::start().unwrap();
        worker.pause();
        let (first, first_ends) = request(|_| Ok(()));
        let (second, second_ends) = request(|_| Ok(()));
        worker.request(first);
        worker.request(second);
        assert_eq!(first_ends.recv().unwrap(), "Replaced");
        assert!(!worker.is_running());
        worker.resume();
        assert_eq!(second_ends.recv().unwrap(), "Finished");
    }

    #[test]
    fn a_cancelled_run_ends_even_while_it_is_paused() {
        let worker = Worker::start().unwrap();
        let (run, ends, begins, go) = held(stepping(1, |_| ()));
        worker.request(run);
        begins.recv().unwrap();
        worker.pause();
        go.send(()).unwrap();
        worker.cancel();
        assert_eq!(ends.recv().unwrap(), "failed: training was cancelled");
    }

    /// A run that says that it has begun and goes on when told.
    fn held(
        then: impl FnOnce(&Pace) -> Result<(), TrainError> + Send + 'static,
    ) -> (Request, Receiver<String>, Receiver<()>, Sender<()>) {
        let (begun, begins) = channel();
        let (go, gone) = channel::<()>();
        let (run, ends) = request(move |pace: &Pace| {
            begun.send(()).unwrap();
            gone.recv().unwrap();
            then(pace)
        });
        (run, ends, begins, go)
    }

    #[test]
    fn the_newest_request_wins_and_the_one_in_progress_goes_on() {
        let worker = Worker::start().unwrap();
        let (first, first_ends, begins, go) = held(|_| Ok(()));
        worker.request(first);
        begins.recv().unwrap();
        let (second, second_ends) = request(|_| Ok(()));
        let (third, third_ends) = request(|_| Ok(()));
        worker.request(second);
        worker.request(third);
        assert_eq!(second_ends.recv().unwrap(), "Replaced");
        assert!(worker.is_running());
        go.send(()).unwrap();
        assert_eq!(first_ends.recv().unwrap(), "Finished");
        assert_eq!(third_ends.recv().unwrap(), "Finished");
    }

    #[test]
    fn a_panic_is_an_end_and_the_next_run_works() {
        let worker = Worker::start().unwrap();
        let (run, ends) = request(stepping(1, |kernel| assert!(kernel != 2, "kernel {kernel} broke")));
        worker.request(run);
        assert_eq!(ends.recv().unwrap(), "Panicked(\"kernel 2 broke\")");
        let (run, ends) = request(stepping(1, |_| ()));
        worker.request(run);
        assert_eq!(ends.recv().unwrap(), "Finished");
    }

    #[test]
    fn a_run_may_be_the_last_to_hold_the_worker() {
        let worker = Arc::new(Worker::start().unwrap());
        let (give, take) = channel::<Arc<Worker>>();
        let (run, ends) = request(move |_| {
            drop(take.recv().unwrap());
            Ok(())
        });
        worker.request(run);
        give.send(worker).unwrap();
        assert_eq!(ends.recv().unwrap(), "Finished");
    }

    #[test]
    fn dropping_the_worker_ends_its_run_and_turns_the_wish_away() {
        let worker = Worker::start().unwrap();
        let (run, ends, begins, go) = held(Pace::check);
        worker.request(run);
        begins.recv().unwrap();
        worker.pause();
        go.send(()).unwrap();
        let (wish, wish_ends) = request(|_| Ok(()));
        worker.request(wish);
        drop(worker);
        assert_eq!(ends.recv().unwrap(), "failed: training was cancelled");
        assert_eq!(wish_ends.recv().unwrap(), "Replaced");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_learner_and_its_threads_give_way_and_nobody_else() {
        let priority = || rustix::process::getpriority_process(None).unwrap();
        let before = priority();
        let worker = Worker::start().unwrap();
        let (told, heard) = channel();
        let (run, ends) = request(move |_: &Pace| {
            let child =
                thread::Builder::new().spawn(move || rustix::process::getpriority_process(None).unwrap());
            told.send((rustix::process::getpriority_process(None).unwrap(), child.unwrap().join().unwrap()))
                .unwrap();
            Ok(())
        });
        worker.request(run);
        assert_eq!(heard.recv().unwrap(), (NICEST, NICEST));
        assert_eq!(ends.recv().unwrap(), "Finished");
        assert_eq!(priority(), before);
    }
}
