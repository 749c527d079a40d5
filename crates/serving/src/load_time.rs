//! How long loading may take before it is called a failure.
//!
//! In: a request. Out: seconds for the startup probe and for a rollout. It must not measure anything: the numbers only have
//! to be large enough for a slow network, since a crash is noticed at once in any case.
//!
//! startup = 10 minutes + weights / 50 MiB/s, in whole minutes, at most 6 hours;
//! rollout = startup + 10 minutes to get a node, image and volume, + weights / 50 MiB/s again when an init container loads them.
//! Weights: what the request says, else the catalogue, else all the GPU memory that is asked for, else the size of the claim.

use crate::{
    fit,
    request::{ClaimRequest, EngineRequest, ServingRequest},
};

/// Time for everything but weights: imports, compilation, CUDA graphs.
const FLOOR_SECONDS: u64 = 600;
/// Time for scheduling, pulling an image of some gigabytes, attaching a volume.
const PLACEMENT_SECONDS: u64 = 600;
/// MiB per second, for a download or a network volume on a bad day.
const SLOW_MIB_S: u64 = 50;
/// No budget is longer: a mistake must surface within a working day.
const CEILING_SECONDS: u64 = 6 * 3600;

/// The two budgets, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoadTime {
    /// From the engine's start until it must serve.
    pub startup_seconds: i32,
    /// From a new version until its Pods must be ready.
    pub rollout_seconds: i32,
}

impl LoadTime {
    /// The rollout's budget when the startup probe gives up after so many seconds.
    pub fn rollout_after(self, startup_seconds: i32) -> i32 {
        let after = startup_seconds.saturating_add(seconds(PLACEMENT_SECONDS));
        self.rollout_seconds.max(after)
    }
}

/// Computes both.
pub fn load_time(request: &ServingRequest, loaded_by_init: bool) -> LoadTime {
    let transfer = weights_mib(request).unwrap_or(0).div_ceil(SLOW_MIB_S);
    let startup = minutes(FLOOR_SECONDS + transfer);
    let rollout = startup + PLACEMENT_SECONDS + if loaded_by_init { minutes(transfer) } else { 0 };
    LoadTime {
        startup_seconds: seconds(startup),
        rollout_seconds: seconds(rollout),
    }
}

/// Seconds from the engine's start until weights of that size must be served.
pub(crate) fn startup_seconds(bytes: u64) -> u32 {
    let transfer = bytes.div_ceil(1 << 20).div_ceil(SLOW_MIB_S);
    u32::try_from(minutes(FLOOR_SECONDS.saturating_add(transfer))).unwrap_or(u32::MAX)
}

fn minutes(seconds: u64) -> u64 {
    (seconds.div_ceil(60) * 60).min(CEILING_SECONDS)
}

fn seconds(seconds: u64) -> i32 {
    i32::try_from(seconds).unwrap_or(i32::MAX)
}

fn weights_mib(request: &ServingRequest) -> Option<u64> {
    let said = request.model.weights_bytes.map(|bytes| bytes.div_ceil(1 << 20));
    let known = || match request.engine {
        EngineRequest::Own(engine) => {
            fit::known_model(engine, &request.model).map(|model| model.weights_bytes().div_ceil(1 << 20))
        }
        EngineRequest::Prem(_) => None,
    };
    let gpu = || {
        let gpu = request.gpu.as_ref()?;
        Some(gpu.guaranteed_memory_mib()? * u64::from(gpu.count))
    };
    let claim = || match &request.storage.as_ref()?.claim {
        ClaimRequest::New { size, .. } => u64::try_from(size.ceil_units()).ok().map(|bytes| bytes >> 20),
        ClaimRequest::Existing(_) => None,
    };
    said.or_else(known).or_else(gpu).or_else(claim)
}
