//! `mallard-agent`: makes load on a host for `mallard`.

use std::process::ExitCode;
use tikv_jemallocator::Jemalloc;

/// For librdkafka more than for us: it allocates every record in one thread and frees it in another,
/// which under the C library's allocator makes threads wait for each other. As it is linked, C code
/// gets it too.
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

fn main() -> ExitCode {
    mallard_agent::run(std::env::args_os())
}
