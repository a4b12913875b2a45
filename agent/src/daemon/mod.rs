//! The agent proper: a process of its own, without terminal and login, that listens on a socket in its
//! run folder.
//!
//! Threads: the core (the main thread) takes in all events; one thread accepts connections, each
//! connection has one that reads and one that writes; one waits for signals; one drives the engine, one
//! takes what the engine says; each question to Kafka has one while it is answered.

mod abandoned;
mod command;
mod core;
mod driver;
mod event;
mod lifecycle;
mod outbox;
mod peer;
mod questions;
mod shared;
mod start;

pub use start::{LONGEST_LEASE_S, Options, StartError, Started, start};
pub(crate) use start::{be, write_line};

use self::{
    core::{Core, End},
    event::Event,
    lifecycle::Lifecycle,
    shared::Shared,
};
use crate::{
    exit_code, folder, host, logfile,
    spool::{LIMITS, Spool},
    sys,
};
use mallard_protocol::{
    BUILD_ID,
    frame::{self, Decoder},
    message::FromAgent,
};
use std::{
    fs, io,
    os::unix::net::UnixListener,
    panic,
    path::Path,
    sync::{
        Arc,
        mpsc::{SyncSender, sync_channel},
    },
    thread,
    time::Duration,
};

/// Events that wait for the core. Whoever has more to tell waits: connections, mostly.
const MOST_EVENTS: usize = 1024;

/// Is the agent: runs in the current folder, which has been prepared, until the end. `ready` is called
/// once the agent listens, or has found out that another one does.
///
/// # Errors
/// What keeps it from listening.
pub fn serve(options: &Options, ready: impl FnOnce(Started)) -> io::Result<()> {
    let here = Path::new(".");
    sys::leave_session()?;
    let Some(ownership) = folder::own(here)? else {
        ready(Started::RanAlready { pid: folder::pid(here) });
        return Ok(());
    };
    let termination = sys::Termination::block();
    logfile::install(Path::new(folder::LOG))?;
    let (events, happening) = sync_channel(MOST_EVENTS);
    report_panics(events.clone());
    let (spool, cut_bytes) = Spool::open(Path::new(folder::SPOOL), LIMITS)?;
    tell_the_beginning(options, &spool, cut_bytes);
    let shared = Arc::new(Shared::new(spool));
    let engine = driver::start(Arc::clone(&shared), events.clone())?;
    let listener = listen()?;
    accept(listener, events.clone())?;
    let signals = events.clone();
    thread::Builder::new()
        .name("signals".into())
        .spawn(move || while signals.send(Event::Signal(termination.wait())).is_ok() {})?;
    ready(Started::Now);
    let lease = Duration::from_secs(options.lease_s);
    let mut core = Core::new(lease, Arc::clone(&shared), events, engine, final_reports());
    let end = core.run(&happening);
    let folder = std::env::current_dir()?;
    leave(end, &core)?;
    if let Some((made, until)) = core.to_tidy_up() {
        // Whoever comes for what was measured finds a folder that is free.
        drop(ownership);
        abandoned::tidy_up(made, (&folder, end == End::KeepFolder), until, &happening);
    }
    // Whatever threads are still there end with the process, and with it their clients and sockets.
    sys::exit_now(exit_code::OK)
}

fn listen() -> io::Result<UnixListener> {
    // Whoever left a socket here is dead: this process owns the folder.
    match fs::remove_file(folder::SOCKET) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    UnixListener::bind(folder::SOCKET)
}

fn accept(listener: UnixListener, events: SyncSender<Event>) -> io::Result<()> {
    let accepting = move || {
        for stream in listener.incoming() {
            match stream {
                Ok(stream) => {
                    if events.send(Event::Connected(stream)).is_err() {
                        return;
                    }
                }
                Err(error) => {
                    // Out of descriptors, most likely: that passes, or does not, but not by trying
                    // as fast as possible.
                    logfile::warn(format!("accept a connection: {error}"));
                    thread::sleep(Duration::from_millis(500));
                }
            }
        }
    };
    thread::Builder::new().name("accept".into()).spawn(accepting).map(drop)
}

fn report_panics(events: SyncSender<Event>) {
    panic::set_hook(Box::new(move |info| {
        let thread = thread::current();
        let text = format!("thread {} of the agent {info}", thread.name().unwrap_or("(unnamed)"));
        logfile::error(&text);
        // The core may be the thread that panics, or its queue be full: never wait here.
        let _ = events.try_send(Event::Panicked(text));
    }));
}

fn tell_the_beginning(options: &Options, spool: &Spool, cut_bytes: u64) {
    let facts = host::facts();
    logfile::info(format!(
        "agent {} of run {}: build {BUILD_ID}, librdkafka {}, pid {}, lease {} s",
        options.name, options.run, facts.librdkafka, facts.pid, options.lease_s
    ));
    logfile::info(format!(
        "host {}: {}, kernel {}, {}, {} cores, {} bytes of memory",
        facts.hostname, facts.os, facts.kernel, facts.cpu, facts.cores, facts.memory_bytes
    ));
    logfile::info(format!("may open {} files", sys::raise_file_limit()));
    logfile::info(format!(
        "this log keeps head and tail within {} bytes, the spool {} bytes",
        logfile::LOG_CAP_BYTES,
        LIMITS.disk_bytes
    ));
    if !spool.is_empty() || cut_bytes > 0 {
        logfile::warn(format!(
            "an earlier process left intervals up to {}; {cut_bytes} bytes were not whole and are cut off",
            spool.end()
        ));
    }
}

/// What an earlier process in this folder had come to when it ended unheard.
fn final_reports() -> Lifecycle {
    let mut lifecycle = Lifecycle::default();
    let mut decoder = Decoder::default();
    decoder.push(&fs::read(folder::FINAL_REPORTS).unwrap_or_default());
    while let Ok(Some(message)) = decoder.next_message::<FromAgent>() {
        lifecycle.hear(&message);
    }
    lifecycle
}

fn leave(end: End, core: &Core) -> io::Result<()> {
    match end {
        End::RemoveFolder => {
            let folder = std::env::current_dir()?;
            if let Err(error) = folder::remove(&folder) {
                logfile::error(format!("remove the folder: {error}"));
            }
        }
        End::KeepFolder => {
            let reports = core.lifecycle().final_reports();
            let frames = reports.iter().filter_map(|message| frame::encode(message).ok());
            fs::write(folder::FINAL_REPORTS, frames.flatten().collect::<Vec<_>>())?;
            logfile::info("the agent ends; log and spool stay");
            folder::release(Path::new("."));
        }
    }
    Ok(())
}
