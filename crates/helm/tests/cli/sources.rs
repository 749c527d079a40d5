//! Charts from directories, archives, repositories and registries, and from those that fail.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops where it fails")]

use std::{path::Path, time::Duration};

use helm::{Access, Chart, CliHelm, Helm, HelmError, Secret, Source, Version};
use testkit::{ChartRegistry, ChartRepository, Charts, Mood, RegistryLogin, process::TemporaryDirectory};

use crate::bed::{local, without_cluster};

const PASSWORD: &str = "correct-horse";

struct Desk {
    home: TemporaryDirectory,
    charts: Charts,
    helm: CliHelm,
}

async fn desk() -> Desk {
    let home = TemporaryDirectory::new("helm-sources").unwrap();
    let helm = without_cluster(home.path(), |_| {}).await;
    let charts = Charts::new().unwrap();
    Desk { home, charts, helm }
}

fn of_repository(url: &str, name: &str, version: &str, password: Option<&str>) -> Chart {
    Chart {
        source: Source::Repository {
            url: url.to_owned(),
            name: name.to_owned(),
        },
        version: Version::new(version),
        access: access(password),
    }
}

fn of_registry(reference: String, version: &str, password: Option<&str>) -> Chart {
    Chart {
        source: Source::Registry { reference },
        version: Version::new(version),
        access: Access {
            plain_http: true,
            ..access(password)
        },
    }
}

fn access(password: Option<&str>) -> Access {
    Access {
        login: password.map(|password| ("me".to_owned(), Secret::new(password.to_owned()))),
        ..Access::default()
    }
}

#[tokio::test]
async fn a_repository_hands_out_versions_with_and_without_v_to_those_it_knows() {
    let desk = desk().await;
    let repository = ChartRepository::start(Some(("me", PASSWORD))).await.unwrap();
    for (chart, version) in [("llm-d-modelservice", "v0.2.11"), ("plain", "1.0.1")] {
        let archive = desk.charts.archive(chart, version).unwrap();
        repository.add(chart, version, &archive).unwrap();
    }
    let url = repository.url();
    for (chart, asked, had) in [
        ("llm-d-modelservice", "0.2.11", "v0.2.11"),
        ("plain", "v1.0.1", "1.0.1"),
    ] {
        let wanted = of_repository(url, chart, asked, Some(PASSWORD));
        let found = desk.helm.pull(&wanted).await.unwrap();
        assert_eq!((found.name.as_str(), found.version.as_str()), (chart, had));
        assert!(found.path.exists());
    }
    let missing = desk
        .helm
        .pull(&of_repository(url, "plain", "9.9.9", Some(PASSWORD)))
        .await;
    assert!(
        matches!(missing, Err(HelmError::ChartNotFound { .. })),
        "{missing:?}"
    );
    let missing = desk
        .helm
        .pull(&of_repository(url, "nothing", "1.0.0", Some(PASSWORD)))
        .await;
    assert!(
        matches!(missing, Err(HelmError::ChartNotFound { .. })),
        "{missing:?}"
    );
    for password in [None, Some("wrong-horse")] {
        let refused = desk
            .helm
            .pull(&of_repository(url, "plain", "1.0.2", password))
            .await;
        assert!(
            matches!(refused, Err(HelmError::Unauthorized { .. })),
            "{refused:?}"
        );
        assert!(!format!("{refused:?}").contains("wrong-horse"));
    }
}

#[tokio::test]
async fn what_was_fetched_once_needs_no_network_any_more() {
    let desk = desk().await;
    let repository = ChartRepository::start(None).await.unwrap();
    let archive = desk.charts.archive("plain", "1.0.0").unwrap();
    repository.add("plain", "1.0.0", &archive).unwrap();
    let chart = of_repository(repository.url(), "plain", "1.0.0", None);
    let first = desk.helm.pull(&chart).await.unwrap();
    let asked = repository.asked();
    assert_eq!(asked, ["/index.yaml", "/plain-1.0.0.tgz"]);
    assert_eq!(desk.helm.pull(&chart).await.unwrap(), first);
    assert_eq!(repository.asked(), asked);
    drop(repository);
    let again = without_cluster(desk.home.path(), |_| {}).await;
    assert_eq!(again.pull(&chart).await.unwrap(), first);
}

