//! Contexts (KV cache and compute buffers), the rows they compute, and their threads. Part of the FFI; only `engine`
//! may use it.
#![expect(unsafe_code, reason = "llama.cpp is a C library; every block says why it is sound")]

use std::ffi::{CStr, c_void};
use std::ptr::{self, NonNull};
use std::sync::{Arc, PoisonError};

use llama_cpp_sys_2 as sys;

use super::log::{complaint, forget_complaints};
use super::{Adapter, Model};
use crate::engine::{Cancel, Token};

/// Which requests may abort the computation that is running. Changed only between computations.
#[derive(Default)]
struct Watch {
    cancels: Vec<Cancel>,
}

/// Called by one of llama.cpp's compute threads before each graph node.
unsafe extern "C" fn wants_abort(watch: *mut c_void) -> bool {
    // SAFETY: the context that computes owns the watch and does not touch it during a computation.
    let watch = unsafe { &*watch.cast::<Watch>() };
    watch.cancels.iter().any(Cancel::is_cancelled)
}

/// How a context is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::engine) struct Layout {
    /// KV cells, shared by all sequences.
    pub(in crate::engine) n_cells: usize,
    pub(in crate::engine) n_sequences: usize,
    /// Tokens in one computation.
    pub(in crate::engine) n_batch: usize,
    /// Rows of one computation whose logits can be asked for.
    pub(in crate::engine) n_outputs: usize,
    pub(in crate::engine) n_threads: usize,
    /// Mean-pooled embeddings instead of logits.
    pub(in crate::engine) embeddings: bool,
}

/// How a computation ended, when it did not fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::engine) enum Computed {
    Done,
    /// No room in the KV cache: free some cells or ask for less.
    NoRoom,
    /// A watched request was cancelled; rows of this batch may be in the cache.
    Aborted,
}

/// KV cache and compute buffers; one owner at a time.
pub(in crate::engine) struct Context {
    pub(super) raw: NonNull<sys::llama_context>,
    n_vocab: usize,
    /// Made by `Box::into_raw`: llama.cpp holds a copy of the pointer.
    watch: NonNull<Watch>,
    pool: Option<ThreadPool>,
    /// llama.cpp keeps only pointers to these.
    adapters: Vec<Arc<Adapter>>,
    model: Arc<Model>,
}

// SAFETY: a context may move between threads; it is not `Sync`, and all its methods that compute take `&mut self`.
unsafe impl Send for Context {}

impl Drop for Context {
    fn drop(&mut self) {
        // SAFETY: ours alone; pool, adapters and model are fields and are dropped after this.
        unsafe {
            sys::llama_free(self.raw.as_ptr());
            drop(Box::from_raw(self.watch.as_ptr()));
        }
    }
}

impl Context {
    pub(in crate::engine) fn new(model: &Arc<Model>, layout: Layout) -> Result<Self, String> {
        let small = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let watch = NonNull::from(Box::leak(Box::<Watch>::default()));
        // SAFETY: plain values.
        let mut params = unsafe { sys::llama_context_default_params() };
        params.n_ctx = small(layout.n_cells);
        params.n_batch = small(layout.n_batch);
        params.n_ubatch = small(layout.n_batch);
        params.n_seq_max = small(layout.n_sequences);
        params.n_outputs_max = small(layout.n_outputs);
        params.n_threads = i32::try_from(layout.n_threads).unwrap_or(1);
        params.n_threads_batch = params.n_threads;
        params.kv_unified = true;
        params.no_perf = true;
        params.abort_callback = Some(wants_abort);
        params.abort_callback_data = watch.as_ptr().cast();
        if layout.embeddings {
            params.embeddings = true;
            params.pooling_type = sys::LLAMA_POOLING_TYPE_MEAN;
        }
        let edit = model.edit.lock().unwrap_or_else(PoisonError::into_inner);
        forget_complaints();
        // SAFETY: the model is alive and locked; the watch is boxed and lives in the context.
        let raw = unsafe { sys::llama_init_from_model(model.raw.as_ptr(), params) };
        drop(edit);
        let Some(raw) = NonNull::new(raw) else {
            // SAFETY: no context exists that could use the watch.
            drop(unsafe { Box::from_raw(watch.as_ptr()) });
            return Err(complaint("no memory for its context"));
        };
        let pool = (layout.n_threads > 1).then(|| ThreadPool::new(layout.n_threads)).flatten();
        if let Some(pool) = &pool {
            // SAFETY: the pool lives in the context and is freed after it.
            unsafe { sys::llama_attach_threadpool(raw.as_ptr(), pool.raw.as_ptr(), pool.raw.as_ptr()) };
        }
        let n_vocab = model.n_vocab();
        Ok(Self { raw, n_vocab, watch, pool, adapters: Vec::new(), model: Arc::clone(model) })
    }

