//! llama.cpp's start and its log: lines go to `tracing`, complaints are kept for the error that follows. Part of the
//! FFI; only `engine` may use it.
#![expect(unsafe_code, reason = "llama.cpp is a C library; every block says why it is sound")]

use std::collections::VecDeque;
use std::ffi::{CStr, c_char, c_void};
use std::ptr;
use std::sync::{Mutex, OnceLock, PoisonError};

use llama_cpp_sys_2 as sys;

/// The last things that llama.cpp complained about: its calls return null and say why only in the log.
static COMPLAINTS: Mutex<VecDeque<String>> = Mutex::new(VecDeque::new());

/// Starts llama.cpp once per process and sends its log to `tracing`.
pub(in crate::engine) fn init() {
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
    let folder = std::env::current_exe().ok().and_then(|exe| exe.parent().map(std::path::Path::to_path_buf));
    if let Some(folder) = folder.and_then(|folder| super::c_path(&folder)) {
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
        sys::GGML_LOG_LEVEL_ERROR => keep_complaint(line),
        sys::GGML_LOG_LEVEL_WARN => tracing::warn!(target: "llama.cpp", "{line}"),
        _ => tracing::debug!(target: "llama.cpp", "{line}"),
    }
}

fn keep_complaint(line: &str) {
    tracing::error!(target: "llama.cpp", "{line}");
    let mut complaints = COMPLAINTS.lock().unwrap_or_else(PoisonError::into_inner);
    complaints.push_back(line.to_owned());
    if complaints.len() > 8 {
        complaints.pop_front();
    }
}

pub(super) fn forget_complaints() {
    COMPLAINTS.lock().unwrap_or_else(PoisonError::into_inner).clear();
}

/// What llama.cpp said since the last call of [`forget_complaints`], or `otherwise`.
pub(super) fn complaint(otherwise: &str) -> String {
    let complaints = COMPLAINTS.lock().unwrap_or_else(PoisonError::into_inner);
    let first = complaints.front().map(|line| line.rsplit(": ").next().unwrap_or(line));
    match (first, complaints.front()) {
        (Some(short), Some(whole)) if short.len() < 12 => whole.clone(),
        (Some(short), _) => short.to_owned(),
        _ => otherwise.to_owned(),
    }
}
