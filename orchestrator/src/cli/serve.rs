//! `mallard serve`: the archive in a browser, until somebody ends it.

use super::{Outcome, args::ServeArgs};
use crate::{
    http::Server,
    model::exit_code,
    report::{ReportError, templates::Templates},
    run::signals,
    serve::{Site, Token, TokenError},
    text::error_chain::error_text,
};
use std::{
    io::{self, Write},
    net::{SocketAddr, TcpListener},
};

/// Where a token that somebody chose comes from.
const TOKEN: &str = "MALLARD_SERVE_TOKEN";

/// Why nothing can be served.
#[derive(Debug, thiserror::Error)]
enum ServeError {
    #[error("{TOKEN}: {0}")]
    Token(#[from] TokenError),
    #[error(transparent)]
    Templates(#[from] ReportError),
    #[error("listen at {0}")]
    Listen(SocketAddr, #[source] io::Error),
}

/// Serves an archive.
pub(super) fn serve(args: &ServeArgs) -> Outcome {
    match begin(args) {
        Ok(server) => {
            until_ended();
            drop(server);
            Outcome::default()
        }
        Err(cause) => Outcome::failed(exit_code::USAGE, error_text(&cause)),
    }
}

fn begin(args: &ServeArgs) -> Result<Server, ServeError> {
    let templates = Templates::load(args.templates.as_deref())?;
    let failed = |cause| ServeError::Listen(args.listen, cause);
    let listener = TcpListener::bind(args.listen).map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    let token = token(address)?;
    let mut says = format!("{} is at http://{address}/\n", args.results.display());
    if let Some(token) = &token {
        says.push_str(&format!("token: {}\n", token.reveal()));
    }
    let site = Site::new(args.results.clone(), address, token, templates);
    let server = Server::start(listener, move |request| site.answer(request)).map_err(failed)?;
    // Said now, and not at the end as by other commands.
    let _ = io::stdout().write_all(says.as_bytes()).and_then(|()| io::stdout().flush());
    Ok(server)
}

/// The token that is asked for at an address: one that was chosen, else a new one where others can reach it.
fn token(address: SocketAddr) -> Result<Option<Token>, TokenError> {
    match std::env::var(TOKEN) {
        Ok(chosen) => Token::chosen(&chosen).map(Some),
        Err(_) if address.ip().is_loopback() => Ok(None),
        Err(_) => Token::random().map(Some),
    }
}

/// Waits for Ctrl-C, SIGTERM or the end of the terminal.
fn until_ended() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let Ok(runtime) = runtime else { return };
    runtime.block_on(async {
        if let Ok(mut stops) = signals::listen() {
            let _ = stops.changed().await;
        }
    });
}
