//! The rows as a table, with ratios against Envoy where it did the same.

use crate::Row;

/// Prints the rows.
#[expect(clippy::print_stdout, reason = "the table is what the program is for")]
pub fn print(rows: &[Row]) {
    println!(
        "{:<12} {:<8} {:<7} {:>8} {:>8} {:>8} {:>7} {:>8} {:>6} {:>7} {:>14}",
        "side",
        "payload",
        "loop",
        "req/s",
        "p50 µs",
        "p99 µs",
        "failed",
        "cpu µs",
        "busy",
        "MiB",
        "against Envoy"
    );
    for row in rows {
        println!(
            "{:<12} {:<8} {:<7} {:>8.0} {:>8} {:>8} {:>7} {:>8.1} {:>5.0}% {:>7.1} {:>14}",
            row.side,
            row.payload,
            row.loop_kind,
            row.report.rate,
            row.report.p50,
            row.report.p99,
            row.report.failures.values().sum::<u64>(),
            row.cpu_us,
            row.busy * 100.0,
            row.most_mib,
            against(rows, row)
        );
    }
}

/// How much faster than Envoy: its rate in a closed loop, its p99 in an open one.
fn against(rows: &[Row], row: &Row) -> String {
    let same = |other: &&Row| {
        other.side == "envoy" && other.payload == row.payload && other.loop_kind == row.loop_kind
    };
    match rows.iter().find(same) {
        None => String::new(),
        Some(envoy) if row.loop_kind == "closed" => {
            format!("{:.1}x rate", row.report.rate / envoy.report.rate)
        }
        Some(envoy) => format!("{:.1}x p99", envoy.report.p99 as f64 / row.report.p99 as f64),
    }
}
