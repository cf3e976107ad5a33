//! Finds sets of contracts in a folder.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

/// The endings of files that are descriptor sets.
const DESCRIPTORS: [&str; 5] = ["pb", "binpb", "desc", "fds", "protoset"];

/// Contracts that are served together.
#[derive(Debug, PartialEq, Eq)]
pub enum ContractSet {
    /// A serialised descriptor set.
    Descriptors(PathBuf),
    /// The `.proto` files of one folder.
    Sources {
        /// The folder from which their imports are named.
        root: PathBuf,
        files: Vec<PathBuf>,
        /// Whether there can be routes; false means that none of the files speaks of a service.
        declares_services: bool,
    },
}

/// All sets of a folder.
#[derive(Debug, Default)]
pub struct Found {
    pub sets: Vec<ContractSet>,
    /// The folders from which imports are named.
    roots: BTreeSet<PathBuf>,
}

impl ContractSet {
    /// Its place below the folder that is checked.
    pub fn name(&self, folder: &Path) -> String {
        let path = match self {
            Self::Descriptors(path) => Some(path.as_path()),
            Self::Sources { files, .. } => files.first().and_then(|file| file.parent()),
        };
        let path = path.unwrap_or(folder);
        match path.strip_prefix(folder).unwrap_or(path) {
            below if below.as_os_str().is_empty() => ".".to_owned(),
            below => below.display().to_string(),
        }
    }
}

impl Found {
    /// Where to look for the imports of a set, its own root first: packages bring copies of their own.
    pub fn imports_of(&self, root: &Path, folder: &Path, more: &[PathBuf]) -> Vec<PathBuf> {
        let mut imports = vec![root.to_owned()];
        let others = self.roots.iter().map(PathBuf::as_path).chain([folder]);
        for other in others.chain(more.iter().map(PathBuf::as_path)) {
            if !imports.iter().any(|known| known == other) {
                imports.push(other.to_owned());
            }
        }
        imports
    }
}

/// Finds the sets below a folder, in the order of their names.
///
/// # Errors
/// When the folder, or a file in it, cannot be read.
pub fn find_contracts(folder: &Path) -> io::Result<Found> {
    let (mut sources, mut found) = (BTreeMap::new(), Found::default());
    walk_folder(folder, &mut sources, &mut found.sets)?;
    for (place, files) in sources {
        let mut by_root: BTreeMap<PathBuf, (Vec<PathBuf>, bool)> = BTreeMap::new();
        for file in files {
            let text = std::fs::read(&file)?;
            let text = String::from_utf8_lossy(&text);
            let (files, services) = by_root.entry(import_root(&text, &place, folder)).or_default();
            files.push(file);
            *services |= text.lines().any(|line| line.trim_start().starts_with("service "));
        }
        for (root, (files, declares_services)) in by_root {
            found.roots.insert(root.clone());
            found.sets.push(ContractSet::Sources { root, files, declares_services });
        }
    }
    Ok(found)
}

fn walk_folder(
    folder: &Path,
    sources: &mut BTreeMap<PathBuf, Vec<PathBuf>>,
    sets: &mut Vec<ContractSet>,
) -> io::Result<()> {
    let entries = std::fs::read_dir(folder)
        .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", folder.display())))?;
    let mut entries = entries.collect::<io::Result<Vec<_>>>()?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        // A link is not followed: it may lead back to where we are.
        if entry.file_type()?.is_dir() {
            walk_folder(&path, sources, sets)?;
            continue;
        }
        match path.extension().and_then(|ending| ending.to_str()) {
            Some("proto") => sources.entry(folder.to_owned()).or_default().push(path),
            Some(ending) if DESCRIPTORS.contains(&ending) => {
                sets.push(ContractSet::Descriptors(path));
            }
            _ => {}
        }
    }
    Ok(())
}

/// The folder from which the imports of a file are named: the one below which its imports are, or else,
/// since the files of package `a.b` are in `a/b` by custom, the one above that.
fn import_root(text: &str, place: &Path, folder: &Path) -> PathBuf {
    let quotes: &[char] = &['"', '\''];
    let imports: Vec<&str> = statements_of(text, "import ")
        .map(|import| {
            import.trim_start_matches("public ").trim_start_matches("weak ").trim_matches(quotes)
        })
        .collect();
    let package = statements_of(text, "package ").next().unwrap_or_default();
    let custom = place_of_package(package, place);
    let candidates = place.ancestors().take_while(|above| above.starts_with(folder));
    // Of equals the last counts, which is the uppermost.
    let best = candidates.max_by_key(|above| {
        let found = imports.iter().filter(|import| above.join(import).is_file()).count();
        2 * found + usize::from(Some(*above) == custom)
    });
    best.unwrap_or(folder).to_owned()
}

/// What follows `word` in the lines that begin with it, up to the semicolon.
fn statements_of<'t>(text: &'t str, word: &str) -> impl Iterator<Item = &'t str> {
    let lines = text.lines().filter_map(move |line| line.trim_start().strip_prefix(word));
    lines.filter_map(|rest| rest.split(';').next()).map(str::trim)
}

/// The folder above that of a package, if the files of the package are where the custom has them.
fn place_of_package<'p>(package: &str, place: &'p Path) -> Option<&'p Path> {
    let mut above = place;
    for name in package.rsplit('.').filter(|name| !name.is_empty()) {
        if above.file_name()?.to_str()? != name {
            return None;
        }
        above = above.parent()?;
    }
    Some(above)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_are_folders_and_descriptor_files() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write("one/protos/acme/shop/v1/b.proto", "// package no.\n  package acme.shop.v1 ;\n");
        write("one/protos/acme/shop/v1/a.proto", "package acme.shop.v1;");
        write("two/elsewhere.proto", "package acme.shop.v1;");
        write("two/set.binpb", "");
        write("two/README.md", "");
        let found = find_contracts(folder.path()).unwrap();
        let names: Vec<String> = found.sets.iter().map(|set| set.name(folder.path())).collect();
        assert_eq!(names, ["two/set.binpb", "one/protos/acme/shop/v1", "two"]);
        // The customary place says otherwise, but the import is found from here only.
        write("three/acme/shop/v1/c.proto", "package shop.v1;\nimport \"acme/shop/v1/d.proto\";");
        write(
            "three/acme/shop/v1/d.proto",
            "package shop.v1;\nimport public 'acme/shop/v1/c.proto';",
        );
        let three = find_contracts(&folder.path().join("three")).unwrap();
        let ContractSet::Sources { root, files, .. } = &three.sets[0] else { panic!("no sources") };
        assert_eq!((root, files.len(), three.sets.len()), (&folder.path().join("three"), 2, 1));
        let ContractSet::Sources { root, files, .. } = &found.sets[1] else { panic!("no sources") };
        assert_eq!((root, files.len()), (&folder.path().join("one/protos"), 2));
        assert_eq!(
            found.imports_of(root, folder.path(), &["more".into()]),
            [root.clone(), folder.path().to_owned(), "more".into()]
        );
    }
}
