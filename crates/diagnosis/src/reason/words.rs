//! The table of reasons, from the best to the worst. The order is the severity: of several Pods the worst is told first.

use super::State;

macro_rules! reasons {
    ($($name:ident: $state:ident, $meaning:literal, $way_out:literal;)+) => {
        /// Why a workload serves or does not, from the best to the worst.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Reason {
            $(#[doc = $meaning] $name,)+
        }

        impl Reason {
            /// All reasons, from the best to the worst.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// The word in a condition, an Event and a metric label.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)+ }
            }

            /// The one word of state this reason stands for.
            pub const fn state(self) -> State {
                match self { $(Self::$name => State::$state,)+ }
            }

            /// What it means.
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$name => $meaning,)+ }
            }

            /// What to do.
            pub const fn way_out(self) -> &'static str {
                match self { $(Self::$name => $way_out,)+ }
            }
        }
    };
}

reasons! {
    AllReplicasReady: Ready,
        "All replicas asked for serve, of the current version.",
        "Nothing to do.";
    ScaledToZero: Stopped,
        "No replicas are asked for, or nobody has used the model for `idleAfter`.",
        "Scale up when you want it to serve; the message says how.";
    Terminating: Terminating,
        "The object or its last Pod is being deleted.",
        "Wait; a Pod gets its grace period to finish requests.";
    RollingOut: Progressing,
        "A new version is replacing the old one; the old Pods serve until their successors are ready.",
        "Wait.";
    Starting: Progressing,
        "Pods are being created, placed or started.",
        "Wait; a reason that lasts is named as soon as Kubernetes knows it.";
    WaitingForScheduler: Progressing,
        "The scheduler has not decided about the Pod, or a scheduling gate holds it back.",
        "Check that kube-scheduler (or the scheduler named by the Pod) runs, or remove the gate.";
    WaitingForPreemption: Progressing,
        "The scheduler is removing Pods of lower priority to make room.",
        "Wait until those Pods have ended.";
    PullingImage: Loading,
        "The node downloads the container image; inference images have several gigabytes.",
        "Wait; use a registry near the nodes or pre-pull the image if this takes too long.";
    PreparingModel: Loading,
        "An init container prepares the model, usually by downloading its weights.",
        "Wait, or read the init container's log; keep weights on a claim so that it happens once.";
    LoadingModel: Loading,
        "The engine runs and loads the model; its startup or first readiness probe has not passed yet, and has not failed as often as the kubelet puts up with.",
        "Wait until the startup budget is used up; read the container's log for progress.";
    UnknownNotReady: Progressing,
        "The Pod is not ready and Kubernetes gives no known cause.",
        "Run kubectl describe pod and look at conditions, readiness gates and events.";
    PodFailed: Blocked,
        "All containers of the Pod ended, or its node refused it, and it was not replaced.",
        "Follow the message; delete the Pod to have it made again.";
    Evicted: Blocked,
        "The node's kubelet removed the Pod, because the node ran short or the Pod used more than its limit.",
        "Raise the request or limit that the message names, or free the node.";
    DiskPressure: Blocked,
        "The node, or the Pod's ephemeral storage, ran out of disk.",
        "Put weights and caches on a claim, raise the ephemeral-storage limit, or free the node's disk.";
    NodeLost: Blocked,
        "The Pod's node does not report to the control plane; the Pod may or may not still run.",
        "Repair or remove the node; the Pod is replaced after its unreachable toleration (5 minutes by default).";
    ProbeFailing: Blocked,
        "The container runs, but a probe gets the wrong answer.",
        "Check port and path of the probe against what the engine serves, and the container's log.";
    LoadTimeout: Blocked,
        "The startup probe did not pass within its budget, so the kubelet killed the container.",
        "Raise the startup probe's failureThreshold, use faster storage, or check the probe's port and path.";
    CrashLooping: Blocked,
        "The container ends again and again, and is restarted with growing pauses.",
        "Read the exit code and last message here, then the log of the previous run.";
    OutOfMemory: Blocked,
        "The container used more main memory than its limit (or the node has) and was killed.",
        "Raise the memory limit, or use a smaller model, context or batch.";
    GpuOutOfMemory: Blocked,
        "The model, its KV cache or its activations do not fit into the GPUs' memory.",
        "Use more or larger GPUs, a quantized model, or a shorter context length.";
    EngineRefusedArguments: Blocked,
        "The engine ended at once because it does not know or accept its command line.",
        "Correct args or command; compare with the help text of that engine version.";
    ModelAccessDenied: Blocked,
        "The place that the model comes from refuses access: it is gated or private, the token is wrong, or it does not exist.",
        "Get access to the model and give the engine a token that has it (`HF_TOKEN`), or correct the model's name.";
    GpusTaken: Blocked,
        "Nodes carry the GPUs asked for, but not enough of them are free on one node.",
        "Ask for fewer GPUs per replica, free some, or add a node.";
    NoSuchGpu: Blocked,
        "No node carries the GPU asked for: resource, product, memory or number per node.",
        "Ask for a GPU that exists, install the device plugin, or add such a node.";
    InsufficientCpu: Blocked,
        "No node has enough unreserved CPU.",
        "Lower the CPU request, free CPU, or add a node.";
    InsufficientMemory: Blocked,
        "No node has enough unreserved memory.",
        "Lower the memory request, free memory, or add a node.";
    InsufficientStorage: Blocked,
        "No node has enough unreserved ephemeral storage.",
        "Put weights on a claim, lower the ephemeral-storage request, or add a node.";
    TooManyPods: Blocked,
        "Every node that would fit runs as many Pods as its kubelet allows.",
        "Add a node, or raise the kubelet's maxPods.";
    PortTaken: Blocked,
        "A host port asked for is in use on every node that would fit.",
        "Do without the host port, or choose another.";
    NodeTaints: Blocked,
        "The nodes that would fit have taints that the Pod does not tolerate, or are cordoned.",
        "Add a toleration for the taint named, or remove the taint from a node.";
    NodeSelectorMismatch: Blocked,
        "No node has the labels that the node selector asks for.",
        "Correct the node selector, or label a node.";
    NodeAffinityMismatch: Blocked,
        "No node satisfies the node or Pod (anti-)affinity.",
        "Loosen the affinity, or add a matching node.";
    TopologySpread: Blocked,
        "No node satisfies the topology spread constraints.",
        "Use whenUnsatisfiable: ScheduleAnyway, raise maxSkew, or add nodes in the missing zone.";
    VolumeNodeConflict: Blocked,
        "The volume can only be used on nodes where the Pod cannot run, or is in exclusive use.",
        "Use a ReadWriteMany claim, one claim per replica, or nodes in the volume's zone.";
    NoNodes: Blocked,
        "The cluster has no node that Pods may run on.",
        "Add a node, or look at why the existing nodes are not ready.";
    Unschedulable: Blocked,
        "The scheduler found no node, for a cause that this operator does not know by name.",
        "Follow the scheduler's words in the message.";
    ClaimMissing: Blocked,
        "The persistent volume claim that the Pod mounts does not exist or is being deleted.",
        "Create the claim, or correct its name.";
    ClaimPending: Blocked,
        "The claim is not bound to a volume, so the Pod cannot be placed.",
        "Look at the claim's events: the provisioner, the class or a matching volume is missing.";
    ClaimLost: Blocked,
        "The volume behind the claim is gone.",
        "Restore the volume, or delete the claim and let the weights be loaded again.";
    StorageClassMissing: Blocked,
        "The claim names a storage class that does not exist, or names none and the cluster has no default.",
        "Name one of kubectl get storageclass, or mark a default class.";
    VolumeAttachFailed: Blocked,
        "The volume cannot be attached to the Pod's node, often because another node holds it.",
        "Use a ReadWriteMany claim, or let the other Pod end.";
    VolumeMountFailed: Blocked,
        "The node cannot mount a volume of the Pod.",
        "Follow the kubelet's words in the message.";
    ImageNotFound: Blocked,
        "The registry does not have the image, its tag or its platform.",
        "Correct the image, or push it.";
    ImagePullSecretMissing: Blocked,
        "An image pull secret that the Pod names does not exist, and the image could not be pulled.",
        "Create the secret (type kubernetes.io/dockerconfigjson) in the Pod's namespace, or correct its name.";
    ImagePullFailed: Blocked,
        "The registry refused the node or could not be reached.",
        "Check the image pull secret, the registry's host name, and the node's way to it.";
    InvalidImageName: Blocked,
        "The image reference cannot be parsed.",
        "Write it as registry/repository:tag, in lower case.";
    SecretMissing: Blocked,
        "A Secret, or a key of it, that the Pod uses does not exist.",
        "Create the Secret or the key, or correct the name; the Pod starts by itself then.";
    ConfigMapMissing: Blocked,
        "A `ConfigMap`, or a key of it, that the Pod uses does not exist.",
        "Create the `ConfigMap` or the key, or correct the name; the Pod starts by itself then.";
    ContainerConfigError: Blocked,
        "The container cannot be created or started as configured.",
        "Correct command, security context or mounts as the message says.";
    SandboxFailed: Blocked,
        "The node cannot set up the Pod's sandbox: network, cgroups or runtime.",
        "Look at the node's network plugin and container runtime.";
    RuntimeClassMissing: Blocked,
        "The runtime class does not exist, or the node's container runtime has no such handler.",
        "Create the RuntimeClass, install its handler on the nodes, or do without.";
    QuotaExceeded: Blocked,
        "A `ResourceQuota` of the namespace refuses the Pod.",
        "Ask for less, free what others use in the namespace, or have the quota raised.";
    LimitRangeViolation: Blocked,
        "A `LimitRange` of the namespace refuses the Pod's resources.",
        "Set resources within the range that the message names.";
    PodSecurityViolation: Blocked,
        "The namespace's Pod Security level refuses the Pod.",
        "Change the security context as the message says, or the namespace's level.";
    PodRefused: Blocked,
        "The API server or an admission webhook refuses the Pod.",
        "Follow the message; ask the owner of the policy or webhook that it names.";
}
