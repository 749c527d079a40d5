//! Nothing secret on a command line, in a message, or left on the disk.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops where it fails")]

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

use helm::{Access, Chart, Helm, HelmError, Operation, Secret, Source, Version};
use serde_json::json;
use testkit::{
    ChartRegistry, ChartRepository, Charts, Mood, RegistryLogin, process::TemporaryDirectory, until,
};

use crate::bed::{Desk, PATIENCE, without_cluster};

const PASSWORD: &str = "correct-horse-battery";

/// A `helm` that writes down how it is called.
fn recording(directory: &Path, helm: &Path) -> (PathBuf, PathBuf) {
    let record = directory.join("record");
    let program = directory.join("recording-helm");
    let script = format!(
        "#!/bin/sh\n{{ echo \"$0 $*\"; env; }} >>{}\nexec {} \"$@\"\n",
        record.display(),
        helm.display()
    );
    fs::write(&program, script).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o700)).unwrap();
    (program, record)
}

fn chart(source: Source, version: &str, password: &str) -> Chart {
    Chart {
        source,
        version: Version::new(version),
        access: Access {
            login: Some(("me".to_owned(), Secret::new(password.to_owned()))),
            plain_http: true,
            ..Access::default()
        },
    }
}

/// Files below that hold the text.
fn holding(directory: &Path, text: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(holding(&path, text));
        } else if fs::read(&path).is_ok_and(|content| {
            content
                .windows(text.len())
                .any(|window| window == text.as_bytes())
        }) {
            found.push(path);
        }
    }
    found
}

#[tokio::test]
async fn credentials_of_sources_are_in_private_files_for_as_long_as_it_takes() {
    let home = TemporaryDirectory::new("helm-secrets").unwrap();
    let charts = Charts::new().unwrap();
    let (program, record) = recording(home.path(), charts.helm());
    let helm = without_cluster(home.path(), |options| options.program = program).await;
    let archive = charts.archive("plain", "1.0.0").unwrap();
    let repository = ChartRepository::start(Some(("me", PASSWORD))).await.unwrap();
    repository.add("plain", "1.0.0", &archive).unwrap();
    let registry = ChartRegistry::start(RegistryLogin::Token("me", PASSWORD))
        .await
        .unwrap();
    registry.add("charts/plain", "1.0.0", &archive).unwrap();
    let with_user = repository.url().replace("://", &format!("://me:{PASSWORD}@"));
    let sources = [
        Source::Repository {
            url: repository.url().to_owned(),
            name: "plain".to_owned(),
        },
        Source::Registry {
            reference: registry.reference("charts/plain"),
        },
        Source::Repository {
            url: with_user,
            name: "plain".to_owned(),
        },
    ];
    for source in sources {
        helm.pull(&chart(source.clone(), "1.0.0", PASSWORD))
            .await
            .unwrap();
        let error = helm.pull(&chart(source, "2.0.0", PASSWORD)).await.unwrap_err();
        assert!(
            !error.to_string().contains(PASSWORD) && !format!("{error:?}").contains(PASSWORD),
            "{error:?}"
        );
    }
    let record = fs::read_to_string(record).unwrap();
    assert!(
        record.contains("pull") && record.contains("HELM_REGISTRY_CONFIG"),
        "{record}"
    );
    assert!(!record.contains(PASSWORD), "{record}");
    assert_eq!(
        holding(&home.path().join("helm"), PASSWORD),
        Vec::<PathBuf>::new()
    );

    // While it lasts, the files are there, and nobody else may read them.
    repository.set_mood(Mood::Silent);
    let source = Source::Repository {
        url: repository.url().to_owned(),
        name: "plain".to_owned(),
    };
    let wanted = chart(source, "3.0.0", PASSWORD);
    let calls = home.path().join("helm/calls");
    let file = tokio::select! {
        result = helm.pull(&wanted) => panic!("{result:?}"),
        file = until("a file with the credentials", PATIENCE, async || {
            holding(&calls, PASSWORD).first().cloned()
        }) => file.unwrap(),
    };
    let mode = |path: &Path| fs::metadata(path).map(|data| data.permissions().mode() & 0o777);
    // The call was given up: its directory goes with its process.
    if let Ok(mode) = mode(&file) {
        assert_eq!(mode, 0o600);
    }
    until("the files to be gone", PATIENCE, async || {
        holding(&calls, PASSWORD).is_empty().then_some(())
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn values_from_secrets_are_shown_nowhere() {
    let mut desk = Desk::new("hidden").await;
    let home = TemporaryDirectory::new("helm-hidden").unwrap();
    let (program, record) = recording(home.path(), desk.bed.charts.helm());
    let mut options = crate::bed::options(desk.bed, home.path()).await;
    options.program = program;
    desk.helm = helm::CliHelm::new(options).unwrap();
    let chart = desk.plain().await;
    let release = desk.release("web");
    let mut spec = desk.spec("web", json!({ "word": "9-hidden-text" }));
    spec.secrets = vec![Secret::new("9-hidden-text".to_owned())];
    let error = desk.helm.render(&chart, &spec).await.unwrap_err();
    assert!(matches!(error, HelmError::Values { .. }), "{error:?}");
    assert!(error.to_string().contains("/word") && error.to_string().contains("***"));
    assert!(!format!("{error:?}").contains("9-hidden-text"), "{error:?}");
    spec.values = json!({ "message": "9-hidden-text" });
    let install = Operation::Install {
        chart: chart.clone(),
        spec: spec.clone(),
    };
    desk.helm
        .run(&release, &install, Duration::from_secs(30))
        .await
        .unwrap();
    spec.values = json!({ "message": "9-hidden-text", "faults": { "refused": "always" } });
    let upgrade = Operation::Upgrade { chart, spec };
    let error = desk.helm.run(&release, &upgrade, PATIENCE).await.unwrap_err();
    assert!(!format!("{error:?}").contains("9-hidden-text"), "{error:?}");
    let record = fs::read_to_string(record).unwrap();
    assert!(
        record.contains("install web") && record.contains("upgrade web"),
        "{record}"
    );
    assert!(!record.contains("9-hidden-text"), "{record}");
    assert_eq!(holding(home.path(), "9-hidden-text"), Vec::<PathBuf>::new());
    // The way to the API server is a file that only we read.
    let kubeconfig = home.path().join("helm/kubeconfig");
    let mode = fs::metadata(&kubeconfig).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o600);
    let token = desk.bed.cluster.access(testkit::Identity::Admin).token.unwrap();
    assert!(!record.contains(&token));
}
