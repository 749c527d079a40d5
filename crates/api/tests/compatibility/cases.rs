//! The checker itself: each change that breaks is told, each that does not is passed.

use serde_json::{Value, json};

use crate::told;

/// A definition with some of everything.
fn old() -> Value {
    serde_saphyr::from_str(include_str!("thing.yaml")).unwrap()
}

const SPEC: &str = "/spec/versions/0/schema/openAPIV3Schema/properties/spec";

/// The definition with one value set; null takes it away.
fn changed(at: &str, to: &Value) -> Value {
    let mut new = old();
    let at = at.replace("SPEC", SPEC);
    let (parent, key) = at.rsplit_once('/').unwrap();
    let parent = new
        .pointer_mut(parent)
        .unwrap_or_else(|| panic!("nothing at {at}"));
    match (parent, to) {
        (Value::Object(map), Value::Null) => {
            assert!(map.remove(key).is_some(), "nothing at {at}");
        }
        (Value::Object(map), value) => {
            map.insert(key.to_owned(), value.clone());
        }
        (Value::Array(list), value) => list[key.parse::<usize>().unwrap()] = value.clone(),
        (other, _) => panic!("{other} at {at}"),
    }
    new
}

#[test]
#[allow(clippy::too_many_lines, reason = "a table")]
fn what_breaks_is_told() {
    let none = Value::Null;
    let mode = "SPEC/properties/mode";
    let replicas = "SPEC/properties/replicas";
    let list = "SPEC/properties/list";
    let rule = |text: &str| json!([{"rule": text}]);
    let table: Vec<(String, Value, &str)> = vec![
        (
            "/metadata/name".into(),
            json!("others.example.com"),
            "things.example.com: the definition is gone",
        ),
        ("/spec/group".into(), json!("example.org"), "group was"),
        ("/spec/scope".into(), json!("Cluster"), "scope was"),
        ("/spec/names/kind".into(), json!("Things"), "names.kind was"),
        ("/spec/names/plural".into(), json!("thingies"), "names.plural was"),
        (
            "/spec/names/singular".into(),
            json!("thingy"),
            "names.singular was",
        ),
        (
            "/spec/names/listKind".into(),
            json!("Things"),
            "names.listKind was",
        ),
        (
            "/spec/names/shortNames".into(),
            json!(["t"]),
            r#"names.shortNames has no "th""#,
        ),
        (
            "/spec/names/categories".into(),
            none.clone(),
            "names.categories has no",
        ),
        ("/spec/versions".into(), json!([]), "v1: the version is gone"),
        (
            "/spec/versions/0/served".into(),
            json!(false),
            "v1: the version is not served",
        ),
        (
            "/spec/versions/0/storage".into(),
            json!(false),
            "the version that is stored was",
        ),
        (
            "/spec/versions/0/subresources/status".into(),
            none.clone(),
            "v1: subresource status was",
        ),
        (
            "/spec/versions/0/subresources/scale".into(),
            none.clone(),
            "v1: subresource scale was",
        ),
        (
            "/spec/versions/0/subresources/scale/specReplicasPath".into(),
            json!(".spec.n"),
            "subresource scale was",
        ),
        (
            "/spec/versions/0/selectableFields".into(),
            none.clone(),
            r#"".spec.mode" cannot be selected"#,
        ),
        (
            "/spec/versions/0/schema".into(),
            none.clone(),
            "v1 .spec: the field is gone",
        ),
        (
            "SPEC/properties/free".into(),
            none.clone(),
            "v1 .spec.free: the field is gone",
        ),
        (
            format!("{list}/items/properties/value"),
            none.clone(),
            "v1 .spec.list[].value: the field is gone",
        ),
        (
            format!("{mode}/type"),
            json!("integer"),
            r#"v1 .spec.mode: type was "string", is "integer""#,
        ),
        (
            "SPEC/properties/port/type".into(),
            json!("integer"),
            "v1 .spec.port: type was null",
        ),
        (
            format!("{list}/items/properties/value/type"),
            json!("integer"),
            "v1 .spec.list[].value: type was",
        ),
        (
            format!("{mode}/enum"),
            json!(["a", "c"]),
            r#"v1 .spec.mode: enum has no "b" any more"#,
        ),
        (
            "SPEC/properties/free/enum".into(),
            json!(["x"]),
            "v1 .spec.free: enum is new",
        ),
        (
            format!("{mode}/pattern"),
            json!("^[a]$"),
            "v1 .spec.mode: pattern was",
        ),
        (
            "SPEC/properties/free/pattern".into(),
            json!("^x$"),
            "v1 .spec.free: pattern was null",
        ),
        (
            format!("{replicas}/format"),
            json!("int16"),
            "v1 .spec.replicas: format was",
        ),
        (
            format!("{replicas}/multipleOf"),
            json!(2),
            "multipleOf was null, is 2",
        ),
        (
            "SPEC/properties/free/anyOf".into(),
            json!([{"minLength": 1}]),
            "anyOf was null",
        ),
        (format!("{replicas}/minimum"), json!(1), "minimum was 0, is 1"),
        (format!("{replicas}/maximum"), json!(8), "maximum was 9, is 8"),
        (
            format!("{replicas}/exclusiveMinimum"),
            json!(true),
            "exclusiveMinimum is new",
        ),
        (format!("{mode}/minLength"), json!(2), "minLength was 1, is 2"),
        (
            "SPEC/properties/free/minLength".into(),
            json!(1),
            "minLength was null, is 1",
        ),
        (format!("{mode}/maxLength"), json!(7), "maxLength was 8, is 7"),
        (
            "SPEC/properties/free/maxLength".into(),
            json!(900),
            "maxLength was null, is 900",
        ),
        (format!("{list}/minItems"), json!(2), "minItems was 1, is 2"),
        (format!("{list}/maxItems"), json!(4), "maxItems was 5, is 4"),
        (format!("{list}/uniqueItems"), json!(true), "uniqueItems is new"),
        (
            "SPEC/properties/labels/minProperties".into(),
            json!(1),
            "minProperties was null",
        ),
        (
            "SPEC/properties/labels/maxProperties".into(),
            json!(64),
            "maxProperties was null",
        ),
        (
            "SPEC/properties/labels/additionalProperties/maxLength".into(),
            json!(10),
            ".spec.labels.*: maxLength was 63",
        ),
        (
            "SPEC/properties/labels/additionalProperties".into(),
            none.clone(),
            "fields of any name are not kept",
        ),
        (
            "SPEC/properties/free/nullable".into(),
            none.clone(),
            "v1 .spec.free: nullable is gone",
        ),
        (
            "SPEC/properties/port/x-kubernetes-int-or-string".into(),
            none.clone(),
            "int-or-string is gone",
        ),
        (
            "SPEC/properties/any/x-kubernetes-preserve-unknown-fields".into(),
            none.clone(),
            "preserve-unknown-fields is gone",
        ),
        (
            "SPEC/properties/any/x-kubernetes-embedded-resource".into(),
            json!(true),
            "embedded-resource is new",
        ),
        (
            format!("{list}/x-kubernetes-list-type"),
            json!("atomic"),
            "list-type was",
        ),
        (
            format!("{list}/x-kubernetes-list-map-keys"),
            json!(["value"]),
            "list-map-keys was",
        ),
        (
            "SPEC/properties/labels/x-kubernetes-map-type".into(),
            json!("atomic"),
            "map-type was null",
        ),
        (format!("{replicas}/default"), json!(2), "default was 1, is 2"),
        (
            "SPEC/properties/free/default".into(),
            json!("x"),
            "v1 .spec.free: default was null",
        ),
        (
            "SPEC/required".into(),
            json!(["mode", "free"]),
            "v1 .spec: free is required now",
        ),
        (
            format!("{list}/items/required"),
            json!(["name"]),
            "v1 .spec.list[]: name is required now",
        ),
        (
            format!("{mode}/x-kubernetes-validations"),
            rule("self != ''"),
            "v1 .spec.mode: new rule",
        ),
        (
            "SPEC/x-kubernetes-validations".into(),
            rule("has(self.free)"),
            "v1 .spec: new rule",
        ),
    ];
    for (at, to, expected) in table {
        let found = told(&old(), &changed(&at, &to));
        assert!(
            found.iter().any(|one| one.contains(expected)),
            "{at} to {to}: {found:?}"
        );
    }
}

