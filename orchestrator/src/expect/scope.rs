//! Reads whom an expectation is about.

use super::{
    Scope,
    tokens::{Token, Tokens},
    vocabulary::{ParseError, Vocabulary, did_you_mean},
};
use crate::metrics::{Metric, Scopes};

const KINDS: [(&str, Scopes); 8] = [
    ("topic", Scopes::TOPIC),
    ("partition", Scopes::PARTITION),
    ("producer", Scopes::PRODUCER),
    ("consumer", Scopes::CONSUMER),
    ("group", Scopes::GROUP),
    ("agent", Scopes::AGENT),
    ("phase", Scopes::PHASE),
    ("fault", Scopes::FAULT),
];

/// Reads what follows `of`.
pub(super) fn parse_scope(
    tokens: &mut Tokens,
    metric: &Metric,
    vocabulary: &Vocabulary,
) -> Result<Scope, ParseError> {
    let every = tokens.take("every").is_some();
    let (kind, token) = parse_kind(tokens)?;
    if !metric.scopes.has(kind) {
        let words = metric.scopes.words();
        let help = if words.is_empty() {
            "it is known of the whole only".to_owned()
        } else {
            format!("it is known of the whole, and by {}", words.join(", "))
        };
        let message = format!("`{}` is not known by {}", metric.name, token.text);
        return Err(ParseError::new(token.span, message, help));
    }
    match (every, kind) {
        (true, Scopes::PARTITION) => Ok(Scope::Partition(None)),
        (true, Scopes::AGENT) => Ok(Scope::Agent(None)),
        (true, _) => Err(ParseError::new(
            token.span.clone(),
            format!("`every {}` cannot be judged", token.text),
            "`of every partition` and `of every agent` can; name others one by one".to_owned(),
        )),
        (false, _) => parse_name(tokens, kind, &token, vocabulary),
    }
}

fn parse_kind<'a>(tokens: &mut Tokens<'a>) -> Result<(Scopes, Token<'a>), ParseError> {
    let help = "a scope is `topic NAME`, `partition TOPIC/NUMBER`, `every partition`, `producer \
        NAME`, `consumer NAME`, `group NAME`, `agent NAME`, `every agent`, `phase NAME` or `fault NAME`";
    let Some(token) = tokens.next() else {
        return Err(ParseError::new(tokens.end(), "the scope is missing", help.to_owned()));
    };
    let kind = KINDS.iter().find(|(word, _)| *word == token.text);
    kind.map(|(_, kind)| (*kind, token.clone())).ok_or_else(|| {
        let message = format!("`{}` is not a kind of scope", token.text);
        ParseError::new(token.span, message, help.to_owned())
    })
}

fn parse_name(
    tokens: &mut Tokens,
    kind: Scopes,
    word: &Token,
    vocabulary: &Vocabulary,
) -> Result<Scope, ParseError> {
    let Some(token) = tokens.next() else {
        let message = format!("the {}'s name is missing", word.text);
        return Err(ParseError::new(tokens.end(), message, None));
    };
    let name = token.text.to_owned();
    let known = |names: &[String], scope: fn(String) -> Scope| {
        if names.contains(&name) {
            return Ok(scope(name.clone()));
        }
        let message = format!("there is no {} `{name}`", word.text);
        let help = did_you_mean(&name, names.iter().map(String::as_str));
        Err(ParseError::new(token.span.clone(), message, help))
    };
    match kind {
        Scopes::PRODUCER => known(&vocabulary.producers, Scope::Producer),
        Scopes::CONSUMER => known(&vocabulary.consumers, Scope::Consumer),
        Scopes::GROUP => known(&vocabulary.groups, Scope::Group),
        Scopes::AGENT => known(&vocabulary.agents, |name| Scope::Agent(Some(name))),
        Scopes::PHASE => known(&vocabulary.phases, Scope::Phase),
        Scopes::FAULT if vocabulary.faults.is_empty() => Err(no_faults(&token)),
        Scopes::FAULT => known(&vocabulary.faults, Scope::Fault),
        Scopes::PARTITION => partition(&token, vocabulary),
        _ => topic(&token, token.text, vocabulary).map(|_| Scope::Topic(name)),
    }
}

/// Reads `outside faults`, if it stands there.
pub(super) fn parse_outside(
    tokens: &mut Tokens,
    metric: &Metric,
    scope: &Scope,
    vocabulary: &Vocabulary,
) -> Result<bool, ParseError> {
    let Some(outside) = tokens.take("outside") else { return Ok(false) };
    let Some(faults) = tokens.take("faults") else {
        let help = "write `outside faults`".to_owned();
        return Err(ParseError::new(outside.span, "it is not said outside of what", help));
    };
    let span = outside.span.start..faults.span.end;
    if vocabulary.faults.is_empty() {
        return Err(no_faults(&Token { span, ..faults }));
    }
    if matches!(scope, Scope::Fault(_)) {
        let help = "take one of both away".to_owned();
        return Err(ParseError::new(span, "nothing is of a fault and outside of faults", help));
    }
    if !metric.scopes.has(Scopes::FAULT) {
        let message =
            format!("`{}` is not known by time, so no part of it is outside faults", metric.name);
        let help = "take `outside faults` away".to_owned();
        return Err(ParseError::new(span, message, help));
    }
    Ok(true)
}

fn no_faults(token: &Token) -> ParseError {
    let help = "add one under `faults:`".to_owned();
    ParseError::new(token.span.clone(), "the scenario has no faults", help)
}

/// The number of partitions of a topic.
fn topic(token: &Token, name: &str, vocabulary: &Vocabulary) -> Result<i32, ParseError> {
    let found = vocabulary.topics.iter().find(|(topic, _)| topic == name);
    found.map(|(_, partitions)| *partitions).ok_or_else(|| {
        let help = did_you_mean(name, vocabulary.topics.iter().map(|(topic, _)| topic.as_str()));
        ParseError::new(token.span.clone(), format!("there is no topic `{name}`"), help)
    })
}

fn partition(token: &Token, vocabulary: &Vocabulary) -> Result<Scope, ParseError> {
    let split = token.text.rsplit_once('/');
    let Some((name, number)) = split.and_then(|(name, n)| Some((name, n.parse::<i32>().ok()?)))
    else {
        let message = format!("`{}` does not name a partition", token.text);
        let help = "write `TOPIC/NUMBER`, or `of every partition`".to_owned();
        return Err(ParseError::new(token.span.clone(), message, help));
    };
    let partitions = topic(token, name, vocabulary)?;
    if (0..partitions).contains(&number) {
        return Ok(Scope::Partition(Some((name.to_owned(), number))));
    }
    let message = format!("topic `{name}` has no partition {number}");
    let help = format!("its partitions are 0 to {}", partitions - 1);
    Err(ParseError::new(token.span.clone(), message, help))
}
