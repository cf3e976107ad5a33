//! The Rust sources of the project, parsed.

use std::{
    fs,
    path::{Path, PathBuf},
};

use syn::{Attribute, Item};

/// Folders that hold Rust code of the project.
const FOLDERS: [&str; 7] =
    ["build-support", "edge", "migrations", "proto", "route-template", "services", "tests"];

/// One source file.
pub struct Source {
    /// Its path from the root of the project, with `/` between folders.
    pub path: String,
    pub text: String,
}

impl Source {
    fn read(path: &Path) -> Self {
        let text = fs::read_to_string(path).unwrap();
        let path = path.strip_prefix(root()).unwrap().to_string_lossy().replace('\\', "/");
        Self { path, text }
    }

    /// What the file declares, unit tests left out.
    pub fn items(&self) -> Vec<Item> {
        let file =
            syn::parse_file(&self.text).unwrap_or_else(|error| panic!("{}: {error}", self.path));
        file.items.into_iter().filter(|item| !is_test(attributes_of(item))).collect()
    }

    /// Whether the file holds only what tests use.
    fn is_of_tests(&self) -> bool {
        let of_tests = ["/tests/", "/benches/", "/testing/"];
        self.path.starts_with("tests/")
            || of_tests.iter().any(|folder| self.path.contains(folder))
            || ["/tests.rs", "/testing.rs"].iter().any(|name| self.path.ends_with(name))
    }

    /// The service that the file belongs to: `order` for `services/order/src/api/orders.rs`.
    pub fn service(&self) -> Option<&str> {
        let (service, _) = self.path.strip_prefix("services/")?.split_once("/src/")?;
        Some(service)
    }

    /// The file's place in its crate: `["domain", "order"]` for `services/order/src/domain/order.rs`.
    pub fn module(&self) -> Vec<&str> {
        let (_, file) = self.path.split_once("src/").unwrap_or_default();
        let mut module: Vec<&str> = file.trim_end_matches(".rs").split('/').collect();
        if matches!(module.last(), Some(&("mod" | "lib" | "main"))) {
            module.pop();
        }
        module
    }

    /// The room of its service that the file is in: `domain` for `services/order/src/domain/order.rs`.
    pub fn room(&self) -> &str {
        self.module().first().copied().unwrap_or_default()
    }
}

/// The root of the project.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// Every Rust file of the project.
pub fn all() -> Vec<Source> {
    let mut paths = Vec::new();
    for folder in FOLDERS {
        collect(&root().join(folder), &mut paths);
    }
    paths.sort();
    let sources: Vec<Source> = paths.iter().map(|path| Source::read(path)).collect();
    assert!(sources.len() > 100, "only {} files", sources.len());
    sources
}

/// Every Rust file that is part of a program or of a library, and not only of tests.
pub fn without_tests() -> Vec<Source> {
    all().into_iter().filter(|source| !source.is_of_tests()).collect()
}

fn collect(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && name != "target" && name != "node_modules" && !name.starts_with('.') {
            collect(&path, found);
        } else if name.ends_with(".rs") {
            found.push(path);
        }
    }
}

fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let condition = attribute.meta.require_list().map(|list| list.tokens.to_string());
        attribute.path().is_ident("cfg")
            && condition
                .is_ok_and(|condition| condition == "test" || condition.contains("\"testing\""))
    })
}

fn attributes_of(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}
