//! One host: namespaces, an sshd, and what can be done to it.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use super::switch::{Switch, wait_for_namespace};
use super::wire::{Slowness, Wire};
use super::{
    compiled, keys,
    steps::{STEP_WITHIN, USER, must_in_network_of, write},
};
use crate::guard::Guarded;
use crate::process::{self, Finished};
use crate::wait;

/// What the first process of a host does: `$1` its name, `$2` its folder, `$3` the lab's, `$4` mount
/// options of its homes, `$5` its user.
///
/// Everything that this machine has and a host must not see is covered: homes, `/run`, names. A name
/// server that never answers would cost brokers and logins ten seconds each.
const BOOT: &str = r#"
hostname "$1"
ip link set lo up
mount -t tmpfs -o mode=755 homes /home
mkdir "/home/$5"
mount -t tmpfs -o "mode=700,uid=2000,gid=2000,$4" home "/home/$5"
mount -t tmpfs -o mode=700 root /root
mount -t tmpfs -o mode=1777 var-tmp /var/tmp
for file in hosts resolv.conf passwd group shadow nsswitch.conf; do
  if [ -e "/etc/$file" ]; then mount --bind "$3/etc/$file" "/etc/$file"; fi
done
mount -t tmpfs -o mode=755 run /run
mkdir -m 755 /run/sshd
if [ -e "$2/boot_id" ]; then mount --bind "$2/boot_id" /proc/sys/kernel/random/boot_id; fi
exec /usr/sbin/sshd -D -e -f "$2/sshd_config"
"#;

/// How a host differs from others.
#[derive(Debug, Clone, Default)]
pub struct HostOptions {
    home: Vec<String>,
    environment: Vec<(String, String)>,
    clock: Option<(f64, f64)>,
    monotonic_ahead_s: Option<i64>,
    monotonic_ppm: Option<f64>,
    own_boot_id: bool,
}

impl HostOptions {
    /// Mount options of the homes: `size=8m` for a small disk, `noexec`, `ro`.
    #[must_use]
    pub fn home(mut self, mount_option: &str) -> Self {
        self.home.push(mount_option.to_owned());
        self
    }

    /// A variable in the environment of every login, which wins over sshd's own, such as `PATH`.
    #[must_use]
    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Its time of day is so many seconds ahead of this machine's, and drifts by so many parts per
    /// million. It also gets a boot id of its own. Its monotonic clock is another matter.
    #[must_use]
    pub fn clock(mut self, ahead_s: f64, drift_ppm: f64) -> Self {
        self.clock = Some((ahead_s, drift_ppm));
        self.own_boot_id = true;
        self
    }

    /// Its monotonic clock is so many whole seconds ahead of this machine's, in a time namespace of its
    /// own, as if it had been switched on earlier. It also gets a boot id of its own.
    #[must_use]
    pub fn monotonic_clock(mut self, ahead_s: i64) -> Self {
        self.monotonic_ahead_s = Some(ahead_s);
        self.own_boot_id = true;
        self
    }

    /// Its monotonic clock is fast by so many parts per million, in every process since that began: an agent
    /// is one. It also gets a boot id of its own.
    #[must_use]
    pub fn monotonic_drift(mut self, ppm: f64) -> Self {
        self.monotonic_ppm = Some(ppm);
        self.own_boot_id = true;
        self
    }

    /// A boot id of its own: Mallard must not take its monotonic clock for this machine's.
    #[must_use]
    pub fn own_boot_id(mut self) -> Self {
        self.own_boot_id = true;
        self
    }
}

/// A host of the lab.
#[derive(Debug)]
pub struct Host {
    name: String,
    address: Ipv4Addr,
    lab: PathBuf,
    folder: PathBuf,
    wire: Wire,
    relay: Mutex<Option<Guarded>>,
    system: Guarded,
}