#[tokio::test]
async fn a_repository_that_fails_is_told_and_does_not_hold_up() {
    let desk = desk().await;
    let helm = without_cluster(&desk.home.path().join("hasty"), |options| {
        options.timeout = Duration::from_secs(3);
    })
    .await;
    let repository = ChartRepository::start(None).await.unwrap();
    let archive = desk.charts.archive("plain", "1.0.0").unwrap();
    repository.add("plain", "1.0.0", &archive).unwrap();
    let chart = of_repository(repository.url(), "plain", "1.0.0", None);
    for mood in [Mood::Status(503), Mood::Silent, Mood::Stuck] {
        repository.set_mood(mood);
        let result = helm.pull(&chart).await;
        assert!(
            matches!(result, Err(HelmError::Unreachable { .. })),
            "{mood:?}: {result:?}"
        );
    }
    repository.set_mood(Mood::Well);
    repository.put("/plain-1.0.0.tgz", "no archive at all");
    let result = helm.pull(&chart).await;
    assert!(matches!(result, Err(HelmError::NoChart { .. })), "{result:?}");
    repository.put("/index.yaml", "<html>hello</html>");
    let result = helm.pull(&chart).await;
    assert!(result.is_err(), "{result:?}");
    let url = repository.url().to_owned();
    drop(repository);
    let gone = helm.pull(&of_repository(&url, "plain", "1.0.0", None)).await;
    assert!(matches!(gone, Err(HelmError::Unreachable { .. })), "{gone:?}");
    let left = std::fs::read_dir(desk.home.path().join("hasty/helm/calls")).unwrap();
    assert_eq!(left.count(), 0);
}

#[tokio::test]
async fn an_authority_of_ones_own_is_trusted_when_it_is_given() {
    let desk = desk().await;
    let repository = ChartRepository::start_tls(Some(("me", PASSWORD))).await.unwrap();
    let archive = desk.charts.archive("plain", "1.0.0").unwrap();
    repository.add("plain", "1.0.0", &archive).unwrap();
    let mut chart = of_repository(repository.url(), "plain", "1.0.0", Some(PASSWORD));
    let result = desk.helm.pull(&chart).await;
    let Err(HelmError::Unreachable { message, .. }) = result else {
        panic!("{result:?}")
    };
    assert!(message.contains("certificate"), "{message}");
    chart.access.ca = repository.authority().map(str::to_owned);
    assert_eq!(desk.helm.pull(&chart).await.unwrap().name, "plain");
}

#[tokio::test]
async fn a_registry_hands_out_tags_with_and_without_v() {
    for login in [
        RegistryLogin::Open,
        RegistryLogin::Basic("me", PASSWORD),
        RegistryLogin::Token("me", PASSWORD),
    ] {
        let desk = desk().await;
        let registry = ChartRegistry::start(login).await.unwrap();
        let name = "extension/charts/inferencepool";
        for tag in ["v1.0.1", "1.2.0"] {
            let archive = desk.charts.archive("inferencepool", tag).unwrap();
            registry.add(name, tag, &archive).unwrap();
        }
        let chart = |version: &str, password| of_registry(registry.reference(name), version, password);
        for version in ["1.0.1", "v1.2.0"] {
            let found = desk.helm.pull(&chart(version, Some(PASSWORD))).await.unwrap();
            assert_eq!(found.name, "inferencepool");
            assert_eq!(Version::new(&found.version), Version::new(version));
        }
        let missing = desk.helm.pull(&chart("3.0.0", Some(PASSWORD))).await;
        assert!(
            matches!(missing, Err(HelmError::ChartNotFound { .. })),
            "{login:?}: {missing:?}"
        );
        if login != RegistryLogin::Open {
            for password in [None, Some("wrong-horse")] {
                let refused = desk.helm.pull(&chart("4.0.0", password)).await;
                assert!(
                    matches!(refused, Err(HelmError::Unauthorized { .. })),
                    "{login:?}: {refused:?}"
                );
            }
        }
        let reference = registry.reference(name);
        drop(registry);
        let gone = desk
            .helm
            .pull(&of_registry(reference, "4.0.0", Some(PASSWORD)))
            .await;
        assert!(matches!(gone, Err(HelmError::Unreachable { .. })), "{gone:?}");
    }
}

