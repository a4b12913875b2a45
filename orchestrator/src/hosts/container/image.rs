//! Images: there, or pulled; and of the right architecture.

use super::engine::{Engine, Problem, is_missing, said};
use bollard::query_parameters::CreateImageOptionsBuilder;
use futures_util::StreamExt;
use std::{
    fs::File,
    io::Read,
    path::Path,
    time::{Duration, Instant},
};

/// Between two words on how a pull goes on.
const TELL_EVERY: Duration = Duration::from_secs(2);

/// Makes sure that the engine has an image, and pulls it otherwise.
///
/// # Errors
/// It is missing and cannot be pulled.
pub(super) async fn ensure(
    engine: &Engine,
    image: &str,
    tell: &(impl Fn(String) + Sync),
) -> Result<(), Problem> {
    match engine.api.inspect_image(image).await {
        Ok(_) => Ok(()),
        Err(error) if is_missing(&error) => pull(engine, image, tell).await,
        Err(error) => Err(unknown(image, &error)),
    }
}

/// Whether the engine has an image; nothing is pulled. If it is for agents, with their program, that must be
/// able to run in it.
///
/// # Errors
/// The engine does not say, or their architectures differ.
pub async fn look(engine: &Engine, image: &str, agent: Option<&Path>) -> Result<bool, Problem> {
    match engine.api.inspect_image(image).await {
        Ok(_) => {
            if let Some(agent) = agent {
                check_architecture(engine, image, agent).await?;
            }
            Ok(true)
        }
        Err(error) if is_missing(&error) => Ok(false),
        Err(error) => Err(unknown(image, &error)),
    }
}

fn unknown(image: &str, error: &bollard::errors::Error) -> Problem {
    let what = format!("image {image}");
    Problem::new(what, "looking for it", &said(error), "see the engine's log")
}

async fn pull(
    engine: &Engine,
    image: &str,
    tell: &(impl Fn(String) + Sync),
) -> Result<(), Problem> {
    tell(format!("pulling {image}"));
    // Without a tag the engine would pull every one there is.
    let options = CreateImageOptionsBuilder::new().from_image(&with_tag(image)).build();
    let mut progress = std::pin::pin!(engine.api.create_image(Some(options), None, None));
    let mut told = Instant::now();
    while let Some(step) = progress.next().await {
        let failure = match step {
            Ok(info) => {
                if told.elapsed() >= TELL_EVERY {
                    tell(format!("pulling {image}: {}", info.status.unwrap_or_default()));
                    told = Instant::now();
                }
                info.error_detail.map(|detail| detail.message.unwrap_or_default())
            }
            Err(error) => Some(said(&error)),
        };
        if let Some(failure) = failure {
            let remedy = format!(
                "`docker pull {image}` where a registry can be reached, or `docker load` or `docker \
                 import` it; and look at the name in the cluster file"
            );
            let cause = format!("the engine does not have it, and cannot pull it: {failure}");
            return Err(Problem::new(format!("image {image}"), "pulling it", &cause, remedy));
        }
    }
    Ok(())
}

fn with_tag(image: &str) -> String {
    // A colon before the last slash is that of a registry's port.
    let name = image.rsplit('/').next().unwrap_or(image);
    if name.contains([':', '@']) { image.to_owned() } else { format!("{image}:latest") }
}

/// Makes sure that the agent's program can run in an image.
///
/// # Errors
/// Their architectures differ.
pub(super) async fn check_architecture(
    engine: &Engine,
    image: &str,
    agent: &Path,
) -> Result<(), Problem> {
    let of_image = engine.api.inspect_image(image).await.ok().and_then(|image| image.architecture);
    let of_agent = architecture(agent);
    match (of_image.filter(|name| !name.is_empty()), of_agent) {
        (Some(theirs), Some(ours)) if theirs != ours => {
            let cause = format!("it is for {theirs}, and the agent's program is for {ours}");
            // An agent's program for another architecture is brought to hosts over ssh alone.
            let remedy = format!(
                "take the image for {ours}: `docker pull --platform linux/{ours} {image}`; agents in containers are of the architecture of the machine that `mallard` runs on"
            );
            Err(Problem::new(format!("image {image}"), "comparing architectures", &cause, remedy))
        }
        _ => Ok(()),
    }
}

/// The architecture of a program, as images name it, by the machine in its ELF header.
fn architecture(program: &Path) -> Option<&'static str> {
    let mut header = [0; 20];
    File::open(program).and_then(|mut file| file.read_exact(&mut header)).ok()?;
    match u16::from_le_bytes([header[18], header[19]]) {
        62 => Some("amd64"),
        183 => Some("arm64"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::with_tag;

    #[test]
    fn an_image_without_a_tag_is_the_latest() {
        assert_eq!(with_tag("debian"), "debian:latest");
        assert_eq!(with_tag("apache/kafka:4.1.1"), "apache/kafka:4.1.1");
        assert_eq!(with_tag("registry:5000/kafka"), "registry:5000/kafka:latest");
        assert_eq!(with_tag("kafka@sha256:ab"), "kafka@sha256:ab");
    }
}
