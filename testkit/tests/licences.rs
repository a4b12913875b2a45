//! Everything that Mallard is built from may be given away under Mallard's own licence.

use std::fs;

use testkit::{licences, paths};

#[test]
fn every_dependency_is_under_an_allowed_licence() {
    let deny = fs::read_to_string(paths::workspace().join("deny.toml")).expect("deny.toml");
    let allowed = licences::allowed(&deny);
    assert!(allowed.contains(&"Apache-2.0".to_owned()), "no list in deny.toml: {allowed:?}");
    let metadata = licences::metadata();
    let packages = metadata["packages"].as_array().map(Vec::len);
    assert!(packages.is_some_and(|count| count > 10), "hardly any packages: {packages:?}");
    let objections = licences::objections(&metadata, &allowed);
    assert!(objections.is_empty(), "{}", objections.join("\n"));
}
