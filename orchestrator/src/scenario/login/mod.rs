//! How clients log in: files that properties name, ways to tokens, and what of it does not fit together.
//!
//! Agents run elsewhere, so what a file names is read here, from the file's folder, and travels with the client
//! properties. What can be known without a broker to be no login is refused with what to do instead.

mod files;
mod pem;
mod rules;
mod token;

pub(super) use files::client_properties;
pub(super) use rules::check;
pub(super) use token::{TokenCommand, token};
