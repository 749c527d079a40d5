//! Every process ends: with its time, with its caller, with ours.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops where it fails")]

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use helm::{Access, Chart, Helm, HelmError, Operation, Source, Version};
use k8s_openapi::api::batch::v1::Job;
use kube::Api;
use serde_json::json;
use testkit::{Charts, process::TemporaryDirectory, until};

use crate::bed::{Desk, PATIENCE, fault, listed, without_cluster};

/// Processes, ours apart, that name the directory on their command line. Zombies have none.
fn processes(directory: &Path) -> Vec<String> {
    let directory = directory.display().to_string();
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let is_other = name.parse::<u32>().is_ok_and(|pid| pid != std::process::id());
        let Ok(line) = fs::read(entry.path().join("cmdline")) else {
            continue;
        };
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        // The directory itself is watched by a shell.
        if is_other && line.contains(&directory) && !line.contains("guard.sh") {
            found.push(format!("{name} {line}"));
        }
    }
    found
}

/// Children of ours that have ended and were not waited for.
fn zombies() -> Vec<String> {
    let own = std::process::id().to_string();
    let stats = fs::read_dir("/proc").unwrap().flatten();
    let stats = stats.filter_map(|entry| fs::read_to_string(entry.path().join("stat")).ok());
    stats
        .filter(|stat| {
            let rest = stat.rsplit_once(") ").map(|(_, rest)| rest).unwrap_or_default();
            let fields: Vec<&str> = rest.split(' ').collect();
            stat.contains("(helm") && fields.first() == Some(&"Z") && fields.get(1) == Some(&own.as_str())
        })
        .collect()
}

async fn none_left(directory: &Path) {
    until("the processes to be gone", PATIENCE, async || {
        let left = processes(directory);
        if left.is_empty() {
            Ok(())
        } else {
            Err(left.join("; "))
        }
    })
    .await
    .unwrap();
}

/// A `helm` that does not end when it is asked to, with a child that does neither.
fn stubborn(directory: &Path) -> PathBuf {
    let program = directory.join("stubborn-helm");
    let script = format!(
        "#!/bin/sh\ntrap '' TERM\nsh -c 'trap \"\" TERM; while :; do sleep 0.1; done' {0}/child &\n\
         echo started >{0}/started\nwhile :; do sleep 0.1; done\n",
        directory.display()
    );
    fs::write(&program, script).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o700)).unwrap();
    program
}

fn somewhere() -> Chart {
    Chart {
        source: Source::Repository {
            url: "http://127.0.0.1:9".to_owned(),
            name: "plain".to_owned(),
        },
        version: Version::new("1.0.0"),
        access: Access::default(),
    }
}

#[tokio::test]
async fn a_hook_that_never_ends_is_given_up_in_time() {
    let desk = Desk::new("hang").await;
    let chart = desk.plain().await;
    let release = desk.release("web");
    let timeout = Duration::from_secs(4);
    for (revision, hook) in [(1, "pre-install"), (2, "post-upgrade")] {
        let spec = desk.spec("web", fault("hang", hook));
        let chart = chart.clone();
        let operation = if revision == 1 {
            Operation::Install { chart, spec }
        } else {
            Operation::Upgrade { chart, spec }
        };
        let start = Instant::now();
        let result = desk.helm.run(&release, &operation, timeout).await;
        assert!(
            matches!(result, Err(HelmError::TimedOut { .. })),
            "{hook}: {result:?}"
        );
        assert!(start.elapsed() < Duration::from_secs(25), "{:?}", start.elapsed());
        assert_eq!(desk.list().await, [listed("web", revision, "failed")]);
    }
    none_left(desk.home.path()).await;
}

#[tokio::test]
async fn whoever_goes_away_takes_helm_along_and_the_release_has_failed() {
    let desk = Desk::new("dropped").await;
    let release = desk.release("web");
    let install = Operation::Install {
        chart: desk.plain().await,
        spec: desk.spec("web", fault("hang", "post-install")),
    };
    let jobs: Api<Job> = Api::namespaced(desk.client.clone(), &desk.namespace);
    tokio::select! {
        result = desk.helm.run(&release, &install, PATIENCE) => panic!("{result:?}"),
        hook = until("the hook", PATIENCE, async || jobs.get_opt("web-hang").await.unwrap()) => {
            hook.unwrap();
            assert!(!processes(desk.home.path()).is_empty());
        }
    }
    // The next change of the release waits until the last process of this one is gone.
    desk.helm
        .run(&release, &Operation::Rollback { revision: 9 }, PATIENCE)
        .await
        .unwrap_err();
    assert_eq!(processes(desk.home.path()), Vec::<String>::new());
    assert_eq!(desk.list().await, [listed("web", 1, "failed")]);
    assert_eq!(zombies(), Vec::<String>::new());
}

#[tokio::test]
async fn a_helm_that_was_killed_leaves_a_lock_that_is_told() {
    let desk = Desk::new("locked").await;
    let release = desk.release("web");
    let chart = desk.plain().await;
    let install = Operation::Install {
        chart: chart.clone(),
        spec: desk.spec("web", fault("hang", "pre-install")),
    };
    let jobs: Api<Job> = Api::namespaced(desk.client.clone(), &desk.namespace);
    let kill = async {
        until("the hook", PATIENCE, async || {
            jobs.get_opt("web-hang").await.unwrap()
        })
        .await
        .unwrap();
        for line in processes(desk.home.path()) {
            let (pid, command) = line.split_once(' ').unwrap();
            if !command.contains("helm-guard") {
                Command::new("kill").args(["-9", pid]).status().unwrap();
            }
        }
    };
    let (result, ()) = tokio::join!(desk.helm.run(&release, &install, PATIENCE), kill);
    assert!(matches!(result, Err(HelmError::Failed { .. })), "{result:?}");
    assert_eq!(desk.list().await, [listed("web", 1, "pending-install")]);
    let spec = desk.spec("web", json!({}));
    for operation in [
        Operation::Upgrade {
            chart: chart.clone(),
            spec: spec.clone(),
        },
        Operation::Install { chart, spec },
    ] {
        let result = desk.helm.run(&release, &operation, PATIENCE).await;
        assert!(matches!(result, Err(HelmError::Locked { .. })), "{result:?}");
    }
    desk.helm
        .run(&release, &Operation::Uninstall, PATIENCE)
        .await
        .unwrap();
    assert_eq!(desk.list().await, []);
}

