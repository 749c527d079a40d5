//! Pods whose containers cannot start: images, configuration, volumes, the sandbox.

use super::*;

#[test]
fn images() {
    let image = "registry.example.com/vllm:v1";
    let not_found = format!(
        "failed to pull and unpack image \"{image}\": failed to resolve reference \"{image}\": {image}: not found"
    );
    let unauthorized = format!(
        "failed to pull and unpack image \"{image}\": failed to resolve reference \"{image}\": failed to authorize: \
         failed to fetch oauth token: unexpected status from GET request: 401 Unauthorized: authentication required"
    );
    let denied = "pull access denied, repository does not exist or may require authorization: server message: \
                  insufficient_scope: authorization failed";
    let dns = "failed to do request: Head \"https://registry.example.com/v2/\": dial tcp: lookup registry.example.com \
               on 10.0.0.10:53: no such host";
    for (words, reason, told) in [
        (
            not_found.as_str(),
            Reason::ImageNotFound,
            "the registry has no image",
        ),
        (
            unauthorized.as_str(),
            Reason::ImagePullFailed,
            "check image pull secret regcred",
        ),
        (denied, Reason::ImagePullFailed, "denies access"),
        (dns, Reason::ImagePullFailed, "host name does not resolve"),
        (
            "no match for platform in manifest: not found",
            Reason::ImageNotFound,
            "platform",
        ),
        (
            "write /var/lib/containerd/x: no space left on device",
            Reason::DiskPressure,
            "no disk space",
        ),
        ("something new", Reason::ImagePullFailed, "something new"),
    ] {
        let first = explained(&waiting("ErrImagePull", words), &[]);
        assert_finding(&first, reason, told);
        let backoff = format!("Back-off pulling image \"{image}\": ErrImagePull: {words}");
        assert_eq!(
            first,
            explained(&waiting("ImagePullBackOff", &backoff), &[]),
            "no churn between retries"
        );
        let old_kubelet = waiting("ImagePullBackOff", &format!("Back-off pulling image \"{image}\""));
        let failed = format!("Failed to pull image \"{image}\": {words}");
        assert_eq!(
            first.reason,
            explained(&old_kubelet, &[("Failed", &failed)]).reason
        );
    }
    let secret = explained(
        &waiting("ErrImagePull", denied),
        &[(
            "FailedToRetrieveImagePullSecret",
            "Unable to retrieve some image pull secrets (regcred); attempting to pull the image may not succeed.",
        )],
    );
    assert_finding(
        &secret,
        Reason::ImagePullSecretMissing,
        "image pull secret regcred does not exist in namespace ml",
    );
    let invalid = waiting(
        "InvalidImageName",
        "Failed to apply default image tag \"A:b:c\": couldn't parse image name \"A:b:c\": invalid reference format",
    );
    assert_finding(&explained(&invalid, &[]), Reason::InvalidImageName, image);
    let never = waiting(
        "ErrImageNeverPull",
        "Container image \"registry.example.com/vllm:v1\" is not present with pull policy of Never",
    );
    assert_finding(
        &explained(&never, &[]),
        Reason::ImageNotFound,
        "pull policy is Never",
    );
}

#[test]
fn configuration() {
    for (reason, message, expected, told) in [
        (
            "CreateContainerConfigError",
            "secret \"hf\" not found",
            Reason::SecretMissing,
            "needs Secret hf",
        ),
        (
            "CreateContainerConfigError",
            "configmap \"args\" not found",
            Reason::ConfigMapMissing,
            "needs ConfigMap args",
        ),
        (
            "CreateContainerConfigError",
            "couldn't find key token in Secret ml/hf",
            Reason::SecretMissing,
            "key token of Secret hf",
        ),
        (
            "CreateContainerConfigError",
            "couldn't find key a in ConfigMap ml/args",
            Reason::ConfigMapMissing,
            "key a of ConfigMap args",
        ),
        (
            "CreateContainerConfigError",
            "container has runAsNonRoot and image will run as root (pod: \"chat_ml(30213ae1-70fb-4042-b8a0-bf38f585af99)\", container: engine)",
            Reason::ContainerConfigError,
            "image will run as root. Correct its security context",
        ),
        (
            "RunContainerError",
            "failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create \
             failed: unable to start container process: exec: \"vlm\": executable file not found in $PATH: unknown",
            Reason::ContainerConfigError,
            "exec: \"vlm\": executable file not found",
        ),
        ("SomethingNew", "words", Reason::UnknownNotReady, "words"),
    ] {
        assert_finding(&explained(&waiting(reason, message), &[]), expected, told);
    }
}

#[test]
fn volumes_and_sandbox() {
    let creating = waiting("ContainerCreating", "");
    for (reason, message, expected, told) in [
        (
            "FailedMount",
            "MountVolume.SetUp failed for volume \"cfg\" : configmap \"args\" not found",
            Reason::ConfigMapMissing,
            "args",
        ),
        (
            "FailedMount",
            "MountVolume.SetUp failed for volume \"tls\" : secret \"tls\" not found",
            Reason::SecretMissing,
            "Secret tls",
        ),
        (
            "FailedMount",
            "MountVolume.SetUp failed for volume \"tls\" : references non-existent secret key: crt",
            Reason::SecretMissing,
            "key crt",
        ),
        (
            "FailedMount",
            "MountVolume.SetUp failed for volume \"pv\" : mount failed: exit status 32",
            Reason::VolumeMountFailed,
            "claim weights",
        ),
        (
            "FailedAttachVolume",
            "Multi-Attach error for volume \"pv-1\" Volume is already used by pod(s) chat-1",
            Reason::VolumeAttachFailed,
            "ReadWriteMany",
        ),
        (
            "FailedCreatePodSandBox",
            "Failed to create pod sandbox: rpc error: code = Unknown desc = failed to get sandbox runtime: no runtime for \"nvidia\" is configured",
            Reason::RuntimeClassMissing,
            "nvidia",
        ),
        (
            "FailedCreatePodSandBox",
            "Failed to create pod sandbox: rpc error: code = Unknown desc = failed to setup network for sandbox \"0123456789abcdef0123\": cni plugin not initialized",
            Reason::SandboxFailed,
            "cni plugin not initialized",
        ),
    ] {
        let finding = explained(&creating, &[(reason, message)]);
        assert_finding(&finding, expected, told);
        assert!(!finding.message.contains("0123456789ab"), "{}", finding.message);
    }
    assert_finding(&explained(&creating, &[]), Reason::Starting, "is starting");
    let mut pulling = creating;
    pulling.sandbox_ready = true;
    let stale = [(
        "FailedMount",
        "MountVolume.SetUp failed for volume \"cfg\" : configmap \"args\" not found",
    )];
    assert_finding(
        &explained(&pulling, &stale),
        Reason::PullingImage,
        "pulls image registry.example.com/vllm:v1",
    );
}
