//! Triton's Prometheus metrics: counts of requests and GPUs in, text under the real names out.

use std::collections::BTreeMap;
use std::time::Instant;

use parking_lot::Mutex;
use serde_json::{Value, json};

use super::registry::Version;
use crate::process::GpuSpec;
use crate::prometheus::{Exposition, escaped};

#[derive(Clone, Copy, Debug, Default)]
struct Count {
    succeeded: u64,
    failed: u64,
    pending: u64,
    microseconds: u64,
}

/// Requests by model and version.
#[derive(Debug, Default)]
pub(crate) struct Counts(Mutex<BTreeMap<(String, u64), Count>>);

/// A request under way: counted as failed unless it is said to have succeeded.
pub(crate) struct Counted<'a> {
    counts: &'a Counts,
    key: (String, u64),
    began: Instant,
    succeeded: bool,
}

impl Counted<'_> {
    pub(crate) fn succeeded(mut self) {
        self.succeeded = true;
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        let mut counts = self.counts.0.lock();
        let count = counts.entry(self.key.clone()).or_default();
        count.pending = count.pending.saturating_sub(1);
        if self.succeeded {
            count.succeeded += 1;
            count.microseconds += u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX);
        } else {
            count.failed += 1;
        }
    }
}

impl Counts {
    /// A request begins.
    pub(crate) fn begin(&self, model: &str, version: u64) -> Counted<'_> {
        let key = (model.to_owned(), version);
        self.0.lock().entry(key.clone()).or_default().pending += 1;
        Counted {
            counts: self,
            key,
            began: Instant::now(),
            succeeded: false,
        }
    }

    /// What `/v2/models/{model}/stats` answers.
    pub(crate) fn stats(&self, version: &Version) -> Value {
        let key = (version.candidate.name.clone(), version.number);
        let count = self.0.lock().get(&key).copied().unwrap_or_default();
        let times = |count: u64, us: u64| json!({"count": count, "ns": us.saturating_mul(1000)});
        json!({"model_stats": [{
            "name": key.0, "version": key.1.to_string(), "inference_count": count.succeeded,
            "execution_count": count.succeeded,
            "inference_stats": {"success": times(count.succeeded, count.microseconds), "fail": times(count.failed, 0)},
        }]})
    }

    /// What `/metrics` answers.
    #[allow(clippy::cast_precision_loss)]
    pub(crate) fn render(&self, versions: &[Version], gpus: &[GpuSpec]) -> String {
        let counts = self.0.lock();
        let of = |version: &Version| {
            let key = (version.candidate.name.clone(), version.number);
            counts.get(&key).copied().unwrap_or_default()
        };
        let ready: Vec<&Version> = versions
            .iter()
            .filter(|version| version.failed.is_none())
            .collect();
        let mut out = Exposition::new("");
        let mut family = |name: &str, help: &str, kind: &str, extra: &str, value: &dyn Fn(Count) -> u64| {
            let samples: Vec<(String, f64)> = ready
                .iter()
                .map(|version| {
                    let model = escaped(&version.candidate.name);
                    let labels = format!("model=\"{model}\",version=\"{}\"{extra}", version.number);
                    (labels, value(of(version)) as f64)
                })
                .collect();
            out.family(name, help, kind, &samples);
        };
        let success = "Number of successful inference requests, all batch sizes";
        family("nv_inference_request_success", success, "counter", "", &|c| {
            c.succeeded
        });
        let failure = "Number of failed inference requests, all batch sizes";
        let reason = ",reason=\"OTHER\"";
        family("nv_inference_request_failure", failure, "counter", reason, &|c| {
            c.failed
        });
        let performed = "Number of inferences performed (does not include cached requests)";
        family("nv_inference_count", performed, "counter", "", &|c| c.succeeded);
        let executed = "Number of model executions performed (does not include cached requests)";
        family("nv_inference_exec_count", executed, "counter", "", &|c| {
            c.succeeded
        });
        let duration = "Cumulative inference request duration in microseconds (includes cached requests)";
        family(
            "nv_inference_request_duration_us",
            duration,
            "counter",
            "",
            &|c| c.microseconds,
        );
        let queue = "Cumulative inference queuing duration in microseconds (includes cached requests)";
        family("nv_inference_queue_duration_us", queue, "counter", "", &|_| 0);
        let compute =
            "Cumulative compute inference duration in microseconds (does not include cached requests)";
        family(
            "nv_inference_compute_infer_duration_us",
            compute,
            "counter",
            "",
            &|c| c.microseconds,
        );
        let pending = "Instantaneous number of pending requests awaiting execution per-model.";
        family("nv_inference_pending_request_count", pending, "gauge", "", &|c| {
            c.pending
        });
        gpu(&mut out, versions, gpus);
        out.finish()
    }
}

#[allow(clippy::cast_precision_loss)]
fn gpu(out: &mut Exposition, versions: &[Version], gpus: &[GpuSpec]) {
    if gpus.is_empty() {
        return;
    }
    let samples = |value: &dyn Fn(usize, &GpuSpec) -> f64| -> Vec<(String, f64)> {
        let each = gpus.iter().enumerate();
        each.map(|(index, gpu)| (format!("gpu_uuid=\"GPU-{index:08x}\""), value(index, gpu)))
            .collect()
    };
    let used: u64 = versions.iter().map(Version::bytes).sum();
    let total = samples(&|_, gpu| gpu.memory as f64);
    out.family(
        "nv_gpu_memory_total_bytes",
        "GPU total memory, in bytes",
        "gauge",
        &total,
    );
    let in_use = samples(&|index, _| if index == 0 { used as f64 } else { 0.0 });
    out.family(
        "nv_gpu_memory_used_bytes",
        "GPU used memory, in bytes",
        "gauge",
        &in_use,
    );
    let busy = samples(&|_, _| 0.0);
    out.family(
        "nv_gpu_utilization",
        "GPU utilization rate [0.0 - 1.0)",
        "gauge",
        &busy,
    );
}
