//! The data folder: no database that was there before is made anew without a word, and only the owner may read them.

use super::program::Home;
use kit::testing::Backend;
use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf};

impl Home {
    fn database_files(&self, service: &str) -> [PathBuf; 3] {
        ["db", "db-wal", "db-shm"].map(|end| self.path().join(format!("{service}.{end}")))
    }

    fn remove_database(&self, service: &str) {
        for path in self.database_files(service) {
            let _ = fs::remove_file(path);
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Loss {
    /// The file is gone.
    Missing,
    /// The file has no byte.
    Empty,
    /// The file is a database without tables.
    WithoutTables,
}

impl Home {
    async fn lose(&self, service: &str, how: Loss) {
        self.remove_database(service);
        match how {
            Loss::Missing => {}
            Loss::Empty => fs::write(&self.database_files(service)[0], "").unwrap(),
            // Opening makes it.
            Loss::WithoutTables => drop(self.rows(service, "SELECT 1").await),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_database_stops_the_start_until_the_operator_decides() {
    let home = Home::new(Backend::Sqlite).await;
    home.start().await.stop().await;
    let list = home.path().join("databases.txt");
    for (service, how) in
        [("user", Loss::Missing), ("payment", Loss::Empty), ("order", Loss::WithoutTables)]
    {
        let file = &home.database_files(service)[0];
        let kept = fs::read(file).unwrap();
        home.lose(service, how).await;
        // A start that is refused changes nothing.
        for _ in 0..2 {
            let said = home.refusal("up").await;
            assert!(said.contains(&file.display().to_string()), "{how:?}: {said}");
            assert!(said.contains("databases.txt"), "{how:?}: {said}");
        }
        // One way out: it is put back. The other: it is taken off the list.
        if how == Loss::Empty {
            let listed = fs::read_to_string(&list).unwrap();
            fs::write(&list, listed.replace(&format!("{service}\n"), "")).unwrap();
        } else {
            home.remove_database(service);
            fs::write(file, kept).unwrap();
        }
        home.start().await.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_of_an_earlier_version_misses_its_databases_too() {
    let home = Home::new(Backend::Sqlite).await;
    home.start().await.stop().await;
    fs::remove_file(home.path().join("databases.txt")).unwrap();
    home.remove_database("provider");
    assert!(home.refusal("up").await.contains("provider.db is missing"));
    assert!(home.refusal("up").await.contains("provider.db is missing"));
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_owner_may_read_the_databases() {
    let home = Home::new(Backend::Sqlite).await;
    for _ in 0..2 {
        let program = home.start().await;
        let mut files = 0;
        for entry in fs::read_dir(home.path()).unwrap() {
            let path = entry.unwrap().path();
            if path.to_str().unwrap().contains(".db") {
                let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
                assert_eq!(mode, 0o600, "{}", path.display());
                files += 1;
            }
        }
        assert!(files > 6, "{files} files");
        program.stop().await;
        // As an earlier version left them.
        for service in ["user", "order"] {
            let [file, ..] = home.database_files(service);
            fs::set_permissions(file, fs::Permissions::from_mode(0o644)).unwrap();
        }
    }
}
