//! Who uses whom inside a service, read from its `use` lines and from the paths in its code.

use syn::{
    ExprMethodCall, ItemUse, Path, UseTree,
    visit::{self, Visit},
};

use crate::sources::{Source, without_tests};

/// The packages of other services that a service may call or hear of, beside `common` and its own. Order names no vertical.
const NEIGHBOURS: [(&str, &[&str]); 11] = [
    ("user", &["order"]),
    ("provider", &["user", "order", "fulfilment"]),
    ("order", &["user", "provider", "payment", "fulfilment"]),
    ("payment", &["user", "provider"]),
    (
        "notification",
        &[
            "user",
            "provider",
            "order",
            "payment",
            "transport",
            "moving",
            "repair",
            "child_assistance",
            "fulfilment",
        ],
    ),
    ("vertical", &["fulfilment"]),
    ("cleaning", &["fulfilment"]),
    ("transport", &["provider", "fulfilment"]),
    ("moving", &["fulfilment"]),
    ("repair", &["user", "fulfilment"]),
    ("child_assistance", &["user", "fulfilment"]),
];

/// Every path that a file spells, from the root of its crate on: `crate::domain::Order`, `tonic::Status`.
#[derive(Default)]
struct Paths {
    module: Vec<String>,
    found: Vec<String>,
    asks_the_time: bool,
    waits: bool,
}

impl Paths {
    fn of(source: &Source) -> Self {
        let module = source.module().into_iter().map(str::to_owned).collect();
        let mut paths = Self { module, ..Self::default() };
        for item in &source.items() {
            paths.visit_item(item);
        }
        paths
    }

    fn add_use(&mut self, before: &[String], tree: &UseTree) {
        let with = |name: String| [before, &[name]].concat();
        match tree {
            UseTree::Path(path) => self.add_use(&with(path.ident.to_string()), &path.tree),
            UseTree::Name(name) => self.add(&with(name.ident.to_string())),
            UseTree::Rename(rename) => self.add(&with(rename.ident.to_string())),
            UseTree::Glob(_) => self.add(before),
            UseTree::Group(group) => group.items.iter().for_each(|tree| self.add_use(before, tree)),
        }
    }

    /// Notes a path, with `super` and `self` replaced by what they stand for.
    fn add(&mut self, segments: &[String]) {
        let ups = segments.iter().take_while(|name| *name == "super").count();
        let path = match segments.first().map(String::as_str) {
            Some("super") => {
                let kept = self.module.len().saturating_sub(ups);
                let from_root =
                    [&["crate".to_owned()], &self.module[..kept], &segments[ups..]].concat();
                from_root.join("::")
            }
            Some("self") => {
                [&["crate".to_owned()], &self.module[..], &segments[1..]].concat().join("::")
            }
            _ => segments.join("::"),
        };
        self.found.push(path);
    }

    fn starting_with(&self, start: &str) -> Option<&String> {
        self.found.iter().find(|path| {
            path.strip_prefix(start).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
        })
    }
}

impl<'ast> Visit<'ast> for Paths {
    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        self.add_use(&[], &item.tree);
    }

    fn visit_path(&mut self, path: &'ast Path) {
        let segments: Vec<String> =
            path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        if segments.len() > 1 {
            self.add(&segments);
        }
        visit::visit_path(self, path);
    }

    fn visit_expr_method_call(&mut self, call: &'ast ExprMethodCall) {
        self.asks_the_time |= call.method == "now";
        visit::visit_expr_method_call(self, call);
    }

    fn visit_signature(&mut self, signature: &'ast syn::Signature) {
        self.waits |= signature.asyncness.is_some();
        visit::visit_signature(self, signature);
    }

    fn visit_expr_await(&mut self, expression: &'ast syn::ExprAwait) {
        self.waits = true;
        visit::visit_expr_await(self, expression);
    }
}

fn files_of_room(room: &str) -> Vec<(String, Paths)> {
    let sources = without_tests();
    let of_room = sources.iter().filter(|source| {
        source.service().is_some_and(|service| service != "kit" && service != "quickserve")
            && source.room() == room
    });
    let found: Vec<_> = of_room.map(|source| (source.path.clone(), Paths::of(source))).collect();
    assert!(found.len() >= 6, "only {} files of {room}", found.len());
    found
}

#[track_caller]
fn assert_uses_none(room: &str, forbidden: &[&str]) {
    let mut wrong = Vec::new();
    for (file, paths) in files_of_room(room) {
        let used = forbidden.iter().filter_map(|start| paths.starting_with(start));
        wrong.extend(used.map(|path| format!("{file} uses {path}")));
    }
    assert!(wrong.is_empty(), "{room} must not use these:\n{}", wrong.join("\n"));
}

#[test]
fn rules_see_neither_the_wire_nor_the_rooms_above() {
    let above = [
        "tonic",
        "proto",
        "prost",
        "crate::api",
        "crate::convert",
        "crate::events",
        "crate::consumer",
        "crate::repository",
        "crate::processes",
        "crate::flow",
        "crate::worker",
        "crate::peers",
    ];
    assert_uses_none("domain", &above);
}

#[test]
fn rules_never_wait_and_never_ask_the_time() {
    for (file, paths) in files_of_room("domain") {
        assert!(!paths.waits, "{file} waits: what it needs comes in as an argument");
        let asks = paths.asks_the_time || paths.found.iter().any(|path| path.ends_with("Utc::now"));
        assert!(!asks, "{file} asks the time: `now` comes in as an argument");
    }
}

/// They may use `events`, whose messages are saved together with the change that they tell of.
#[test]
fn queries_see_neither_the_wire_nor_the_rooms_above() {
    let above = [
        "tonic",
        "proto",
        "prost",
        "crate::api",
        "crate::convert",
        "crate::consumer",
        "crate::processes",
        "crate::flow",
        "crate::worker",
        "crate::peers",
    ];
    assert_uses_none("repository", &above);
}

#[test]
fn a_service_names_only_the_contracts_of_its_neighbours() {
    let mut wrong = Vec::new();
    for source in without_tests() {
        let Some((service, allowed)) = source
            .service()
            .and_then(|service| NEIGHBOURS.iter().find(|(name, _)| *name == service))
        else {
            continue;
        };
        for path in Paths::of(&source).found {
            let Some(rest) = path.strip_prefix("proto::quickserve::") else { continue };
            let package = rest.split("::").next().unwrap_or_default();
            if package != *service && package != "common" && !allowed.contains(&package) {
                wrong.push(format!("{} uses {path}", source.path));
            }
        }
    }
    assert!(wrong.is_empty(), "no neighbours of these services:\n{}", wrong.join("\n"));
}

/// Which verticals can be booked is known from the program, so that a new one changes nothing in order. The cancellation
/// policy is data, which an operator may replace.
#[test]
fn order_names_no_vertical() {
    let verticals = ["transport", "moving", "cleaning", "repair", "child_assistance"];
    let mut wrong = Vec::new();
    for source in without_tests() {
        if source.service() != Some("order") || source.path.ends_with("/domain/policy.rs") {
            continue;
        }
        let code = source.text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        let named = verticals.iter().filter(|name| code.contains(&format!("\"{name}")));
        wrong.extend(named.map(|name| format!("{} names {name}", source.path)));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
