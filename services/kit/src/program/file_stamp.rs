//! Tells whether a file was replaced, without reading it.

use std::{fs, os::unix::fs::MetadataExt as _, path::Path};

/// What changes when a file is replaced or written: its inode, its size and the time of its last modification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileStamp {
    inode: u64,
    bytes: u64,
    seconds: i64,
    nanoseconds: i64,
}

impl FileStamp {
    /// The stamp of the file that `path` leads to, through symbolic links; none when there is no such file.
    pub fn read(path: &Path) -> Option<Self> {
        let file = fs::metadata(path).ok()?;
        Some(Self {
            inode: file.ino(),
            bytes: file.size(),
            seconds: file.mtime(),
            nanoseconds: file.mtime_nsec(),
        })
    }
}
