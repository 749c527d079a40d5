//! How long a step of an engine takes: model and GPUs in, durations out.
//! Step = `a + b*B + g*K + c*p` for B decoding requests with K context tokens and p prompt tokens being read.
//! Pure arithmetic; it must not sleep or keep state.

use std::time::Duration;

use crate::models::Model;
use crate::process::GpuSpec;

/// What a GPU can do.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GpuSpeed {
    /// Memory bandwidth in bytes per second.
    pub bandwidth: f64,
    /// Dense bf16 operations per second.
    pub flops: f64,
    /// Share of `flops` that reading a prompt reaches.
    pub utilization: f64,
}

/// Product prefix (lower case), bandwidth in GB/s, bf16 TFLOPS, utilization. Vendors' data sheets; utilization
/// measured on H100, A100 and L40S, others by generation.
const PRODUCTS: &[(&str, f64, f64, f64)] = &[
    ("tesla-t4", 320.0, 65.0, 0.30),
    ("tesla-v100", 900.0, 125.0, 0.30),
    ("nvidia-a10g", 600.0, 70.0, 0.35),
    ("nvidia-a100", 2039.0, 312.0, 0.38),
    ("a100", 1555.0, 312.0, 0.38),
    ("nvidia-a100-sxm4-40gb", 1555.0, 312.0, 0.38),
    ("nvidia-a10", 600.0, 125.0, 0.35),
    ("nvidia-a30", 933.0, 165.0, 0.38),
    ("nvidia-a40", 696.0, 150.0, 0.38),
    ("nvidia-rtx-a6000", 768.0, 155.0, 0.38),
    ("nvidia-l40s", 864.0, 362.0, 0.32),
    ("nvidia-l4", 300.0, 121.0, 0.32),
    ("nvidia-h100", 3350.0, 989.0, 0.45),
    ("nvidia-h100-pcie", 2000.0, 756.0, 0.45),
    ("nvidia-h100-nvl", 3900.0, 835.0, 0.45),
    ("nvidia-gh200", 4000.0, 989.0, 0.45),
    ("nvidia-h200", 4800.0, 989.0, 0.45),
    ("nvidia-b200", 7700.0, 2250.0, 0.45),
    ("nvidia-gb200", 8000.0, 2500.0, 0.45),
    ("nvidia-rtx-pro-6000", 1792.0, 468.0, 0.32),
    ("amd-instinct-mi300x", 5300.0, 1307.0, 0.35),
];

/// A server CPU: eight channels of memory, a few TFLOPS.
const CPU: GpuSpeed = GpuSpeed {
    bandwidth: 100e9,
    flops: 2e12,
    utilization: 0.4,
};

impl GpuSpeed {
    /// The GPU of this product name (longest known prefix); an unknown one is taken for an A100.
    pub fn of(product: &str) -> Self {
        let product = product.to_lowercase().replace(' ', "-");
        let row = PRODUCTS
            .iter()
            .filter(|row| product.starts_with(row.0))
            .max_by_key(|row| row.0.len());
        let (_, bandwidth, tflops, utilization) = *row.unwrap_or(&("", 2039.0, 312.0, 0.38));
        Self {
            bandwidth: bandwidth * 1e9,
            flops: tflops * 1e12,
            utilization,
        }
    }
}

/// The four coefficients, in seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Profile {
    /// Per step.
    pub a: f64,
    /// Per decoding request.
    pub b: f64,
    /// Per token of context of the decoding requests.
    pub g: f64,
    /// Per prompt token.
    pub c: f64,
}

impl Profile {
    /// The coefficients of a model on these GPUs (one of them per rank; none: a CPU).
    pub fn of(model: &Model, gpus: &[GpuSpec]) -> Self {
        let speed = gpus.first().map_or(CPU, |gpu| GpuSpeed::of(&gpu.product));
        #[allow(clippy::cast_precision_loss)]
        let ranks = gpus.len().max(1) as f64;
        let active_bytes = model.active_parameters * model.bytes_per_parameter;
        #[allow(clippy::cast_precision_loss)]
        let kv = model.kv_bytes_per_token(2) as f64;
        Self {
            a: 1.3625 * active_bytes / (ranks * speed.bandwidth) + 32.1e-6 * f64::from(model.layers) + 126e-6,
            b: 4.4e-6,
            g: 1.947 * kv / (ranks * speed.bandwidth),
            c: 2.0 * model.active_parameters / (speed.utilization * speed.flops * ranks),
        }
    }

    /// Time of one step.
    #[allow(clippy::cast_precision_loss)]
    pub fn step(&self, requests: u64, context: u64, prompt: u64) -> Duration {
        let seconds = self.a + self.b * requests as f64 + self.g * context as f64 + self.c * prompt as f64;
        Duration::try_from_secs_f64(seconds).unwrap_or(Duration::ZERO)
    }
}

/// Time to read weights into GPU memory: 2 GB/s from a network volume into one process, all ranks share it.
#[allow(clippy::cast_precision_loss)]
pub fn weight_loading(bytes: u64) -> Duration {
    Duration::from_secs_f64(bytes as f64 / 2e9)
}

/// Time to fetch weights from a hub: 500 MB/s, what a cloud node reaches.
#[allow(clippy::cast_precision_loss)]
pub fn download(bytes: u64) -> Duration {
    Duration::from_secs_f64(bytes as f64 / 500e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gpus(product: &str, count: usize) -> Vec<GpuSpec> {
        vec![
            GpuSpec {
                product: product.into(),
                memory: 80 << 30
            };
            count
        ]
    }

    /// Measured inter-token latencies lie within a tenth or so of these.
    #[test]
    fn coefficients_agree_with_measurements() {
        let cases = [
            ("meta-llama/Llama-3.1-8B", "NVIDIA-H100-80GB-HBM3", 1, 7.26, 33.7),
            ("meta-llama/Llama-3.1-8B", "NVIDIA-A100-SXM4-80GB", 1, 11.2, 127.0),
            ("Qwen/Qwen2.5-7B", "NVIDIA-H100-80GB-HBM3", 1, 6.78, 31.8),
            ("meta-llama/Llama-3.1-70B", "NVIDIA-H100-80GB-HBM3", 4, 16.8, 78.0),
        ];
        for (name, product, count, a_ms, c_us) in cases {
            let profile = Profile::of(&Model::by_name(name), &gpus(product, count));
            assert!(
                (profile.a * 1e3 / a_ms - 1.0).abs() < 0.1,
                "{name}: a {}",
                profile.a
            );
            assert!(
                (profile.c * 1e6 / c_us - 1.0).abs() < 0.1,
                "{name}: c {}",
                profile.c
            );
        }
    }
}
