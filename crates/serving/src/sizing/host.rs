//! What a replica needs of its node beside GPUs, and of storage.
//!
//! In: GPUs and bytes of weights. Out: CPU, memory, shared memory, the size of a claim. Whole numbers that are easy to read.

const GIB: u64 = 1 << 30;
/// Shared memory per GPU of a replica that has several: what NCCL and the worker processes exchange.
pub(crate) const SHM_MIB_PER_GPU: u32 = 2048;

/// Bytes of `/dev/shm`; 0 for one GPU, where the container's default is enough.
pub fn shared_memory_bytes(gpus: u32) -> u64 {
    if gpus < 2 {
        0
    } else {
        u64::from(gpus) * (u64::from(SHM_MIB_PER_GPU) << 20)
    }
}

/// Cores: one for the API server, one for the scheduler, one per GPU: the least that vLLM asks for (docs/configuration/optimization.md).
pub fn cpus(gpus: u32) -> u32 {
    gpus.saturating_add(2)
}

/// Memory of the container: 6 GiB and 6 GiB more per GPU for the processes, and the shared memory, which counts as theirs. It is a
/// limit too, so it has to hold Python, CUDA's context and the compiler's workers at their peak. Weights are mapped from files, whose
/// pages the kernel may drop, so they are not counted; a machine with one L4 and 16 GiB holds its share.
pub fn memory_bytes(gpus: u32) -> u64 {
    let processes = (6 + 6 * u64::from(gpus)).saturating_mul(GIB);
    processes.saturating_add(shared_memory_bytes(gpus))
}

/// A claim: the files, a tenth more for downloads that are not complete, and 10 GiB for compiled kernels; in steps of 10 GiB.
pub fn claim_bytes(files_bytes: u64) -> u64 {
    let needed = files_bytes
        .saturating_add(files_bytes / 10)
        .saturating_add(10 * GIB);
    needed.div_ceil(10 * GIB).saturating_mul(10 * GIB)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_usual_machines() {
        assert_eq!(
            (cpus(1), memory_bytes(1) >> 30, shared_memory_bytes(1)),
            (3, 12, 0)
        );
        assert_eq!(
            (cpus(8), memory_bytes(8) >> 30, shared_memory_bytes(8) >> 30),
            (10, 70, 16)
        );
        assert_eq!(claim_bytes(141_100_000_000) >> 30, 160);
        assert!(claim_bytes(u64::MAX) > 0 && memory_bytes(u32::MAX) > 0);
    }
}