#[tokio::test]
async fn what_does_not_end_when_asked_is_killed_with_its_children() {
    let home = TemporaryDirectory::new("helm-stubborn").unwrap();
    let program = stubborn(home.path());
    let helm = without_cluster(home.path(), |options| {
        options.program = program;
        options.timeout = Duration::from_secs(1);
    })
    .await;
    let result = helm.pull(&somewhere()).await;
    assert!(matches!(result, Err(HelmError::Unreachable { .. })), "{result:?}");
    assert!(home.path().join("started").exists());
    none_left(home.path()).await;
}

#[tokio::test]
async fn signals_to_the_guard_end_helm_too() {
    for signal in ["-TERM", "-HUP", "-9"] {
        signal_to_the_guard(signal).await;
    }
}

async fn signal_to_the_guard(signal: &str) {
    let home = TemporaryDirectory::new("helm-guard").unwrap();
    let program = stubborn(home.path());
    let helm = without_cluster(home.path(), |options| options.program = program).await;
    let started = home.path().join("started");
    let chart = somewhere();
    let kill = async {
        until("Helm to run", PATIENCE, async || started.exists().then_some(()))
            .await
            .unwrap();
        let guards = processes(home.path());
        let guard = guards.iter().find(|line| line.contains("helm-guard")).unwrap();
        let pid = guard.split(' ').next().unwrap();
        assert!(
            Command::new("kill")
                .args([signal, pid])
                .status()
                .unwrap()
                .success()
        );
    };
    let (result, ()) = tokio::join!(helm.pull(&chart), kill);
    assert!(result.is_err(), "{result:?}");
    none_left(home.path()).await;
}

#[tokio::test]
async fn a_helm_that_is_not_there_is_told() {
    let home = TemporaryDirectory::new("helm-missing").unwrap();
    let helm = without_cluster(home.path(), |options| options.program = "/nowhere/helm".into()).await;
    let result = helm.pull(&somewhere()).await;
    let Err(HelmError::NotInstalled { program, .. }) = &result else {
        panic!("{result:?}")
    };
    assert_eq!(program, "/nowhere/helm");
}

/// Starts another process that runs a stubborn Helm, and waits until it does.
async fn owner(home: &Path, way: &str) -> Child {
    // Built before: the owner has no time for that.
    Charts::new().unwrap();
    let owner = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "ending::owner_of_a_helm", "--ignored"])
        .env("OWNER_HOME", home)
        .env("OWNER_ENDS", way)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let started = home.join("started");
    until("Helm to run", PATIENCE, async || started.exists().then_some(()))
        .await
        .unwrap();
    owner
}

/// Nothing of a call is left on the disk, where credentials may be.
async fn no_files_left(home: &Path) {
    let calls = home.join("helm/calls");
    until("the files to be gone", PATIENCE, async || {
        fs::read_dir(&calls).unwrap().next().is_none().then_some(())
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn kill_9_of_the_owner_ends_helm() {
    let home = TemporaryDirectory::new("helm-owner").unwrap();
    let mut owner = owner(home.path(), "killed").await;
    assert!(processes(home.path()).len() >= 2, "{:?}", processes(home.path()));
    owner.kill().unwrap();
    owner.wait().unwrap();
    none_left(home.path()).await;
    no_files_left(home.path()).await;
}

#[tokio::test]
async fn an_owner_that_just_ends_takes_helm_along() {
    let home = TemporaryDirectory::new("helm-leaver").unwrap();
    let mut owner = owner(home.path(), "leaves").await;
    owner.wait().unwrap();
    none_left(home.path()).await;
    no_files_left(home.path()).await;
}

#[tokio::test]
async fn whoever_waits_knows_that_nothing_runs_any_more() {
    let home = TemporaryDirectory::new("helm-settled").unwrap();
    let program = stubborn(home.path());
    let helm = without_cluster(home.path(), |options| options.program = program).await;
    let started = home.path().join("started");
    let chart = somewhere();
    tokio::select! {
        result = helm.pull(&chart) => panic!("{result:?}"),
        found = until("Helm to run", PATIENCE, async || started.exists().then_some(())) => found.unwrap(),
    }
    assert!(!processes(home.path()).is_empty());
    helm.settled().await;
    assert_eq!(processes(home.path()), Vec::<String>::new());
    no_files_left(home.path()).await;
}

/// Not a test: the process that others of this file start, to see what becomes of Helm without it.
#[tokio::test]
#[ignore = "started by the tests of what becomes of Helm without its owner"]
async fn owner_of_a_helm() {
    let Some(home) = std::env::var_os("OWNER_HOME") else {
        return;
    };
    let home = PathBuf::from(home);
    let program = stubborn(&home);
    let helm = without_cluster(&home, |options| options.program = program).await;
    let started = home.join("started");
    let chart = somewhere();
    let leaves = std::env::var_os("OWNER_ENDS").is_some_and(|way| way == "leaves");
    tokio::select! {
        _ = helm.pull(&chart) => {}
        _ = until("Helm to run", PATIENCE, async || started.exists().then_some(())), if leaves => {}
    }
}
