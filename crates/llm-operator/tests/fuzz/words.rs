//! Values by the name of their field, so that most of a generated spec is plausible, and values that are never right.

/// Plausible texts for a field; some are wrong in some places, which is the point.
#[allow(clippy::too_many_lines, reason = "a table")]
pub fn plausible(field: &str) -> &'static [&'static str] {
    match field {
        "modelName" => &[
            "Small",
            "org/name",
            "llama3.1:8b",
            "Qwen/Qwen2.5-7B-Instruct",
            "x y",
            "模型",
        ],
        "image" => &[
            "your-registry/gpt-small:v1",
            "vllm/vllm-openai:v0.33.0",
            "ollama/ollama",
        ],
        "modelRef" => &["small"],
        "uri" => &[
            "hf://org/name",
            "hf://org/name@v1",
            "pvc://weights/llama",
            "pvc://weights",
            "s3://bucket/prefix",
            "s3://bucket",
            "oci://ghcr.io/a/b:v1",
            "https://example.com/a/model.gguf",
            "http://10.0.0.1:8080/model.bin?x=1",
            "ollama://llama3:8b",
            "https://host",
            "pvc://a..b",
        ],
        "cpu" | "memory" | "size" | "minMemory" => {
            &["1", "500m", "4Gi", "80G", "0", "1e3", "0.5Gi", "16Ei", "1n"]
        }
        "divisor" => &["1", "1m", "1Mi", "0", "3"],
        "resourceName" => &[
            "nvidia.com/gpu",
            "amd.com/gpu",
            "requests.example.com/gpu",
            "kubernetes.io/gpu",
        ],
        "product" => &["H100", "A100", "NVIDIA-H100-80GB-HBM3"],
        "credentialsSecret" | "existingClaim" | "priorityClassName" | "runtimeClassName"
        | "storageClassName" => &["secret", "weights", "a.b", "Upper", ""],
        "mountPath" => &[
            "/models",
            "/data/",
            "/dev/shm",
            "/a/../b",
            "/weights/x",
            "/home/engine",
            "//x",
        ],
        "operator" => &["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt", "Equal"],
        "effect" => &["NoSchedule", "PreferNoSchedule", "NoExecute", ""],
        "whenUnsatisfiable" => &["DoNotSchedule", "ScheduleAnyway"],
        "topologyKey" => &["kubernetes.io/hostname", "zone", "a b"],
        "nodeAffinityPolicy" | "nodeTaintsPolicy" => &["Honor", "Ignore", "Maybe"],
        "type" => &["RuntimeDefault", "Localhost", "Unconfined"],
        "localhostProfile" => &["profiles/a.json", "../a", "/a", " a"],
        "fsGroupChangePolicy" => &["Always", "OnRootMismatch", "Never"],
        "supplementalGroupsPolicy" => &["Merge", "Strict"],
        "seLinuxChangePolicy" => &["MountOption", "Recursive"],
        "procMount" => &["Default", "Unmasked"],
        "fieldPath" => &[
            "metadata.name",
            "status.podIP",
            "metadata.labels['a']",
            "spec.x",
            "metadata.labels",
        ],
        "apiVersion" => &["v1", "v2"],
        "resource" => &["limits.memory", "requests.cpu", "limits.hugepages-2Mi", "cpu"],
        "containerName" => &["engine", "other"],
        "scheme" => &["HTTP", "HTTPS", "http"],
        "path" => &["/health", "", "x"],
        "host" => &["127.0.0.1", "example.com"],
        "cidr" | "except" => &[
            "10.0.0.0/8",
            "10.1.0.0/16",
            "0.0.0.0/0",
            "fd00::/8",
            "10.0.0.1/8",
            "::/0",
        ],
        "name" => &[
            "settings",
            "A_B",
            "net.core.somaxconn",
            "HTTP_PROXY",
            "x",
            "",
            "with space",
            "1st",
        ],
        "prefix" => &["X_", "a=b"],
        "key" => &["zone", "example.com/team", "metadata.name", "a", "", "-a"],
        "value" | "values" => &["a", "b.c", "12", "", "no way", "$(X)"],
        "matchLabelKeys" | "mismatchLabelKeys" => &["pod-template-hash", "zone", "a b"],
        "namespaces" => &["default", "team-a", "a.b"],
        "add" | "drop" => &["ALL", "CAP_SYS_ADMIN", "SYS_ADMIN", "NET_ADMIN"],
        "args" | "command" => &["--seed", "1", "--port=1", "$(PORT)", "sh"],
        "nodeSelector" | "podLabels" | "matchLabels" | "labels" | "podAnnotations" | "annotations" => {
            &["a", "b-c", "", "v1", "not a label"]
        }
        _ => &["a", "b-1", ""],
    }
}

/// Keys of maps.
pub const KEYS: [&str; 9] = [
    "team",
    "example.com/team",
    "llm-operator.io/note",
    "Example.com/Team",
    "controller.kubernetes.io/pod-deletion-cost",
    "container.apparmor.security.beta.kubernetes.io/engine",
    "service.beta.kubernetes.io/load-balancer-source-ranges",
    "bad key",
    "",
];

/// Numbers or percentages, where either may stand.
pub const AMOUNTS: [&str; 8] = ["25%", "0%", "100%", "101%", "-1", "http", "8080", "abc"];

/// Texts that are never right, and must be refused by name or be harmless.
pub fn hostile() -> Vec<String> {
    let mut texts: Vec<String> = [
        "",
        " ",
        "\0",
        "\n",
        "a\u{7}b",
        "../../etc/passwd",
        "$(rm -rf /)",
        "'; DROP TABLE models; --",
        "{{ .Values.x }}",
        "ﷺ﷽",
        "\u{202e}gnp.exe",
        "🦀🦀🦀",
        "İstanbul",
        "-",
        "--help",
        "null",
        "~",
        "9223372036854775808",
        "1e400",
        "NaN",
        "hf://",
        "http://[::1",
        "s3://../..",
        "pvc://-",
        "oci://@@",
        "file:///etc/passwd",
        "0x7f",
    ]
    .map(str::to_owned)
    .into();
    texts.push("a".repeat(64));
    texts.push("a.".repeat(127));
    texts.push("x".repeat(70_000));
    texts
}
