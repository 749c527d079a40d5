use diagnosis::{Progress, Reason as Seen};
use serde_json::json;

use super::*;
use crate::{nvidia_gpu_llm::accept::accept, reason::Reason as Common};

fn plan() -> ServingPlan {
    let resource = serde_json::from_value(json!({
        "apiVersion": "infra.example.com/v1", "kind": "NvidiaGpuLlm",
        "metadata": {"name": "demo", "namespace": "n", "uid": "u"},
        "spec": {"action": "install", "llmName": "pod"},
    }))
    .unwrap();
    accept(&resource, "ns").unwrap()
}

fn seen(reason: Seen) -> Explanation {
    Explanation {
        serves: reason == Seen::AllReplicasReady,
        reason,
        message: format!("Pod pod: {reason}."),
        state: reason.state(),
        ready: 1,
        desired: 1,
        progress: Progress {
            advancing: true,
            reason,
            message: String::new(),
        },
    }
}

fn ledger(states: &[PromptState]) -> Ledger {
    let records = (1..).zip(states).map(|(index, state)| {
        serde_json::from_value(json!({"index": index, "prompt": "p", "state": state})).unwrap()
    });
    Ledger {
        records: records.collect(),
        send: None,
        done: !states.contains(&PromptState::Sending),
        unstored: None,
    }
}

type Case = (Seen, Heard, State, Phase, &'static str);

/// How the Pod is and what its server says; the state, the phase and the reason that follow.
fn cases() -> Vec<Case> {
    use Phase::{Failed, InProgress, Pending, Ready};
    use Seen as S;
    let too_large = "model requires more system memory (8.0 GiB) than is available (4.0 GiB)";
    let before = |seen: Seen, state, phase| (seen, Heard::Nothing, state, phase, seen.as_str());
    let serving = |heard, state, phase, reason| (S::AllReplicasReady, heard, state, phase, reason);
    vec![
        before(S::Starting, State::Progressing, InProgress),
        before(S::PreparingModel, State::Loading, InProgress),
        before(S::NoSuchGpu, State::Blocked, Pending),
        before(S::GpusTaken, State::Blocked, Pending),
        before(S::ClaimPending, State::Blocked, Pending),
        before(S::QuotaExceeded, State::Blocked, Pending),
        before(S::ImageNotFound, State::Blocked, Failed),
        before(S::CrashLooping, State::Blocked, Failed),
        before(S::OutOfMemory, State::Blocked, Failed),
        (
            S::PreparingModel,
            Heard::Pulling("43 %".into()),
            State::Loading,
            InProgress,
            "PullingModel",
        ),
        serving(Heard::Nothing, State::Loading, InProgress, "LoadingModel"),
        serving(
            Heard::Pulling("1 %".into()),
            State::Loading,
            InProgress,
            "PullingModel",
        ),
        serving(Heard::Loading, State::Loading, InProgress, "LoadingModel"),
        serving(
            Heard::Unreachable("no route".into()),
            State::Blocked,
            Failed,
            "OllamaUnreachable",
        ),
        serving(
            Heard::NotPulled("no such file".into()),
            State::Blocked,
            Failed,
            "ModelNotPulled",
        ),
        serving(
            Heard::NotLoaded("bad magic".into()),
            State::Blocked,
            Failed,
            "ModelNotLoaded",
        ),
        serving(
            Heard::NotLoaded(too_large.into()),
            State::Blocked,
            Failed,
            "ModelTooLarge",
        ),
        serving(LOADED, State::Ready, Ready, "ModelLoaded"),
    ]
}

#[test]
fn a_pod_and_its_server() {
    let (serving, plan, ledger) = (seen(Seen::AllReplicasReady), plan(), ledger(&[]));
    for (pod, heard, state, phase, reason) in cases() {
        let explanation = seen(pod);
        let install = Install {
            explanation: &explanation,
            heard: &heard,
            ..healthy(&plan, &serving, &ledger)
        };
        let verdict = Verdict::of_install(&install);
        let told = (verdict.state, verdict.phase(), verdict.reason.as_str());
        assert_eq!(told, (state, phase, reason), "{pod} {heard:?}");
        assert!(verdict.sentence.contains("pod"), "{}", verdict.sentence);
    }
}

const LOADED: Heard = Heard::Loaded {
    bytes: 2_000_000_000,
    on_gpus: 2_000_000_000,
};

fn healthy<'a>(plan: &'a ServingPlan, explanation: &'a Explanation, ledger: &'a Ledger) -> Install<'a> {
    Install {
        llm_name: "pod",
        model: "tinyllama",
        keep_alive: true,
        accepted: Ok(plan),
        applied: Some(Ok(())),
        pod: None,
        explanation,
        heard: &LOADED,
        prompts: 0,
        ledger,
        finished: false,
        replacing: false,
    }
}

