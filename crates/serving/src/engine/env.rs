//! Variables of containers.

use k8s_openapi::api::core::v1::{
    EnvFromSource, EnvVar, EnvVarSource, ObjectFieldSelector, SecretEnvSource, SecretKeySelector,
};

/// Text that Kubernetes hands on as it is. In values, commands and arguments `$(NAME)` is replaced by a variable and `$$` by
/// `$`; what is data must be neither.
pub fn literal(text: &str) -> String {
    if text.contains("$(") || text.contains("$$") {
        text.replace('$', "$$")
    } else {
        text.to_owned()
    }
}

/// The text of which [`literal`] makes `text`.
pub fn plain(text: &str) -> String {
    text.replace("$$", "$")
}

/// A variable with a value.
pub fn value(name: &str, value: &str) -> EnvVar {
    EnvVar {
        name: name.into(),
        value: Some(literal(value)),
        value_from: None,
    }
}

/// A variable with a field of the Pod, for example `metadata.uid`.
pub fn field(name: &str, path: &str) -> EnvVar {
    let source = EnvVarSource {
        field_ref: Some(ObjectFieldSelector {
            field_path: path.into(),
            api_version: None,
        }),
        ..EnvVarSource::default()
    };
    EnvVar {
        name: name.into(),
        value: None,
        value_from: Some(source),
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

#[cfg(test)]
mod tests {
    use super::literal;

    #[test]
    fn only_what_would_be_replaced_is_escaped() {
        for (text, escaped) in [("a$b", "a$b"), ("$(X)", "$$(X)"), ("a$$b$c", "a$$$$b$$c")] {
            assert_eq!(literal(text), escaped);
        }
    }
}
