//! Owners of llama.cpp's objects: the one file of the engine with `unsafe`. Only `engine` may use it.
//!
//! Each type owns one C object, frees it in `Drop`, and keeps alive what the object points to. What llama.cpp
//! leaves unlocked (the model's adapter set, and context creation) goes through one mutex per model.
#![expect(unsafe_code, reason = "llama.cpp is a C library; every block says why it is sound")]

use std::collections::VecDeque;
use std::ffi::{CStr, CString, c_char, c_void};
use std::path::Path;
use std::ptr::{self, NonNull};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use llama_cpp_sys_2 as sys;

use super::{Cancel, Token};

/// The last things that llama.cpp complained about: its calls return null and say why only in the log.
static COMPLAINTS: Mutex<VecDeque<String>> = Mutex::new(VecDeque::new());

/// Starts llama.cpp once per process and sends its log to `tracing`.
pub(super) fn init() {
    static STARTED: OnceLock<()> = OnceLock::new();
    STARTED.get_or_init(|| {
        // SAFETY: the callback is a plain function without state of its own; init is called once.
        unsafe {
            sys::llama_log_set(Some(log), ptr::null_mut());
            #[cfg(feature = "portable")]
            load_backends_beside_the_program();
            sys::llama_backend_init();
        }
    });
}

/// CPU variants and GPU back ends of a portable build lie beside the program.
#[cfg(feature = "portable")]
unsafe fn load_backends_beside_the_program() {
    let folder = std::env::current_exe().ok().and_then(|exe| exe.parent().map(Path::to_path_buf));
    if let Some(folder) = folder.and_then(|folder| c_path(&folder)) {
        // SAFETY: the path is a NUL-terminated string that outlives the call.
        unsafe { sys::ggml_backend_load_all_from_path(folder.as_ptr()) };
    }
}

unsafe extern "C" fn log(level: sys::ggml_log_level, text: *const c_char, _: *mut c_void) {
    // SAFETY: llama.cpp passes a NUL-terminated string that is valid during the call.
    let text = unsafe { CStr::from_ptr(text) }.to_string_lossy();
    let line = text.trim_end();
    if line.is_empty() || line.chars().all(|c| c == '.') {
        return;
    }
    match level {
        sys::GGML_LOG_LEVEL_ERROR => {
            tracing::error!(target: "llama.cpp", "{line}");
            let mut complaints = COMPLAINTS.lock().unwrap_or_else(PoisonError::into_inner);
            complaints.push_back(line.to_owned());
            if complaints.len() > 8 {
                complaints.pop_front();
            }
        }
        sys::GGML_LOG_LEVEL_WARN => tracing::warn!(target: "llama.cpp", "{line}"),
        sys::GGML_LOG_LEVEL_INFO => tracing::debug!(target: "llama.cpp", "{line}"),
        _ => tracing::trace!(target: "llama.cpp", "{line}"),
    }
}

fn forget_complaints() {
    COMPLAINTS.lock().unwrap_or_else(PoisonError::into_inner).clear();
}

/// What llama.cpp said since the last call of [`forget_complaints`], or `otherwise`.
fn complaint(otherwise: &str) -> String {
    let complaints = COMPLAINTS.lock().unwrap_or_else(PoisonError::into_inner);
    let first = complaints.front().map(|line| line.rsplit(": ").next().unwrap_or(line));
    match (first, complaints.front()) {
        (Some(short), Some(whole)) if short.len() < 12 => whole.clone(),
        (Some(short), _) => short.to_owned(),
        _ => otherwise.to_owned(),
    }
}

fn c_path(path: &Path) -> Option<CString> {
    CString::new(path.as_os_str().as_encoded_bytes()).ok()
}

/// A compute device that llama.cpp found.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Device {
    pub(super) name: String,
    pub(super) is_gpu: bool,
    pub(super) free_bytes: usize,
}

