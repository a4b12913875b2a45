//! The lab's hosts are apart from each other and from this machine, and nothing is left of them.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use testkit::lab::{HostOptions, Lab, Slowness, USER};
use testkit::process::{self, Finished, Signal};
use testkit::wait;

const SOON: Duration = Duration::from_secs(30);

/// Set for the process that a test starts in order to kill it.
const VICTIM: &str = "MALLARD_TEST_VICTIM";

/// Logs in by ssh, as Mallard does.
fn ssh(lab: &Lab, host: &str, script: &str) -> Finished {
    ssh_within(20, lab, host, script)
}

fn ssh_within(connect_timeout_s: u32, lab: &Lab, host: &str, script: &str) -> Finished {
    let mut ssh = Command::new("ssh");
    ssh.arg("-F").arg(lab.ssh_config()).args(["-o", "BatchMode=yes", "-o"]);
    ssh.arg(format!("ConnectTimeout={connect_timeout_s}"));
    process::run(ssh.args([host, script]), SOON)
}

#[test]
fn hosts_have_names_homes_and_processes_of_their_own() {
    testkit::require!(netns, sshd);
    let lab = Lab::start(2);
    let first = ssh(&lab, "load-1", "hostname; whoami; pwd; touch mine; getent hosts load-2");
    let address = lab.host(2).address();
    let first = first.expect_code(0);
    let words: Vec<&str> = first.stdout.split_whitespace().collect();
    let home = format!("/home/{USER}");
    assert_eq!(words, ["load-1", USER, &home, &address.to_string(), "load-2"]);
    assert_eq!(lab.host(1).run("ls").stdout, "mine\n");
    assert_eq!(lab.host(2).run("ls").stdout, "");
    // Nobody but its sshd and what looks.
    let processes = lab.host(2).run("ls -d /proc/[0-9]* | wc -l").stdout;
    assert!(processes.trim().parse::<u32>().is_ok_and(|count| count < 10), "{processes}");
}

#[test]
fn a_cut_host_is_unreachable_until_it_is_healed() {
    testkit::require!(netns, sshd);
    let lab = Lab::start(2);
    lab.host(1).cut();
    let cut = ssh_within(2, &lab, "load-1", "true");
    assert_eq!(cut.code(), Some(255), "{cut}");
    assert!(cut.stderr.contains("timed out"), "{cut}");
    ssh(&lab, "load-2", "true").assert_code(0);
    lab.host(1).heal();
    ssh(&lab, "load-1", "true").assert_code(0);
    lab.host(2).power_off();
    assert_eq!(ssh_within(2, &lab, "load-2", "true").code(), Some(255));
}

#[test]
fn a_slow_wire_delays_what_crosses_it() {
    testkit::require!(netns, sshd, slow_wires);
    let lab = Lab::start(2);
    lab.host(1).slow(Slowness { out_ms: 150.0, back_ms: 100.0, loss: 0.0 });
    let began = Instant::now();
    ssh(&lab, "load-1", "true").assert_code(0);
    // A login takes several round trips; one is the least that proves the delay.
    assert!(began.elapsed() > Duration::from_millis(250), "{:?}", began.elapsed());
    lab.host(1).slow(Slowness { loss: 0.05, ..Slowness::default() });
    ssh(&lab, "load-1", "true").assert_code(0);
}

#[test]
fn a_host_may_have_another_clock_and_another_home() {
    testkit::require!(netns, sshd, slow_wires);
    let options = HostOptions::default();
    let lab = Lab::start_with(&[options.clone().clock(3600.0, 0.0), options.home("size=64k")]);
    let ask = |host| {
        let said = ssh(&lab, host, "date +%s; cat /proc/sys/kernel/random/boot_id").expect_code(0);
        let mut lines = said.stdout.lines().map(str::to_owned);
        let seconds: i64 = lines.next().and_then(|line| line.parse().ok()).expect("seconds");
        (seconds, lines.next().expect("a boot id"))
    };
    let (shifted, true_time) = (ask("load-1"), ask("load-2"));
    assert!((shifted.0 - true_time.0 - 3600).abs() < 60, "{shifted:?} {true_time:?}");
    assert_ne!(shifted.1, true_time.1);
    let full = ssh(&lab, "load-2", "head -c 1000000 /dev/zero > big");
    assert!(full.stderr.contains("No space left"), "{full}");
}

#[test]
fn kafka_is_within_reach_of_the_hosts() {
    testkit::require!(netns, sshd, kafka);
    let lab = Lab::start(1);
    let kafka = lab.kafka(1);
    kafka.create_topic("near", 1, 1, &[]);
    let (address, port) = kafka
        .bootstrap()
        .split_once(':')
        .map(|(a, p)| (a.to_owned(), p.to_owned()))
        .expect("an address");
    let script = format!("exec 3<>/dev/tcp/{address}/{port}");
    ssh(&lab, "load-1", &format!("bash -c '{script}'")).assert_code(0);
}

#[test]
fn nothing_is_left_of_a_lab_whose_test_is_killed() {
    testkit::require!(netns, sshd);
    if std::env::var_os(VICTIM).is_some() {
        let lab = Lab::start(2);
        println!("lab {} {}.", lab.folder().display(), lab.gateway());
        std::thread::sleep(Duration::from_secs(600));
    }
    let mut command = Command::new(std::env::current_exe().expect("this test"));
    command.args(["--exact", "nothing_is_left_of_a_lab_whose_test_is_killed", "--nocapture"]);
    let mut running = process::start(command.env(VICTIM, "yes").stderr(Stdio::null()));
    running.wait_for_output(".\n", SOON);
    let said = running.stdout_so_far();
    let line = said.lines().find_map(|line| line.split_once("lab /")?.1.strip_suffix('.'));
    let (folder, gateway) = line.and_then(|line| line.split_once(' ')).expect("a lab");
    let (folder, gateway) = (format!("/{folder}"), gateway.to_owned());
    assert!(!process::with_command_line(&folder).is_empty());
    running.signal(Signal::KILL);
    wait::until("the end of the lab's processes", SOON, || {
        process::with_command_line(&folder).is_empty().then_some(())
    });
    wait::until("the end of the lab's network and folder", SOON, || {
        let addresses = process::run(Command::new("ip").arg("addr"), SOON).stdout;
        let gone = !addresses.contains(&gateway) && !std::path::Path::new(&folder).exists();
        gone.then_some(())
    });
    assert_eq!(running.wait(SOON).signal(), Some(9));
}
