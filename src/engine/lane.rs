//! One context and the requests that share it: continuous batching. Only `engine` uses it.
//!
//! A lane serves one policy version. Each step computes one batch: the next token of every running answer, and a
//! piece of the prompts that are still being read. Sequences `0..parallel` are for foreground work; one more is for
//! background work, which pauses whenever somebody waits. Attention reads the whole KV cache, other sequences' cells
//! too, so what idle sequences hold is parked outside of it while others run.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use super::ffi::{Adapter, Batch, Computed, Context, Layout, Model};
use super::reuse::{self, Held, Start};
use super::slot::{Next, Running, Task};
use super::{EngineError, FinishReason, Priority, Token};

/// Rows of one computation: large enough for fast prompts, small enough for a small compute buffer.
pub(super) const N_BATCH: usize = 512;
/// Prompt rows per computation while others receive tokens, so that their stream does not stutter.
const N_BATCH_SHARED: usize = 64;
/// Rows of one computation whose logits can be read.
const N_OUTPUTS: usize = 64;

/// A cache larger than this is not parked: copying it would be felt.
const MAX_PARKED_BYTES: usize = 128 << 20;

/// How large a lane is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shape {
    /// Tokens that one request may use.
    pub(super) n_ctx: usize,
    pub(super) parallel: usize,
    pub(super) n_threads: usize,
}

impl Shape {
    /// Idle caches and several requests share the cells; a second full context of them is kept for that.
    fn n_cells(self) -> usize {
        if self.parallel > 1 { self.n_ctx * 2 } else { self.n_ctx + self.n_ctx / 2 }.next_multiple_of(256)
    }

    fn layout(self) -> Layout {
        Layout {
            n_cells: self.n_cells(),
            n_sequences: self.parallel + 1,
            n_batch: N_BATCH,
            n_outputs: N_OUTPUTS.max(self.parallel + 1),
            n_threads: self.n_threads,
            embeddings: false,
        }
    }
}

pub(super) struct Lane {
    shape: Shape,
    context: Context,
    batch: Batch,
    slots: Vec<Slot>,
    waiting: VecDeque<Task>,
    uses: u64,
}

/// One sequence: the tokens that are known, and how many of them are computed.
#[derive(Default)]
struct Slot {
    known: Vec<Token>,
    n_done: usize,
    /// The computed ones, when they are not in the KV cache: only while idle.
    parked: Option<Arc<Vec<u8>>>,
    last_used: u64,
    /// Nothing of it is kept when it ends.
    is_dropped: bool,
    running: Option<Running>,
    /// What runs is to leave no more than so many tokens in the cache: those that were there before.
    leaves: Option<usize>,
}

/// A slot's share of the batch.
struct Share {
    slot: usize,
    n: usize,
    /// (row in the batch, position in the sequence) whose logits were asked for.
    outputs: Vec<(usize, usize)>,
}

impl Lane {
    pub(super) fn new(
        model: &Arc<Model>,
        shape: Shape,
        adapter: Option<(Arc<Adapter>, f32)>,
    ) -> Result<Self, EngineError> {
        let mut context = Context::new(model, shape.layout()).map_err(EngineError::Compute)?;
        if let Some(adapter) = adapter {
            context.set_adapters(vec![adapter]).map_err(EngineError::Adapter)?;
        }
        let slots = std::iter::repeat_with(Slot::default).take(shape.parallel + 1).collect();
        tracing::debug!(pool = context.has_pool(), cells = shape.n_cells(), "context ready");
        Ok(Self { shape, context, batch: Batch::default(), slots, waiting: VecDeque::new(), uses: 0 })
    }

    /// Takes a request in line; refuses at once what can never run.
    pub(super) fn enqueue(&mut self, task: Task) {
        match (task.size(self.shape.n_ctx), task) {
            (Ok(_), Task::Score(task)) if task.response.is_empty() => (task.done)(Ok(Vec::new())),
            (Ok(_), task) => self.waiting.push_back(task),
            (Err(error), task) => task.fail(error),
        }
    }

    /// Whether there is work of at least this priority.
    pub(super) fn has_work(&self, priority: Priority) -> bool {
        let running =
            self.slots.iter().filter_map(|slot| slot.running.as_ref()).map(|running| running.priority);
        running.chain(self.waiting.iter().map(Task::priority)).any(|has| has >= priority)
    }

