//! Tests of who has a name.

use api::infra_example_com::v1::Action::{Install, Status, Uninstall};
use proptest::prelude::*;

use super::*;

/// `name action@time`, or `name action` without a creation time; a trailing `-` is being deleted.
fn claimant(text: &str) -> Claimant {
    let (name, rest) = text.split_once(' ').expect("a name and an action");
    let alive = rest.trim_end_matches('-');
    let (action, time) = match alive.split_once('@') {
        Some((action, time)) => (action, Some(time.parse().expect("a number"))),
        None => (alive, None),
    };
    Claimant {
        name: name.to_owned(),
        created: time.map(|second| Timestamp::from_second(second).expect("a time")),
        action: match action {
            "install" => Install,
            "uninstall" => Uninstall,
            "status" => Status,
            other => panic!("{other} is no action"),
        },
        deleting: rest.ends_with('-'),
    }
}

fn has() -> Standing {
    Standing::Has
}

fn held_down(by: &str) -> Standing {
    Standing::HeldDown { by: by.into() }
}

fn taken(by: &str) -> Standing {
    Standing::Taken { by: by.into() }
}

fn removes(held: &[&str], superseded_by: Option<&str>) -> Standing {
    Standing::Removes {
        held: held.iter().map(|name| (*name).to_owned()).collect(),
        superseded_by: superseded_by.map(str::to_owned),
    }
}

fn reports(of: Option<&str>) -> Standing {
    Standing::Reports {
        of: of.map(str::to_owned),
    }
}

#[track_caller]
fn check(table: &[(&str, Standing)]) {
    let all: Vec<Claimant> = table.iter().map(|(text, _)| claimant(text)).collect();
    for (this, (text, expected)) in all.iter().zip(table) {
        assert_eq!(standing(this, &all), *expected, "{text} among {all:#?}");
    }
}

#[test]
fn alone() {
    check(&[("a install@5", has())]);
    check(&[("a install", has())]);
    check(&[("a install@5-", has())]);
    check(&[("a uninstall@5", removes(&[], None))]);
    check(&[("a uninstall@5-", removes(&[], None))]);
    check(&[("a status@5", reports(None))]);
}

#[test]
fn the_oldest_install_has_the_name() {
    check(&[
        ("a install@7", taken("b")),
        ("b install@5", has()),
        ("c install@6", taken("b")),
        ("s status@1", reports(Some("b"))),
    ]);
}

#[test]
fn installs_of_one_second_go_by_name() {
    check(&[("b install@5", taken("a")), ("a install@5", has())]);
    check(&[("b install", taken("a")), ("a install", has())]);
}

#[test]
fn an_install_keeps_the_name_until_it_is_gone() {
    check(&[("a install@5-", has()), ("b install@6", taken("a"))]);
    check(&[("a install@5", has()), ("b install@6-", taken("a"))]);
    check(&[("a install@5-", has()), ("b install@6-", taken("a"))]);
}

#[test]
fn what_is_not_created_yet_is_the_newest() {
    check(&[("a install", taken("b")), ("b install@9", has())]);
    check(&[("a install", has()), ("u uninstall@9", removes(&[], Some("a")))]);
    check(&[
        ("a install@9", held_down("u")),
        ("u uninstall", removes(&["a"], None)),
    ]);
    check(&[
        ("a install", held_down("u")),
        ("u uninstall", removes(&["a"], None)),
    ]);
}

#[test]
fn an_uninstall_holds_down_what_is_not_newer() {
    check(&[
        ("a install@5", held_down("u")),
        ("b install@4-", held_down("u")),
        ("u uninstall@6", removes(&["b", "a"], None)),
        ("s status@9", reports(None)),
    ]);
}

#[test]
fn a_tie_goes_to_uninstall() {
    check(&[
        ("a install@5", held_down("u")),
        ("u uninstall@5", removes(&["a"], None)),
    ]);
}

#[test]
fn a_newer_install_serves() {
    check(&[
        ("a install@4", held_down("u")),
        ("u uninstall@5", removes(&["a"], Some("b"))),
        ("b install@6", has()),
        ("c install@7", taken("b")),
        ("s status@1", reports(Some("b"))),
    ]);
}

#[test]
fn a_newer_install_that_goes_still_has_the_name() {
    check(&[
        ("u uninstall@5", removes(&[], Some("b"))),
        ("b install@6-", has()),
        ("c install@7", taken("b")),
    ]);
}

#[test]
fn an_uninstall_that_is_being_deleted_holds_down_nothing() {
    check(&[("a install@4", has()), ("u uninstall@5-", removes(&[], None))]);
    check(&[
        ("a install@4", taken("b")),
        ("b install@3", has()),
        ("u uninstall@5-", removes(&[], None)),
    ]);
    check(&[
        ("a install@6", has()),
        ("u uninstall@5-", removes(&[], Some("a"))),
    ]);
}

