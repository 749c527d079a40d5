//! Tests of the plan: who gets what, and that following its steps comes to rest.

use super::*;
use crate::auto_node_labeler::{node::Owner, rule::Test};

fn rule(key: &str, test: Test, labels: &[(&str, &str)]) -> Rule {
    Rule {
        key: key.into(),
        test,
        labels: labels
            .iter()
            .map(|(key, value)| ((*key).into(), (*value).into()))
            .collect(),
    }
}

fn exists(key: &str, labels: &[(&str, &str)]) -> Rule {
    rule(key, Test::Exists, labels)
}

fn rule_of_absent(key: &str, labels: &[(&str, &str)]) -> Rule {
    rule(key, Test::DoesNotExist, labels)
}

fn label(key: &str, value: &str, owner: Owner) -> Label {
    Label {
        key: key.into(),
        value: value.into(),
        owner,
    }
}

fn kubelets(key: &str, value: &str) -> Label {
    label(
        key,
        value,
        Owner {
            other: Some("kubelet".into()),
            ..Owner::default()
        },
    )
}

fn ours(key: &str, value: &str) -> Label {
    label(
        key,
        value,
        Owner {
            ours: true,
            ..Owner::default()
        },
    )
}

fn earlier(key: &str, value: &str) -> Label {
    label(
        key,
        value,
        Owner {
            earlier: true,
            ..Owner::default()
        },
    )
}

fn shared(key: &str, value: &str) -> Label {
    label(
        key,
        value,
        Owner {
            ours: true,
            other: Some("helm".into()),
            ..Owner::default()
        },
    )
}

/// Does what the API server does with the plan's steps, until there is none; how many writes that took.
fn follow(mut node: NodeLabels, rules: &[&Rule]) -> (NodeLabels, usize) {
    for writes in 0..6 {
        let plan = plan(&node, rules, false);
        let next: Vec<Label> = match &plan.step {
            Step::Rest => return (node, writes),
            Step::Take(keys) => {
                let strip = |label: &Label| {
                    let mut label = label.clone();
                    label.owner.earlier &= !keys.contains(&&*label.key);
                    label
                };
                node.iter().map(strip).collect()
            }
            Step::Apply => {
                let mut next: BTreeMap<String, Label> = BTreeMap::new();
                for known in node.iter() {
                    let mut known = known.clone();
                    known.owner.ours = plan.labels.contains_key(&*known.key);
                    if known.owner != Owner::default() || node.get(&known.key).is_some_and(|l| !l.owner.ours)
                    {
                        next.insert(known.key.to_string(), known);
                    }
                }
                for (key, value) in &plan.labels {
                    let before = next.get(*key).cloned();
                    let owner = before
                        .as_ref()
                        .map(|label| label.owner.clone())
                        .unwrap_or_default();
                    let same = before.is_none_or(|label| *label.value == **value);
                    let alone = owner.other.is_none() && !owner.earlier;
                    assert!(same || alone, "a conflict on {key}: {owner:?}");
                    next.insert(
                        (*key).to_owned(),
                        label(key, value, Owner { ours: true, ..owner }),
                    );
                }
                next.into_values().collect()
            }
        };
        node = NodeLabels::new(next);
    }
    panic!("never at rest: {node:?}")
}

fn values(node: &NodeLabels) -> Vec<(&str, &str)> {
    node.iter().map(|label| (&*label.key, &*label.value)).collect()
}

#[test]
fn a_node_gets_the_union_in_one_write_and_then_rests() {
    let (a, b) = (
        exists("arch", &[("a", "1")]),
        exists("arch", &[("b", "2"), ("a", "1")]),
    );
    let unmatched = exists("gpu", &[("c", "3")]);
    let rules = [&a, &b, &unmatched];
    let (node, writes) = follow(NodeLabels::new([kubelets("arch", "amd64")]), &rules);
    assert_eq!(writes, 1);
    assert_eq!(values(&node), [("a", "1"), ("arch", "amd64"), ("b", "2")]);
    let plan = plan(&node, &rules, false);
    assert!(
        plan.verdicts[0].as_ref().unwrap().is_labeled() && plan.verdicts[1].as_ref().unwrap().is_labeled()
    );
    assert!(plan.verdicts[2].is_none());
    let (node, writes) = follow(node, &[&b]);
    assert_eq!(
        (writes, values(&node).len()),
        (0, 3),
        "the other still asks for a"
    );
    let (node, writes) = follow(node, &[]);
    assert_eq!((writes, values(&node)), (1, vec![("arch", "amd64")]));
}

#[test]
fn the_oldest_wins_and_the_other_is_told() {
    let (old, young) = (
        exists("arch", &[("tier", "gold")]),
        exists("arch", &[("tier", "lead"), ("x", "y")]),
    );
    let (node, writes) = follow(NodeLabels::new([kubelets("arch", "amd64")]), &[&old, &young]);
    assert_eq!(
        (writes, values(&node)),
        (1, vec![("arch", "amd64"), ("tier", "gold"), ("x", "y")])
    );
    let told = plan(&node, &[&old, &young], false);
    assert!(told.verdicts[0].as_ref().unwrap().is_labeled());
    let verdict = told.verdicts[1].as_ref().unwrap();
    assert_eq!(
        (verdict.overruled.as_slice(), verdict.missing),
        ([("tier", 0)].as_slice(), false)
    );
    let (node, writes) = follow(node, &[&young]);
    assert_eq!((writes, node.get("tier").unwrap().value.as_ref()), (1, "lead"));
}