#[test]
fn what_stands_before_the_pod_comes_first() {
    let (plan, serving, ledger) = (plan(), seen(Seen::AllReplicasReady), ledger(&[]));
    let rejection = Rejection::referent(Common::InvalidSpec, "spec.memory is wrong");
    let rejected = Install {
        accepted: Err(&rejection),
        applied: None,
        ..healthy(&plan, &serving, &ledger)
    };
    let verdict = Verdict::of_install(&rejected);
    assert_eq!((verdict.state, verdict.phase()), (State::Invalid, Phase::Failed));

    let object = |kind: &str| (kind.to_owned(), "pod".to_owned());
    let (kind, name) = object("Pod");
    let going = ApplyError::Terminating { kind, name };
    let (kind, name) = object("Service");
    let taken = ApplyError::NameTaken {
        kind,
        name,
        owner: "nobody".into(),
    };
    let (kind, name) = object("Service");
    let later = ApplyError::Retryable {
        kind,
        name,
        message: "busy".into(),
        retry_after: None,
    };
    for (error, state, phase, reason) in [
        (&going, State::Progressing, Phase::InProgress, "Replacing"),
        (&taken, State::Blocked, Phase::Pending, "NameTaken"),
        (&later, State::Progressing, Phase::InProgress, "ApiUnavailable"),
    ] {
        let install = Install {
            applied: Some(Err(error)),
            ..healthy(&plan, &serving, &ledger)
        };
        let verdict = Verdict::of_install(&install);
        assert_eq!(
            (verdict.state, verdict.phase(), verdict.reason.as_str()),
            (state, phase, reason)
        );
    }
    let pod = PodFacts::default();
    let passing = Install {
        applied: Some(Err(&later)),
        pod: Some(&pod),
        ..healthy(&plan, &serving, &ledger)
    };
    assert_eq!(
        Verdict::of_install(&passing).state,
        State::Ready,
        "what runs is told as it is"
    );
}

#[test]
fn one_that_ends_is_ready_when_it_has_ended() {
    let (plan, serving) = (plan(), seen(Seen::AllReplicasReady));
    let (open, done) = (
        ledger(&[PromptState::Answered, PromptState::Sending]),
        ledger(&[PromptState::Answered, PromptState::Failed]),
    );
    for (ledger, finished, reason, phase) in [
        (&open, false, "Answering", Phase::InProgress),
        (&done, false, "Answering", Phase::InProgress),
        (&done, true, "Finished", Phase::Ready),
    ] {
        let install = Install {
            keep_alive: false,
            prompts: 2,
            finished,
            ..healthy(&plan, &serving, ledger)
        };
        let verdict = Verdict::of_install(&install);
        assert_eq!((verdict.reason.as_str(), verdict.phase()), (reason, phase));
    }
    let counted = Install {
        prompts: 2,
        ..healthy(&plan, &serving, &open)
    };
    let sentence = Verdict::of_install(&counted).sentence;
    assert!(sentence.ends_with("1 of 2 prompts are done."), "{sentence}");
}

#[test]
fn where_the_model_is() {
    let with_gpu = PodFacts {
        devices: Box::new([("nvidia.com/gpu".into(), 1)]),
        ..PodFacts::default()
    };
    let (gpu, none) = (Some(&with_gpu), Some(&PodFacts::default()));
    assert_eq!(place(0, 0, gpu), "");
    assert_eq!(place(2_000_000_000, 2_000_000_000, gpu), ": 2.0 GB, all on GPUs");
    assert_eq!(place(2_000_000_000, 0, none), ": 2.0 GB in main memory");
    assert!(place(2_000_000_000, 0, gpu).contains("none on the GPUs"));
    assert!(place(2_000_000_000, 860_000_000, gpu).contains("43 % of it on GPUs"));
}

#[test]
fn who_waits_and_who_removes() {
    let left = ["Pod pod".to_owned()];
    let held = Standing::HeldDown { by: "cleanup".into() };
    let verdict = Verdict::of_waiting("pod", &held, &left).unwrap();
    assert_eq!(
        (verdict.phase(), verdict.reason.as_str()),
        (Phase::Pending, "HeldDown")
    );
    assert!(verdict.sentence.contains("cleanup") && verdict.sentence.contains("Pod pod"));
    let taken = Standing::Taken { by: "older".into() };
    let verdict = Verdict::of_waiting("pod", &taken, &[]).unwrap();
    assert_eq!(
        (verdict.phase(), verdict.reason.as_str()),
        (Phase::Pending, "NameTaken")
    );
    assert!(Verdict::of_waiting("pod", &Standing::Has, &[]).is_none());

    for (left, newer, reason, phase) in [
        (&left[..], None, "Removing", Phase::InProgress),
        (&[], None, "Removed", Phase::Ready),
        (&[], Some("b"), "Superseded", Phase::Ready),
    ] {
        let verdict = Verdict::of_uninstall("pod", &["a".into()], newer, left);
        assert_eq!((verdict.reason.as_str(), verdict.phase()), (reason, phase));
        assert!(
            verdict.sentence.contains("It holds down NvidiaGpuLlm a."),
            "{}",
            verdict.sentence
        );
    }
    assert_eq!(Verdict::not_found("pod", "n").phase(), Phase::Pending);
    assert_eq!(Verdict::going(&left).phase(), Phase::Terminating);
}

/// A Pod that no install runs is told with whoever made it.
#[test]
fn a_pod_of_nobody() {
    let ready = seen(Seen::AllReplicasReady);
    let told = Verdict::of_foreign("pod", None, &ready);
    assert_eq!((told.phase(), told.reason.as_str()), (Phase::Ready, "PodReady"));
    assert!(
        told.sentence
            .starts_with("Pod pod was not made by an NvidiaGpuLlm,")
    );
    let told = Verdict::of_foreign("pod", Some("demo"), &seen(Seen::Starting));
    assert_eq!(told.phase(), Phase::InProgress);
    assert!(
        told.sentence
            .starts_with("Pod pod was made by NvidiaGpuLlm demo. ")
    );
}