#[test]
fn what_gives_more_is_passed() {
    let none = Value::Null;
    let field = json!({"type": "object", "required": ["x"], "properties": {"x": {"type": "string", "enum": ["y"]}},
        "x-kubernetes-validations": [{"rule": "self.x == 'y'"}]});
    let table: Vec<(&str, Value)> = vec![
        ("/spec/names/shortNames", json!(["th", "t"])),
        ("/spec/names/singular", json!("thing")),
        ("/spec/names/listKind", json!("ThingList")),
        (
            "/spec/versions/0/additionalPrinterColumns",
            json!([{"name": "Age", "jsonPath": ".x"}]),
        ),
        ("SPEC/description", json!("Better words.")),
        ("SPEC/required", json!(["mode", "replicas"])),
        ("SPEC/required", none.clone()),
        ("SPEC/properties/more", field),
        ("SPEC/properties/mode/enum", json!(["a", "b", "c"])),
        ("SPEC/properties/mode/enum", none.clone()),
        ("SPEC/properties/mode/pattern", none.clone()),
        ("SPEC/properties/mode/minLength", json!(0)),
        ("SPEC/properties/mode/maxLength", json!(9)),
        ("SPEC/properties/mode/maxLength", none.clone()),
        ("SPEC/properties/mode/x-kubernetes-validations", none.clone()),
        (
            "SPEC/properties/mode/x-kubernetes-validations",
            json!([{"rule": "self == oldSelf", "message": "It stays as it is."}]),
        ),
        ("SPEC/properties/replicas/type", json!("number")),
        ("SPEC/properties/replicas/minimum", json!(-1)),
        ("SPEC/properties/replicas/maximum", none.clone()),
        ("SPEC/properties/mode/nullable", json!(true)),
        ("SPEC/properties/labels/additionalProperties/maxLength", none),
        (
            "SPEC/properties/list/items/properties/more",
            json!({"type": "string"}),
        ),
    ];
    for (at, to) in table {
        assert_eq!(told(&old(), &changed(at, &to)), [""; 0], "{at} to {to}");
    }
}

/// A version beside the stored one is no breach, however different it is.
#[test]
fn a_new_version_is_passed() {
    let mut new = old();
    let versions = new["spec"]["versions"].as_array_mut().unwrap();
    versions.push(json!({"name": "v2", "served": true, "storage": false, "schema": {"openAPIV3Schema": {"type": "object"}}}));
    assert_eq!(told(&old(), &new), [""; 0]);
}

#[test]
fn releases_are_in_order() {
    let mut names = ["v0.10.0", "v0.9.1", "v0.9.0"];
    names.sort_by_key(|name| crate::numbers(name));
    assert_eq!(names, ["v0.9.0", "v0.9.1", "v0.10.0"]);
}
