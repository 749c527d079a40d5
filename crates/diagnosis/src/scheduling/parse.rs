//! The scheduler's words, parsed.
//!
//! In: the message of a Pod's `PodScheduled` condition, as `FitError.Error()` of kube-scheduler writes it:
//! `0/3 nodes are available: 1 Insufficient cpu, 2 node(s) had untolerated taint(s). preemption: …`.
//! Out: typed refusals with the number of nodes each. Must not: fail; unknown words are kept as they are.

/// Why nodes refused a Pod.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Refusal {
    /// `Insufficient <resource>`.
    Insufficient(Box<str>),
    /// `Too many pods`.
    TooManyPods,
    /// A taint; with its key when the scheduler (before 1.34) names it.
    Taint(Option<Box<str>>),
    /// Cordoned, or with unknown conditions.
    Cordoned,
    /// Node affinity or selector.
    Selector,
    /// Pod affinity or anti-affinity.
    PodAffinity,
    /// Topology spread constraints.
    Spread,
    /// A volume that cannot follow the Pod to the node.
    VolumeConflict,
    /// No volume to bind to, or no room for one.
    NoVolume,
    /// Too many volumes on the node.
    TooManyVolumes,
    /// A host port in use.
    Port,
    /// Anything else.
    Other(Box<str>),
}

/// What kept the whole Pod from being placed, before any node was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PodRefusal {
    /// The claim named does not exist.
    ClaimMissing(Box<str>),
    /// The claim named is being deleted.
    ClaimDeleting(Box<str>),
    /// The claim named is bound to a volume that is gone.
    ClaimLost(Box<str>),
    /// Some claim is not bound.
    ClaimUnbound,
    /// The cluster has no nodes.
    NoNodes,
}

/// The scheduler's verdict.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Verdict {
    /// Nodes that exist, when told.
    pub nodes: Option<u32>,
    /// A cause that has nothing to do with nodes.
    pub pod: Option<PodRefusal>,
    /// Refusals and the number of nodes each; a node may be counted in several. Sorted.
    pub refusals: Vec<(Refusal, u32)>,
}

impl Verdict {
    /// The scheduler named this cause.
    pub fn has(&self, which: impl Fn(&Refusal) -> bool) -> bool {
        self.refusals.iter().any(|(refusal, _)| which(refusal))
    }
}

/// Parses the scheduler's words.
pub fn parse(message: &str) -> Verdict {
    let message = message.split("preemption:").next().unwrap_or_default().trim();
    let mut verdict = Verdict {
        pod: pod_refusal(message),
        ..Verdict::default()
    };
    let Some((head, body)) = message.split_once(" nodes are available:") else {
        return verdict;
    };
    verdict.nodes = head
        .rsplit_once('/')
        .and_then(|(_, total)| total.trim().parse().ok());
    if verdict.nodes == Some(0) {
        verdict.pod.get_or_insert(PodRefusal::NoNodes);
    }
    for (count, words) in parts(body) {
        verdict.refusals.push((refusal(words), count));
    }
    verdict.refusals.sort();
    verdict
}

fn pod_refusal(message: &str) -> Option<PodRefusal> {
    if message.contains("no nodes available to schedule pods") {
        return Some(PodRefusal::NoNodes);
    }
    if message.contains("unbound immediate PersistentVolumeClaims") {
        return Some(PodRefusal::ClaimUnbound);
    }
    let (_, rest) = message.split_once("persistentvolumeclaim \"")?;
    let (name, rest) = rest.split_once('"')?;
    let rest = rest.trim_start();
    if rest.starts_with("not found") {
        Some(PodRefusal::ClaimMissing(name.into()))
    } else if rest.starts_with("is being deleted") {
        Some(PodRefusal::ClaimDeleting(name.into()))
    } else if rest.starts_with("bound to non-existent") {
        Some(PodRefusal::ClaimLost(name.into()))
    } else {
        None
    }
}

/// `1 a, 2 b, c. 3 d.` → (1, "a"), (2, "b, c"), (3, "d"): a part starts with a number, since reasons contain commas.
fn parts(body: &str) -> Vec<(u32, &str)> {
    let mut found: Vec<(u32, &str)> = Vec::new();
    let mut starts: Vec<(usize, usize, u32)> = Vec::new();
    let mut offset = 0;
    for word in body.split_inclusive(' ') {
        let first = offset == 0 || body[..offset].trim().is_empty();
        let fresh = first || body[..offset].trim_end().ends_with([',', '.']);
        if fresh && let Ok(count) = word.trim().parse() {
            starts.push((offset, offset + word.len(), count));
        }
        offset += word.len();
    }
    for (index, (_, from, count)) in starts.iter().enumerate() {
        let to = starts.get(index + 1).map_or(body.len(), |next| next.0);
        let words = body[*from..to].trim().trim_end_matches([',', '.']).trim();
        if !words.is_empty() {
            found.push((*count, words));
        }
    }
    found
}

