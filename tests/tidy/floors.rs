//! The floor plan as a test: which crate may depend on which.

use std::fs;

use crate::sources::root;

const DOMAINS: [&str; 10] = [
    "user",
    "provider",
    "order",
    "payment",
    "notification",
    "transport",
    "moving",
    "cleaning",
    "repair",
    "child_assistance",
];
const VERTICALS: [&str; 5] = ["transport", "moving", "cleaning", "repair", "child_assistance"];

/// The part of a manifest that says what the crate is built from, tests left out.
fn dependencies(folder: &str) -> String {
    let manifest = fs::read_to_string(root().join(folder).join("Cargo.toml")).unwrap();
    let (_, after) = manifest.split_once("\n[dependencies]").unwrap_or_default();
    after.split("\n[").next().unwrap_or_default().to_owned()
}

fn names(dependencies: &str, package: &str) -> bool {
    dependencies.lines().any(|line| line.split(['.', ' ', '=']).next() == Some(package))
}

#[test]
fn a_floor_uses_only_what_is_below_it() {
    for domain in DOMAINS.iter().filter(|domain| root().join("services").join(domain).exists()) {
        let uses = dependencies(&format!("services/{domain}"));
        for other in DOMAINS.iter().filter(|other| *other != domain) {
            assert!(
                !names(&uses, other),
                "{domain} uses {other}: services speak through contracts"
            );
        }
        assert!(!names(&uses, "edge") && !names(&uses, "quickserve"), "{domain} looks up");
    }
    let edge = dependencies("edge");
    assert!(DOMAINS.iter().all(|domain| !names(&edge, domain)), "the edge knows a domain");
    let transcode = dependencies("edge/transcode");
    for ours in ["kit", "proto", "edge", "build-support", "migrations"] {
        assert!(
            !names(&transcode, ours),
            "transcode uses {ours}: it is to be published alone, with route-template"
        );
    }
    let build_support = dependencies("build-support");
    for ours in ["kit", "proto", "edge", "transcode", "migrations"] {
        assert!(!names(&build_support, ours), "build-support uses {ours}: it is below all of them");
    }
    assert_eq!(dependencies("route-template"), "", "route-template is the ground: it uses nothing");
    let listener = dependencies("edge/listener");
    for ours in ["kit", "proto", "edge", "transcode", "build-support", "migrations"] {
        assert!(!names(&listener, ours), "listener uses {ours}: it knows nothing of ours");
    }
    let schemas = dependencies("proto/json-schema");
    for above in ["kit", "edge", "transcode", "migrations"] {
        assert!(!names(&schemas, above), "json-schema uses {above}: it knows the contracts only");
    }
    let kit = dependencies("services/kit");
    assert!(DOMAINS.iter().all(|domain| !names(&kit, domain)), "kit knows a domain");
}

/// The crates of ours that `folder` is built from.
fn ours_in(folder: &str) -> Vec<&'static str> {
    let uses = dependencies(folder);
    let ours = ["build-support", "edge", "json-schema", "kit", "listener", "migrations", "proto"];
    let more = ["quickserve", "route-template", "transcode", "vertical"];
    ours.into_iter().chain(more).chain(DOMAINS).filter(|name| names(&uses, name)).collect()
}

#[test]
fn verticals_stand_on_vertical_and_nothing_else_does() {
    assert_eq!(ours_in("services/vertical"), ["kit", "proto"]);
    for vertical in VERTICALS.iter().filter(|name| root().join("services").join(name).exists()) {
        let uses = ours_in(&format!("services/{vertical}"));
        assert_eq!(uses, ["kit", "proto", "vertical"], "of {vertical}");
    }
    let others = DOMAINS.iter().filter(|name| !VERTICALS.contains(name));
    let below = ["proto", "services/kit", "edge"].map(str::to_owned);
    for folder in others.map(|name| format!("services/{name}")).chain(below) {
        assert!(!ours_in(&folder).contains(&"vertical"), "{folder} is no vertical");
    }
}
