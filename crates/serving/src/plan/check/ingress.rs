//! Hosts, labels and annotations of the Ingress.

use std::net::IpAddr;

use super::metadata;
use crate::{field_error::FieldError, labels::is_dns_subdomain, request::ServingRequest};

/// Checks what the API server would refuse.
pub(super) fn check(request: &ServingRequest) -> Vec<FieldError> {
    let Some(ingress) = &request.ingress else {
        return Vec::new();
    };
    let hosts = ingress.hosts.iter().enumerate();
    let mut errors: Vec<FieldError> = hosts
        .filter(|(_, host)| !is_host(host))
        .map(|(index, host)| {
            let message = format!(
                "{host:?} is no host name: lower case letters, digits, '-' and '.', with an optional \"*.\" before it, and no IP address"
            );
            FieldError::new(format!("endpoint[{index}].domain"), message)
        })
        .collect();
    metadata::check_plain_labels("ingress.labels", &ingress.labels, &mut errors);
    metadata::check_annotations("ingress.annotations", &ingress.annotations, &mut errors);
    if ingress
        .class
        .as_deref()
        .is_some_and(|class| !is_dns_subdomain(class))
    {
        let message = "must be the name of an IngressClass: lower case letters, digits, '-' and '.'";
        errors.push(FieldError::new("ingress.className", message));
    }
    errors
}

/// A name, with a wildcard or not; an empty one stands for every host.
fn is_host(host: &str) -> bool {
    let name = host.strip_prefix("*.").unwrap_or(host);
    host.is_empty() || (is_dns_subdomain(name) && host.parse::<IpAddr>().is_err())
}

#[cfg(test)]
mod tests {
    use super::is_host;

    #[test]
    fn hosts_are_names() {
        for good in ["", "foo.127.0.0.1.nip.io", "*.example.com", "x"] {
            assert!(is_host(good), "{good}");
        }
        for bad in ["10.0.0.1", "Foo.example.com", "a b", "*", "foo.*.com", "http://x"] {
            assert!(!is_host(bad), "{bad}");
        }
    }
}
