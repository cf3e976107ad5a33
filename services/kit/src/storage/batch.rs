//! Work that waits together is done together, as databases commit together what was written meanwhile: while rounds
//! run, what arrives waits for the next. A service at rest does a job at once and alone; under load the rounds grow, and
//! a transaction, its statements and its write to the disk serve many calls.

use crate::rpc::error::Error;
use std::{future::Future, sync::Arc};
use tokio::sync::{Mutex, mpsc, oneshot};

/// Jobs of a round at most.
const ROUND_MOST: usize = 16;
/// Rounds of one kind at a time: while one waits for the disk, the other keeps the database busy.
const ROUNDS_AT_ONCE: usize = 2;

/// Does jobs of one kind in rounds.
pub struct Batch<J, A, E> {
    queue: mpsc::UnboundedSender<Waiting<J, A, E>>,
}

impl<J, A, E> Clone for Batch<J, A, E> {
    fn clone(&self) -> Self {
        Self { queue: self.queue.clone() }
    }
}

struct Waiting<J, A, E> {
    job: J,
    answer: oneshot::Sender<Result<A, E>>,
}

impl<J, A, E> Waiting<J, A, E> {
    fn is_awaited(&self) -> bool {
        !self.answer.is_closed()
    }
}

impl<J, A, E> Batch<J, A, E>
where
    J: Clone + Send + 'static,
    A: Send + 'static,
    E: From<Error> + Send + 'static,
{
    /// Does rounds by `work` with `means`, such as a database. It takes effect as a whole or not at all, and gives an
    /// answer for each job, in their order. When a round of several fails, each of its jobs is done alone, so that none
    /// fails for another.
    ///
    /// Jobs run outside of the caller's context: what they need of it, they carry.
    pub fn new<M, F, Fut>(means: M, work: F) -> Self
    where
        M: Clone + Send + Sync + 'static,
        F: Fn(M, Vec<J>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Vec<A>, E>> + Send + 'static,
    {
        let (queue, waiting) = mpsc::unbounded_channel();
        let waiting = Arc::new(Mutex::new(waiting));
        let work = Arc::new(move |jobs| work(means.clone(), jobs));
        for _ in 0..ROUNDS_AT_ONCE {
            tokio::spawn(serve_jobs(waiting.clone(), work.clone()));
        }
        Self { queue }
    }

    /// Does a job, together with others that wait. A caller who leaves does not stop it once it has begun; a job whose
    /// caller has left is not begun.
    pub async fn run(&self, job: J) -> Result<A, E> {
        let (answer, answered) = oneshot::channel();
        // Both fail only when the tasks that serve the queue have ended.
        if self.queue.send(Waiting { job, answer }).is_ok()
            && let Ok(done) = answered.await
        {
            return done;
        }
        Err(Error::internal("a batch has stopped").into())
    }
}

async fn serve_jobs<J, A, E, F, Fut>(
    queue: Arc<Mutex<mpsc::UnboundedReceiver<Waiting<J, A, E>>>>,
    work: Arc<F>,
) where
    J: Clone + Send + 'static,
    A: Send + 'static,
    E: From<Error> + Send + 'static,
    F: Fn(Vec<J>) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Vec<A>, E>> + Send,
{
    loop {
        let mut waiting = Vec::with_capacity(ROUND_MOST);
        let mut queue = queue.lock().await;
        let most = round_size(queue.len());
        if queue.recv_many(&mut waiting, most).await == 0 {
            return;
        }
        drop(queue);
        waiting.retain(Waiting::is_awaited);
        let work = work.clone();
        // In a task of its own, so that a panic ends the round and not all of them.
        if let Err(error) = tokio::spawn(async move { run_round(waiting, &*work).await }).await {
            tracing::error!(%error, "a round of jobs broke off");
        }
    }
}

/// Rounds are powers of two, so that a statement for several rows has few forms, whose plans the database keeps.
const fn round_size(waiting: usize) -> usize {
    match waiting {
        0 => 1,
        ROUND_MOST.. => ROUND_MOST,
        some => 1 << some.ilog2(),
    }
}

async fn run_round<J, A, E, F, Fut>(waiting: Vec<Waiting<J, A, E>>, work: &F)
where
    J: Clone,
    E: From<Error>,
    F: Fn(Vec<J>) -> Fut,
    Fut: Future<Output = Result<Vec<A>, E>>,
{
    if waiting.len() > 1 {
        let jobs = waiting.iter().map(|one| one.job.clone()).collect();
        if let Ok(answers) = work(jobs).await {
            for (one, answer) in waiting.into_iter().zip(answers) {
                reply_to(one.answer, Ok(answer));
            }
            return;
        }
    }
    for Waiting { job, answer } in waiting.into_iter().filter(Waiting::is_awaited) {
        let done = match work(vec![job]).await {
            Ok(answers) => match answers.into_iter().next() {
                Some(done) => Ok(done),
                None => Err(Error::internal("a job got no answer").into()),
            },
            Err(error) => Err(error),
        };
        reply_to(answer, done);
    }
}

fn reply_to<T>(caller: oneshot::Sender<T>, answer: T) {
    if caller.send(answer).is_err() {
        tracing::debug!("the caller of a job has left");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;
    use tokio::sync::Semaphore;

    type Rounds = Arc<Mutex<Vec<Vec<i64>>>>;
    type Means = (Rounds, Arc<Semaphore>);

    /// A batch that doubles numbers, refuses 13 and panics at 0, a note of each round, and a gate that lets rounds through.
    fn doubling() -> (Batch<i64, i64, Error>, Rounds, Arc<Semaphore>) {
        let rounds = Rounds::default();
        let gate = Arc::new(Semaphore::new(0));
        let means = (rounds.clone(), gate.clone());
        let batch = Batch::new(means, |(noted, opened): Means, jobs: Vec<i64>| async move {
            opened.acquire().await.unwrap().forget();
            noted.lock().unwrap().push(jobs.clone());
            assert!(!jobs.contains(&0), "a panic on purpose");
            match jobs.contains(&13) {
                true => Err(Error::invalid("number", "is 13")),
                false => Ok(jobs.iter().map(|job| job * 2).collect()),
            }
        });
        (batch, rounds, gate)
    }

    /// Sends jobs one after the other, the first two of which are under way when the others come.
    async fn send(
        batch: &Batch<i64, i64, Error>,
        jobs: &[i64],
    ) -> Vec<tokio::task::JoinHandle<Result<i64, Error>>> {
        let mut sent = Vec::new();
        for job in jobs.iter().copied() {
            let batch = batch.clone();
            sent.push(tokio::spawn(async move { batch.run(job).await }));
            // Once for the caller, once for the task that takes the job.
            tokio::task::yield_now().await;
            tokio::task::yield_now().await;
        }
        sent
    }

    fn sorted(rounds: &Rounds) -> Vec<Vec<i64>> {
        let mut rounds = rounds.lock().unwrap().clone();
        rounds.sort();
        rounds
    }

    #[tokio::test]
    async fn jobs_that_wait_share_rounds_of_powers_of_two() {
        let (batch, rounds, gate) = doubling();
        let sent = send(&batch, &[1, 2, 3, 4, 5, 6, 7, 8, 9]).await;
        gate.add_permits(9);
        for (job, answer) in (1..).zip(sent) {
            assert_eq!(answer.await.unwrap().unwrap(), job * 2);
        }
        let expected = [vec![1], vec![2], vec![3, 4, 5, 6], vec![7, 8], vec![9]];
        assert_eq!(sorted(&rounds), expected);
    }

    #[tokio::test]
    async fn a_job_that_fails_fails_alone() {
        let (batch, rounds, gate) = doubling();
        let sent = send(&batch, &[1, 2, 12, 13]).await;
        gate.add_permits(9);
        let mut answers = Vec::new();
        for answer in sent {
            answers.push(answer.await.unwrap().map_err(|error| error.to_string()));
        }
        assert_eq!(answers[..3], [Ok(2), Ok(4), Ok(24)]);
        assert!(answers[3].as_ref().unwrap_err().contains("number"), "{answers:?}");
        assert_eq!(sorted(&rounds), [vec![1], vec![2], vec![12], vec![12, 13], vec![13]]);
    }

    #[tokio::test]
    async fn what_has_begun_is_done_and_what_nobody_waits_for_is_not_begun() {
        let (batch, rounds, gate) = doubling();
        let left = send(&batch, &[1, 2, 3]).await;
        for caller in left {
            caller.abort();
            assert!(caller.await.unwrap_err().is_cancelled());
        }
        let sent = send(&batch, &[4]).await;
        gate.add_permits(9);
        for answer in sent {
            assert_eq!(answer.await.unwrap().unwrap(), 8);
        }
        assert_eq!(sorted(&rounds), [[1], [2], [4]]);
    }

    #[tokio::test]
    async fn a_panic_ends_its_round_only() {
        let (batch, _, gate) = doubling();
        gate.add_permits(9);
        for _ in 0..2 * ROUNDS_AT_ONCE {
            assert!(batch.run(0).await.is_err());
        }
        assert_eq!(batch.run(1).await.unwrap(), 2);
    }
}
