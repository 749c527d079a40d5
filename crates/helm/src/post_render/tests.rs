use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn options() -> PostRenderOptions {
    PostRenderOptions {
        namespace: "llm-d".to_owned(),
        labels: BTreeMap::from([("part-of".to_owned(), "llm-d".to_owned())]),
        cluster_scoped: BTreeSet::new(),
    }
}

fn rendered(manifest: &str) -> Vec<Value> {
    let text = post_render(manifest, &options()).unwrap();
    serde_saphyr::from_multiple(&text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

#[test]
fn scalars_are_kept_to_the_letter() {
    let manifest = r##"apiVersion: v1
kind: ConfigMap
metadata: {name: a, namespace: own, labels: {part-of: old, x: "y"}}
data:
  plain: [yes, 0123, 1e3, 12345678901234567890123, 0x1F, 2026-01-02, ~, 1_000, .inf, on]
  quoted: ['yes', "0123", "1e3", "null", "~", "2026-01-02", "", " x ", "a: b", "# c", "- d"]
  tagged: !!binary aGVsbG8=
  local: !ours x
  literal: |
    one
      two: "three"

    four
  kept: |+
    end

  stripped: |-
    no end
  folded: >
    a
    b
  odd: "tab\there \u2028 \U0001F600 \x07 end"
  "a key: with colon": 1
  ? plain key
  : 2
"##;
    let text = post_render(manifest, &options()).unwrap();
    for line in [
        "    - yes\n    - 0123\n    - 1e3\n    - 12345678901234567890123\n    - 0x1F\n    - 2026-01-02\n    - ~\n    - 1_000\n    - .inf\n    - on\n",
        "    - \"yes\"\n    - \"0123\"\n    - \"1e3\"\n    - \"null\"\n    - \"~\"\n    - \"2026-01-02\"\n    - \"\"\n    - \" x \"\n",
        "  tagged: !!binary aGVsbG8=\n",
        "  local: !ours x\n",
        "  literal: |\n    one\n      two: \"three\"\n\n    four\n",
        "  kept: |+\n    end\n\n",
        "  stripped: \"no end\"\n",
        "  folded: |\n    a b\n",
        "\\u2028 😀 \\u0007 end\"\n",
        "  \"a key: with colon\": 1\n  plain key: 2\n",
        "  namespace: own\n",
        "    part-of: \"llm-d\"\n    x: \"y\"\n",
    ] {
        assert!(text.contains(line), "{line}\n---\n{text}");
    }
}

#[test]
fn anchors_and_merges_are_written_out() {
    let found = rendered(
        "kind: A\nbase: &base {a: 1, b: 2}\nlist: &list [x, z]\nuse:\n  <<: *base\n  b: 3\nagain: *list\nmany: {<<: [*base, {c: 4}]}\n",
    );
    assert_eq!(found[0]["use"], json!({ "a": 1, "b": 3 }));
    assert_eq!(found[0]["again"], json!(["x", "z"]));
    assert_eq!(found[0]["many"], json!({ "a": 1, "b": 2, "c": 4 }));
}

#[test]
fn templates_of_all_kinds_are_labelled_and_selectors_are_not() {
    let pod = "{metadata: {labels: {app: a}}, spec: {containers: [{name: c}]}}";
    let manifest = format!(
        "kind: Deployment\nspec: {{selector: {{matchLabels: {{app: a}}}}, template: {pod}}}\n---\n\
         kind: CronJob\nspec: {{jobTemplate: {{spec: {{template: {pod}}}}}}}\n---\n\
         kind: LeaderWorkerSet\nspec: {{leaderWorkerTemplate: {{leaderTemplate: {pod}, workerTemplate: {pod}}}}}\n---\n\
         kind: JobSet\nspec: {{replicatedJobs: [{{template: {{spec: {{template: {pod}}}}}}}]}}\n---\n\
         kind: PodTemplate\ntemplate: {{spec: {{containers: []}}}}\n---\n\
         kind: Pod\nspec: {{containers: []}}\n"
    );
    let found = rendered(&manifest);
    let labels = json!({ "app": "a", "part-of": "llm-d" });
    let template = |value: &Value| value["metadata"]["labels"].clone();
    assert_eq!(template(&found[0]["spec"]["template"]), labels);
    assert_eq!(found[0]["spec"]["selector"]["matchLabels"], json!({ "app": "a" }));
    let job = &found[1]["spec"]["jobTemplate"];
    assert_eq!(template(job), json!({ "part-of": "llm-d" }));
    assert_eq!(template(&job["spec"]["template"]), labels);
    for part in ["leaderTemplate", "workerTemplate"] {
        assert_eq!(template(&found[2]["spec"]["leaderWorkerTemplate"][part]), labels);
    }
    let inner = &found[3]["spec"]["replicatedJobs"][0]["template"]["spec"]["template"];
    assert_eq!(template(inner), labels);
    assert_eq!(template(&found[4]["template"]), json!({ "part-of": "llm-d" }));
    for object in &found {
        assert_eq!(object["metadata"]["labels"]["part-of"], "llm-d", "{object}");
    }
}

#[test]
fn a_label_that_a_selector_wants_otherwise_stays_as_the_chart_has_it() {
    let found = rendered(
        "kind: Deployment\nmetadata: {labels: {part-of: web}}\nspec:\n  selector: {matchLabels: {part-of: web}}\n  \
         template: {metadata: {labels: {part-of: web}}, spec: {containers: []}}\n",
    );
    assert_eq!(found[0]["metadata"]["labels"]["part-of"], "llm-d");
    assert_eq!(
        found[0]["spec"]["template"]["metadata"]["labels"]["part-of"],
        "web"
    );
    let found = rendered(
        "kind: Service\nspec: {selector: {part-of: web}}\n---\n\
         kind: Pod\nspec: {containers: []}\n---\n\
         kind: Deployment\nspec: {template: {metadata: {labels: {part-of: web}}, spec: {containers: []}}}\n",
    );
    assert_eq!(
        found[2]["spec"]["template"]["metadata"]["labels"]["part-of"],
        "web"
    );
}

#[test]
fn nulls_go_where_they_mean_nothing() {
    let found = rendered(
        "kind: Deployment\nmetadata:\n  name: a\n  annotations:\n  labels: ~\n  creationTimestamp: null\nspec:\n  paused: null\n  \
         template:\n    metadata: {annotations: }\n    spec: {nodeSelector: , containers: [{name: c, env: , command: [~]}]}\n---\n\
         kind: ConfigMap\ndata: {empty: }\n",
    );
    assert_eq!(
        found[0]["metadata"],
        json!({ "name": "a", "labels": { "part-of": "llm-d" }, "namespace": "llm-d" })
    );
    assert_eq!(found[0]["spec"]["paused"], Value::Null);
    assert!(found[0]["spec"].get("paused").is_some());
    let template = &found[0]["spec"]["template"];
    assert_eq!(template["metadata"], json!({ "labels": { "part-of": "llm-d" } }));
    assert_eq!(
        template["spec"],
        json!({ "containers": [{ "name": "c", "command": [null] }] })
    );
    assert_eq!(found[1]["data"], json!({ "empty": null }));
}

#[test]
fn namespaces_are_given_to_kinds_that_have_one() {
    let manifest = "{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole}\n---\n\
         {apiVersion: v1, kind: Namespace}\n---\n\
         {apiVersion: other.example.com/v1, kind: Namespace}\n---\n\
         {apiVersion: v1, kind: ConfigMap, metadata: {namespace: other}}\n---\n\
         {apiVersion: v1, kind: ConfigMap, metadata: {namespace: ''}}\n---\n\
         {apiVersion: told.example.com/v1, kind: Realm}\n---\n\
         {apiVersion: made.example.com/v1beta1, kind: World}\n---\n\
         {apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition,\n  \
          spec: {group: made.example.com, scope: Cluster, names: {kind: World}}}\n";
    let mut options = options();
    options.cluster_scoped.insert("Realm.told.example.com".to_owned());
    let text = post_render(manifest, &options).unwrap();
    let found: Vec<Value> = serde_saphyr::from_multiple(&text).unwrap();
    let namespaces: Vec<Option<&str>> = found
        .iter()
        .map(|object| object["metadata"]["namespace"].as_str())
        .collect();
    let ours = Some("llm-d");
    assert_eq!(
        namespaces,
        [None, None, ours, Some("other"), ours, None, None, None]
    );
}

#[test]
fn names_that_are_set_are_quoted_only_where_they_must_be() {
    let mut options = options();
    options.labels = ["true", "yes", "123", "llm-operator.io/name"]
        .map(|name| (name.to_owned(), "1".to_owned()))
        .into();
    assert_eq!(
        post_render("kind: A\n", &options).unwrap(),
        "---\nkind: A\nmetadata:\n  labels:\n    \"123\": \"1\"\n    llm-operator.io/name: \"1\"\n    \
         \"true\": \"1\"\n    \"yes\": \"1\"\n  namespace: \"llm-d\"\n"
    );
}

#[test]
fn lists_are_opened_and_empty_documents_left_out() {
    let found = rendered(
        "# nothing\n---\n---\nkind: ConfigMapList\nitems: [{kind: ConfigMap, metadata: {name: a}}]\n---\n~\n",
    );
    assert_eq!(found.len(), 1);
    assert!(found[0].get("metadata").is_none());
    assert_eq!(
        found[0]["items"][0]["metadata"],
        json!({ "name": "a", "labels": { "part-of": "llm-d" }, "namespace": "llm-d" })
    );
    assert_eq!(post_render("", &options()).unwrap(), "# no objects\n");
}

#[test]
fn what_is_no_object_is_refused() {
    for (manifest, expected) in [
        (
            "kind: A\n---\n- a\n",
            "document 2 of the rendered objects is not an object with fields",
        ),
        (
            "just text\n",
            "document 1 of the rendered objects is not an object with fields",
        ),
        (
            "{kind: A, metadata: [a]}\n",
            "metadata of A without name must be a map",
        ),
        (
            "{kind: A, metadata: {name: b, labels: [c]}}\n",
            "metadata.labels of A b must be a map",
        ),
    ] {
        assert_eq!(
            post_render(manifest, &options()).unwrap_err().to_string(),
            expected
        );
    }
    for broken in ["a: [", "a: *nobody", "[a, b]: c", "a: b: c"] {
        let error = post_render(broken, &options()).unwrap_err();
        assert!(matches!(error, PostRenderError::Yaml(_)), "{broken}: {error}");
    }
}

#[test]
fn anchors_cannot_fill_the_memory() {
    let levels = (1..12).map(|level| {
        let uses = vec![format!("*a{}", level - 1); 10].join(", ");
        format!("a{level}: &a{level} [{uses}]\n")
    });
    let bomb = levels.fold(
        "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned(),
        |all, line| all + &line,
    );
    let error = post_render(&bomb, &options()).unwrap_err();
    assert!(error.to_string().contains("values"), "{error}");
}

fn any_value() -> impl Strategy<Value = Value> {
    let text = prop_oneof![
        "\\PC{0,20}",
        "[ \\n\\ta-z:#-]{0,20}",
        Just("yes".to_owned()),
        Just("0123".to_owned()),
        Just("\u{85}\u{2028}\u{feff}\r\n".to_owned()),
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        text.clone().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 5, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map(text.clone(), inner, 0..5)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

proptest! {
    /// JSON is YAML: whatever goes in as JSON comes out as YAML that reads the same, and does not change any more.
    #[test]
    fn nothing_is_lost(data in any_value()) {
        let object = json!({
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": { "name": "a", "namespace": "b", "labels": { "part-of": "llm-d" } },
            "data": data,
        });
        let once = post_render(&object.to_string(), &options()).unwrap();
        let read: Value = serde_saphyr::from_str(&once).unwrap();
        prop_assert_eq!(&read, &object, "{}", once);
        prop_assert_eq!(post_render(&once, &options()).unwrap(), once);
    }

    /// Whatever comes in, nothing panics.
    #[test]
    fn any_text_is_answered(text in "\\PC{0,80}") {
        let _ = post_render(&text, &options());
    }
}
