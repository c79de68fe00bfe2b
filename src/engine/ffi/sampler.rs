//! llama.cpp's samplers and grammars. Part of the FFI; only `engine` may use it.
#![expect(unsafe_code, reason = "llama.cpp is a C library; every block says why it is sound")]

use std::ffi::CString;
use std::ptr::{self, NonNull};
use std::sync::Arc;

use llama_cpp_sys_2 as sys;

use super::log::{complaint, forget_complaints};
use super::{Context, Model};
use crate::engine::{Sampling, Token};

/// One sampler of llama.cpp, or a chain of them.
pub(in crate::engine) struct Sampler {
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
pub(in crate::engine) type Candidate = sys::llama_token_data;

impl Sampler {
    /// The chain of the usual samplers, in llama.cpp's order; only those that are on.
    pub(in crate::engine) fn chain(model: &Arc<Model>, sampling: &Sampling, seed: u32) -> Option<Self> {
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
    pub(in crate::engine) fn grammar(model: &Arc<Model>, gbnf: &str) -> Result<Self, String> {
        let text = CString::new(gbnf).map_err(|_| "it has a NUL byte".to_owned())?;
        forget_complaints();
        // SAFETY: both strings are NUL-terminated and copied; C++ exceptions are caught on the other side.
        let raw =
            unsafe { sys::llama_rs_sampler_init_grammar(model.vocab(), text.as_ptr(), c"root".as_ptr()) };
        let raw = NonNull::new(raw).ok_or_else(|| complaint("it cannot be parsed"))?;
        Ok(Self { raw, _model: Arc::clone(model) })
    }

    /// Filters or reweights `candidates`; returns the index that was selected, if this sampler selects.
    pub(in crate::engine) fn apply(&mut self, candidates: &mut Vec<Candidate>) -> Option<usize> {
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

    /// llama.cpp's own way: the logits of the last output row through the chain, accepted.
    pub(in crate::engine) fn sample(&mut self, context: &Context) -> Token {
        // SAFETY: sampler and context are alive, and the context has an output row.
        unsafe { sys::llama_sampler_sample(self.raw.as_ptr(), context.raw.as_ptr(), -1) }
    }

    /// Tells the sampler what was chosen. False: the grammar cannot go on with it.
    pub(in crate::engine) fn accept(&mut self, token: Token) -> bool {
        // SAFETY: the sampler is alive; C++ exceptions are caught on the other side.
        unsafe { sys::llama_rs_sampler_accept(self.raw.as_ptr(), token) == sys::LLAMA_RS_STATUS_OK }
    }
}
