//! A client's configuration as a kubeconfig file.
//!
//! In: [`kube::Config`]. Out: JSON, which every reader of YAML takes. A token file is named, not read: it is renewed on disk.

use base64::{Engine, engine::general_purpose::STANDARD};
use kube::Config;
use serde_json::{Value, json};

use crate::HelmError;

/// Bytes of a certificate per line of PEM, before encoding: 64 characters.
const PEM_LINE: usize = 48;

/// The text of the file.
pub(super) fn text(config: &Config) -> Result<String, HelmError> {
    let user = serde_json::to_value(&config.auth_info).map_err(|error| HelmError::File {
        path: "kubeconfig".to_owned(),
        message: error.to_string(),
    })?;
    let document = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{ "name": "cluster", "cluster": cluster(config) }],
        "users": [{ "name": "operator", "user": user }],
        "contexts": [{ "name": "operator", "context": { "cluster": "cluster", "user": "operator" } }],
        "current-context": "operator",
    });
    Ok(document.to_string())
}

fn cluster(config: &Config) -> Value {
    let mut cluster = json!({ "server": config.cluster_url.to_string().trim_end_matches('/') });
    if let Some(file) = &config.root_cert_file {
        cluster["certificate-authority"] = json!(file);
    } else if let Some(certificates) = &config.root_cert {
        let bundle: String = certificates.iter().map(|der| pem(der)).collect();
        cluster["certificate-authority-data"] = json!(STANDARD.encode(bundle));
    }
    if config.accept_invalid_certs {
        cluster["insecure-skip-tls-verify"] = json!(true);
        // Both at once are refused.
        if let Some(fields) = cluster.as_object_mut() {
            fields.remove("certificate-authority");
            fields.remove("certificate-authority-data");
        }
    }
    if let Some(proxy) = &config.proxy_url {
        cluster["proxy-url"] = json!(proxy.to_string());
    }
    if let Some(name) = &config.tls_server_name {
        cluster["tls-server-name"] = json!(name);
    }
    cluster
}

fn pem(der: &[u8]) -> String {
    let lines: Vec<String> = der.chunks(PEM_LINE).map(|line| STANDARD.encode(line)).collect();
    format!(
        "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n",
        lines.join("\n")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_file_is_named_and_certificates_are_kept() {
        let mut config = Config::new("https://10.0.0.1:443/".parse().unwrap());
        config.auth_info.token_file = Some("/run/token".to_owned());
        config.root_cert = Some(vec![vec![1; 100]]);
        let document: Value = serde_json::from_str(&text(&config).unwrap()).unwrap();
        assert_eq!(document["users"][0]["user"]["tokenFile"], "/run/token");
        let cluster = &document["clusters"][0]["cluster"];
        assert_eq!(cluster["server"], "https://10.0.0.1:443");
        let bundle = STANDARD
            .decode(cluster["certificate-authority-data"].as_str().unwrap())
            .unwrap();
        let lines: Vec<&str> = std::str::from_utf8(&bundle).unwrap().lines().collect();
        assert_eq!(lines.len(), 5);
        assert_eq!(STANDARD.decode(lines[1..4].concat()).unwrap(), vec![1; 100]);
    }

    #[test]
    fn whoever_trusts_everybody_names_no_authority() {
        let mut config = Config::new("https://10.0.0.1".parse().unwrap());
        config.root_cert_file = Some("/run/ca.crt".into());
        assert_eq!(cluster(&config)["certificate-authority"], "/run/ca.crt");
        config.accept_invalid_certs = true;
        assert!(cluster(&config).get("certificate-authority").is_none());
        assert_eq!(cluster(&config)["insecure-skip-tls-verify"], true);
    }
}
