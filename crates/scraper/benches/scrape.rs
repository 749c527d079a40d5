//! What share of a core it takes to scrape 500 replicas every 5 seconds, and whether memory grows.
//!
//! `cargo bench -p scraper`. Another process serves the metrics of a vLLM server (some 86 kB) on 500 loopback addresses, so that the
//! CPU time of this one is the scraper's alone: sockets, HTTP, reading. Without `--bench` (`cargo test --benches`) one round shows
//! that it works.

use std::{
    fmt::Write as _,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{Ipv4Addr, TcpListener, TcpStream},
    process::{Command, Stdio},
};

use scraper::{Options, Scraper, Target};
use tokio_util::sync::CancellationToken;

const REPLICAS: u32 = 500;
/// The kernel's unit of process times (`getconf CLK_TCK`).
const TICKS: f64 = 100.0;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    if std::env::args().any(|word| word == "serve") {
        return serve();
    }
    let whole = std::env::args().any(|word| word == "--bench");
    let mut server = Command::new(std::env::current_exe()?)
        .arg("serve")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut port = String::new();
    if let Some(stdout) = server.stdout.take() {
        BufReader::new(stdout).read_line(&mut port)?;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let measured = runtime.block_on(measure(port.trim().parse()?, whole));
    // It ends with its standard input.
    drop(server.stdin.take());
    server.wait()?;
    measured
}

async fn measure(port: u16, whole: bool) -> Result<(), Box<dyn std::error::Error>> {
    let options = Options::default();
    let scraper = Scraper::start(options, CancellationToken::new());
    let mut targets = Vec::new();
    for n in 0..REPLICAS {
        targets.push(Target {
            id: format!("pod-{n}").into(),
            address: (Ipv4Addr::from(0x7f01_0001 + n), port).into(),
            path: "/metrics".into(),
            engine: None,
        });
    }
    scraper.set(&(), targets);
    let periods = if whole { 8 } else { 1 };
    // The first round makes the connections.
    tokio::time::sleep(options.period).await;
    scraper.round().await;
    for minute in 0..=u32::from(whole) {
        let (before, began, asked) = (cpu()?, scraper.now(), scraper.totals(&()).asked);
        tokio::time::sleep(options.period * periods).await;
        let seconds = (scraper.now().saturating_sub(began)).as_secs_f64();
        let totals = scraper.totals(&());
        println!(
            "part {minute}: {REPLICAS} replicas every {:?}: {} scrapes, {} failed, {:.2} % of a core, {} kB resident",
            options.period,
            totals.asked - asked,
            totals.failed,
            (cpu()? - before) / seconds * 100.0,
            resident()?,
        );
    }
    Ok(())
}

/// CPU seconds of this process, in user and kernel mode.
fn cpu() -> Result<f64, Box<dyn std::error::Error>> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    // The name in parentheses may have spaces; utime and stime are fields 14 and 15.
    let fields = stat.rsplit_once(')').ok_or("no name")?.1.split_whitespace();
    let ticks: Result<Vec<f64>, _> = fields.skip(11).take(2).map(str::parse).collect();
    Ok(ticks?.iter().sum::<f64>() / TICKS)
}

/// Memory of this process in kB.
fn resident() -> Result<u64, Box<dyn std::error::Error>> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    Ok(number.ok_or("no VmRSS")?.parse()?)
}

/// Serves on all addresses until the standard input ends.
fn serve() -> Result<(), Box<dyn std::error::Error>> {
    let listener = TcpListener::bind("0.0.0.0:0")?;
    println!("{}", listener.local_addr()?.port());
    let text = text();
    let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{text}", text.len());
    std::thread::spawn(move || {
        for socket in listener.incoming().flatten() {
            let answer = answer.clone();
            std::thread::spawn(move || answer_all(socket, answer.as_bytes()));
        }
    });
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

fn answer_all(mut socket: TcpStream, answer: &[u8]) -> std::io::Result<()> {
    let mut asked = [0; 4096];
    // Questions are smaller than a segment and do not follow each other before the answer.
    while socket.read(&mut asked)? > 0 {
        socket.write_all(answer)?;
    }
    Ok(())
}

/// The metrics of a vLLM server, in size and shape.
fn text() -> String {
    let labels = "engine=\"0\",model_name=\"meta-llama/Llama-3.1-8B-Instruct\"";
    let mut text = String::from(include_str!("../../engine-metrics/tests/expositions/vllm.txt"));
    for metric in 0..80 {
        let name = format!("vllm:counter_number_{metric}_total");
        let _ = writeln!(
            text,
            "# HELP {name} A counter of something that is not asked for."
        );
        let _ = writeln!(text, "# TYPE {name} counter\n{name}{{{labels}}} {metric}12345.0");
    }
    for metric in 0..22 {
        let name = format!("vllm:histogram_number_{metric}_seconds");
        let _ = writeln!(text, "# TYPE {name} histogram");
        for bucket in 1..=20 {
            let bound = f64::from(bucket) * 0.025;
            let values = bucket * 1234;
            let _ = writeln!(text, "{name}_bucket{{{labels},le=\"{bound}\"}} {values}.0");
        }
        let _ = writeln!(
            text,
            "{name}_sum{{{labels}}} 1234.5\n{name}_count{{{labels}}} 24680.0"
        );
    }
    text
}
