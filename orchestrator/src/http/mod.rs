//! As much HTTP/1.1 as Mallard speaks itself: a small server for whoever looks on, and a client that hands figures
//! over. Both are plain threads and blocking sockets.
//!
//! Invariant: everything that the other side decides has a limit: how many connections there are, how long a head
//! and a body may be, and how long reading and writing may take.

mod client;
mod head;
mod request;
mod response;
mod server;

pub use client::{PostError, Target, post};
pub use request::Request;
pub use response::{Body, Response, Stream};
pub use server::Server;
