//! The results as a table.

use crate::Results;

/// Prints the results, with ratios against the peer where it did the same.
#[expect(clippy::print_stdout, reason = "the table is what the program is for")]
pub fn print(results: &Results) {
    println!(
        "{}; ready after {} ms; {:.0} MiB idle, {:.0} MiB after the load",
        results.database, results.start_up_ms, results.idle_mib, results.loaded_mib
    );
    println!(
        "{:<11} {:<11} {:<7} {:>9} {:>9} {:>9} {:>9} {:>8} {:>7} {:>9}",
        "side",
        "scenario",
        "loop",
        "req/s",
        "p50 µs",
        "p90 µs",
        "p99 µs",
        "failed",
        "cpu µs",
        "ratio"
    );
    for row in &results.rows {
        let peer = results.rows.iter().find(|other| {
            other.side == "peer" && row.side != "peer" && other.scenario == row.scenario
        });
        let ratio = match peer {
            Some(peer) if row.loop_kind == "closed" => {
                format!("{:.1}x", row.report.rate / peer.report.rate)
            }
            _ => String::new(),
        };
        println!(
            "{:<11} {:<11} {:<7} {:>9.0} {:>9} {:>9} {:>9} {:>8} {:>7} {:>9}",
            row.side,
            row.scenario,
            row.loop_kind,
            row.report.rate,
            row.report.p50,
            row.report.p90,
            row.report.p99,
            row.report.failures.values().sum::<u64>(),
            row.cpu_us.map(|cpu| format!("{cpu:.0}")).unwrap_or_default(),
            ratio
        );
    }
}
