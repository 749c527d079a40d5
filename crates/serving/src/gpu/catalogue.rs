//! GPUs by name.
//!
//! In: a family (`H100`) or the value of the node label `nvidia.com/gpu.product`. Out: memory, bandwidth and all label
//! values of the family. It must not look at a node: what is planned may not depend on which nodes exist.
//!
//! The numbers: memory is what GPU feature discovery writes to `nvidia.com/gpu.memory` (seen on real nodes, or the
//! driver's usual share of the nominal size), bandwidth and operations are the vendors' data sheets (without sparsity; those of T4, V100,
//! A10, A40, L40 and H200-NVL from memory).

/// One kind of GPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gpu {
    /// What people call it; unique.
    pub name: &'static str,
    /// Values of `nvidia.com/gpu.product`, without the suffix of time slicing.
    pub labels: &'static [&'static str],
    /// MiB, as in the label `nvidia.com/gpu.memory`.
    pub memory_mib: u32,
    /// Memory bandwidth in GB/s.
    pub bandwidth_gb_s: u32,
    /// Dense 16-bit operations, in 10^12 per second.
    pub tflops: u32,
    /// Which operations it has.
    pub generation: Generation,
}

/// Architectures, the oldest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Generation {
    /// Compute capability 7.0.
    Volta,
    /// 7.5.
    Turing,
    /// 8.0 and 8.6; the first with bf16.
    Ampere,
    /// 8.9; the first with fp8.
    Ada,
    /// 9.0.
    Hopper,
    /// 10 and 12.
    Blackwell,
}

impl Generation {
    /// It computes in bf16.
    pub fn has_bf16(self) -> bool {
        self >= Self::Ampere
    }

    /// Percent of [`Gpu::tflops`] that reading prompts reaches: measured on H100, A100 and L40S, assumed for the others.
    pub const fn prompt_percent(self) -> u32 {
        match self {
            Self::Volta | Self::Turing => 30,
            Self::Ampere => 38,
            Self::Ada => 32,
            Self::Hopper | Self::Blackwell => 45,
        }
    }
}

/// Added to a product by GPU feature discovery when a GPU is shared by time slicing.
pub(crate) const SHARED: &str = "-SHARED";
/// In a product when a GPU is cut into instances.
pub(crate) const MIG: &str = "-MIG-";

const fn gpu(
    name: &'static str,
    labels: &'static [&'static str],
    memory_mib: u32,
    bandwidth_gb_s: u32,
    tflops: u32,
    generation: Generation,
) -> Gpu {
    Gpu {
        name,
        labels,
        memory_mib,
        bandwidth_gb_s,
        tflops,
        generation,
    }
}

/// All known GPUs; a family is every entry whose name is the family's or begins with it and a hyphen.
pub const CATALOGUE: [Gpu; 22] = [
    gpu(
        "T4",
        &["Tesla-T4", "NVIDIA-T4"],
        15_360,
        320,
        65,
        Generation::Turing,
    ),
    gpu(
        "V100-16GB",
        &["Tesla-V100-SXM2-16GB", "Tesla-V100-PCIE-16GB"],
        16_384,
        900,
        125,
        Generation::Volta,
    ),
    gpu(
        "V100-32GB",
        &[
            "Tesla-V100-SXM2-32GB",
            "Tesla-V100-SXM3-32GB",
            "Tesla-V100-PCIE-32GB",
        ],
        32_768,
        900,
        125,
        Generation::Volta,
    ),
    gpu("A10", &["NVIDIA-A10"], 23_028, 600, 125, Generation::Ampere),
    gpu("A10G", &["NVIDIA-A10G"], 23_028, 600, 70, Generation::Ampere),
    gpu("A30", &["NVIDIA-A30"], 24_576, 933, 165, Generation::Ampere),
    gpu("L4", &["NVIDIA-L4"], 23_034, 300, 121, Generation::Ada),
    gpu("L40", &["NVIDIA-L40"], 46_068, 864, 181, Generation::Ada),
    gpu("L40S", &["NVIDIA-L40S"], 46_068, 864, 362, Generation::Ada),
    gpu("A40", &["NVIDIA-A40"], 46_068, 696, 150, Generation::Ampere),
    gpu(
        "RTX-A6000",
        &["NVIDIA-RTX-A6000"],
        49_140,
        768,
        155,
        Generation::Ampere,
    ),
    gpu(
        "A100-40GB",
        &[
            "NVIDIA-A100-SXM4-40GB",
            "NVIDIA-A100-PCIE-40GB",
            "A100-SXM4-40GB",
            "A100-PCIE-40GB",
        ],
        40_960,
        1_555,
        312,
        Generation::Ampere,
    ),
    gpu(
        "A100-80GB",
        &["NVIDIA-A100-SXM4-80GB", "NVIDIA-A100-80GB-PCIe", "A100-SXM4-80GB"],
        81_920,
        2_039,
        312,
        Generation::Ampere,
    ),
    gpu(
        "H100",
        &["NVIDIA-H100-80GB-HBM3"],
        81_559,
        3_350,
        989,
        Generation::Hopper,
    ),
    gpu(
        "H100-PCIe",
        &["NVIDIA-H100-PCIe"],
        81_559,
        2_000,
        756,
        Generation::Hopper,
    ),
    gpu(
        "H100-NVL",
        &["NVIDIA-H100-NVL"],
        95_830,
        3_900,
        835,
        Generation::Hopper,
    ),
    gpu(
        "GH200",
        &["NVIDIA-GH200-480GB"],
        97_871,
        4_000,
        989,
        Generation::Hopper,
    ),
    gpu("H200", &["NVIDIA-H200"], 143_771, 4_800, 989, Generation::Hopper),
    gpu(
        "H200-NVL",
        &["NVIDIA-H200-NVL"],
        143_771,
        4_800,
        835,
        Generation::Hopper,
    ),
    gpu(
        "B200",
        &["NVIDIA-B200"],
        183_359,
        7_700,
        2250,
        Generation::Blackwell,
    ),
    gpu(
        "GB200",
        &["NVIDIA-GB200"],
        189_471,
        8_000,
        2500,
        Generation::Blackwell,
    ),
    gpu(
        "RTX-PRO-6000",
        &["NVIDIA-RTX-PRO-6000-Blackwell-Server-Edition"],
        97_887,
        1_792,
        468,
        Generation::Blackwell,
    ),
];

