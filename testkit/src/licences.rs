//! Whether everything that is built in may be built in: an offline check of the dependencies'
//! licences and origins against `deny.toml`.
//!
//! `cargo deny check` says more, above all about advisories, but it needs an installation and their
//! database; this needs neither. Both read the same list.

use std::iter::Peekable;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::{paths, process};

/// Cargo only reads files for this.
const WITHIN: Duration = Duration::from_secs(60);

/// The packages that this workspace is built from on this platform, as `cargo metadata` tells them,
/// without a network.
///
/// # Panics
///
/// When Cargo cannot tell.
#[must_use]
pub fn metadata() -> Value {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let platform = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let mut command = Command::new(cargo);
    // What only other platforms need was not downloaded here, so offline it cannot be asked for.
    command.args(["metadata", "--offline", "--format-version=1", "--filter-platform", &platform]);
    let answer = process::run(command.current_dir(paths::workspace()), WITHIN).expect_code(0);
    serde_json::from_str(&answer.stdout)
        .unwrap_or_else(|error| panic!("cargo metadata is no JSON: {error}"))
}

/// The licences that the text of a `deny.toml` allows: the strings of its `allow = […]`.
#[must_use]
pub fn allowed(deny_toml: &str) -> Vec<String> {
    let code = deny_toml.lines().map(|line| line.split('#').next().unwrap_or_default());
    let mut list =
        code.skip_while(|line| !line.starts_with("allow = [")).collect::<Vec<_>>().join("\n");
    list.truncate(list.find(']').unwrap_or(0));
    list.split('"').skip(1).step_by(2).map(str::to_owned).collect()
}

/// A sentence for each package that may not be built in: its licence is not allowed or not
/// declared, or it comes from elsewhere than the registry of crates or this workspace.
#[must_use]
pub fn objections(metadata: &Value, allowed: &[String]) -> Vec<String> {
    let packages = metadata["packages"].as_array().map(Vec::as_slice).unwrap_or_default();
    packages.iter().filter_map(|package| objection(package, allowed)).collect()
}

fn objection(package: &Value, allowed: &[String]) -> Option<String> {
    let name = format!("{} {}", package["name"].as_str()?, package["version"].as_str()?);
    let source = package["source"].as_str();
    if source.is_some_and(|source| !source.starts_with("registry+")) {
        return Some(format!(
            "{name} comes from {}, not from a registry",
            source.unwrap_or_default()
        ));
    }
    match package["license"].as_str() {
        Some(licence) if is_allowed(licence, allowed) => None,
        Some(licence) => Some(format!("{name} is under {licence}, which deny.toml does not allow")),
        None => Some(format!("{name} does not declare a licence")),
    }
}

/// Whether an SPDX expression can be met with allowed licences only. `/` is how old packages write
/// OR.
#[must_use]
pub fn is_allowed(expression: &str, allowed: &[String]) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let mut words = spaced.split_whitespace().peekable();
    any_of(&mut words, allowed) && words.next().is_none()
}

fn any_of<'a>(words: &mut Peekable<impl Iterator<Item = &'a str>>, allowed: &[String]) -> bool {
    let mut met = all_of(words, allowed);
    while words.next_if_eq(&"OR").is_some() {
        met |= all_of(words, allowed);
    }
    met
}

fn all_of<'a>(words: &mut Peekable<impl Iterator<Item = &'a str>>, allowed: &[String]) -> bool {
    let mut met = one(words, allowed);
    while words.next_if_eq(&"AND").is_some() {
        met &= one(words, allowed);
    }
    met
}

fn one<'a>(words: &mut Peekable<impl Iterator<Item = &'a str>>, allowed: &[String]) -> bool {
    match words.next() {
        Some("(") => any_of(words, allowed) && words.next() == Some(")"),
        Some(licence) => {
            let mut name = licence.to_owned();
            if words.next_if_eq(&"WITH").is_some() {
                name = format!("{name} WITH {}", words.next().unwrap_or_default());
            }
            allowed.contains(&name)
        }
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn an_expression_is_met_by_what_is_allowed() {
        let allowed = list(&["MIT", "Unicode-3.0", "Apache-2.0 WITH LLVM-exception"]);
        for met in [
            "MIT",
            "GPL-3.0 OR MIT",
            "Unlicense/MIT",
            "(MIT OR Apache-2.0) AND Unicode-3.0",
            "Apache-2.0 WITH LLVM-exception OR GPL-3.0",
            "(MIT)",
        ] {
            assert!(is_allowed(met, &allowed), "{met}");
        }
        for unmet in [
            "",
            "GPL-3.0",
            "MIT AND GPL-3.0",
            "Apache-2.0",
            "(MIT",
            "MIT MIT",
            "(GPL-3.0 OR MIT) AND ISC",
        ] {
            assert!(!is_allowed(unmet, &allowed), "{unmet}");
        }
    }

    #[test]
    fn the_list_is_read_without_its_comments() {
        let text = "[licenses]\nallow = [\n  \"MIT\", # \"GPL-3.0\" is not\n  \"ISC\",\n]\nother = [\"X\"]\n";
        assert_eq!(allowed(text), ["MIT", "ISC"]);
        assert!(allowed("[bans]\n").is_empty());
    }

    #[test]
    fn what_comes_from_git_or_declares_nothing_is_objected_to() {
        let metadata = serde_json::json!({ "packages": [
            { "name": "a", "version": "1.0.0", "license": "MIT", "source": "git+https://example.org/a" },
            { "name": "b", "version": "1.0.0", "license": null, "source": "registry+https://example.org" },
            { "name": "c", "version": "1.0.0", "license": "MIT", "source": null },
        ]});
        let said = objections(&metadata, &list(&["MIT"]));
        assert_eq!(said.len(), 2, "{said:?}");
        assert!(
            said[0].contains("a 1.0.0 comes from git")
                && said[1].contains("b 1.0.0 does not declare")
        );
    }
}