    /// Computes one batch of work of at least `priority`. False: there was nothing to compute.
    pub(super) fn step(&mut self, priority: Priority) -> bool {
        self.drop_cancelled();
        self.admit(priority);
        let shares = self.fill_batch(priority);
        if shares.is_empty() {
            return false;
        }
        let watched = shares.iter().filter_map(|share| self.slots.get(share.slot)?.running.as_ref());
        let watched = watched.map(|running| running.cancel.clone()).collect();
        match self.context.decode(&mut self.batch, watched) {
            Ok(Computed::Done) => shares.into_iter().for_each(|share| self.take_results(&share)),
            Ok(Computed::Aborted) => self.roll_back(&shares),
            Ok(Computed::NoRoom) => self.make_room(),
            Err(reason) => {
                self.roll_back(&shares);
                let error = EngineError::Compute(reason);
                for share in &shares {
                    self.fail(share.slot, &error);
                }
            }
        }
        true
    }

    /// Forgets what idle sequences hold now, and what running ones hold when they end.
    pub(super) fn drop_caches(&mut self) {
        for index in 0..self.slots.len() {
            if self.slots.get(index).is_some_and(|slot| slot.running.is_none()) {
                self.empty(index);
            } else if let Some(slot) = self.slots.get_mut(index) {
                slot.is_dropped = true;
            }
        }
    }

    fn empty(&mut self, index: usize) {
        self.rewind(index, 0);
        if let Some(slot) = self.slots.get_mut(index) {
            slot.known.clear();
        }
    }

    /// Ends everything; the engine stops.
    pub(super) fn stop(&mut self) {
        self.waiting.drain(..).for_each(|task| task.fail(EngineError::Stopped));
        for index in 0..self.slots.len() {
            self.fail(index, &EngineError::Stopped);
        }
    }

    fn drop_cancelled(&mut self) {
        let (cancelled, waiting): (VecDeque<Task>, VecDeque<Task>) =
            self.waiting.drain(..).partition(|task| task.cancel().is_cancelled());
        self.waiting = waiting;
        cancelled.into_iter().for_each(Task::finish_unstarted);
        for index in 0..self.slots.len() {
            let cancelled =
                |slot: &Slot| slot.running.as_ref().is_some_and(|running| running.cancel.is_cancelled());
            if self.slots.get(index).is_some_and(cancelled) {
                self.end(index, FinishReason::Cancelled);
            }
        }
    }

    /// Gives waiting requests a sequence, in order, foreground first, while cells and sequences last.
    fn admit(&mut self, priority: Priority) {
        for wanted in [Priority::Foreground, Priority::Background] {
            if wanted < priority {
                return;
            }
            while let Some(index) = self.waiting.iter().position(|task| task.priority() == wanted) {
                let Some(task) = self.waiting.get(index) else { return };
                let reserved = task.size(self.shape.n_ctx).unwrap_or(self.shape.n_ctx);
                // Asked before every token while somebody waits in line, so nothing is copied before it is certain.
                if !self.has_idle(wanted) || self.reserved(wanted) + reserved > self.shape.n_cells() {
                    break;
                }
                let input = task.input();
                let held: Vec<Held> = self.slots.iter().map(Slot::held).collect();
                let reusable = input.get(..task.n_reusable()).unwrap_or(&input);
                let Some(start) = reuse::start(&held, self.sequences(wanted), reusable) else { break };
                let Some(task) = self.waiting.remove(index) else { return };
                self.begin(task, input, reserved, start);
            }
        }
    }

    fn sequences(&self, priority: Priority) -> Range<usize> {
        match priority {
            Priority::Foreground => 0..self.shape.parallel,
            Priority::Background => self.shape.parallel..self.shape.parallel + 1,
        }
    }

    fn has_idle(&self, priority: Priority) -> bool {
        self.slots
            .get(self.sequences(priority))
            .is_some_and(|slots| slots.iter().any(|slot| slot.running.is_none()))
    }

    /// Cells promised to running work of at least this priority.
    fn reserved(&self, priority: Priority) -> usize {
        let running = self.slots.iter().filter_map(|slot| slot.running.as_ref());
        running.filter(|running| running.priority >= priority).map(|running| running.reserved).sum()
    }

