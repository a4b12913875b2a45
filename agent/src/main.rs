//! `mallard-agent`: makes load on a host for `mallard`.

use std::process::ExitCode;

fn main() -> ExitCode {
    mallard_agent::run(std::env::args_os())
}
