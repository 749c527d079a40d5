//! Storage of the simulated cluster: claims in, volumes that are directories of this machine out.

pub(crate) mod claims;
pub(crate) mod provisioner;
