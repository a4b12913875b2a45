//! The witnesses other than Kafka say yes to what is right and no to what is wrong.

use std::fs;

use testkit::browser::{Page, View};
use testkit::java;

const PAGE: &str = "<!doctype html><html><head><meta name=viewport content='width=device-width'>
<title>Pond</title><style>
  body { background: rgb(255, 255, 255) }
  @media (prefers-color-scheme: dark) { body { background: rgb(1, 2, 3) } }
</style></head><body>
<p id=who>duck</p><button id=b onclick=\"this.textContent = 'clicked'\">press</button>
<div id=h onmousemove=\"this.textContent = 'seen'\">hover</div>
<script>document.getElementById('who').textContent = 'mallard'</script>
</body></html>";

fn page(name: &str, html: &str) -> (tempfile::TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join(name);
    fs::write(&file, html).expect("a page");
    (folder, file)
}

#[test]
fn a_page_is_opened_used_and_pictured() {
    testkit::require!(chromium);
    let (folder, file) = page("a page.html", PAGE);
    let mut page = Page::open(&file, View::DESKTOP);
    assert_eq!(page.text("#who"), "mallard");
    assert_eq!((page.count("p"), page.sideways_overflow_px()), (1, 0));
    assert!(page.dom().contains("<title>Pond</title>"));
    page.click_on("#b");
    assert_eq!(page.text("#b"), "clicked");
    page.hover_on("#h");
    assert_eq!(page.text("#h"), "seen");
    assert_eq!(page.errors(), []);
    assert!(page.requests().is_empty(), "{:?}", page.requests());

    let (png, pdf) = (folder.path().join("page.png"), folder.path().join("page.pdf"));
    page.screenshot(&png);
    page.print_to_pdf(&pdf);
    let picture = fs::read(&png).unwrap();
    assert!(picture.starts_with(b"\x89PNG"));
    // Width and height stand in the first chunk of a PNG file.
    assert_eq!(picture[16..24], [0, 0, 5, 0, 0, 0, 3, 132]);
    assert!(fs::read(&pdf).unwrap().starts_with(b"%PDF"));
}

#[test]
fn a_page_is_seen_in_the_dark_on_a_phone_and_without_scripts() {
    testkit::require!(chromium);
    let (_folder, file) = page("page.html", PAGE);
    let background = "getComputedStyle(document.body).backgroundColor";
    let mut page = Page::open(&file, View::PHONE.dark());
    assert_eq!(page.evaluate("innerWidth"), 390);
    assert_eq!(page.evaluate(background), "rgb(1, 2, 3)");
    page.look(View::DESKTOP);
    assert_eq!(page.evaluate(background), "rgb(255, 255, 255)");
    let mut page = Page::open(&file, View::DESKTOP.without_scripts());
    assert_eq!(page.text("#who"), "duck");
}

#[test]
fn what_goes_wrong_on_a_page_is_told() {
    testkit::require!(chromium);
    let html = "<!doctype html><script>console.log('fine'); console.error('bad', 7); nothing.at.all()</script>
        <img src=missing.png>";
    let (_folder, file) = page("page.html", html);
    let mut page = Page::open(&file, View::DESKTOP);
    assert!(page.console().iter().any(|line| line.level == "log" && line.text == "fine"));
    let errors = page.errors();
    assert!(errors.iter().any(|line| line.level == "error" && line.text == "bad 7"), "{errors:?}");
    assert!(errors.iter().any(|line| line.text.contains("nothing is not defined")), "{errors:?}");
    assert!(errors.iter().any(|line| line.text.contains("missing.png")), "{errors:?}");
    assert_eq!(page.requests().len(), 1);
}

#[test]
fn hdrhistogram_reads_its_own_log() {
    testkit::require!(kafka);
    let writer = "
        import java.io.PrintStream;
        import org.HdrHistogram.*;
        public class Write {
            public static void main(String[] args) throws Exception {
                HistogramLogWriter log = new HistogramLogWriter(new PrintStream(args[0]));
                log.outputLogFormatVersion();
                log.outputLegend();
                Histogram h = new Histogram(3);
                h.setTag(\"service\");
                h.setStartTimeStamp(1000);
                h.setEndTimeStamp(2000);
                for (int i = 1; i <= 1000; i++) h.recordValue(i);
                log.outputIntervalHistogram(h);
            }
        }";
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("latency.hlog");
    let _written = java::run_source("Write.java", writer, &[&log]);
    let intervals = java::read_hlog(&log);
    let [interval] = intervals.as_slice() else { panic!("{intervals:?}") };
    assert_eq!(interval.tag.as_deref(), Some("service"));
    assert_eq!((interval.start_ms, interval.end_ms), (1000, 2000));
    assert_eq!((interval.count, interval.min, interval.max), (1000, 1, 1000));
    assert_eq!((interval.p50, interval.p95, interval.p99, interval.p999), (500, 950, 990, 999));
}

#[test]
fn a_junit_report_is_judged_by_its_schema() {
    testkit::require!(java);
    let folder = tempfile::tempdir().unwrap();
    let report = folder.path().join("junit.xml");
    let judge = |text: &str| {
        fs::write(&report, text).unwrap();
        java::validate_junit(&report)
    };
    let good = "<?xml version='1.0' encoding='UTF-8'?>
        <testsuites name='run' tests='2' failures='1' errors='0' time='2.500'>
          <testsuite name='steady' tests='2' failures='1' errors='0' skipped='0' time='2.500'
                     timestamp='2025-01-31T12:00:00.000+00:00' hostname='pond'>
            <properties><property name='rate' value='5000/s'/></properties>
            <testcase name='a' classname='steady' time='1.0'/>
            <testcase name='b' classname='steady' time='1.5'>
              <failure message='too slow' type='expectation'>p99 was 300 ms</failure>
              <system-out>…</system-out>
            </testcase>
          </testsuite>
        </testsuites>";
    assert_eq!(judge(good), Ok(()));
    let wrong = [
        ("tests='2'", "tests='two'"),
        ("<testcase name='a'", "<testcase"),
        ("<failure ", "<unhappy/><failure "),
        ("2025-01-31T12", "31.1.2025 12"),
        ("</testsuites>", "</testsuite>"),
    ];
    for (before, after) in wrong {
        let complaints = judge(&good.replacen(before, after, 1)).expect_err(after);
        assert!(complaints.contains("line "), "{complaints}");
    }
}