#[tokio::test]
async fn directories_and_archives_are_as_good() {
    let desk = desk().await;
    let archive = desk.charts.archive("plain", "1.0.0").unwrap();
    let from_archive = desk.helm.pull(&local(archive.clone())).await.unwrap();
    assert_eq!(
        (from_archive.name.as_str(), from_archive.version.as_str()),
        ("plain", "1.0.0")
    );
    let copy = desk.home.path().join("copy");
    copy_directory(&Charts::source("plain"), &copy);
    let first = desk.helm.pull(&local(copy.clone())).await.unwrap();
    assert_eq!((first.name.as_str(), first.version.as_str()), ("plain", "1.0.0"));
    assert_eq!(desk.helm.pull(&local(copy.clone())).await.unwrap(), first);
    std::fs::write(copy.join("values.yaml"), "message: other\n").unwrap();
    let other = desk.helm.pull(&local(copy)).await.unwrap();
    assert_ne!(other.digest, first.digest);
    assert!(
        first.path.join("Chart.yaml").exists(),
        "what was taken does not change"
    );
    let missing = desk.helm.pull(&local("/nowhere/chart.tgz".into())).await;
    assert!(
        matches!(missing, Err(HelmError::ChartNotFound { .. })),
        "{missing:?}"
    );
    let empty = desk.home.path().join("empty");
    std::fs::create_dir(&empty).unwrap();
    let no_chart = desk.helm.pull(&local(empty)).await;
    assert!(matches!(no_chart, Err(HelmError::NoChart { .. })), "{no_chart:?}");
}

#[tokio::test]
async fn the_charts_directory_comes_before_the_network() {
    let desk = desk().await;
    let directory = desk.home.path().join("offline");
    std::fs::create_dir(&directory).unwrap();
    let archive = desk.charts.archive("llm-d-infra", "v1.3.3").unwrap();
    std::fs::copy(archive, directory.join("llm-d-infra-v1.3.3.tgz")).unwrap();
    copy_directory(&Charts::source("plain"), &directory.join("plain"));
    copy_directory(
        &Charts::source("inferencepool"),
        &directory.join("inferencepool-1.0.1"),
    );
    let helm = without_cluster(&desk.home.path().join("other"), |options| {
        options.charts_dir = Some(directory.clone());
    })
    .await;
    // Nobody listens there.
    let url = "http://127.0.0.1:9";
    for (name, version) in [("llm-d-infra", "1.3.3"), ("plain", "v1.0.0")] {
        let found = helm.pull(&of_repository(url, name, version, None)).await.unwrap();
        assert_eq!(found.name, name);
    }
    let reference = "oci://127.0.0.1:9/charts/inferencepool".to_owned();
    let found = helm.pull(&of_registry(reference, "v1.0.1", None)).await.unwrap();
    assert_eq!(found.name, "inferencepool");
    let other = helm.pull(&of_repository(url, "plain", "1.0.1", None)).await;
    assert!(matches!(other, Err(HelmError::Unreachable { .. })), "{other:?}");
}

fn copy_directory(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_directory(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}
