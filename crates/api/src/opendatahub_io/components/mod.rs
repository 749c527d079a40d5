//! API group `components.platform.opendatahub.io`.

pub mod v1alpha1;
