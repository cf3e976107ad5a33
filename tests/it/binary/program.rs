//! The real program as a process of its own: started on free ports, stopped or killed, started again on its data.

use kit::{
    Clock, Db,
    storage::db::DbConfig,
    testing::{Backend, TestStore, eventually},
};
use quickserve::client::Client;
use sea_orm::{ConnectionTrait, QueryResult, Statement};
use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Read},
    net::SocketAddr,
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex, mpsc},
    thread,
    time::Duration,
};

/// How long the program may take to start or to end on a machine that is busy with other tests.
const PATIENCE: Duration = Duration::from_secs(25);

/// What outlives a process: its folder and its database.
pub struct Home {
    store: TestStore,
}

/// A command that ended.
pub struct Finished {
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
}

impl Finished {
    /// What it printed, after it succeeded.
    pub fn ok(self) -> String {
        assert!(self.status.success(), "{}\n{}\n{}", self.status, self.stdout, self.stderr);
        self.stdout
    }
}

/// Runs a command to its end, off the runtime.
pub async fn run(mut command: Command) -> Finished {
    let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Finished { status: output.status, stdout: text(output.stdout), stderr: text(output.stderr) }
}

impl Home {
    /// An empty one.
    pub async fn new(backend: Backend) -> Self {
        Self { store: backend.store().await }
    }

    /// One on a copy of a data folder.
    pub async fn restored(from: &Path) -> Self {
        let store = Backend::Sqlite.store().await;
        copy_folder(from, store.folder());
        Self { store }
    }

    /// The folder of files.
    pub fn path(&self) -> &Path {
        self.store.folder()
    }

    /// The program on this data. Of this process's own environment it gets nothing that configures it.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_quickserve"));
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            if text.starts_with("QS_") || text.starts_with("OTEL_") {
                command.env_remove(name);
            }
        }
        command.args(args).env("QS_DATA_DIR", self.path()).current_dir(self.path());
        command.env("QS_ADMIN", "127.0.0.1:0");
        if let Some(url) = self.database_url() {
            command.env("QS_DATABASE_URL", url);
        }
        command
    }

    /// Runs the program to its end.
    pub async fn run(&self, args: &[&str]) -> Finished {
        run(self.command(args)).await
    }

    /// Starts the whole of it.
    pub async fn start(&self) -> Program {
        self.start_with(&[]).await
    }

    /// As [`Home::start`], with further variables.
    pub async fn start_with(&self, environment: &[(&str, &str)]) -> Program {
        let mut command = self.command(&["up"]);
        command.env("QS_LISTEN", "127.0.0.1:0").env("QS_GRPC_LISTEN", "127.0.0.1:0");
        command.envs(environment.iter().copied());
        Program::start(command).await
    }

    /// Starts one service in a process of its own, on the database at `url` or, when that is empty, in the folder.
    pub async fn start_service(&self, service: &str, url: &str) -> Program {
        let mut command = self.command(&["run", service]);
        // There is no Redis, which may come later.
        command.env("QS_LISTEN", "127.0.0.1:0").env("QS_REDIS_URL", "redis://127.0.0.1:9");
        if !url.is_empty() {
            command.env("QS_DATABASE_URL", url);
        }
        Program::start(command).await
    }

    /// Why a command that serves does not start: what it says when it has ended.
    pub async fn refusal(&self, command: &str) -> String {
        let mut command = self.command(&command.split(' ').collect::<Vec<_>>());
        command.env("QS_LISTEN", "127.0.0.1:0").env("QS_GRPC_LISTEN", "127.0.0.1:0");
        let ended = run(command).await;
        assert_eq!(ended.status.code(), Some(1), "{}{}", ended.stdout, ended.stderr);
        ended.stderr
    }

    /// The PostgreSQL database, if the tables are there.
    pub fn database_url(&self) -> Option<String> {
        self.store.database_url()
    }

    /// Where a service keeps its tables.
    pub fn database(&self, service: &str) -> DbConfig {
        match self.database_url() {
            None => DbConfig::sqlite(self.path(), service),
            Some(url) => DbConfig::postgres(&url, service),
        }
    }

    /// What a service's tables hold.
    pub async fn rows(&self, service: &str, sql: &str) -> Vec<QueryResult> {
        rows(&self.database(service), sql).await
    }
}

fn copy_folder(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            std::fs::create_dir(&to).unwrap();
            copy_folder(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), to).unwrap();
        }
    }
}

/// What a database answers to a query.
pub async fn rows(config: &DbConfig, sql: &str) -> Vec<QueryResult> {
    let db = Db::connect(config, Clock::system()).await.unwrap();
    let statement = Statement::from_string(db.connection().get_database_backend(), sql);
    let rows = db.connection().query_all_raw(statement).await.unwrap();
    db.close().await.unwrap();
    rows
}

