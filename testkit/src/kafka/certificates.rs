//! Certificates by openssl: authorities, and what they sign.

use crate::{java, process};
use std::{fs, path::Path, process::Command};

/// The names under which clients reach a broker on this machine, as an extension of its certificate.
pub const THIS_MACHINE: &str = "subjectAltName=DNS:localhost,IP:127.0.0.1";

/// Makes an authority: `NAME.pem`, its certificate, and `NAME.key`.
pub fn authority(folder: &Path, name: &str) {
    let (key, pem) = (format!("{name}.key"), format!("{name}.pem"));
    let subject = format!("/CN={name}");
    openssl(
        folder,
        &[
            "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-keyout", &key,
            "-out", &pem, "-subj", &subject,
        ],
    );
}

/// Makes a key, a certificate of it by the authority `ca`, and both in one file for a broker: `NAME.key`, `NAME.pem`,
/// `NAME.full`.
pub fn certificate(folder: &Path, name: &str, subject: &str, extension: &str, days: &str) {
    let [key, request, pem, extensions] =
        ["key", "csr", "pem", "ext"].map(|ending| format!("{name}.{ending}"));
    let ask = [
        "req", "-newkey", "rsa:2048", "-nodes", "-keyout", &key, "-out", &request, "-subj", subject,
    ];
    openssl(folder, &ask);
    write(&folder.join(&extensions), extension);
    openssl(
        folder,
        &[
            "x509",
            "-req",
            "-in",
            &request,
            "-CA",
            "ca.pem",
            "-CAkey",
            "ca.key",
            "-CAcreateserial",
            "-days",
            days,
            "-out",
            &pem,
            "-extfile",
            &extensions,
        ],
    );
    let both = [&pem, &key].map(|file| fs::read_to_string(folder.join(file)).unwrap_or_default());
    write(&folder.join(format!("{name}.full")), &both.concat());
}

pub(super) fn write(path: &Path, text: &str) {
    fs::write(path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}

pub(super) fn openssl(folder: &Path, words: &[&str]) -> String {
    let mut command = Command::new("openssl");
    process::run(command.args(words).current_dir(folder), java::WITHIN).expect_code(0).stdout
}
