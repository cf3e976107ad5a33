//! The contracts of one tree: compiled without protoc, with their options, comments and positions kept.

use crate::problem::Problem;
use prost_reflect::{DescriptorPool, FileDescriptor, MessageDescriptor, ServiceDescriptor};
use std::{
    collections::HashMap,
    fs, io,
    path::{Path, PathBuf},
};

/// Imported although no contract of the tree may need it, so that the generated tree always has the same shape.
const HTTP_BODY: &str = "google/api/httpbody.proto";

/// A compiled tree of contracts.
pub struct Contracts {
    /// Every descriptor, imports included.
    pub pool: DescriptorPool,
    /// The files of the tree itself, in the order of their names.
    pub files: Vec<FileDescriptor>,
    /// The descriptor set: imports, options and source information included.
    pub bytes: Vec<u8>,
    places: HashMap<String, HashMap<Vec<i32>, Place>>,
}

/// Where an element stands, and what is written above it.
#[derive(Default)]
struct Place {
    line: usize,
    comment: String,
}

impl Contracts {
    /// Compiles every `.proto` below `tree`; imports are looked up in `include`.
    ///
    /// # Errors
    /// The first fault that the compiler finds, or an unreadable folder.
    pub fn load(include: &[PathBuf], tree: &Path) -> Result<Self, Problem> {
        let mut paths = Vec::new();
        find_contract(tree, &mut paths)
            .map_err(|e| Problem::outside(format!("{}: {e}", tree.display())))?;
        paths.sort();
        let mut compiler =
            protox::Compiler::new(include).map_err(|e| Problem::from_compiler(&e))?;
        compiler.include_imports(true).include_source_info(true);
        compiler
            .open_file(HTTP_BODY)
            .and_then(|compiler| compiler.open_files(&paths))
            .map_err(|e| Problem::from_compiler(&e))?;

        let pool = compiler.descriptor_pool();
        let own: Vec<String> = compiler
            .files()
            .filter(|file| !file.is_import() && file.name() != HTTP_BODY)
            .map(|file| file.name().to_owned())
            .collect();
        let mut files: Vec<FileDescriptor> =
            own.iter().filter_map(|name| pool.get_file_by_name(name)).collect();
        files.sort_by(|a, b| a.name().cmp(b.name()));
        let places = files.iter().map(|file| (file.name().to_owned(), places_of(file))).collect();
        Ok(Self { pool, files, bytes: compiler.encode_file_descriptor_set(), places })
    }

    /// A fault of the element at `path` (as descriptors give it) in `file`.
    pub fn problem(
        &self,
        file: &FileDescriptor,
        path: &[i32],
        message: impl Into<String>,
    ) -> Problem {
        let line = self.place(file, path).map_or(0, |place| place.line);
        Problem { file: file.name().to_owned(), line, message: message.into() }
    }

    /// The comment directly above the element at `path`, trimmed; empty when there is none.
    pub fn comment(&self, file: &FileDescriptor, path: &[i32]) -> &str {
        self.place(file, path).map_or("", |place| place.comment.as_str())
    }

    /// Every message of the tree, nested ones included, without the entries of maps.
    pub fn messages(&self) -> Vec<MessageDescriptor> {
        let mut all = Vec::new();
        for file in &self.files {
            file.messages().for_each(|message| collect_files(message, &mut all));
        }
        all
    }

    /// Every service of the tree.
    pub fn services(&self) -> impl Iterator<Item = ServiceDescriptor> {
        self.files.iter().flat_map(FileDescriptor::services)
    }

    /// The files for which Rust is generated: the tree, the raw body, and Google's standard types, which the generator
    /// must see although it maps them to `prost_types`. Annotation files have no use at run time.
    pub fn for_generation(&self) -> prost_types::FileDescriptorSet {
        let files = self.pool.files().filter(|file| {
            file.package_name() == "google.protobuf"
                || file.name() == HTTP_BODY
                || self.places.contains_key(file.name())
        });
        prost_types::FileDescriptorSet {
            file: files.map(|file| file.file_descriptor_proto().clone()).collect(),
        }
    }

    fn place(&self, file: &FileDescriptor, path: &[i32]) -> Option<&Place> {
        self.places.get(file.name())?.get(path)
    }
}

fn collect_files(message: MessageDescriptor, all: &mut Vec<MessageDescriptor>) {
    if message.is_map_entry() {
        return;
    }
    let children: Vec<_> = message.child_messages().collect();
    all.push(message);
    children.into_iter().for_each(|child| collect_files(child, all));
}

fn find_contract(folder: &Path, found: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            find_contract(&path, found)?;
        } else if path.extension().is_some_and(|extension| extension == "proto") {
            found.push(path);
        }
    }
    Ok(())
}

fn places_of(file: &FileDescriptor) -> HashMap<Vec<i32>, Place> {
    let mut places = HashMap::new();
    let info = file.file_descriptor_proto().source_code_info.as_ref();
    for location in info.iter().flat_map(|info| &info.location) {
        let line = location.span.first().and_then(|line| usize::try_from(*line).ok());
        let comment = location.leading_comments.as_deref().unwrap_or_default().trim().to_owned();
        let place: &mut Place = places.entry(location.path.clone()).or_default();
        if place.line == 0 {
            place.line = line.map_or(0, |line| line + 1);
        }
        if place.comment.is_empty() {
            place.comment = comment;
        }
    }
    places
}
