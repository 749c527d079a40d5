//! Who asks, as the API server's front proxy vouches for it; and whether that caller may.

pub(crate) mod access;
pub(crate) mod caller;
pub(crate) mod settings;

pub(crate) use access::{Access, AccessError};
pub(crate) use caller::{Caller, authenticate, vouched};
pub(crate) use settings::Settings;
