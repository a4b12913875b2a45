//! What it costs to export a run of 100 agents: CPU time of an interval that is taken and of a scrape, text and
//! protocol buffers. `cargo run --release --example export`

use mallard::{
    archive::RunFolder,
    model::{
        events::RunEvent,
        figures::{ConsumedFigures, IntervalFigures, ProducedFigures},
        result::{LagRow, ResourceRow, SeriesRow},
    },
    sinks::{EventSinks, Exports},
    terminal::Style,
};
use mallard_protocol::histogram::Histogram;
use std::{
    error::Error,
    fs,
    io::{Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    time::Duration,
};

const ROUNDS: u32 = 2_000;

fn main() -> Result<(), Box<dyn Error>> {
    let results = tempfile::tempdir()?;
    let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
    let exports = Exports { metrics: Some(address), linger: Duration::ZERO, otlp: None };
    let mut sinks = EventSinks::new(Style::Silent, &exports)?;
    let mut run = RunFolder::create(results.path(), "cost", Some("cost"))?;
    let began =
        RunEvent::RunStarted { run_id: "cost".into(), cases: vec![], folder: String::new() };
    sinks.send(&mut run, began)?;
    let producers: Vec<_> = (0..4).map(produced).collect();
    let consumers: Vec<_> = (0..4).map(consumed).collect();
    let (row, resources) = (SeriesRow::default(), resources());
    let lag = [LagRow { consumer: "c0".into(), lag: 7, ..LagRow::default() }];
    let figures = IntervalFigures {
        case: "cost",
        row: &row,
        produced: &producers,
        consumed: &consumers,
        errors: &[],
        lag: &lag,
        resources: &resources,
    };
    let mut out = std::io::stdout();
    let took = measured(|| sinks.figures(figures));
    writeln!(out, "an interval taken: {took:.3} ms of CPU")?;
    let text = "text/plain";
    let binary = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited";
    for (name, accept) in [("text", text), ("protocol buffers", binary)] {
        let mut bytes = 0;
        let took = measured(|| bytes = scrape(address, accept).unwrap_or(0));
        writeln!(out, "a scrape as {name}: {took:.3} ms of CPU, both ends, {bytes} bytes")?;
    }
    Ok(())
}

/// Milliseconds of CPU that a round takes, of the whole process.
fn measured(mut round: impl FnMut()) -> f64 {
    let before = cpu_ms();
    (0..ROUNDS).for_each(|_| round());
    (cpu_ms() - before) / f64::from(ROUNDS)
}

/// CPU time of this process, by the kernel's ticks of 10 ms.
fn cpu_ms() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks = after_name.split_whitespace().skip(11).take(2);
    ticks.filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() * 10.0
}

fn scrape(address: SocketAddr, accept: &str) -> std::io::Result<usize> {
    let mut stream = TcpStream::connect(address)?;
    write!(stream, "GET /metrics HTTP/1.1\r\nHost: {address}\r\nAccept: {accept}\r\n\r\n")?;
    stream.read_to_end(&mut Vec::new())
}

/// 100,000 latencies from half a millisecond to a second.
fn histogram() -> Histogram {
    let mut histogram = Histogram::new();
    (0..100_000_u64).for_each(|at| histogram.record(500 + at * at % 1_000_003));
    histogram
}

fn produced(at: u32) -> ProducedFigures {
    ProducedFigures {
        producer: format!("p{at}"),
        topic: format!("t{at}"),
        acked: 100_000,
        service: histogram(),
        response: histogram(),
        slip: histogram(),
        ..ProducedFigures::default()
    }
}

fn consumed(at: u32) -> ConsumedFigures {
    ConsumedFigures {
        consumer: format!("c{at}"),
        topic: format!("t{at}"),
        received: 100_000,
        end_to_end: histogram(),
        ..ConsumedFigures::default()
    }
}

fn resources() -> Vec<ResourceRow> {
    let row = |at: u32| ResourceRow {
        agent: format!("agent-{at}"),
        cpu_cores: 0.5,
        ..ResourceRow::default()
    };
    (0..100).map(row).collect()
}