#[test]
fn what_others_have_set_is_left_alone_and_told() {
    let rule = exists("arch", &[("tier", "gold"), ("arch", "amd64")]);
    let node = NodeLabels::new([kubelets("arch", "amd64"), kubelets("tier", "lead")]);
    let planned = plan(&node, &[&rule], false);
    assert_eq!(
        (&planned.step, planned.labels.len()),
        (&Step::Rest, 0),
        "nor is the same value claimed"
    );
    let verdict = planned.verdicts[0].as_ref().unwrap();
    assert_eq!(verdict.taken, [("tier", Some(&Arc::from("kubelet")))]);
    let unknown = NodeLabels::new([kubelets("arch", "a"), label("tier", "lead", Owner::default())]);
    let planned = plan(&unknown, &[&rule], false);
    assert_eq!(planned.verdicts[0].as_ref().unwrap().taken.len(), 2);
}

#[test]
fn what_we_share_stays_shared_until_we_want_something_else() {
    let rule = exists("arch", &[("tier", "gold")]);
    let node = NodeLabels::new([kubelets("arch", "a"), shared("tier", "gold")]);
    assert_eq!(follow(node.clone(), &[&rule]).1, 0);
    let changed = exists("arch", &[("tier", "lead")]);
    let (node, writes) = follow(node, &[&changed]);
    assert_eq!(
        (writes, node.get("tier").unwrap().value.as_ref()),
        (1, "gold"),
        "it is theirs alone now"
    );
    assert_eq!(
        plan(&node, &[&changed], false).verdicts[0]
            .as_ref()
            .unwrap()
            .taken
            .len(),
        1
    );
}

#[test]
fn labels_of_the_earlier_operator_are_taken_over_changed_and_removed() {
    let rule = exists("arch", &[("foo", "baz")]);
    let node = NodeLabels::new([
        kubelets("arch", "a"),
        earlier("foo", "baz"),
        earlier("not-named", "x"),
    ]);
    let (node, writes) = follow(node, &[&rule]);
    assert_eq!(writes, 2, "claimed, then taken");
    assert!(node.get("foo").unwrap().is_only_ours() && !node.get("foo").unwrap().owner.earlier);
    let changed = exists("arch", &[("foo", "qux")]);
    let (node, writes) = follow(node, &[&changed]);
    assert_eq!((writes, node.get("foo").unwrap().value.as_ref()), (1, "qux"));
    let (node, _) = follow(node, &[]);
    assert_eq!(values(&node), [("arch", "a"), ("not-named", "x")]);
    // Also when we were stopped between the two writes.
    let mut half = earlier("foo", "baz");
    half.owner.ours = true;
    for (rules, left) in [(vec![], None), (vec![&changed], Some("qux"))] {
        let node = NodeLabels::new([kubelets("arch", "a"), half.clone()]);
        let (node, _) = follow(node, &rules);
        assert_eq!(node.get("foo").map(|label| &*label.value), left);
    }
}

#[test]
fn a_label_that_a_rule_rests_on_is_not_taken_over() {
    // It would be claimed, be no fact any more, be asked for by nobody, and go; whoever has set it would set it again.
    let itself = exists("foo", &[("foo", "baz"), ("more", "1")]);
    let node = NodeLabels::new([kubelets("arch", "a"), earlier("foo", "baz")]);
    let (node, writes) = follow(node, &[&itself]);
    assert_eq!(
        (writes, values(&node)),
        (1, vec![("arch", "a"), ("foo", "baz"), ("more", "1")])
    );
    assert!(!node.get("foo").unwrap().owner.ours);
    let told = plan(&node, &[&itself], false);
    assert!(told.verdicts[0].as_ref().unwrap().is_labeled());
    let (node, _) = follow(node, &[]);
    assert_eq!(values(&node), [("arch", "a"), ("foo", "baz")]);
    // Two that rest on each other; one of the two may be taken over, and both stay.
    let (one, other) = (exists("b", &[("a", "1")]), exists("a", &[("b", "1")]));
    let both = NodeLabels::new([earlier("a", "1"), earlier("b", "1")]);
    let (node, _) = follow(both, &[&one, &other]);
    assert_eq!(values(&node), [("a", "1"), ("b", "1")]);
    // One that another rule sets as well does not rest on itself.
    let base = exists("arch", &[("foo", "baz")]);
    let node = NodeLabels::new([kubelets("arch", "a"), earlier("foo", "baz")]);
    let (node, _) = follow(node, &[&itself, &base]);
    assert!(node.get("foo").unwrap().is_only_ours());
    // Nor is one claimed that would change with it: an older rule wants another value.
    let older = exists("arch", &[("foo", "qux")]);
    let node = NodeLabels::new([kubelets("arch", "a"), earlier("foo", "baz")]);
    let (node, writes) = follow(node, &[&older, &base]);
    assert_eq!((writes, &*node.get("foo").unwrap().value), (0, "baz"));
}