impl Host {
    pub(super) fn start(
        number: usize,
        address: Ipv4Addr,
        options: &HostOptions,
        lab: &Path,
        switch: &Switch,
    ) -> Self {
        let name = format!("load-{number}");
        let folder = lab.join(&name);
        fs::create_dir_all(&folder)
            .unwrap_or_else(|error| panic!("failed to make {}: {error}", folder.display()));
        write_host_files(&folder, &name, address, lab, options);
        let mut home = options.home.join(",");
        if home.is_empty() {
            home = "size=2g".to_owned();
        }
        let texts = [folder.display().to_string(), lab.display().to_string(), home];
        let mut command = vec!["unshare", "--net", "--mount", "--propagation", "private", "--uts"];
        let ahead_s = options.monotonic_ahead_s.map(|seconds| seconds.to_string());
        if let Some(seconds) = &ahead_s {
            command.extend(["--time", "--monotonic", seconds]);
        }
        command.extend(["--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-ec", BOOT]);
        command.extend(["host", &name, &texts[0], &texts[1], &texts[2], USER]);
        let system = Guarded::start(&command, &folder.join("sshd.log"), None);
        wait_for_namespace(system.pid());
        let wire = Wire::new((number, address), switch.gateway(), system.pid(), switch.pid());
        wire.plug_in();
        let lab = lab.to_owned();
        Self { name, address, lab, folder, wire, relay: Mutex::new(None), system }
    }

    pub(super) fn wait_until_ready(&self) {
        let sshd = SocketAddr::from((self.address, 22));
        let up = || TcpStream::connect_timeout(&sshd, STEP_WITHIN).ok();
        let ready = wait::poll(STEP_WITHIN, up).is_some();
        assert!(ready, "{} takes no logins: {}", self.name, self.sshd_log());
    }

    /// Its name: `load-1`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its address.
    #[must_use]
    pub fn address(&self) -> Ipv4Addr {
        self.address
    }

    /// What its sshd has said.
    #[must_use]
    pub fn sshd_log(&self) -> String {
        fs::read_to_string(self.folder.join("sshd.log")).unwrap_or_default()
    }

    /// Drops every packet to and from it: a pulled cable. Connections stay open and say nothing.
    pub fn cut(&self) {
        must_in_network_of(self.system.pid(), "iptables -P INPUT DROP; iptables -P OUTPUT DROP");
    }

    /// Undoes [`cut`](Self::cut).
    pub fn heal(&self) {
        must_in_network_of(
            self.system.pid(),
            "iptables -P INPUT ACCEPT; iptables -P OUTPUT ACCEPT",
        );
    }

    /// Makes its wire slow and lossy from now on; connections survive that.
    ///
    /// # Panics
    ///
    /// When there is no C compiler or no `/dev/net/tun`.
    pub fn slow(&self, slowness: Slowness) {
        let mut relay = self.relay.lock().unwrap_or_else(PoisonError::into_inner);
        // The former relay must have let go of the interfaces first.
        drop(relay.take());
        *relay = Some(self.wire.replace_by_relay(slowness, &self.lab));
    }

    /// Pulls the plug: nothing is said to anybody, all of its processes are gone, and its network.
    pub fn power_off(&self) {
        self.cut();
        self.system.signal(process::Signal::KILL);
        wait::until("the end of a host", STEP_WITHIN, || (!self.system.is_alive()).then_some(()));
    }

    /// Runs a shell script on it as the user that Mallard logs in as.
    #[must_use]
    pub fn run(&self, script: &str) -> Finished {
        let mut command = self.enter();
        command.args(["setpriv", "--reuid", USER, "--regid", USER, "--init-groups", "env"]);
        command.arg(format!("HOME=/home/{USER}")).args(["sh", "-c"]);
        process::run(command.arg(format!("cd; {script}")), STEP_WITHIN)
    }

    /// Runs a shell script on it as root.
    #[must_use]
    pub fn run_as_root(&self, script: &str) -> Finished {
        process::run(self.enter().args(["sh", "-c", script]), STEP_WITHIN)
    }

