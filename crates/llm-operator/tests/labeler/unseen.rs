//! Labelers that cannot be seen for a moment: no label goes for that, and what changed meanwhile is made up for.

use testkit::plane::proxy::{Fault, Matching};

use crate::{
    common::{PATIENCE, page, scrape::scrape},
    scene::Scene,
};

/// While labelers are refused (403) or not served (404), a node that matches keeps its labels and one that has stopped to
/// match is left alone; it is looked at as soon as they can be seen again, without another change.
#[tokio::test]
async fn what_changes_meanwhile_is_made_up_for() {
    for status in [403, 404] {
        let scene = Scene::new(&format!("unseen-{status}")).await;
        for node in ["a", "b"] {
            scene.node(node, &[("gpu", "h100")]).await;
        }
        scene
            .labeler("gpus", ("gpu", "In", &["h100"]), &[("tier", "gold")])
            .await;
        scene.wait("gpus", "Ready").await;
        let (mark, proxy) = (scene.mark().await, &scene.stand.proxy);
        let fault = Fault::Status {
            status,
            retry_after: None,
        };
        proxy.order_always(Matching::any().path("/autonodelabelers"), fault);
        proxy.cut_watches();
        testkit::until("labelers cannot be seen", PATIENCE, async || {
            let url = format!("{}/readyz", scene.stand.operator.url);
            let (_, page) = page(&url).await;
            let noted = page
                .lines()
                .any(|line| line.starts_with("note: autonodelabelers"));
            noted.then_some(()).ok_or(page)
        })
        .await
        .unwrap();

        let looks = async || {
            let page = scrape(&scene.stand.operator).await;
            page.sum(
                "llm_operator_reconcile_duration_seconds_count",
                &[("kind", "Node")],
            )
        };
        let before = looks().await;
        scene.label("b", "gpu=l4").await;
        testkit::until("the node was looked at", PATIENCE, async || {
            (looks().await > before).then_some(()).ok_or("not yet")
        })
        .await
        .unwrap();
        assert!(scene.node_writes(&mark).await.is_empty(), "{status}");
        scene.wait_labels("b", &[("gpu", "l4"), ("tier", "gold")]).await;

        proxy.clear();
        scene.wait_labels("b", &[("gpu", "l4")]).await;
        scene.wait_labels("a", &[("gpu", "h100"), ("tier", "gold")]).await;
        let writes = scene.node_writes(&mark).await;
        assert!(
            writes.iter().all(|write| write.name == scene.node_name("b")),
            "{status}: {writes:?}"
        );
    }
}
