//! Signs of how readable the sources are, counted: they are no goal, but what moves them the wrong way is looked at.

use std::collections::{BTreeMap, BTreeSet};

use syn::{
    Expr, ImplItemFn, ItemEnum, ItemFn, ItemStruct, ItemTrait, ItemType, Local, Pat, Signature,
    TraitItemFn,
    spanned::Spanned,
    visit::{self, Visit},
};

use crate::sources::{Source, all, without_tests};

const MAX_FUNCTION_LINES: usize = 60;
/// Of a file, its unit tests left out.
const MAX_FILE_LINES: usize = 400;
/// Of a file with its unit tests, or of a file of tests, which hold tables of cases.
const MAX_FILE_LINES_WITH_TESTS: usize = 470;
const MAX_ONE_WORD_FUNCTIONS_PERCENT: usize = 45;
/// Of closures that are bound to a name, in 10,000 lines.
const MAX_NAMED_CLOSURES: usize = 5;
/// Of documentation that is one or two words long and names nothing exactly, as a quoted name or an RFC does.
const MAX_TERSE_DOCS: usize = 30;
/// Of comment lines with a word of `RIDDLES`, in 1,000 comment lines.
const MAX_RIDDLES: usize = 5;
/// Words that hide who does something.
const RIDDLES: [&str; 4] = ["nobody", "somebody", "whoever", "whatever"];
/// Names of types that more than one crate declares with different meanings.
const MAX_HOMONYMS: usize = 1;
/// Names that mean the same in every crate.
const SAME_EVERYWHERE: [&str; 15] = [
    "ActiveModel",
    "Api",
    "Code",
    "Column",
    "Config",
    "Entity",
    "Error",
    "Handler",
    "Model",
    "OrderId",
    "ProviderId",
    "Relation",
    "Repository",
    "State",
    "UserId",
];
/// Crates that are read by themselves: libraries, and the program.
const APART: [&str; 7] = [
    "build-support",
    "edge/listener",
    "edge/transcode",
    "proto",
    "proto/json-schema",
    "route-template",
    "services/quickserve",
];

#[derive(Default)]
struct Count {
    functions: usize,
    one_word: usize,
    long_functions: Vec<String>,
    named_closures: usize,
    types: BTreeSet<String>,
    /// The file that is being read.
    path: String,
}

impl Count {
    fn add_function(&mut self, signature: &Signature, lines: usize) {
        self.functions += 1;
        let name = signature.ident.to_string();
        self.one_word += usize::from(!name.trim_matches('_').contains('_'));
        if lines > MAX_FUNCTION_LINES {
            self.long_functions.push(format!("{}: {name} has {lines} lines", self.path));
        }
    }
}

fn lines_of(spanned: &impl Spanned) -> usize {
    let span = spanned.span();
    span.end().line - span.start().line + 1
}

/// Documentation of a file that is one or two words long.
fn terse_docs(source: &Source) -> Vec<String> {
    let mut found = Vec::new();
    let mut block: Vec<&str> = Vec::new();
    for line in source.text.lines() {
        if let Some(doc) = line.trim().strip_prefix("///") {
            block.push(doc.trim());
            continue;
        }
        if let [doc] = block.as_slice()
            && doc.split_whitespace().count() <= 2
            && !doc.contains('`')
            && !doc.contains("RFC")
        {
            found.push(format!("{}: {doc}", source.path));
        }
        block.clear();
    }
    found
}

impl<'ast> Visit<'ast> for Count {
    fn visit_item_fn(&mut self, function: &'ast ItemFn) {
        self.add_function(&function.sig, lines_of(function));
        visit::visit_item_fn(self, function);
    }

    fn visit_impl_item_fn(&mut self, function: &'ast ImplItemFn) {
        self.add_function(&function.sig, lines_of(function));
        visit::visit_impl_item_fn(self, function);
    }

    fn visit_trait_item_fn(&mut self, function: &'ast TraitItemFn) {
        self.add_function(&function.sig, lines_of(function));
        visit::visit_trait_item_fn(self, function);
    }

    fn visit_local(&mut self, local: &'ast Local) {
        let closure =
            local.init.as_ref().is_some_and(|init| matches!(*init.expr, Expr::Closure(_)));
        self.named_closures +=
            usize::from(closure && matches!(local.pat, Pat::Ident(_) | Pat::Type(_)));
        visit::visit_local(self, local);
    }