    pub(in crate::engine) fn model(&self) -> &Arc<Model> {
        &self.model
    }

    /// Whether computations run on threads of our own pool (more than one).
    pub(in crate::engine) fn has_pool(&self) -> bool {
        self.pool.is_some()
    }

    /// Takes effect at the next computation. What the old adapters wrote into the KV cache stays.
    pub(in crate::engine) fn set_adapters(
        &mut self,
        adapters: Vec<(Arc<Adapter>, f32)>,
    ) -> Result<(), String> {
        let mut raws: Vec<_> = adapters.iter().map(|(adapter, _)| adapter.raw.as_ptr()).collect();
        let mut scales: Vec<_> = adapters.iter().map(|&(_, scale)| scale).collect();
        // SAFETY: both arrays have `raws.len()` entries; the adapters belong to this context's model.
        let rc = unsafe {
            sys::llama_set_adapters_lora(
                self.raw.as_ptr(),
                raws.as_mut_ptr(),
                raws.len(),
                scales.as_mut_ptr(),
            )
        };
        if rc != 0 {
            return Err(format!("llama.cpp does not set it (code {rc})"));
        }
        // The previous ones may be freed only now.
        self.adapters = adapters.into_iter().map(|(adapter, _)| adapter).collect();
        Ok(())
    }

    /// Computes one batch. `watched`: requests whose cancellation aborts it.
    pub(in crate::engine) fn decode(
        &mut self,
        batch: &mut Batch,
        watched: Vec<Cancel>,
    ) -> Result<Computed, String> {
        // SAFETY: no computation runs, so nobody reads the watch.
        unsafe { (*self.watch.as_ptr()).cancels = watched };
        // SAFETY: the batch's arrays live until the call returns and have `n_tokens` entries.
        let rc = unsafe { sys::llama_decode(self.raw.as_ptr(), batch.raw()) };
        match rc {
            0 => Ok(Computed::Done),
            1 => Ok(Computed::NoRoom),
            2 => Ok(Computed::Aborted),
            code => Err(format!("code {code}")),
        }
    }

    /// The logits of batch row `row`, which must have been asked for.
    pub(in crate::engine) fn logits(&self, row: usize) -> Option<&[f32]> {
        let row = i32::try_from(row).ok()?;
        // SAFETY: llama.cpp returns null for a row without output, else `n_vocab` floats that stay valid until the
        // next computation, which needs `&mut self`.
        unsafe {
            let logits = sys::llama_get_logits_ith(self.raw.as_ptr(), row);
            (!logits.is_null()).then(|| std::slice::from_raw_parts(logits, self.n_vocab))
        }
    }

    /// The pooled embedding of a sequence, after a computation in an embedding context.
    pub(in crate::engine) fn embedding(&self, sequence: usize, n_embd: usize) -> Option<&[f32]> {
        let sequence = i32::try_from(sequence).ok()?;
        // SAFETY: null, or `n_embd` floats that stay valid until the next computation.
        unsafe {
            let values = sys::llama_get_embeddings_seq(self.raw.as_ptr(), sequence);
            (!values.is_null()).then(|| std::slice::from_raw_parts(values, n_embd))
        }
    }

    /// Forgets positions from `from` on. False: this model cannot forget a part; nothing was changed.
    pub(in crate::engine) fn forget(&mut self, sequence: usize, from: usize) -> bool {
        let (Ok(sequence), Ok(from)) = (i32::try_from(sequence), i32::try_from(from)) else { return false };
        // SAFETY: the context is ours; llama.cpp checks the sequence.
        unsafe { sys::llama_memory_seq_rm(sys::llama_get_memory(self.raw.as_ptr()), sequence, from, -1) }
    }

    /// A sequence's keys and values, to be put back later. `None`: there is nothing, or more than `limit` bytes of it.
    pub(in crate::engine) fn save(&mut self, sequence: usize, limit: usize) -> Option<Vec<u8>> {
        let sequence = i32::try_from(sequence).ok()?;
        // SAFETY: the context is ours; llama.cpp checks the sequence.
        let size = unsafe { sys::llama_state_seq_get_size(self.raw.as_ptr(), sequence) };
        if size == 0 || size > limit {
            return None;
        }
        let mut bytes = vec![0_u8; size];
        // SAFETY: the buffer has the length that is passed.
        let n = unsafe {
            sys::llama_state_seq_get_data(self.raw.as_ptr(), bytes.as_mut_ptr(), bytes.len(), sequence)
        };
        bytes.truncate(n);
        (n > 0).then_some(bytes)
    }

    /// Puts back what [`Context::save`] gave, into any empty sequence of this context. False: no room for it.
    pub(in crate::engine) fn restore(&mut self, sequence: usize, bytes: &[u8]) -> bool {
        let Ok(sequence) = i32::try_from(sequence) else { return false };
        // SAFETY: the bytes were written by the same context; llama.cpp checks them against its layout.
        let n = unsafe {
            sys::llama_state_seq_set_data(self.raw.as_ptr(), bytes.as_ptr(), bytes.len(), sequence)
        };
        n > 0
    }

