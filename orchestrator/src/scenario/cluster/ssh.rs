//! Hosts over ssh: one, or a range of them.

use super::{AGENT_LIMIT, Host, ranges};
use crate::{
    config::shape::{Fields, Located, Shape, check_name, integer, list, name, shortened, text},
    scenario::cluster::{HostPlan, SshPlan},
};
use serde_json::json;
use std::path::PathBuf;

/// Longest name of a host.
const NAME_LIMIT: usize = 64;

/// Reads one entry, which may stand for several hosts.
pub(super) fn hosts(fields: &mut Fields<'_>) -> Option<Vec<Host>> {
    let doc = "Its name in reports; `load-[1-8]` is eight hosts.";
    let names = fields.required("name", doc, text().located());
    let doc =
        "Its address, or its name for ssh; a range as long as that of `name`. Default: `name`.";
    let addresses = fields.optional("host", doc, text().located());
    let doc = "The user to log in as. Default: what ssh's configuration says.";
    let user = fields.optional("user", doc, name(NAME_LIMIT));
    let doc = "The port of its sshd. Default: what ssh's configuration says.";
    let port = fields.optional("port", doc, integer(1..=65_535));
    let doc = "The private key to log in with, and no other. Default: what ssh offers.";
    let identity = fields.optional("identity", doc, text());
    let doc = "The folder on the host for the agent's program and its runs.";
    let cache = fields.optional("cache", doc, text().located());
    let doc = "How many agents run on it.";
    let agents = fields.default("agents", doc, integer(1..=AGENT_LIMIT), 1, 1);
    let doc = "Labels that `on` of a producer or consumer may ask for.";
    let labels = fields.default("labels", doc, list(name(64)), json!([]), Vec::new());
    let (names, addresses, cache) = (names?, addresses?, cache?);
    let at = fields.at();
    let pairs = expand(fields, &names, addresses.as_ref())?;
    if let Some(wrong) = cache.as_ref().filter(|cache| !cache.value.starts_with('/')) {
        let message = format!("`{}` is not an absolute path", shortened(&wrong.value));
        fields.error(&wrong.at, message, "for example `/var/tmp/mallard`");
        return None;
    }
    let plan = SshPlan {
        host: String::new(),
        user: user?,
        port: port?.and_then(|port| u16::try_from(port).ok()),
        identity: identity?.map(PathBuf::from),
        cache: cache.map(|cache| cache.value),
        config: None,
    };
    let (agents, labels) = (u32::try_from(agents?).unwrap_or(1), labels?);
    let host = |(name, address): (String, String)| Host {
        kind: HostPlan::ssh(SshPlan { host: address, ..plan.clone() }),
        name: Some(name),
        agents,
        labels: labels.clone(),
        at: at.clone(),
    };
    Some(pairs.into_iter().map(host).collect())
}

/// Names and addresses, pair by pair.
fn expand(
    fields: &mut Fields<'_>,
    names: &Located<String>,
    addresses: Option<&Located<String>>,
) -> Option<Vec<(String, String)>> {
    let mut expanded = |text: &Located<String>| match ranges::expand(&text.value) {
        Ok(all) => Some(all),
        Err(wrong) => {
            let message = format!("`{}`: {wrong}", shortened(&text.value));
            fields.error(
                &text.at,
                message,
                "for example `load-[1-8]`, `load-[01-16]`, `rack-[a,b]`",
            );
            None
        }
    };
    let all = expanded(names)?;
    let hosts = match addresses {
        Some(addresses) => expanded(addresses)?,
        None => all.clone(),
    };
    if let Some(Err(wrong)) =
        all.iter().map(|name| check_name(name, NAME_LIMIT)).find(Result::is_err)
    {
        fields.error(&names.at, wrong.message, wrong.help);
        return None;
    }
    let sound = |host: &String| {
        let legal = |c: char| c.is_ascii_alphanumeric() || "._-:%".contains(c);
        !host.starts_with('-') && !host.is_empty() && host.chars().all(legal)
    };
    let addresses = addresses.unwrap_or(names);
    if let Some(wrong) = hosts.iter().find(|host| !sound(host)) {
        let message = format!("`{}` is not an address", shortened(wrong));
        fields.error(
            &addresses.at,
            message,
            "a name or an IP address; user and port have keys of their own",
        );
        return None;
    }
    if all.len() != hosts.len() {
        let message = format!("{} addresses for {} names", hosts.len(), all.len());
        fields.error(
            &addresses.at,
            message,
            "the ranges of `name` and `host` must be equally long",
        );
        return None;
    }
    Some(all.into_iter().zip(hosts).collect())
}