pub(super) fn devices() -> Vec<Device> {
    init();
    // SAFETY: indices below the count are valid; devices live as long as the process.
    unsafe {
        (0..sys::ggml_backend_dev_count())
            .map(|index| {
                let device = sys::ggml_backend_dev_get(index);
                let (mut free_bytes, mut total) = (0, 0);
                sys::ggml_backend_dev_memory(device, &raw mut free_bytes, &raw mut total);
                let kind = sys::ggml_backend_dev_type(device);
                Device {
                    name: CStr::from_ptr(sys::ggml_backend_dev_description(device))
                        .to_string_lossy()
                        .trim()
                        .to_owned(),
                    is_gpu: kind == sys::GGML_BACKEND_DEVICE_TYPE_GPU
                        || kind == sys::GGML_BACKEND_DEVICE_TYPE_IGPU,
                    free_bytes,
                }
            })
            .collect()
    }
}

/// CPU features that llama.cpp was built for and found, as one line.
pub(super) fn system_line() -> String {
    init();
    // SAFETY: returns a pointer to a static NUL-terminated buffer.
    unsafe { CStr::from_ptr(sys::llama_print_system_info()) }.to_string_lossy().trim().to_owned()
}

/// A loaded model: weights (memory-mapped) and vocabulary.
pub(super) struct Model {
    raw: NonNull<sys::llama_model>,
    /// Guards what llama.cpp leaves unlocked: its adapter set, and context creation.
    edit: Mutex<()>,
}

// SAFETY: llama.cpp's model is immutable after loading but for what `edit` guards; its tokenizer is documented as
// thread-safe.
unsafe impl Send for Model {}
// SAFETY: see `Send`.
unsafe impl Sync for Model {}

impl Drop for Model {
    fn drop(&mut self) {
        // SAFETY: ours alone: contexts and adapters hold an `Arc` to the model and are gone.
        unsafe { sys::llama_model_free(self.raw.as_ptr()) }
    }
}

impl Model {
    /// Maps the file. `gpu_layers` of the model's layers go to GPU devices.
    pub(super) fn load(path: &Path, gpu_layers: i32, vocab_only: bool) -> Result<Arc<Self>, String> {
        init();
        let c_path = c_path(path).ok_or("its path has a NUL byte")?;
        forget_complaints();
        // SAFETY: the path outlives the call; the default parameters hold no pointers of ours.
        let raw = unsafe {
            let mut params = sys::llama_model_default_params();
            params.n_gpu_layers = gpu_layers;
            params.vocab_only = vocab_only;
            params.load_mode = sys::LLAMA_LOAD_MODE_MMAP;
            sys::llama_model_load_from_file(c_path.as_ptr(), params)
        };
        let raw = NonNull::new(raw).ok_or_else(|| complaint("llama.cpp refuses the file"))?;
        Ok(Arc::new(Self { raw, edit: Mutex::new(()) }))
    }

    fn vocab(&self) -> *const sys::llama_vocab {
        // SAFETY: the model is alive; the vocabulary lives as long as it.
        unsafe { sys::llama_model_get_vocab(self.raw.as_ptr()) }
    }

    pub(super) fn n_vocab(&self) -> usize {
        // SAFETY: as for `vocab`.
        let n = unsafe { sys::llama_vocab_n_tokens(self.vocab()) };
        usize::try_from(n).unwrap_or(0)
    }

    pub(super) fn facts(&self) -> Facts {
        let model = self.raw.as_ptr();
        let vocab = self.vocab();
        // SAFETY: the model is alive and these only read it.
        unsafe {
            Facts {
                n_params: sys::llama_model_n_params(model),
                size_bytes: sys::llama_model_size(model),
                n_ctx_train: usize::try_from(sys::llama_model_n_ctx_train(model)).unwrap_or(0),
                n_layers: usize::try_from(sys::llama_model_n_layer(model)).unwrap_or(0),
                n_embd: usize::try_from(sys::llama_model_n_embd_out(model)).unwrap_or(0),
                bos: sys::llama_vocab_bos(vocab),
                eos: sys::llama_vocab_eos(vocab),
                add_bos: sys::llama_vocab_get_add_bos(vocab),
                is_generative: sys::llama_model_has_decoder(model),
                can_rewind: !sys::llama_model_is_recurrent(model) && !sys::llama_model_is_hybrid(model),
            }
        }
    }

