//! A node of beetswap and rust-libp2p, for tests against another implementation.
//!
//! It speaks TCP with yamux and TLS or Noise, talks to loopback addresses only, and finds peers only by being told.
//! Results are JSON objects, one a line, on standard output; words for people go to standard error.

mod blocks;
mod fetch;
mod flags;
mod node;
mod serve;

use std::process::ExitCode;

use serde_json::Value;

const USAGE: &str = "usage: beetswap-peer serve|fetch [flags]   (flags: see README.md)";

/// Anything that ends the program: what is said on standard error, and in a report's `error`.
pub type Failure = Box<dyn std::error::Error>;

#[tokio::main]
async fn main() -> ExitCode {
    let mut words = std::env::args().skip(1);
    let command = words.next().unwrap_or_default();
    let outcome = match command.as_str() {
        "serve" => match serve::Settings::parse(words) {
            Ok(settings) => serve::run(settings).await,
            Err(error) => return wrong_usage(error),
        },
        "fetch" => match fetch::Settings::parse(words) {
            Ok(settings) => fetch::run(settings).await,
            Err(error) => return wrong_usage(error),
        },
        _ => return wrong_usage(USAGE.into()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("beetswap-peer: {error}");
            ExitCode::FAILURE
        }
    }
}

fn wrong_usage(error: Failure) -> ExitCode {
    eprintln!("beetswap-peer: {error}");
    ExitCode::from(2)
}

/// One line of standard output.
pub fn report(values: Value) {
    println!("{values}");
}
