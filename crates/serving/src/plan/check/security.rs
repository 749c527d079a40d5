//! A person's own security contexts.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::{
    AppArmorProfile, PodSecurityContext, SeccompProfile, SecurityContext, Sysctl,
};

use super::report;
use crate::{field_error::FieldError, request::ServingRequest};

/// The largest uid and gid.
const LARGEST_ID: i64 = i32::MAX as i64;
/// The longest path of a profile.
const LONGEST_PATH: usize = 4095;
const WINDOWS: &str = "models run on Linux nodes; remove windowsOptions";

/// Checks those of the container and of the Pod.
pub(super) fn check(request: &ServingRequest, errors: &mut Vec<FieldError>) {
    if let Some(container) = &request.container.security {
        check_container(container, errors);
    }
    if let Some(pod) = &request.pod.security {
        check_pod(pod, errors);
    }
}

fn check_container(context: &SecurityContext, errors: &mut Vec<FieldError>) {
    let path = "securityContext";
    let escalates = context.allow_privilege_escalation != Some(false);
    let added = context
        .capabilities
        .iter()
        .flat_map(|capabilities| capabilities.add.iter().flatten());
    let admin = added.into_iter().any(|name| name == "CAP_SYS_ADMIN");
    if !escalates && (context.privileged == Some(true) || admin) {
        let message =
            "allowPrivilegeEscalation: false cannot go with privileged or CAP_SYS_ADMIN; remove one";
        errors.push(FieldError::new(path, message));
    }
    let mount = context.proc_mount.as_deref();
    let mount_problem = mount
        .filter(|mount| *mount != "Default")
        .map(|_| "must be Default");
    report(format!("{path}.procMount"), mount_problem, errors);
    check_ids(
        path,
        [
            ("runAsUser", context.run_as_user),
            ("runAsGroup", context.run_as_group),
        ],
        errors,
    );
    check_profiles(
        path,
        context.seccomp_profile.as_ref(),
        context.app_armor_profile.as_ref(),
        errors,
    );
    report(path, context.windows_options.as_ref().map(|_| WINDOWS), errors);
}

fn check_pod(context: &PodSecurityContext, errors: &mut Vec<FieldError>) {
    let path = "podSecurityContext";
    let ids = [
        ("runAsUser", context.run_as_user),
        ("runAsGroup", context.run_as_group),
        ("fsGroup", context.fs_group),
    ];
    check_ids(path, ids, errors);
    for group in context.supplemental_groups.iter().flatten() {
        check_ids(path, [("supplementalGroups", Some(*group))], errors);
    }
    check_profiles(
        path,
        context.seccomp_profile.as_ref(),
        context.app_armor_profile.as_ref(),
        errors,
    );
    let choices = [
        (
            "fsGroupChangePolicy",
            &context.fs_group_change_policy,
            ["Always", "OnRootMismatch"].as_slice(),
        ),
        (
            "supplementalGroupsPolicy",
            &context.supplemental_groups_policy,
            ["Merge", "Strict"].as_slice(),
        ),
        // `MountOption` needs a feature of the cluster that is off by default.
        (
            "seLinuxChangePolicy",
            &context.se_linux_change_policy,
            ["Recursive"].as_slice(),
        ),
    ];
    for (field, given, allowed) in choices {
        let problem = given
            .as_deref()
            .filter(|given| !allowed.contains(given))
            .map(|_| format!("must be {}", allowed.join(" or ")));
        report(format!("{path}.{field}"), problem, errors);
    }
    check_sysctls(path, context.sysctls.as_deref().unwrap_or_default(), errors);
    report(path, context.windows_options.as_ref().map(|_| WINDOWS), errors);
}

fn check_ids<const N: usize>(path: &str, ids: [(&str, Option<i64>); N], errors: &mut Vec<FieldError>) {
    for (field, id) in ids {
        let problem = id
            .filter(|id| !(0..=LARGEST_ID).contains(id))
            .map(|id| format!("{id} must be from 0 to {LARGEST_ID}"));
        report(format!("{path}.{field}"), problem, errors);
    }
}

fn check_profiles(
    path: &str,
    seccomp: Option<&SeccompProfile>,
    app_armor: Option<&AppArmorProfile>,
    errors: &mut Vec<FieldError>,
) {
    let seccomp = seccomp.and_then(|profile| {
        let file = profile.localhost_profile.as_deref();
        let outside = |file: &str| file.starts_with('/') || file.split('/').any(|part| part == "..");
        profile_problem(&profile.type_, file, outside)
    });
    report(format!("{path}.seccompProfile"), seccomp, errors);
    let app_armor = app_armor.and_then(|profile| {
        let file = profile.localhost_profile.as_deref();
        let odd = |file: &str| file.is_empty() || file.trim() != file || file.len() > LONGEST_PATH;
        profile_problem(&profile.type_, file, odd)
    });
    report(format!("{path}.appArmorProfile"), app_armor, errors);
}

fn profile_problem(type_: &str, file: Option<&str>, odd: impl Fn(&str) -> bool) -> Option<&'static str> {
    match (type_, file) {
        ("RuntimeDefault" | "Unconfined", None) => None,
        ("RuntimeDefault" | "Unconfined", Some(_)) => Some("localhostProfile needs type Localhost"),
        ("Localhost", Some(file)) if !odd(file) => None,
        ("Localhost", _) => Some("localhostProfile must name a profile on the node, by a relative path"),
        _ => Some("type must be RuntimeDefault, Unconfined or Localhost"),
    }
}

fn check_sysctls(path: &str, sysctls: &[Sysctl], errors: &mut Vec<FieldError>) {
    let mut seen = BTreeSet::new();
    for (index, sysctl) in sysctls.iter().enumerate() {
        let name = sysctl.name.as_str();
        let problem = if !is_sysctl(name) {
            Some(format!(
                "{name:?} is no name of a kernel parameter, such as net.core.somaxconn"
            ))
        } else if !seen.insert(name) {
            Some(format!("{name} is given twice; keep one"))
        } else {
            None
        };
        report(format!("{path}.sysctls[{index}]"), problem, errors);
    }
}

/// Segments of lower case letters, digits, `-` and `_` with a letter or digit at both ends, divided by `.` or `/`.
fn is_sysctl(name: &str) -> bool {
    let edge = |b: Option<&u8>| b.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    let segment = |text: &str| {
        let bytes = text.as_bytes();
        let inner = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_".contains(b);
        edge(bytes.first()) && edge(bytes.last()) && bytes.iter().all(inner)
    };
    name.len() <= 253 && name.split(['.', '/']).all(segment)
}