    /// Lets `to` share the first `n` positions of `from` (cells are shared, nothing is copied).
    pub(in crate::engine) fn share(&mut self, from: usize, to: usize, n: usize) {
        let (Ok(from), Ok(to), Ok(n)) = (i32::try_from(from), i32::try_from(to), i32::try_from(n)) else {
            return;
        };
        // SAFETY: the context is ours; the sequences are below `n_seq_max`.
        unsafe { sys::llama_memory_seq_cp(sys::llama_get_memory(self.raw.as_ptr()), from, to, 0, n) }
    }
}

/// Compute threads of our own: they belong to one context and sleep between computations.
struct ThreadPool {
    raw: NonNull<sys::ggml_threadpool>,
}

type NewPool = unsafe extern "C" fn(*mut sys::ggml_threadpool_params) -> *mut sys::ggml_threadpool;
type FreePool = unsafe extern "C" fn(*mut sys::ggml_threadpool);

/// A function of the CPU back end. Looked up by name, because portable builds load that back end at run time.
fn cpu_function(name: &CStr) -> Option<NonNull<c_void>> {
    // SAFETY: the registry lives as long as the process; an unknown name gives null.
    unsafe {
        let device = sys::ggml_backend_dev_by_type(sys::GGML_BACKEND_DEVICE_TYPE_CPU);
        if device.is_null() {
            return None;
        }
        let registry = sys::ggml_backend_dev_backend_reg(device);
        NonNull::new(sys::ggml_backend_reg_get_proc_address(registry, name.as_ptr()))
    }
}

impl ThreadPool {
    fn new(n_threads: usize) -> Option<Self> {
        let function = cpu_function(c"ggml_threadpool_new")?;
        // SAFETY: the name belongs to this signature (ggml-cpu.h); the parameters are defaults of the same library.
        let raw = unsafe {
            let new_pool = std::mem::transmute::<*mut c_void, NewPool>(function.as_ptr());
            let mut params = sys::ggml_threadpool_params_default(i32::try_from(n_threads).ok()?);
            new_pool(&raw mut params)
        };
        NonNull::new(raw).map(|raw| Self { raw })
    }
}

impl Drop for ThreadPool {
    fn drop(&mut self) {
        let Some(function) = cpu_function(c"ggml_threadpool_free") else { return };
        // SAFETY: the name belongs to this signature; the context that used the pool is freed before it.
        unsafe { std::mem::transmute::<*mut c_void, FreePool>(function.as_ptr())(self.raw.as_ptr()) }
    }
}

/// Rows of one computation, in arrays that llama.cpp reads.
#[derive(Default)]
pub(in crate::engine) struct Batch {
    tokens: Vec<sys::llama_token>,
    positions: Vec<sys::llama_pos>,
    sequences: Vec<sys::llama_seq_id>,
    /// Points into `sequences`; filled just before use.
    sequence_ptrs: Vec<*mut sys::llama_seq_id>,
    n_sequences: Vec<i32>,
    wants_output: Vec<i8>,
}

// SAFETY: the pointers are only meaningful during `Context::decode`, which refills them.
unsafe impl Send for Batch {}

impl Batch {
    pub(in crate::engine) fn clear(&mut self) {
        self.tokens.clear();
        self.positions.clear();
        self.sequences.clear();
        self.wants_output.clear();
    }

    pub(in crate::engine) fn len(&self) -> usize {
        self.tokens.len()
    }

    /// Adds a row and returns its index.
    pub(in crate::engine) fn push(
        &mut self,
        token: Token,
        position: usize,
        sequence: usize,
        output: bool,
    ) -> usize {
        self.tokens.push(token);
        self.positions.push(i32::try_from(position).unwrap_or(i32::MAX));
        self.sequences.push(i32::try_from(sequence).unwrap_or(0));
        self.wants_output.push(i8::from(output));
        self.tokens.len() - 1
    }

    fn raw(&mut self) -> sys::llama_batch {
        self.n_sequences.clear();
        self.n_sequences.resize(self.tokens.len(), 1);
        self.sequence_ptrs = self.sequences.iter_mut().map(ptr::from_mut).collect();
        sys::llama_batch {
            n_tokens: i32::try_from(self.tokens.len()).unwrap_or(i32::MAX),
            token: self.tokens.as_mut_ptr(),
            embd: ptr::null_mut(),
            pos: self.positions.as_mut_ptr(),
            n_seq_id: self.n_sequences.as_mut_ptr(),
            seq_id: self.sequence_ptrs.as_mut_ptr(),
            logits: self.wants_output.as_mut_ptr(),
        }
    }
}
