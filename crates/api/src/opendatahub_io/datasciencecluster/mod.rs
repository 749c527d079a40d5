//! API group `datasciencecluster.opendatahub.io`. Its definition belongs to Open Data Hub on many clusters: installed only when asked for.

pub mod v2;
