//! Variables of containers.

use k8s_openapi::api::core::v1::{EnvFromSource, EnvVar, EnvVarSource, SecretEnvSource, SecretKeySelector};

/// A variable with a value.
///
/// `$(` begins a reference to another variable in Kubernetes; a value that is data must not be one.
pub fn value(name: &str, value: &str) -> EnvVar {
    EnvVar {
        name: name.into(),
        value: Some(value.replace("$(", "$$(")),
        value_from: None,
    }
}

/// A variable from the key of the same name in a Secret.
pub fn secret(name: &str, secret: &str) -> EnvVar {
    let key = SecretKeySelector {
        name: secret.into(),
        key: name.into(),
        optional: None,
    };
    let source = EnvVarSource {
        secret_key_ref: Some(key),
        ..EnvVarSource::default()
    };
    EnvVar {
        name: name.into(),
        value: None,
        value_from: Some(source),
    }
}

/// Every key of a Secret as a variable.
pub fn all_of_secret(secret: &str) -> EnvFromSource {
    let source = SecretEnvSource {
        name: secret.into(),
        optional: None,
    };
    EnvFromSource {
        secret_ref: Some(source),
        ..EnvFromSource::default()
    }
}
