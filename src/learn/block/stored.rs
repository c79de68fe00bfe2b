//! The two largest activations of a block, gate and up, as they are kept for the backward pass: as they are, or
//! rounded to bf16 where the kernels round their operands to bf16 anyway, which halves them.

use rayon::prelude::*;

use crate::learn::kernels::Kernels;

/// Values that one thread works on at a time.
const CHUNK: usize = 4096;

/// Numbers between two passes.
#[derive(Debug, Default)]
pub(super) struct Stored {
    exact: Vec<f32>,
    rounded: Vec<u16>,
}

impl Stored {
    /// Keeps `values`; the vector gets other memory of the same length in exchange where that is cheaper.
    pub(super) fn keep(&mut self, kernels: &dyn Kernels, values: &mut Vec<f32>) {
        if kernels.shape().per_word == 1 {
            self.exact.resize(values.len(), 0.0);
            std::mem::swap(&mut self.exact, values);
            return;
        }
        self.rounded.resize(values.len(), 0);
        let chunks = self.rounded.par_chunks_mut(CHUNK).zip(values.par_chunks(CHUNK));
        chunks.for_each(|(rounded, values)| kernels.round(values, rounded));
    }
}

/// The backward pass of SwiGLU from what was kept: see [`Kernels::swiglu_backward`].
pub(super) fn swiglu_backward(
    kernels: &dyn Kernels,
    (gate, up): (&Stored, &Stored),
    d_out: &mut [f32],
    d_gate: &mut [f32],
    out: &mut [f32],
) {
    let outputs =
        d_out.par_chunks_mut(CHUNK).zip(d_gate.par_chunks_mut(CHUNK)).zip(out.par_chunks_mut(CHUNK));
    if kernels.shape().per_word == 1 {
        let inputs = gate.exact.par_chunks(CHUNK).zip(up.exact.par_chunks(CHUNK));
        outputs.zip(inputs).for_each(|(((d_out, d_gate), out), (gate, up))| {
            kernels.swiglu_backward(gate, up, d_out, d_gate, out);
        });
        return;
    }
    let inputs = gate.rounded.par_chunks(CHUNK).zip(up.rounded.par_chunks(CHUNK));
    outputs.zip(inputs).for_each(|(((d_out, d_gate), out), (gate, up))| {
        let (mut exact_gate, mut exact_up) = ([0.0; CHUNK], [0.0; CHUNK]);
        let (exact_gate, exact_up) = (&mut exact_gate[..gate.len()], &mut exact_up[..up.len()]);
        kernels.widen(gate, exact_gate);
        kernels.widen(up, exact_up);
        kernels.swiglu_backward(exact_gate, exact_up, d_out, d_gate, out);
    });
}
