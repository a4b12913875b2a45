//! The `mallard` program: everything is in the library.

fn main() {
    std::process::exit(mallard::cli::main());
}
