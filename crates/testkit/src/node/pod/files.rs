//! Volumes made of objects: configMap, secret, projected and downwardAPI in, files out.
//! It must not wait for what is missing; the caller tries again.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use k8s_openapi::api::authentication::v1::{BoundObjectReference, TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::{
    ConfigMap, Container, DownwardAPIVolumeFile, KeyToPath, Secret, ServiceAccount,
    ServiceAccountTokenProjection, Volume, VolumeProjection,
};
use kube::api::{Api, PostParams};

use super::PodContext;
use super::fields::Source;

const DEFAULT_MODE: i32 = 0o644;

/// Files by relative path, with their modes.
#[derive(Debug, Default)]
pub(crate) struct Contents(BTreeMap<PathBuf, (Vec<u8>, i32)>);

impl Contents {
    fn add(&mut self, path: &str, content: Vec<u8>, mode: i32) {
        self.0
            .insert(PathBuf::from(path.trim_start_matches('/')), (content, mode));
    }

    /// Writes them under a directory.
    pub(crate) fn write(&self, directory: &Path) -> std::io::Result<()> {
        for (path, (content, mode)) in &self.0 {
            let target = directory.join(path);
            if let Some(parent) = target.parent() {
                std::fs::create_dir_all(parent)?;
            }
            std::fs::write(&target, content)?;
            let mode = u32::try_from(*mode).unwrap_or(0o644);
            std::fs::set_permissions(&target, std::fs::Permissions::from_mode(mode))?;
        }
        Ok(())
    }

    /// All keys, or the chosen ones under their paths.
    fn select(
        &mut self,
        data: &BTreeMap<String, Vec<u8>>,
        items: Option<&Vec<KeyToPath>>,
        mode: Option<i32>,
        optional: bool,
    ) -> Result<(), String> {
        let mode = mode.unwrap_or(DEFAULT_MODE);
        let Some(items) = items.filter(|items| !items.is_empty()) else {
            for (key, content) in data {
                self.add(key, content.clone(), mode);
            }
            return Ok(());
        };
        for item in items {
            match data.get(&item.key) {
                Some(content) => self.add(&item.path, content.clone(), item.mode.unwrap_or(mode)),
                None if optional => {}
                None => {
                    return Err(format!(
                        "references non-existent secret or config key: {}",
                        item.key
                    ));
                }
            }
        }
        Ok(())
    }
}

/// The files of a volume; `None`: it is not made of objects.
pub(crate) async fn of(context: &PodContext, volume: &Volume) -> Result<Option<Contents>, String> {
    let mut contents = Contents::default();
    if let Some(source) = &volume.config_map {
        let optional = source.optional.unwrap_or(false);
        let data = config_map(context, &source.name, optional).await?;
        contents.select(&data, source.items.as_ref(), source.default_mode, optional)?;
    } else if let Some(source) = &volume.secret {
        let optional = source.optional.unwrap_or(false);
        let data = secret(
            context,
            source.secret_name.as_deref().unwrap_or_default(),
            optional,
        )
        .await?;
        contents.select(&data, source.items.as_ref(), source.default_mode, optional)?;
    } else if let Some(source) = &volume.downward_api {
        downward(
            context,
            source.items.iter().flatten(),
            source.default_mode,
            &mut contents,
        )?;
    } else if let Some(source) = &volume.projected {
        for projection in source.sources.iter().flatten() {
            project(context, projection, source.default_mode, &mut contents).await?;
        }
    } else {
        return Ok(None);
    }
    Ok(Some(contents))
}

async fn project(
    context: &PodContext,
    projection: &VolumeProjection,
    mode: Option<i32>,
    contents: &mut Contents,
) -> Result<(), String> {
    if let Some(source) = &projection.config_map {
        let optional = source.optional.unwrap_or(false);
        let data = config_map(context, &source.name, optional).await?;
        contents.select(&data, source.items.as_ref(), mode, optional)?;
    }
    if let Some(source) = &projection.secret {
        let optional = source.optional.unwrap_or(false);
        let data = secret(context, &source.name, optional).await?;
        contents.select(&data, source.items.as_ref(), mode, optional)?;
    }
    if let Some(source) = &projection.downward_api {
        downward(context, source.items.iter().flatten(), mode, contents)?;
    }
    if let Some(source) = &projection.service_account_token {
        let token = token(context, source).await?;
        contents.add(&source.path, token.into_bytes(), mode.unwrap_or(DEFAULT_MODE));
    }
    Ok(())
}