/// A process that has said that it is ready.
pub(super) struct Launched {
    pub(super) child: Child,
    log: Arc<Mutex<String>>,
    reader: thread::JoinHandle<()>,
    told: Vec<String>,
}

impl Launched {
    pub(super) async fn start(mut command: Command) -> Self {
        let piped = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = piped.spawn().unwrap();
        let log = Arc::new(Mutex::new(String::new()));
        let reader = read_log(&mut child, log.clone());
        let lines = read_lines(&mut child);
        let told = tokio::task::spawn_blocking(move || greeting(&lines)).await.unwrap();
        let Some(told) = told else {
            let _ = child.kill();
            let _ = child.wait();
            panic!("the program did not start: {}", log.lock().unwrap());
        };
        Self { child, log, reader, told }
    }
}

/// The program while it runs. It is killed when this is dropped.
pub struct Program {
    child: Child,
    log: Arc<Mutex<String>>,
    reader: Option<thread::JoinHandle<()>>,
    /// Speaks to its edge, as nobody, or to its admin port when it has no edge.
    pub client: Client,
    /// Where the edge listens, or the admin port.
    pub edge: SocketAddr,
    /// Where each service listens for gRPC.
    pub grpc: BTreeMap<String, SocketAddr>,
}

impl Program {
    pub(super) async fn start(command: Command) -> Self {
        let Launched { child, log, reader, told } = Launched::start(command).await;
        let edge = told.iter().find_map(|line| {
            let (_, url) =
                line.split_once("ready at http://").or(line.split_once("admin          http://"))?;
            url.split('/').next()
        });
        let edge: SocketAddr = edge.unwrap().parse().unwrap();
        let grpc = told.iter().filter_map(|line| {
            let mut words = line.strip_prefix("  gRPC ")?.split_whitespace();
            let address = words.next()?.parse().unwrap();
            Some((words.next()?.to_owned(), address))
        });
        let client = Client::new(&format!("http://{edge}"));
        Self { child, log, reader: Some(reader), client, edge, grpc: grpc.collect() }
    }

    /// Where it is reached.
    pub fn url(&self) -> String {
        format!("http://{}", self.edge)
    }

    /// What it wrote to stderr until now.
    pub fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// Ends it as a power cut does.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// The process it runs in.
    pub fn process_id(&self) -> u32 {
        self.child.id()
    }

    /// Asks it to end, with SIGTERM or SIGINT.
    pub fn signal(&self, name: &str) {
        let kill = format!("kill -{name} {}", self.child.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    }

    /// Waits until it ends by itself, and returns how, with all that it wrote to stderr.
    pub async fn ended(mut self) -> (ExitStatus, String) {
        let status = ended(&mut self.child).await;
        if let Some(reader) = self.reader.take() {
            tokio::task::spawn_blocking(move || reader.join()).await.unwrap().unwrap();
        }
        (status, self.log())
    }

    /// Ends it with SIGTERM, and returns how it ended, with all that it wrote to stderr.
    pub async fn stop(self) -> (ExitStatus, String) {
        self.signal("TERM");
        self.ended().await
    }

    /// Waits until it has written this to stderr.
    pub async fn says(&self, text: &str) {
        eventually(text, async || self.log(), |log| log.contains(text)).await;
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits until `child` ends by itself.
pub async fn ended(child: &mut Child) -> ExitStatus {
    let status = async || child.try_wait().unwrap();
    eventually("the program ends", status, Option::is_some).await.unwrap()
}

fn read_log(child: &mut Child, log: Arc<Mutex<String>>) -> thread::JoinHandle<()> {
    let mut stderr = child.stderr.take().unwrap();
    thread::spawn(move || {
        let mut buffer = [0; 8192];
        while let Ok(count @ 1..) = stderr.read(&mut buffer) {
            log.lock().unwrap().push_str(&String::from_utf8_lossy(&buffer[..count]));
        }
    })
}

fn read_lines(child: &mut Child) -> mpsc::Receiver<String> {
    let stdout = child.stdout.take().unwrap();
    let (sender, lines) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            let _ = sender.send(line);
        }
    });
    lines
}

/// What it prints when it is ready; none when it ends instead.
fn greeting(lines: &mpsc::Receiver<String>) -> Option<Vec<String>> {
    let mut told = Vec::new();
    loop {
        let line = lines.recv_timeout(PATIENCE).ok()?;
        let last = line.starts_with("  data ");
        told.push(line);
        if last {
            return Some(told);
        }
    }
}