    fn visit_item_struct(&mut self, item: &'ast ItemStruct) {
        self.types.insert(item.ident.to_string());
        visit::visit_item_struct(self, item);
    }

    fn visit_item_enum(&mut self, item: &'ast ItemEnum) {
        self.types.insert(item.ident.to_string());
        visit::visit_item_enum(self, item);
    }

    fn visit_item_trait(&mut self, item: &'ast ItemTrait) {
        self.types.insert(item.ident.to_string());
        visit::visit_item_trait(self, item);
    }

    fn visit_item_type(&mut self, item: &'ast ItemType) {
        self.types.insert(item.ident.to_string());
        visit::visit_item_type(self, item);
    }
}

fn count(sources: &[Source]) -> Count {
    let mut count = Count::default();
    for source in sources {
        count.path.clone_from(&source.path);
        for item in &source.items() {
            count.visit_item(item);
        }
    }
    count
}

fn total_lines(sources: &[Source]) -> usize {
    sources.iter().map(|source| source.text.lines().count()).sum()
}

#[test]
fn a_file_is_short_and_says_first_what_it_is() {
    for source in all() {
        assert!(source.text.starts_with("//!"), "{} does not say what it is", source.path);
        let lines = source.text.lines().count();
        assert!(lines <= MAX_FILE_LINES_WITH_TESTS, "{} has {lines} lines", source.path);
    }
    for source in without_tests() {
        let code = source.text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        let lines = code.lines().count();
        assert!(lines <= MAX_FILE_LINES, "{} has {lines} lines", source.path);
    }
}

#[test]
fn a_function_fits_on_a_page() {
    let long = count(&without_tests()).long_functions;
    assert!(long.is_empty(), "longer than {MAX_FUNCTION_LINES} lines:\n{}", long.join("\n"));
}

#[test]
fn names_say_what_they_do_to_what() {
    let Count { functions, one_word, .. } = count(&without_tests());
    let percent = 100 * one_word / functions;
    assert!(
        percent < MAX_ONE_WORD_FUNCTIONS_PERCENT,
        "{one_word} of {functions} function names ({percent} %) are one word long"
    );
}

#[test]
fn code_that_has_a_name_is_a_function() {
    let sources = without_tests();
    let closures = count(&sources).named_closures;
    let lines = total_lines(&sources);
    assert!(
        closures * 10_000 < MAX_NAMED_CLOSURES * lines,
        "{closures} closures are bound to a name in {lines} lines"
    );
}

#[test]
fn documentation_says_something() {
    let terse: Vec<String> = without_tests().iter().flat_map(terse_docs).collect();
    assert!(
        terse.len() < MAX_TERSE_DOCS,
        "{} docs of one or two words:\n{}",
        terse.len(),
        terse.join("\n")
    );
}

#[test]
fn comments_say_who_does_what() {
    let sources = without_tests();
    let comments = sources.iter().flat_map(|source| {
        let lines = source.text.lines().map(str::trim).filter(|line| line.starts_with("//"));
        lines.map(|line| (&source.path, line.to_lowercase()))
    });
    let comments: Vec<_> = comments.collect();
    let riddles: Vec<String> = comments
        .iter()
        .filter(|(_, line)| {
            line.split(|letter: char| !letter.is_alphabetic()).any(|word| RIDDLES.contains(&word))
        })
        .map(|(path, line)| format!("{path}: {line}"))
        .collect();
    assert!(
        riddles.len() * 1000 < MAX_RIDDLES * comments.len(),
        "{} of {} comment lines hide who does something:\n{}",
        riddles.len(),
        comments.len(),
        riddles.join("\n")
    );
}

#[test]
fn a_name_has_one_meaning() {
    let mut crates: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for source in without_tests() {
        let (package, _) = source.path.split_once("/src/").unwrap_or((&source.path, ""));
        if APART.contains(&package) {
            continue;
        }
        let package = package.to_owned();
        for name in count(&[source]).types {
            crates.entry(name).or_default().insert(package.clone());
        }
    }
    let homonyms: Vec<String> = crates
        .iter()
        .filter(|(name, crates)| crates.len() > 1 && !SAME_EVERYWHERE.contains(&name.as_str()))
        .map(|(name, crates)| format!("{name}: {}", Vec::from_iter(crates.clone()).join(", ")))
        .collect();
    assert!(
        homonyms.len() <= MAX_HOMONYMS,
        "{} types share their name:\n{}",
        homonyms.len(),
        homonyms.join("\n")
    );
}