#[test]
fn another_installation_keeps_what_it_has_set_and_is_no_fact() {
    let peers = |key: &str, value: &str| {
        let mut label = kubelets(key, value);
        label.owner.other = Some("llm-operator-node-labels:other/llm-operator".into());
        label
    };
    let rule = exists("arch", &[("tier", "gold"), ("same", "1")]);
    let absent = rule_of_absent("tier", &[("plain", "yes")]);
    let builds = exists("same", &[("never", "1")]);
    let node = NodeLabels::new([kubelets("arch", "a"), peers("tier", "lead"), peers("same", "1")]);
    let (node, writes) = follow(node, &[&rule, &absent, &builds]);
    let told = plan(&node, &[&rule, &absent, &builds], false);
    assert_eq!(told.verdicts[0].as_ref().unwrap().taken.len(), 1);
    assert_eq!((writes, &*node.get("tier").unwrap().value), (1, "lead"));
    assert!(node.get("plain").is_some(), "a label of labelers is no fact");
    assert!(node.get("never").is_none() && told.verdicts[2].is_none());
    let (node, _) = follow(node, &[]);
    assert_eq!(values(&node), [("arch", "a"), ("same", "1"), ("tier", "lead")]);
}

#[test]
fn labelers_build_on_each_other_without_flapping() {
    let (base, next) = (
        exists("arch", &[("a", "1")]),
        rule("a", Test::In(["1".into()].into()), &[("b", "2")]),
    );
    // In whatever order they are.
    for rules in [[&base, &next], [&next, &base]] {
        let (node, writes) = follow(NodeLabels::new([kubelets("arch", "x")]), &rules);
        assert_eq!((writes, values(&node).len()), (1, 3));
        let (node, writes) = follow(node, &[&next]);
        assert_eq!(
            (writes, values(&node)),
            (1, vec![("arch", "x")]),
            "both go together"
        );
    }
    let (one, other) = (exists("b", &[("a", "1")]), exists("a", &[("b", "1")]));
    let node = NodeLabels::new([kubelets("arch", "x"), ours("a", "1"), ours("b", "1")]);
    assert_eq!(
        follow(node, &[&one, &other]).0.iter().count(),
        1,
        "a circle holds nothing up"
    );
}

#[test]
fn negative_operators_look_at_facts_only() {
    let default = rule("tier", Test::DoesNotExist, &[("tier", "none")]);
    let (node, writes) = follow(NodeLabels::new([kubelets("arch", "x")]), &[&default]);
    assert_eq!(
        (writes, node.get("tier").unwrap().value.as_ref()),
        (1, "none"),
        "it does not end itself"
    );
    let not_gold = rule("tier", Test::NotIn(["gold".into()].into()), &[("cheap", "yes")]);
    let gold = exists("arch", &[("tier", "gold")]);
    let (node, writes) = follow(NodeLabels::new([kubelets("arch", "x")]), &[&gold, &not_gold]);
    assert_eq!(
        (writes, values(&node).len()),
        (1, 3),
        "tier is set by a labeler, and so no fact"
    );
    let node = NodeLabels::new([kubelets("tier", "gold")]);
    assert!(
        plan(&node, &[&not_gold, &default], false)
            .verdicts
            .iter()
            .all(Option::is_none)
    );
}

#[test]
fn while_a_labeler_is_unreadable_nothing_goes() {
    let node = NodeLabels::new([kubelets("arch", "x"), ours("a", "1")]);
    let held = plan(&node, &[], true);
    assert_eq!((held.step, held.held), (Step::Rest, ["a"].into()));
    let rule = exists("arch", &[("b", "2")]);
    let planned = plan(&node, &[&rule], true);
    assert_eq!((&planned.step, planned.labels.len()), (&Step::Apply, 2));
    assert_eq!(planned.held, ["a"].into());
    assert_eq!(planned.adds(&node).collect::<Vec<_>>(), ["b"]);
    assert!(plan(&node, &[], false).drops(&node, "a"));
}

#[test]
fn a_label_that_has_to_wait_holds_no_other_up() {
    let rule = exists("arch", &[("a", "1"), ("b", "2")]);
    let node = NodeLabels::new([kubelets("arch", "x"), ours("gone", "1"), ours("b", "2")]);
    let mut planned = plan(&node, &[&rule], false);
    planned.leave_out(&node, ["a"].into_iter());
    assert_eq!(
        (&planned.step, planned.labels.len()),
        (&Step::Apply, 1),
        "one has to go"
    );
    let node = NodeLabels::new([kubelets("arch", "x"), ours("b", "2")]);
    let mut planned = plan(&node, &[&rule], false);
    planned.leave_out(&node, ["a"].into_iter());
    assert_eq!(planned.step, Step::Rest);
}
