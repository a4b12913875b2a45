//! How people ask for an end: Ctrl-C, SIGTERM and SIGHUP, counted.

use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::watch,
};

/// How often somebody asked for an end, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Stops {
    /// How often.
    pub times: u32,
    /// How, the last time.
    pub by: &'static str,
}

/// How SIGTERM is called: the one way to ask that ends a load in order, so that it is judged.
pub const TERMINATE: &str = "SIGTERM";

/// Listens for signals from now on. The third one ends this process on the spot.
///
/// # Errors
/// If the handlers cannot be installed.
pub fn listen() -> std::io::Result<watch::Receiver<Stops>> {
    let (tell, stops) = watch::channel(Stops::default());
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    // A terminal that is closed is not a reason to lose a run: it is stopped in order, too.
    let mut hangup = signal(SignalKind::hangup())?;
    tokio::spawn(async move {
        loop {
            let by = next(&mut interrupt, &mut terminate, &mut hangup).await;
            tell.send_modify(|stops| *stops = Stops { times: stops.times + 1, by });
            if tell.borrow().times >= 3 {
                // What is written is whole; agents end by their lease.
                std::process::exit(crate::model::exit_code::INTERRUPTED);
            }
        }
    });
    Ok(stops)
}

async fn next(interrupt: &mut Signal, terminate: &mut Signal, hangup: &mut Signal) -> &'static str {
    tokio::select! {
        _ = interrupt.recv() => "Ctrl-C",
        _ = terminate.recv() => TERMINATE,
        _ = hangup.recv() => "SIGHUP",
    }
}
