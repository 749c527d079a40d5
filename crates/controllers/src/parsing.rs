//! Pieces of parsing that every kind needs.
//!
//! In: values of a raw resource. Out: typed ones, or an error with the field's path. Pure.

use api::shared::AccessSpec;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serving::{
    field_error::FieldError,
    quantity::Quantity,
    request::{Access, Identity},
};

/// A quantity.
///
/// # Errors
/// It is none.
pub fn quantity(path: &str, text: &str) -> Result<Quantity, FieldError> {
    text.parse()
        .map_err(|error| FieldError::new(path, format!("{error}")))
}

/// A TCP port.
///
/// # Errors
/// It is not between 1 and 65535.
pub fn port(path: &str, port: i32) -> Result<u16, FieldError> {
    u16::try_from(port)
        .ok()
        .filter(|port| *port > 0)
        .ok_or_else(|| FieldError::new(path, format!("{port} is no port; choose one from 1 to 65535")))
}

/// Collects every error instead of stopping at the first.
#[derive(Default)]
pub struct Errors(pub Vec<FieldError>);

impl Errors {
    /// The value, or the error is noted.
    pub fn keep<T>(&mut self, result: Result<T, FieldError>) -> Option<T> {
        result.map_err(|error| self.0.push(error)).ok()
    }

    /// The value, or the errors are noted.
    pub fn keep_all<T>(&mut self, result: Result<T, Vec<FieldError>>) -> Option<T> {
        result.map_err(|errors| self.0.extend(errors)).ok()
    }

    /// The value if nothing was noted.
    pub fn finish<T>(self, value: T) -> Result<T, Vec<FieldError>> {
        if self.0.is_empty() { Ok(value) } else { Err(self.0) }
    }
}

/// Who may reach the port.
///
/// # Errors
/// The list of peers is empty.
pub fn access(spec: Option<&AccessSpec>, operator_namespace: &str) -> Result<Access, FieldError> {
    match spec.and_then(|access| access.from.clone()) {
        Some(peers) if peers.is_empty() => Err(FieldError::new(
            "access.from",
            "an empty list would admit everyone; name a peer, or remove access.from",
        )),
        Some(peers) => Ok(Access::From {
            peers,
            operator_namespace: operator_namespace.to_owned(),
        }),
        None => Ok(Access::Anywhere),
    }
}

/// Who owns what is made for a resource.
pub fn identity(meta: &ObjectMeta, kind: &str, (group, version): (&str, &str)) -> Identity {
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    Identity {
        name: text(&meta.name),
        namespace: text(&meta.namespace),
        uid: text(&meta.uid),
        kind: kind.to_owned(),
        group: group.to_owned(),
        version: version.to_owned(),
    }
}