    /// One metadata value as text, as llama.cpp prints it.
    pub(super) fn metadata(&self, key: &str) -> Option<String> {
        let key = CString::new(key).ok()?;
        let mut buffer = vec![0_u8; 512];
        loop {
            // SAFETY: the buffer has the length that is passed; the key is NUL-terminated.
            let n = unsafe {
                sys::llama_model_meta_val_str(
                    self.raw.as_ptr(),
                    key.as_ptr(),
                    buffer.as_mut_ptr().cast(),
                    buffer.len(),
                )
            };
            let n = usize::try_from(n).ok()?;
            if n < buffer.len() {
                buffer.truncate(n);
                return Some(String::from_utf8_lossy(&buffer).into_owned());
            }
            buffer.resize(n + 1, 0);
        }
    }

    /// The model's own chat template; `None` when the file has none.
    pub(super) fn chat_template(&self) -> Option<String> {
        // SAFETY: returns null or a string that lives as long as the model.
        let text = unsafe { sys::llama_model_chat_template(self.raw.as_ptr(), ptr::null()) };
        // SAFETY: not null and NUL-terminated.
        (!text.is_null()).then(|| unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned())
    }

    pub(super) fn description(&self) -> String {
        let mut buffer = [0_u8; 256];
        // SAFETY: the buffer has the length that is passed.
        let n = unsafe { sys::llama_model_desc(self.raw.as_ptr(), buffer.as_mut_ptr().cast(), buffer.len()) };
        let n = usize::try_from(n).unwrap_or(0).min(buffer.len());
        String::from_utf8_lossy(buffer.get(..n).unwrap_or(&[])).into_owned()
    }

    /// Text into tokens, without BOS or EOS. The vocabulary must be complete (`model::check`): llama.cpp throws
    /// through its C interface at a character that the vocabulary cannot express.
    pub(super) fn tokenize(&self, text: &str, special: bool) -> Result<Vec<Token>, String> {
        let length = i32::try_from(text.len()).map_err(|_| format!("{} bytes are too many", text.len()))?;
        let mut tokens: Vec<Token> = vec![0; text.len() / 2 + 16];
        loop {
            let room = i32::try_from(tokens.len()).map_err(|_| "it has too many tokens".to_owned())?;
            // SAFETY: text and tokens have the lengths that are passed.
            let n = unsafe {
                sys::llama_tokenize(
                    self.vocab(),
                    text.as_ptr().cast(),
                    length,
                    tokens.as_mut_ptr(),
                    room,
                    false,
                    special,
                )
            };
            if let Ok(n) = usize::try_from(n) {
                tokens.truncate(n);
                return Ok(tokens);
            }
            let needed = usize::try_from(n.checked_neg().ok_or("it has too many tokens")?).unwrap_or(0);
            tokens.resize(needed, 0);
        }
    }

    /// The bytes of one token. Control tokens have none unless `special`.
    pub(super) fn piece(&self, token: Token, special: bool) -> Vec<u8> {
        let mut buffer = vec![0_u8; 64];
        loop {
            let room = i32::try_from(buffer.len()).unwrap_or(i32::MAX);
            // SAFETY: the buffer has the length that is passed; llama.cpp checks the token's range.
            let n = unsafe {
                sys::llama_token_to_piece(self.vocab(), token, buffer.as_mut_ptr().cast(), room, 0, special)
            };
            if let Ok(n) = usize::try_from(n) {
                buffer.truncate(n);
                return buffer;
            }
            buffer.resize(usize::try_from(n.unsigned_abs()).unwrap_or(0), 0);
        }
    }