fn refusal(words: &str) -> Refusal {
    let has = |part: &str| words.contains(part);
    if let Some(resource) = words.strip_prefix("Insufficient ") {
        // A resource's domain contains dots; the one at the end is the sentence's.
        let resource = resource.split([' ', ',']).next().unwrap_or_default();
        return Refusal::Insufficient(resource.trim_end_matches('.').into());
    }
    if has("Too many pods") {
        Refusal::TooManyPods
    } else if has("taint") {
        Refusal::Taint(taint_key(words))
    } else if has("were unschedulable") || has("unknown conditions") {
        Refusal::Cordoned
    } else if has("PersistentVolume's node affinity")
        || has("volume node affinity conflict")
        || has("no available volume zone")
        || has("no available disk")
        || has("ReadWriteOncePod")
    {
        Refusal::VolumeConflict
    } else if has("node affinity") || has("node selector") || has("requested node name") {
        Refusal::Selector
    } else if has("topology spread") {
        Refusal::Spread
    } else if has("affinity") {
        Refusal::PodAffinity
    } else if has("max volume count") {
        Refusal::TooManyVolumes
    } else if has("persistent volumes to bind") || has("free storage") || has("non-existent pv") {
        Refusal::NoVolume
    } else if has("free ports") {
        Refusal::Port
    } else {
        Refusal::Other(words.into())
    }
}

/// `node(s) had untolerated taint {gpu: true}` → `gpu`.
fn taint_key(words: &str) -> Option<Box<str>> {
    let (_, rest) = words.split_once('{')?;
    let (inside, _) = rest.split_once('}')?;
    let key = inside.split(':').next().unwrap_or_default().trim();
    (!key.is_empty()).then(|| key.into())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Words, nodes, refusals.
    type Sample<'a> = (&'a str, u32, &'a [(Refusal, u32)]);

    #[test]
    fn real_messages() {
        let gpu = || Refusal::Insufficient("nvidia.com/gpu".into());
        let cases: &[Sample<'_>] = &[
            (
                "0/3 nodes are available: 1 Insufficient nvidia.com/gpu, 2 node(s) didn't match Pod's node \
                 affinity/selector. preemption: 0/3 nodes are available: 1 No preemption victims found for incoming \
                 pod, 2 Preemption is not helpful for scheduling.",
                3,
                &[(gpu(), 1), (Refusal::Selector, 2)],
            ),
            (
                "0/3 nodes are available: 1 Insufficient cpu, 1 Insufficient memory, 3 node(s) had untolerated \
                 taint(s). no new claims to deallocate, preemption: 0/3 nodes are available: 3 Preemption is not \
                 helpful for scheduling.",
                3,
                &[
                    (Refusal::Insufficient("cpu".into()), 1),
                    (Refusal::Insufficient("memory".into()), 1),
                    (Refusal::Taint(None), 3),
                ],
            ),
            (
                "0/2 nodes are available: 1 node(s) had untolerated taint {nvidia.com/gpu: present}, 1 node(s) were \
                 unschedulable. preemption: 0/2 nodes are available: 2 Preemption is not helpful for scheduling.",
                2,
                &[
                    (Refusal::Taint(Some("nvidia.com/gpu".into())), 1),
                    (Refusal::Cordoned, 1),
                ],
            ),
            (
                "0/4 nodes are available: 1 node(s) had taint {a: b}, that the pod didn't tolerate, 3 Too many pods.",
                4,
                &[(Refusal::TooManyPods, 3), (Refusal::Taint(Some("a".into())), 1)],
            ),
            (
                "0/2 nodes are available: 2 node(s) didn't match PersistentVolume's node affinity.",
                2,
                &[(Refusal::VolumeConflict, 2)],
            ),
            (
                "0/2 nodes are available: 1 node(s) didn't match pod anti-affinity rules, 1 node(s) didn't match pod \
                 topology spread constraints (missing required label).",
                2,
                &[(Refusal::PodAffinity, 1), (Refusal::Spread, 1)],
            ),
            (
                "0/1 nodes are available: 1 node(s) didn't have free ports for the requested pod ports.",
                1,
                &[(Refusal::Port, 1)],
            ),
            (
                "0/1 nodes are available: 1 node(s) had volume node affinity conflict.",
                1,
                &[(Refusal::VolumeConflict, 1)],
            ),
        ];
        for (message, nodes, refusals) in cases {
            let verdict = parse(message);
            assert_eq!(verdict.nodes, Some(*nodes), "{message}");
            assert_eq!(verdict.refusals, *refusals, "{message}");
            assert_eq!(verdict.pod, None, "{message}");
        }
    }

    #[test]
    fn causes_that_have_nothing_to_do_with_nodes() {
        for (message, refusal) in [
            ("no nodes available to schedule pods", PodRefusal::NoNodes),
            (
                "0/2 nodes are available: pod has unbound immediate PersistentVolumeClaims. preemption: 0/2 nodes \
                 are available: 2 Preemption is not helpful for scheduling.",
                PodRefusal::ClaimUnbound,
            ),
            (
                "0/2 nodes are available: persistentvolumeclaim \"weights\" not found. preemption: 0/2 nodes are \
                 available: 2 Preemption is not helpful for scheduling.",
                PodRefusal::ClaimMissing("weights".into()),
            ),
            (
                "0/2 nodes are available: persistentvolumeclaim \"weights\" is being deleted.",
                PodRefusal::ClaimDeleting("weights".into()),
            ),
            (
                "0/2 nodes are available: persistentvolumeclaim \"weights\" bound to non-existent persistentvolume \
                 \"pv-1\".",
                PodRefusal::ClaimLost("weights".into()),
            ),
        ] {
            assert_eq!(parse(message).pod, Some(refusal), "{message}");
        }
    }

    proptest! {
        #[test]
        fn anything_is_parsed(
            text in "\\PC*",
            middle in "([0-9]{1,12} |[, .]|Insufficient |taint|\\{|\\}|é|[a-z]{0,5}|\")*",
        ) {
            parse(&text);
            parse(&format!("0/3 nodes are available: {middle}"));
            parse(&format!("0/{text} nodes are available: {text}"));
        }
    }
}