    fn begin(&mut self, task: Task, input: Vec<Token>, reserved: usize, start: Start) {
        let n_cached = self.prepare(start);
        let leaves = task.forgets().then_some(n_cached);
        let running = match Running::begin(task, reserved, n_cached, self.context.model()) {
            Ok(running) => running,
            Err(error) => {
                tracing::warn!(%error, "a request cannot begin");
                // What was brought into an empty sequence for it would hold cells that nobody counts.
                if self.slots.get(start.sequence).is_some_and(|slot| slot.n_done == 0) {
                    self.cut(start.sequence, 0);
                }
                return;
            }
        };
        self.uses += 1;
        if let Some(slot) = self.slots.get_mut(start.sequence) {
            let running = Some(running);
            let last_used = self.uses;
            *slot = Slot { known: input, n_done: n_cached, last_used, running, leaves, ..Slot::default() };
        }
        self.park_idle();
        self.trim_idle();
    }

    /// Brings the sequence to the prefix that can be kept; returns how long it really is.
    fn prepare(&mut self, start: Start) -> usize {
        let Start { sequence, n_cached, from } = start;
        let parked = self.slots.get(from.unwrap_or(sequence)).and_then(|slot| slot.parked.clone());
        match (from, parked) {
            (_, Some(parked)) => {
                self.rewind(sequence, 0);
                if self.context.restore(sequence, &parked) { self.cut(sequence, n_cached) } else { 0 }
            }
            (None, None) => self.rewind(sequence, n_cached),
            (Some(from), None) => {
                self.rewind(sequence, 0);
                if !self.can_share(from, n_cached) {
                    return 0;
                }
                self.context.share(from, sequence, n_cached);
                n_cached
            }
        }
    }

    /// Takes what idle sequences hold out of the KV cache, where it would slow the running ones down.
    fn park_idle(&mut self) {
        let Self { slots, context, .. } = self;
        for (index, slot) in slots.iter_mut().enumerate() {
            if slot.running.is_none() && slot.n_done > 0 && slot.parked.is_none() {
                slot.parked = context.save(index, MAX_PARKED_BYTES).map(Arc::new);
                if slot.parked.is_some() {
                    context.forget(index, 0);
                }
            }
        }
    }

    /// Only models that can forget a part of a sequence can share a part of one.
    fn can_share(&self, from: usize, n: usize) -> bool {
        self.context.model().facts().can_rewind && self.slots.get(from).is_some_and(|slot| slot.n_done >= n)
    }

    /// Like [`Lane::cut`], and the slot knows of it.
    fn rewind(&mut self, sequence: usize, keep: usize) -> usize {
        let kept = self.cut(sequence, keep);
        if let Some(slot) = self.slots.get_mut(sequence) {
            slot.n_done = slot.n_done.min(kept);
            slot.parked = None;
        }
        kept
    }

    /// Cuts a sequence's cache to `keep` positions, or to nothing where a part cannot be cut. Returns what is left.
    fn cut(&mut self, sequence: usize, keep: usize) -> usize {
        if self.context.forget(sequence, keep) {
            return keep;
        }
        self.context.forget(sequence, 0);
        0
    }

    /// Forgets the caches unused for longest until promised and cached cells fit together.
    fn trim_idle(&mut self) {
        loop {
            let idle = || {
                self.slots.iter().enumerate().filter(|(_, slot)| slot.running.is_none() && slot.n_done > 0)
            };
            let cached: usize = idle().map(|(_, slot)| slot.n_done).sum();
            if self.reserved(Priority::Background) + cached <= self.shape.n_cells() {
                return;
            }
            let Some((oldest, _)) = idle().min_by_key(|(_, slot)| slot.last_used) else { return };
            self.empty(oldest);
        }
    }