    /// Names of the tokens that stand for more than their letters.
    pub(super) fn control_tokens(&self) -> Vec<String> {
        let marked = sys::LLAMA_TOKEN_ATTR_CONTROL | sys::LLAMA_TOKEN_ATTR_USER_DEFINED;
        let tokens = 0..Token::try_from(self.n_vocab()).unwrap_or(0);
        tokens
            .filter(|&token| {
                // SAFETY: the token is in range.
                let attributes = unsafe { sys::llama_vocab_get_attr(self.vocab(), token) };
                attributes & marked != 0
            })
            .map(|token| String::from_utf8_lossy(&self.piece(token, true)).into_owned())
            .filter(|name| !name.is_empty())
            .collect()
    }

    /// Whether `token` ends a generation.
    pub(super) fn ends(&self, token: Token) -> bool {
        // SAFETY: callers pass tokens that came from this vocabulary.
        unsafe { sys::llama_vocab_is_eog(self.vocab(), token) }
    }
}

/// Numbers that llama.cpp knows about a loaded model.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Facts {
    pub(super) n_params: u64,
    pub(super) size_bytes: u64,
    pub(super) n_ctx_train: usize,
    pub(super) n_layers: usize,
    pub(super) n_embd: usize,
    pub(super) bos: Token,
    pub(super) eos: Token,
    pub(super) add_bos: bool,
    pub(super) is_generative: bool,
    /// Whether a part of a sequence can be removed from the cache (not so in recurrent models).
    pub(super) can_rewind: bool,
}

/// A LoRA adapter in memory, fit for one model.
pub(super) struct Adapter {
    raw: NonNull<sys::llama_adapter_lora>,
    model: Arc<Model>,
}

// SAFETY: an adapter is only read after loading; loading and freeing are guarded by the model's mutex.
unsafe impl Send for Adapter {}
// SAFETY: see `Send`.
unsafe impl Sync for Adapter {}

impl Adapter {
    pub(super) fn load(model: &Arc<Model>, path: &Path) -> Result<Arc<Self>, String> {
        let c_path = c_path(path).ok_or("its path has a NUL byte")?;
        let _edit = model.edit.lock().unwrap_or_else(PoisonError::into_inner);
        forget_complaints();
        // SAFETY: the model is alive, the path outlives the call, the adapter set is locked.
        let raw = unsafe { sys::llama_adapter_lora_init(model.raw.as_ptr(), c_path.as_ptr()) };
        let raw = NonNull::new(raw).ok_or_else(|| complaint("llama.cpp refuses it"))?;
        Ok(Arc::new(Self { raw, model: Arc::clone(model) }))
    }
}

impl Drop for Adapter {
    fn drop(&mut self) {
        let _edit = self.model.edit.lock().unwrap_or_else(PoisonError::into_inner);
        // SAFETY: ours alone: every context that uses it holds an `Arc` to it.
        unsafe { sys::llama_adapter_lora_free(self.raw.as_ptr()) }
    }
}

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
pub(super) struct Layout {
    /// KV cells, shared by all sequences.
    pub(super) n_cells: usize,
    pub(super) n_sequences: usize,
    /// Tokens in one computation.
    pub(super) n_batch: usize,
    /// Rows of one computation whose logits can be asked for.
    pub(super) n_outputs: usize,
    pub(super) n_threads: usize,
    /// Mean-pooled embeddings instead of logits.
    pub(super) embeddings: bool,
}

/// How a computation ended, when it did not fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Computed {
    Done,
    /// No room in the KV cache: free some cells or ask for less.
    NoRoom,
    /// A watched request was cancelled; rows of this batch may be in the cache.
    Aborted,
}

