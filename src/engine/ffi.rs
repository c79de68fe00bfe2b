//! Owners of llama.cpp's objects: the one place of the engine with `unsafe`. Only `engine` may use it.
//!
//! Each type owns one C object, frees it in `Drop`, and keeps alive what the object points to. What llama.cpp
//! leaves unlocked (the model's adapter set, and context creation) goes through one mutex per model.
#![expect(unsafe_code, reason = "llama.cpp is a C library; every block says why it is sound")]

mod context;
mod dequantize;
mod log;
mod sampler;

use std::ffi::{CStr, CString};
use std::path::Path;
use std::ptr::{self, NonNull};
use std::sync::{Arc, Mutex, PoisonError};

use llama_cpp_sys_2 as sys;

use super::Token;
pub(super) use context::{Batch, Computed, Context, Layout};
#[cfg(test)]
pub(super) use dequantize::quantize as quantize_rows;
pub(super) use dequantize::{decodes, dequantize};
use log::{complaint, forget_complaints, init};
pub(super) use sampler::{Candidate, Sampler};

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

/// A `LoRA` adapter in memory, fit for one model.
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
