//! The API's form: paths, selectors, formats and bodies. Pure.

pub(crate) mod accept;
pub(crate) mod discovery;
pub(crate) mod failure;
mod label;
pub(crate) mod metric_list;
pub(crate) mod route;
pub(crate) mod selector;