/// KV cache and compute buffers; one owner at a time.
pub(super) struct Context {
    raw: NonNull<sys::llama_context>,
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
    pub(super) fn new(model: &Arc<Model>, layout: Layout) -> Result<Self, String> {
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

    pub(super) fn model(&self) -> &Arc<Model> {
        &self.model
    }

    /// Whether computations run on threads of our own pool (more than one).
    pub(super) fn has_pool(&self) -> bool {
        self.pool.is_some()
    }

    /// Takes effect at the next computation. What the old adapters wrote into the KV cache stays.
    pub(super) fn set_adapters(&mut self, adapters: Vec<(Arc<Adapter>, f32)>) -> Result<(), String> {
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
    pub(super) fn decode(&mut self, batch: &mut Batch, watched: Vec<Cancel>) -> Result<Computed, String> {
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
    pub(super) fn logits(&self, row: usize) -> Option<&[f32]> {
        let row = i32::try_from(row).ok()?;
        // SAFETY: llama.cpp returns null for a row without output, else `n_vocab` floats that stay valid until the
        // next computation, which needs `&mut self`.
        unsafe {
            let logits = sys::llama_get_logits_ith(self.raw.as_ptr(), row);
            (!logits.is_null()).then(|| std::slice::from_raw_parts(logits, self.n_vocab))
        }
    }

    /// The pooled embedding of a sequence, after a computation in an embedding context.
    pub(super) fn embedding(&self, sequence: usize, n_embd: usize) -> Option<&[f32]> {
        let sequence = i32::try_from(sequence).ok()?;
        // SAFETY: null, or `n_embd` floats that stay valid until the next computation.
        unsafe {
            let values = sys::llama_get_embeddings_seq(self.raw.as_ptr(), sequence);
            (!values.is_null()).then(|| std::slice::from_raw_parts(values, n_embd))
        }
    }

    /// Forgets positions from `from` on. False: this model cannot forget a part; nothing was changed.
    pub(super) fn forget(&mut self, sequence: usize, from: usize) -> bool {
        let (Ok(sequence), Ok(from)) = (i32::try_from(sequence), i32::try_from(from)) else { return false };
        // SAFETY: the context is ours; llama.cpp checks the sequence.
        unsafe { sys::llama_memory_seq_rm(sys::llama_get_memory(self.raw.as_ptr()), sequence, from, -1) }
    }

    /// Lets `to` share the first `n` positions of `from` (cells are shared, nothing is copied).
    pub(super) fn share(&mut self, from: usize, to: usize, n: usize) {
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
pub(super) struct Batch {
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
    pub(super) fn clear(&mut self) {
        self.tokens.clear();
        self.positions.clear();
        self.sequences.clear();
        self.wants_output.clear();
    }

    pub(super) fn len(&self) -> usize {
        self.tokens.len()
    }

    /// Adds a row and returns its index.
    pub(super) fn push(&mut self, token: Token, position: usize, sequence: usize, output: bool) -> usize {
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

/// One sampler of llama.cpp, or a chain of them.
pub(super) struct Sampler {
    raw: NonNull<sys::llama_sampler>,
    /// Grammars point into the vocabulary.
    _model: Arc<Model>,
}

// SAFETY: a sampler has no thread-bound state; one owner at a time.
unsafe impl Send for Sampler {}

impl Drop for Sampler {
    fn drop(&mut self) {
        // SAFETY: ours alone; a chain frees its members.
        unsafe { sys::llama_sampler_free(self.raw.as_ptr()) }
    }
}

/// A candidate of sampling: token id, logit, probability.
pub(super) type Candidate = sys::llama_token_data;

impl Sampler {
    /// The chain of the usual samplers, in llama.cpp's order; only those that are on.
    pub(super) fn chain(model: &Arc<Model>, sampling: &super::Sampling, seed: u32) -> Option<Self> {
        // SAFETY: each init returns a fresh sampler that the chain then owns.
        unsafe {
            let raw = NonNull::new(sys::llama_sampler_chain_init(sys::llama_sampler_chain_params {
                no_perf: true,
            }))?;
            let add = |sampler| sys::llama_sampler_chain_add(raw.as_ptr(), sampler);
            if sampling.has_penalties() {
                add(sys::llama_sampler_init_penalties(
                    i32::try_from(model.n_vocab()).unwrap_or(0),
                    sampling.repeat_last_n,
                    sampling.repeat_penalty,
                    sampling.frequency_penalty,
                    sampling.presence_penalty,
                ));
            }
            if sampling.temperature <= 0.0 {
                add(sys::llama_sampler_init_greedy());
            } else {
                if sampling.top_k > 0 {
                    add(sys::llama_sampler_init_top_k(sampling.top_k));
                }
                if sampling.top_p < 1.0 {
                    add(sys::llama_sampler_init_top_p(sampling.top_p, 1));
                }
                if sampling.min_p > 0.0 {
                    add(sys::llama_sampler_init_min_p(sampling.min_p, 1));
                }
                add(sys::llama_sampler_init_temp(sampling.temperature));
                add(sys::llama_sampler_init_dist(seed));
            }
            Some(Self { raw, _model: Arc::clone(model) })
        }
    }

    /// A grammar in GBNF; `None` when it cannot be parsed (llama.cpp says why in the log).
    pub(super) fn grammar(model: &Arc<Model>, gbnf: &str) -> Result<Self, String> {
        let text = CString::new(gbnf).map_err(|_| "it has a NUL byte".to_owned())?;
        forget_complaints();
        // SAFETY: both strings are NUL-terminated and copied; C++ exceptions are caught on the other side.
        let raw =
            unsafe { sys::llama_rs_sampler_init_grammar(model.vocab(), text.as_ptr(), c"root".as_ptr()) };
        let raw = NonNull::new(raw).ok_or_else(|| complaint("it cannot be parsed"))?;
        Ok(Self { raw, _model: Arc::clone(model) })
    }

    /// Filters or reweights `candidates`; returns the index that was selected, if this sampler selects.
    pub(super) fn apply(&mut self, candidates: &mut Vec<Candidate>) -> Option<usize> {
        let mut array = sys::llama_token_data_array {
            data: candidates.as_mut_ptr(),
            size: candidates.len(),
            selected: -1,
            sorted: false,
        };
        // SAFETY: the array describes `candidates`; samplers reorder and shrink it in place.
        unsafe { sys::llama_sampler_apply(self.raw.as_ptr(), &raw mut array) };
        if ptr::eq(array.data, candidates.as_ptr()) {
            candidates.truncate(array.size);
        } else {
            // SAFETY: a sampler moved the array to a buffer of its own, which is valid until its next use.
            *candidates = unsafe { std::slice::from_raw_parts(array.data, array.size) }.to_vec();
        }
        usize::try_from(array.selected).ok()
    }

    /// Tells the sampler what was chosen. False: the grammar cannot go on with it.
    pub(super) fn accept(&mut self, token: Token) -> bool {
        // SAFETY: the sampler is alive; C++ exceptions are caught on the other side.
        unsafe { sys::llama_rs_sampler_accept(self.raw.as_ptr(), token) == sys::LLAMA_RS_STATUS_OK }
    }
}

/// Writes `source` requantized to `output`. Blocks for seconds to minutes.
pub(super) fn quantize(source: &Path, output: &Path, ftype: u32, n_threads: usize) -> Result<(), String> {
    init();
    let (source, output) = (c_path(source).ok_or("bad path")?, c_path(output).ok_or("bad path")?);
    forget_complaints();
    // SAFETY: the paths outlive the call; the parameters are defaults with plain values changed.
    let rc = unsafe {
        let mut params = sys::llama_model_quantize_default_params();
        params.ftype = ftype;
        params.nthread = i32::try_from(n_threads).unwrap_or(1);
        params.allow_requantize = true;
        sys::llama_model_quantize(source.as_ptr(), output.as_ptr(), &raw const params)
    };
    if rc == 0 { Ok(()) } else { Err(complaint(&format!("code {rc}"))) }
}