async fn config_map(
    context: &PodContext,
    name: &str,
    optional: bool,
) -> Result<BTreeMap<String, Vec<u8>>, String> {
    let api: Api<ConfigMap> = Api::namespaced(context.shared.client.clone(), &context.namespace);
    match api.get_opt(name).await.map_err(|error| error.to_string())? {
        Some(found) => {
            let text = found
                .data
                .unwrap_or_default()
                .into_iter()
                .map(|(k, v)| (k, v.into_bytes()));
            let binary = found
                .binary_data
                .unwrap_or_default()
                .into_iter()
                .map(|(k, v)| (k, v.0));
            Ok(text.chain(binary).collect())
        }
        None if optional => Ok(BTreeMap::new()),
        None => Err(format!("configmap \"{name}\" not found")),
    }
}

async fn secret(
    context: &PodContext,
    name: &str,
    optional: bool,
) -> Result<BTreeMap<String, Vec<u8>>, String> {
    let api: Api<Secret> = Api::namespaced(context.shared.client.clone(), &context.namespace);
    match api.get_opt(name).await.map_err(|error| error.to_string())? {
        Some(found) => Ok(found
            .data
            .unwrap_or_default()
            .into_iter()
            .map(|(k, v)| (k, v.0))
            .collect()),
        None if optional => Ok(BTreeMap::new()),
        None => Err(format!("secret \"{name}\" not found")),
    }
}

fn downward<'a>(
    context: &PodContext,
    items: impl Iterator<Item = &'a DownwardAPIVolumeFile>,
    mode: Option<i32>,
    contents: &mut Contents,
) -> Result<(), String> {
    let latest = context.latest.borrow().clone();
    let source = Source {
        pod: &latest,
        node: &context.node.spec,
        host_ip: context.shared.block.node_address().to_string(),
        pod_ip: context.ip().to_string(),
    };
    for item in items {
        let text = if let Some(selector) = &item.field_ref {
            source.field(selector)?
        } else if let Some(selector) = &item.resource_field_ref {
            source.resource(selector, &Container::default())?
        } else {
            String::new()
        };
        contents.add(
            &item.path,
            text.into_bytes(),
            item.mode.or(mode).unwrap_or(DEFAULT_MODE),
        );
    }
    Ok(())
}

async fn token(context: &PodContext, source: &ServiceAccountTokenProjection) -> Result<String, String> {
    let api: Api<ServiceAccount> = Api::namespaced(context.shared.client.clone(), &context.namespace);
    let account = context.spec.service_account_name.as_deref().unwrap_or("default");
    let pod = BoundObjectReference {
        api_version: Some("v1".to_owned()),
        kind: Some("Pod".to_owned()),
        name: Some(context.name.clone()),
        uid: Some(context.uid.clone()),
    };
    let spec = TokenRequestSpec {
        audiences: source.audience.clone().map(|audience| vec![audience]),
        expiration_seconds: source.expiration_seconds,
        bound_object_ref: Some(pod),
    };
    let request = TokenRequest {
        spec: Some(spec),
        ..TokenRequest::default()
    };
    let granted = api
        .create_token_request(account, &PostParams::default(), &request)
        .await;
    let granted = granted.map_err(|error| format!("failed to fetch token: {error}"))?;
    Ok(granted.status.and_then(|status| status.token).unwrap_or_default())
}

/// Sum of the lengths of all files under a directory.
pub(crate) fn used(directory: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(directory) else {
        return 0;
    };
    let size = |entry: std::fs::DirEntry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => used(&entry.path()),
        Ok(metadata) => metadata.len(),
        Err(_) => 0,
    };
    entries.flatten().map(size).sum()
}