    /// A command that enters its namespaces; the first process in them is the only child of the one
    /// that is under guard.
    fn enter(&self) -> Command {
        let pid = self.system.pid();
        let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
        let first = children.unwrap_or_default();
        let mut command = Command::new("nsenter");
        command.args(["-t", first.trim(), "-n", "-m", "-u", "-p"]);
        command
    }
}

/// Files that all hosts share: names and users.
pub(super) fn write_shared_files(lab: &Path, addresses: impl Iterator<Item = (usize, Ipv4Addr)>) {
    let etc = lab.join("etc");
    fs::create_dir_all(&etc)
        .unwrap_or_else(|error| panic!("failed to make {}: {error}", etc.display()));
    let names: String =
        addresses.map(|(number, address)| format!("{address} load-{number}\n")).collect();
    write(&etc.join("hosts"), &format!("127.0.0.1 localhost\n{names}"));
    write(&etc.join("resolv.conf"), "");
    write(&etc.join("nsswitch.conf"), "passwd: files\ngroup: files\nshadow: files\nhosts: files\n");
    write(
        &etc.join("passwd"),
        &format!(
            "root:x:0:0::/root:/bin/sh\nsshd:x:100:65534::/run/sshd:/usr/sbin/nologin\n\
             nobody:x:65534:65534::/nonexistent:/usr/sbin/nologin\n\
             {USER}:x:2000:2000::/home/{USER}:/bin/sh\n"
        ),
    );
    write(&etc.join("group"), &format!("root:x:0:\nnogroup:x:65534:\n{USER}:x:2000:\n"));
    write(
        &etc.join("shadow"),
        &format!("root:*:19000:0:99999:7:::\nsshd:*:19000::::::\n{USER}:*:19000:0:99999:7:::\n"),
    );
}

/// Files of one host: its key, its sshd's settings, who may log in. Limits on logins and channels are those that
/// sshd has by default: Mallard promises to keep to them.
fn write_host_files(
    folder: &Path,
    name: &str,
    address: Ipv4Addr,
    lab: &Path,
    options: &HostOptions,
) {
    let (key, known) = keys::make_host_key(folder, name, &address.to_string());
    OpenOptions::new()
        .create(true)
        .append(true)
        .open(lab.join("known_hosts"))
        .and_then(|mut file| file.write_all(known.as_bytes()))
        .unwrap_or_else(|error| panic!("failed to write known_hosts: {error}"));
    let mut environment = options.environment.clone();
    if options.clock.is_some() || options.monotonic_ppm.is_some() {
        let shim = compiled::clockshift(lab).display().to_string();
        environment.push(("LD_PRELOAD".to_owned(), shim));
    }
    if let Some((ahead_s, drift_ppm)) = options.clock {
        environment.push(("CLOCK_SHIFT_S".to_owned(), ahead_s.to_string()));
        environment.push(("CLOCK_DRIFT_PPM".to_owned(), drift_ppm.to_string()));
    }
    if let Some(ppm) = options.monotonic_ppm {
        environment.push(("CLOCK_MONOTONIC_PPM".to_owned(), ppm.to_string()));
    }
    let mut config = format!(
        "Port 22\nListenAddress 0.0.0.0\nHostKey {}\nPidFile none\nAuthorizedKeysFile {}\n\
         StrictModes no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\nUsePAM no\n\
         UseDNS no\nPermitRootLogin prohibit-password\nPrintMotd no\nPrintLastLog no\n",
        key.display(),
        lab.join("id.pub").display()
    );
    if !environment.is_empty() {
        let words: Vec<String> =
            environment.iter().map(|(name, value)| format!("\"{name}={value}\"")).collect();
        config += &format!("SetEnv {}\n", words.join(" "));
    }
    write(&folder.join("sshd_config"), &config);
    if options.own_boot_id {
        let number = u32::from(address);
        write(&folder.join("boot_id"), &format!("6d616c6c-6172-4000-8000-0000{number:08x}\n"));
    }
}
