//! API group `premlabs.io`, as prem-operator defines it.

pub mod v1alpha1;
