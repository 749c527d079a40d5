//! Caches of what is only known at run time to matter.

use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::{
    Api, Resource,
    api::{DeleteParams, PostParams},
    core::ApiResource,
};
use reconcile::{
    CacheSpec, ObjectKey,
    cache::{Followed, Followers},
};
use testkit::until;

use crate::bed::{LIMIT, bed};

#[tokio::test]
async fn what_is_asked_for_is_followed_and_nothing_else() {
    let bed = bed("followers").await;
    let followers = Followers::new(
        bed.client.clone(),
        bed.queue.clone(),
        bed.metrics.clone(),
        |resource| {
            CacheSpec::of(resource, |raw| Ok(raw.name().to_owned()))
                .on_change(|change| vec![ObjectKey::new("Followed", change.namespace, change.name)])
        },
    );
    let one = |resource: ApiResource, name: &str| Followed {
        resource,
        namespace: Some(bed.namespace.clone()),
        labels: String::new(),
        fields: format!("metadata.name={name}"),
    };
    let map = one(ApiResource::erase::<ConfigMap>(&()), "values");
    let secret = one(ApiResource::erase::<Secret>(&()), "login");
    followers.follow(&[map.clone(), secret.clone()]);
    followers.follow(&[map.clone(), secret.clone()]);
    until("both are listed", LIMIT, async || {
        followers.get(&map).and(followers.get(&secret)).map(|_| ())
    })
    .await
    .unwrap();
    assert_eq!(followers.states().len(), 2, "each once");
    let maps = followers.get(&map).unwrap();
    assert_eq!(maps.len(), 0, "there is none yet, and that is known");

    let api: Api<ConfigMap> = Api::namespaced(bed.admin.clone(), &bed.namespace);
    for name in ["values", "other"] {
        let mut object = ConfigMap::default();
        object.meta_mut().name = Some(name.to_owned());
        api.create(&PostParams::default(), &object).await.unwrap();
    }
    until("it is seen", LIMIT, async || maps.get(&bed.namespace, "values"))
        .await
        .unwrap();
    assert_eq!(
        (maps.len(), bed.queue.depth()),
        (1, 1),
        "others are none of our business"
    );

    followers.follow(std::slice::from_ref(&secret));
    assert!(followers.get(&map).is_none(), "nobody asks for it any more");
    assert!(followers.get(&secret).is_some());
    api.delete("values", &DeleteParams::default()).await.unwrap();
}
