//! The faults, and who orders them: each has a lane, and a lane does one thing after the other. Pure.

use std::fmt;

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fault {
    /// The engine's containers end with an error.
    EngineCrash,
    /// They are killed for memory.
    EngineOutOfMemory,
    /// The engine accepts connections and never answers, for a while.
    EngineHang,
    /// The node evicts the Pods.
    Eviction,
    /// A person deletes the Pods.
    PodDeleted,
    /// A person deletes a Service.
    ServiceDeleted,
    /// A person edits a Service.
    ServiceEdited,
    /// The node is cut off for a while: no heartbeat, no status of Pods.
    NodeSilent,
    /// The node says that it is not ready, for a while.
    NodeNotReady,
    /// The node and all that ran on it are gone; another of its name comes later.
    NodeLost,
    /// Half of the node's GPUs are away for a while (`allocatable` is lowered).
    GpusLost,
    /// `kill -9` of the leader.
    LeaderKilled,
    /// `kill -9` of a replica that waits.
    StandbyKilled,
    /// SIGTERM of the leader: another one leads.
    LeaderSwitch,
    /// The leader is frozen for longer than its lease: for it the clock jumps.
    ClockJump,
    /// The API server is killed and started again.
    ApiServerRestart,
    /// etcd is frozen for a while.
    EtcdPause,
    /// The controller manager is killed and started again.
    ControllerManagerRestart,
    /// The scheduler is killed and started again.
    SchedulerRestart,
    /// The API server answers requests of the operator with 429 and `Retry-After`.
    Throttling,
    /// It answers them with 500 or 503.
    ServerErrors,
    /// It does what is asked, and its answers are lost.
    LostAnswers,
    /// It is slow.
    SlowAnswers,
    /// Watches are too old (410).
    ExpiredWatches,
    /// Watches are cut in the middle.
    CutWatches,
    /// The leader cannot reach the API server for a while.
    Partition,
    /// A validating webhook for Pods and Services is there that nobody answers, for a while.
    WebhookUnavailable,
    /// An aggregated API is registered that nobody answers, for a while.
    AggregatedApiUnavailable,
}

/// Who orders a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lane {
    /// Pods and their engines.
    Pods,
    /// What people do to children.
    People,
    /// Nodes and their GPUs.
    Nodes,
    /// What nodes say.
    Kubelets,
    /// Replicas of the operator.
    Operators,
    /// The control plane's own processes.
    Plane,
    /// The way between operator and API server.
    Network,
    /// Webhooks and aggregated APIs.
    Admission,
}

impl Fault {
    /// All of them with how often each comes: those that take long come less often.
    pub const ALL: [(Self, u32); 28] = [
        (Self::EngineCrash, 10),
        (Self::EngineOutOfMemory, 4),
        (Self::EngineHang, 5),
        (Self::Eviction, 5),
        (Self::PodDeleted, 6),
        (Self::ServiceDeleted, 4),
        (Self::ServiceEdited, 4),
        (Self::NodeSilent, 4),
        (Self::NodeNotReady, 3),
        (Self::NodeLost, 2),
        (Self::GpusLost, 4),
        (Self::LeaderKilled, 3),
        (Self::StandbyKilled, 2),
        (Self::LeaderSwitch, 3),
        (Self::ClockJump, 1),
        (Self::ApiServerRestart, 2),
        (Self::EtcdPause, 3),
        (Self::ControllerManagerRestart, 1),
        (Self::SchedulerRestart, 1),
        (Self::Throttling, 6),
        (Self::ServerErrors, 5),
        (Self::LostAnswers, 5),
        (Self::SlowAnswers, 4),
        (Self::ExpiredWatches, 4),
        (Self::CutWatches, 3),
        (Self::Partition, 2),
        (Self::WebhookUnavailable, 3),
        (Self::AggregatedApiUnavailable, 2),
    ];

    /// Who orders it.
    pub fn lane(self) -> Lane {
        match self {
            Self::EngineCrash | Self::EngineOutOfMemory | Self::EngineHang | Self::Eviction => Lane::Pods,
            Self::PodDeleted | Self::ServiceDeleted | Self::ServiceEdited => Lane::People,
            Self::NodeSilent | Self::NodeNotReady => Lane::Kubelets,
            Self::NodeLost | Self::GpusLost => Lane::Nodes,
            Self::LeaderKilled | Self::StandbyKilled | Self::LeaderSwitch | Self::ClockJump => {
                Lane::Operators
            }
            Self::ApiServerRestart
            | Self::EtcdPause
            | Self::ControllerManagerRestart
            | Self::SchedulerRestart => Lane::Plane,
            Self::Throttling
            | Self::ServerErrors
            | Self::LostAnswers
            | Self::SlowAnswers
            | Self::ExpiredWatches
            | Self::CutWatches
            | Self::Partition => Lane::Network,
            Self::WebhookUnavailable | Self::AggregatedApiUnavailable => Lane::Admission,
        }
    }

    /// Whether it is for one resource's Pods or children.
    pub fn hits_a_resource(self) -> bool {
        matches!(self.lane(), Lane::Pods | Lane::People)
    }

    /// Whether it is a cause for the resource's Pods to restart.
    pub fn touches_pods(self) -> bool {
        self.lane() == Lane::Pods || self == Self::PodDeleted
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, formatter)
    }
}