/// The members of a family: `A100` has `A100-40GB` and `A100-80GB`. Upper and lower case are the same; empty when unknown.
pub fn family(name: &str) -> Vec<Gpu> {
    let wanted = name.to_ascii_uppercase();
    CATALOGUE
        .into_iter()
        .filter(|gpu| {
            let known = gpu.name.to_ascii_uppercase();
            known == wanted
                || known
                    .strip_prefix(&wanted)
                    .is_some_and(|rest| rest.starts_with('-'))
        })
        .collect()
}

/// Every label value that a node of the family may have, time slicing included, sorted.
pub fn label_values(family: &[Gpu]) -> Vec<String> {
    let mut values: Vec<String> = family
        .iter()
        .flat_map(|gpu| gpu.labels)
        .flat_map(|label| [(*label).to_owned(), format!("{label}{SHARED}")])
        .collect();
    values.sort();
    values
}

/// The GPU with this value of the node label `nvidia.com/gpu.product`; exact names win over longer spellings.
pub fn by_label(label: &str) -> Option<Gpu> {
    let label = label.strip_suffix(SHARED).unwrap_or(label);
    let exact = CATALOGUE.into_iter().find(|gpu| gpu.labels.contains(&label));
    exact.or_else(|| {
        let longer = |known: &&&str| {
            label
                .strip_prefix(**known)
                .is_some_and(|rest| rest.starts_with('-') && !rest.starts_with(MIG))
        };
        let best = |gpu: &Gpu| gpu.labels.iter().filter(longer).map(|known| known.len()).max();
        CATALOGUE
            .into_iter()
            .filter(|gpu| best(gpu).is_some())
            .max_by_key(best)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_do_not_swallow_their_namesakes() {
        let names = |family_name: &str| family(family_name).iter().map(|gpu| gpu.name).collect::<Vec<_>>();
        assert_eq!(names("a100"), ["A100-40GB", "A100-80GB"]);
        assert_eq!(names("A10"), ["A10"]);
        assert_eq!(names("L4"), ["L4"]);
        assert_eq!(names("H100"), ["H100", "H100-PCIe", "H100-NVL"]);
        assert!(names("H").is_empty() && names("").is_empty() && names("MI300X").is_empty());
    }

    #[test]
    fn labels_find_their_gpu() {
        assert_eq!(by_label("NVIDIA-H100-80GB-HBM3").unwrap().name, "H100");
        assert_eq!(by_label("NVIDIA-L40S-SHARED").unwrap().name, "L40S");
        assert_eq!(by_label("NVIDIA-H200-141GB-HBM3").unwrap().name, "H200");
        assert_eq!(by_label("NVIDIA-H100-80GB-HBM3-MIG-1g.10gb"), None);
        assert_eq!(by_label("something"), None);
    }

    #[test]
    fn names_and_labels_are_unique() {
        let mut labels: Vec<_> = CATALOGUE.iter().flat_map(|gpu| gpu.labels).collect();
        labels.sort();
        let before = labels.len();
        labels.dedup();
        assert_eq!(labels.len(), before);
    }
}
