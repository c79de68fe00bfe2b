//! How many layers go to the GPU, and how that is said. Pure; only `engine` uses it.

use super::ffi::Device;

/// Kept free on every device for caches, buffers and the desktop.
const RESERVE_BYTES: u64 = 768 << 20;

/// Where a model's layers go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Placement {
    pub(super) gpu_layers: usize,
    pub(super) n_layers: usize,
    pub(super) device: Option<String>,
}

/// As many layers as fit into the free memory of the GPUs (`wanted` < 0), or `wanted`, at most all.
///
/// The output layer counts as one more: `n_layers + 1` means everything.
pub(super) fn place(devices: &[Device], size_bytes: u64, n_layers: usize, wanted: i32) -> Placement {
    let gpus: Vec<&Device> = devices.iter().filter(|device| device.is_gpu).collect();
    let Some(first) = gpus.first() else { return Placement { gpu_layers: 0, n_layers, device: None } };
    let all = n_layers + 1;
    let free: u64 = gpus.iter().map(|gpu| (gpu.free_bytes as u64).saturating_sub(RESERVE_BYTES)).sum();
    let per_layer = (size_bytes / all.max(1) as u64).max(1);
    let fitting = usize::try_from(free / per_layer).unwrap_or(all);
    let gpu_layers = usize::try_from(wanted).unwrap_or(fitting).min(all);
    let name = match gpus.len() {
        1 => first.name.clone(),
        n => format!("{n} GPUs ({}, …)", first.name),
    };
    Placement { gpu_layers, n_layers, device: Some(name) }
}

/// Compute threads: as told, else one per physical core; one in all for very small models, whose threads would wait
/// for each other longer than they compute.
pub(super) fn threads(wanted: usize, physical_cores: usize, n_params: u64) -> usize {
    const SMALL: u64 = 50_000_000;
    match wanted {
        0 if n_params < SMALL => 1,
        0 => physical_cores.max(1),
        told => told,
    }
}

impl Placement {
    /// One line for people, e.g. `24 of 24 layers on the CPU (4 threads)`.
    pub(super) fn line(&self, n_threads: usize) -> String {
        let threads = if n_threads == 1 { "1 thread".to_owned() } else { format!("{n_threads} threads") };
        let n = self.n_layers;
        let on_gpu = self.gpu_layers.min(n);
        match &self.device {
            Some(device) if on_gpu == n => format!("{n} of {n} layers on {device}"),
            Some(device) if on_gpu > 0 => {
                format!("{on_gpu} of {n} layers on {device}, {} on the CPU ({threads})", n - on_gpu)
            }
            _ => format!("{n} of {n} layers on the CPU ({threads})"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIB: usize = 1 << 30;

    fn gpu(free_bytes: usize) -> Device {
        Device { name: "RTX".into(), is_gpu: true, free_bytes }
    }

    #[track_caller]
    fn check(devices: &[Device], size_bytes: usize, wanted: i32, expected: &str) {
        assert_eq!(place(devices, size_bytes as u64, 28, wanted).line(4), expected);
    }

    #[test]
    fn without_a_gpu_everything_is_on_the_cpu() {
        let cpu = Device { name: "CPU".into(), is_gpu: false, free_bytes: 64 * GIB };
        check(&[cpu], 4 * GIB, -1, "28 of 28 layers on the CPU (4 threads)");
        assert_eq!(place(&[], 1, 8, -1).line(1), "8 of 8 layers on the CPU (1 thread)");
    }

    #[test]
    fn what_fits_goes_to_the_gpu() {
        check(&[gpu(24 * GIB)], 4 * GIB, -1, "28 of 28 layers on RTX");
        check(&[gpu(3 * GIB)], 4 * GIB, -1, "16 of 28 layers on RTX, 12 on the CPU (4 threads)");
    }

    #[test]
    fn the_user_decides_when_they_say_so() {
        check(&[gpu(24 * GIB)], 4 * GIB, 0, "28 of 28 layers on the CPU (4 threads)");
        check(&[gpu(GIB)], 4 * GIB, 10, "10 of 28 layers on RTX, 18 on the CPU (4 threads)");
    }

    #[test]
    fn small_models_run_on_one_thread_unless_told() {
        assert_eq!(threads(0, 8, 7_000_000), 1);
        assert_eq!(threads(0, 8, 500_000_000), 8);
        assert_eq!(threads(3, 8, 7_000_000), 3);
    }
}
