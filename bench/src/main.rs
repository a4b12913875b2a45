//! `mallard-bench`: compares Mallard with its peers on the same broker.

use std::process::ExitCode;

fn main() -> ExitCode {
    bench::main(std::env::args().skip(1))
}