#[test]
fn the_newest_uninstall_counts() {
    check(&[
        ("a install@2", held_down("v")),
        ("u uninstall@3", removes(&["a"], None)),
        ("b install@4", held_down("v")),
        ("v uninstall@5", removes(&["a", "b"], None)),
    ]);
    check(&[
        ("a install@2", held_down("v")),
        ("u uninstall@3", removes(&["a"], Some("c"))),
        ("b install@4", held_down("v")),
        ("v uninstall@5", removes(&["a", "b"], Some("c"))),
        ("c install@6", has()),
    ]);
}

#[test]
fn when_the_newest_uninstall_goes_the_next_counts() {
    check(&[
        ("a install@2", held_down("u")),
        ("u uninstall@3", removes(&["a"], Some("b"))),
        ("b install@4", has()),
        ("v uninstall@5-", removes(&[], None)),
    ]);
}

#[test]
fn uninstalls_of_one_second_hold_down_the_same() {
    check(&[
        ("a install@3", held_down("v")),
        ("u uninstall@3", removes(&["a"], None)),
        ("v uninstall@3", removes(&["a"], None)),
    ]);
}

#[test]
fn a_list_without_the_resource_itself_says_the_same() {
    let (older, newer) = (claimant("a install@1"), claimant("b install@2"));
    assert_eq!(standing(&newer, std::slice::from_ref(&older)), taken("a"));
    assert_eq!(standing(&older, std::slice::from_ref(&newer)), has());
    assert_eq!(standing(&older, &[]), has());
}

#[test]
fn what_the_resource_says_of_itself_counts_more_than_the_list() {
    let all = [claimant("a uninstall@2"), claimant("b install@1")];
    assert_eq!(standing(&claimant("a status@2"), &all), reports(Some("b")));
}

fn claimants() -> impl Strategy<Value = Vec<Claimant>> {
    let action = prop_oneof![3 => Just(Install), 2 => Just(Uninstall), 1 => Just(Status)];
    let one = (proptest::option::weighted(0.9, 0_i64..5), action, any::<bool>());
    proptest::collection::vec(one, 0..8).prop_map(|list| {
        let named = ('a'..).zip(list);
        named
            .map(|(name, (second, action, deleting))| Claimant {
                name: name.to_string(),
                created: second.and_then(|second| Timestamp::from_second(second).ok()),
                action,
                deleting,
            })
            .collect()
    })
}

fn named(all: &[Claimant], name: &str) -> Claimant {
    let found = all.iter().find(|claimant| claimant.name == name);
    found.cloned().expect("only names of the list are told")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn at_most_one_has_the_name_and_all_agree_on_it(all in claimants()) {
        let holders: Vec<&str> = all
            .iter()
            .filter(|this| standing(this, &all) == Standing::Has)
            .map(|holder| &*holder.name)
            .collect();
        prop_assert!(holders.len() <= 1, "{holders:?}");
        let holder = holders.first().copied();
        let counting = all.iter().any(|other| other.action == Uninstall && !other.deleting);
        let installs = all.iter().any(|other| other.action == Install);
        prop_assert!(holder.is_some() || counting || !installs, "the name is free, and nobody has it");

        for this in &all {
            match standing(this, &all) {
                Standing::Has => prop_assert_eq!(this.action, Install),
                Standing::Taken { by } => {
                    prop_assert_eq!(this.action, Install);
                    prop_assert_eq!(Some(&*by), holder);
                }
                Standing::HeldDown { by } => {
                    prop_assert_eq!(this.action, Install);
                    match standing(&named(&all, &by), &all) {
                        Standing::Removes { held, .. } => prop_assert!(held.contains(&this.name)),
                        other => prop_assert!(false, "{by} is no uninstall: {other:?}"),
                    }
                }
                Standing::Removes { held, superseded_by } => {
                    prop_assert_eq!(this.action, Uninstall);
                    for name in held {
                        let stands = standing(&named(&all, &name), &all);
                        let down = matches!(stands, Standing::HeldDown { .. });
                        prop_assert!(down, "{name} {stands:?}");
                    }
                    prop_assert!(superseded_by.is_none() || superseded_by.as_deref() == holder);
                }
                Standing::Reports { of } => {
                    prop_assert_eq!(this.action, Status);
                    prop_assert_eq!(of.as_deref(), holder);
                }
            }
        }
    }

    #[test]
    fn the_order_of_the_list_does_not_matter(
        (all, shuffled) in claimants().prop_flat_map(|all| (Just(all.clone()), Just(all).prop_shuffle()))
    ) {
        for this in &all {
            prop_assert_eq!(standing(this, &all), standing(this, &shuffled));
        }
    }

    #[test]
    fn statuses_change_nothing(all in claimants()) {
        let without: Vec<Claimant> = all.iter().filter(|other| other.action != Status).cloned().collect();
        for this in &all {
            prop_assert_eq!(standing(this, &all), standing(this, &without));
        }
    }
}
