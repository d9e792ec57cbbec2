//! The words of a benchmark with whoever runs it.

use std::process::ExitCode;

/// Prints the first faults, or the sentence that stands for none; the exit code that says the same.
pub fn verdict(faults: &[String], none: &str) -> ExitCode {
    if faults.is_empty() {
        println!("\n{none}");
        return ExitCode::SUCCESS;
    }
    println!("\n**Faults:**\n");
    for fault in faults.iter().take(20) {
        println!("- {fault}");
    }
    ExitCode::FAILURE
}

/// A number after `name` on the command line.
pub fn argument(name: &str, otherwise: usize) -> usize {
    let mut arguments = std::env::args().skip_while(|argument| argument != name);
    arguments.nth(1).map_or(otherwise, |value| {
        value
            .parse()
            .unwrap_or_else(|_| panic!("{name} takes a number"))
    })
}

/// The median of some measurements.
pub fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
