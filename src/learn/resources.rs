//! What of this machine training may use, unless somebody says otherwise.

/// Half of the memory that nobody uses, at least 512 MiB; 4 GiB where the system does not say.
pub fn training_memory_mib() -> u64 {
    let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kib = text
        .lines()
        .find_map(|line| line.strip_prefix("MemAvailable:")?.split_whitespace().next()?.parse().ok());
    kib.map_or(4096, |kib: u64| (kib / 2048).max(512))
}

/// Threads of the trainer: more than one on a core only take each other's caches.
pub fn physical_cores() -> usize {
    num_cpus::get_physical()
}
