//! API group `nvidia.com`. Its definitions belong to NVIDIA Dynamo on many clusters: installed only when asked for.

pub mod v1;
