//! Which kernels this CPU gets.

use super::{Kernels, plain::Plain};

/// Kernels that this CPU can run, fastest first.
pub fn available() -> Vec<&'static dyn Kernels> {
    let mut found: Vec<&'static dyn Kernels> = Vec::new();
    #[cfg(target_arch = "x86_64")]
    {
        use super::{avx2::Avx2, avx512::Avx512, avx512_bf16::Avx512Bf16};
        found.extend(Avx512Bf16::detect().map(keep));
        found.extend(Avx512::detect().map(keep));
        found.extend(Avx2::detect().map(keep));
    }
    #[cfg(target_arch = "aarch64")]
    {
        use super::{neon::Neon, neon::NeonBf16};
        #[cfg(target_os = "macos")]
        found.extend(Neon::detect().map(super::accelerate::Accelerate::new).map(keep));
        found.extend(NeonBf16::detect().map(keep));
        found.extend(Neon::detect().map(keep));
    }
    found.push(&Plain);
    found
}

/// Zero-sized: nothing is allocated, nothing leaks.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
fn keep<K: Kernels + 'static>(kernels: K) -> &'static dyn Kernels {
    Box::leak(Box::new(kernels))
}

/// The fastest kernels, or those of that name.
pub fn pick(name: Option<&str>) -> Result<&'static dyn Kernels, String> {
    let available = available();
    let names: Vec<&str> = available.iter().map(|kernels| kernels.name()).collect();
    let found = match name {
        None => available.first().copied(),
        Some(name) => available.iter().copied().find(|kernels| kernels.name() == name),
    };
    found.ok_or_else(|| {
        format!("this CPU has no kernels named {}; it has {}", name.unwrap_or("any"), names.join(", "))
    })
}