    /// The next token of every running answer first, then pieces of prompts.
    fn fill_batch(&mut self, priority: Priority) -> Vec<Share> {
        self.batch.clear();
        let mut shares = Vec::new();
        let mut outputs_left = N_OUTPUTS;
        let takes_part =
            |slot: &Slot| slot.running.as_ref().is_some_and(|running| running.priority >= priority);
        let streaming = self.slots.iter().any(|slot| takes_part(slot) && slot.known.len() == slot.n_done + 1);
        let limit = if streaming { N_BATCH_SHARED } else { N_BATCH };
        for reading in [false, true] {
            for (index, slot) in self.slots.iter().enumerate() {
                let missing = slot.known.len() - slot.n_done;
                if !takes_part(slot) || missing == 0 || (missing > 1) != reading {
                    continue;
                }
                let room = limit.saturating_sub(self.batch.len());
                let share = slot.fill(index, missing.min(room), &mut outputs_left, &mut self.batch);
                shares.extend(share);
            }
        }
        shares
    }

    fn take_results(&mut self, share: &Share) {
        let Self { slots, context, .. } = self;
        let Some(slot) = slots.get_mut(share.slot) else { return };
        slot.n_done += share.n;
        for &(row, position) in &share.outputs {
            let (Some(running), Some(logits)) = (slot.running.as_mut(), context.logits(row)) else {
                continue;
            };
            match running.take(logits, position, &slot.known, context.model()) {
                Next::Continue => {}
                Next::Feed(token) => slot.known.push(token),
                Next::End(reason) => {
                    self.end(share.slot, reason);
                    return;
                }
            }
        }
    }

    fn end(&mut self, index: usize, reason: FinishReason) {
        if let Some(running) = self.release(index) {
            running.finish(reason);
        }
    }

    fn fail(&mut self, index: usize, error: &EngineError) {
        if let Some(running) = self.release(index) {
            running.fail(error.clone());
        }
    }

    /// The sequence is idle again; its cache stays for the next prompt that begins alike.
    fn release(&mut self, index: usize) -> Option<Running> {
        if let Some(leaves) = self.slots.get_mut(index).and_then(|slot| slot.leaves.take()) {
            self.rewind(index, leaves);
        }
        let slot = self.slots.get_mut(index)?;
        slot.known.truncate(slot.n_done);
        self.uses += 1;
        slot.last_used = self.uses;
        let running = slot.running.take();
        if std::mem::take(&mut slot.is_dropped) {
            self.empty(index);
        }
        running
    }

    /// Rows of an unfinished computation may be in the cache: cut them off.
    fn roll_back(&mut self, shares: &[Share]) {
        for share in shares {
            let n_done = self.slots.get(share.slot).map_or(0, |slot| slot.n_done);
            self.rewind(share.slot, n_done);
        }
    }

    /// The cache is full although cells were promised: background work gives way, then idle caches.
    fn make_room(&mut self) {
        let background = self.shape.parallel;
        if self.slots.get(background).is_some_and(|slot| slot.running.is_some()) {
            self.fail(background, &EngineError::Compute("foreground work needed the memory".to_owned()));
        }
        let idle: Vec<usize> = (0..self.slots.len())
            .filter(|&index| {
                self.slots.get(index).is_some_and(|slot| slot.running.is_none() && slot.n_done > 0)
            })
            .collect();
        if idle.is_empty() {
            let error = EngineError::Compute("the KV cache is full".to_owned());
            (0..self.slots.len()).for_each(|index| self.fail(index, &error));
        }
        for index in idle {
            self.empty(index);
        }
    }
}

impl Slot {
    fn held(&self) -> Held<'_> {
        // What is to be left is all that others may share.
        let n_shared = self.leaves.unwrap_or(self.n_done).min(self.n_done);
        let tokens = self.known.get(..n_shared).unwrap_or(&[]);
        Held { tokens, busy: self.running.is_some(), last_used: self.last_used }
    }

    /// Adds up to `n` of the missing tokens to the batch.
    fn fill(&self, index: usize, n: usize, outputs_left: &mut usize, batch: &mut Batch) -> Option<Share> {
        let running = self.running.as_ref()?;
        let mut share = Share { slot: index, n: 0, outputs: Vec::new() };
        for (position, &token) in self.known.iter().enumerate().skip(self.n_done).take(n) {
            let output = running.wants_output(position, self.known.len());
            if output && *outputs_left == 0 {
                break;
            }
            let row = batch.push(token, position, index, output);
            if output {
                *outputs_left -= 1;
                share.outputs.push((row, position));
            }
            share.n += 1;
        }
        (share.n > 0).then_some(share)
    }
}
