//! The results as a table.

use crate::Row;

/// Prints the results.
#[expect(clippy::print_stdout, reason = "the table is what the program is for")]
pub fn print(rows: &[Row]) {
    println!(
        "{:<15} {:>8} {:>7} {:>7} {:>9} {:>10} {:>19} {:>19} {:>7} {:>9} {:>9}  answers",
        "attack",
        "sent",
        "opened",
        "closed",
        "lasted ms",
        "slowest ms",
        "p50 before/during",
        "p99 before/during",
        "failed",
        "grown MiB",
        "kept MiB"
    );
    for row in rows {
        let pair = |of: fn(&tests::load::Report) -> u64| {
            format!("{}/{} µs", of(&row.before), of(&row.meanwhile))
        };
        println!(
            "{:<15} {:>8} {:>7} {:>7} {:>9} {:>10} {:>19} {:>19} {:>7} {:>9.1} {:>9.1}  {}",
            row.attack,
            row.outcome.sent,
            row.outcome.connections,
            row.outcome.closed,
            row.outcome.longest_ms,
            row.outcome.slowest_ms,
            pair(|report| report.p50),
            pair(|report| report.p99),
            row.meanwhile.failures.values().sum::<u64>(),
            row.grown_mib,
            row.kept_mib,
            answers(row)
        );
    }
}

fn answers(row: &Row) -> String {
    let answers = row.outcome.answers.iter().map(|(status, count)| format!("{count}x{status}"));
    answers.collect::<Vec<_>>().join(" ")
}
