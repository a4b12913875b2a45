//! `mallard check` where everything is in containers.

use crate::world::sandbox;
use testkit::engine::LIBC;

#[test]
fn check_tells_whether_the_engine_answers_and_has_the_images() {
    testkit::require!(docker, kafka);
    let cluster =
        |image: &str| format!("kafka: embedded\nhosts:\n  - container: {{image: '{image}'}}\n");
    let (engine, mut sandbox) = sandbox("", &cluster(LIBC));
    let sound = sandbox.mallard(["check", "c.yaml"]).expect_code(0);
    let row = |text: &str, image: &str| {
        let mut rows = text.lines().map(str::trim_end);
        rows.find(|row| row.starts_with(&engine.address()) && row.contains(image))
            .map(str::to_owned)
    };
    assert!(row(&sound.stdout, LIBC).is_some_and(|row| row.ends_with("  yes")), "{sound}");

    let nobodys = "localhost:1/nobody/knows:1";
    sandbox.file("c.yaml", cluster(nobodys));
    let missing = sandbox.mallard(["check", "c.yaml"]).expect_code(0);
    let missed = row(&missing.stdout, nobodys);
    assert!(missed.is_some_and(|row| row.contains("  no: it is pulled")), "{missing}");

    let nobody = format!("unix://{}", sandbox.path("nobody.sock").display());
    sandbox.set("DOCKER_HOST", &nobody);
    let silent = sandbox.mallard(["check", "c.yaml"]).expect_code(3);
    let told = format!("error: the engine at {nobody}, reaching it");
    assert!(silent.stdout.contains(&told), "{silent}");
    assert!(silent.stdout.contains("DOCKER_HOST"), "{silent}");
}
