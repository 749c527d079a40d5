//! Lines of every sort, and any bytes at all.

use std::fmt::Write as _;

use proptest::prelude::*;

use super::*;

fn one(line: &str) -> Sample<'_> {
    samples(line.as_bytes()).next().unwrap().unwrap()
}

fn wrong(line: &str) -> Malformed {
    samples(line.as_bytes()).next().unwrap().unwrap_err()
}

fn label(sample: &Sample<'_>, name: &str) -> String {
    String::from_utf8(sample.labels.get(name).unwrap().bytes().collect()).unwrap()
}

#[test]
fn values_in_every_notation() {
    for (text, value) in [
        ("0", 0.0),
        ("12", 12.0),
        ("12.0", 12.0),
        ("1234567890123", 1_234_567_890_123.0),
        ("1.5e-3", 0.0015),
        ("1E+06", 1e6),
        ("-3.25", -3.25),
        ("+4", 4.0),
        ("+Inf", f64::INFINITY),
        ("-Inf", f64::NEG_INFINITY),
        ("inf", f64::INFINITY),
    ] {
        assert_eq!(
            one(&format!("up {text}")).value.to_bits(),
            value.to_bits(),
            "{text}"
        );
    }
    assert!(one("up NaN").value.is_nan());
    assert_eq!(
        one(&format!("up {}", f64::MAX)).value.to_bits(),
        f64::MAX.to_bits()
    );
}

#[test]
fn labels_with_blanks_commas_and_escapes() {
    let sample = one(r#"a:b_c { x = "1" , path="C:\\d\"q\"\n{}, #", empty="",} 3"#);
    assert_eq!(sample.name, b"a:b_c");
    assert_eq!(label(&sample, "x"), "1");
    assert_eq!(label(&sample, "path"), "C:\\d\"q\"\n{}, #");
    assert_eq!(label(&sample, "empty"), "");
    assert!(sample.labels.get("pat").is_none());
    assert_eq!(sample.labels.iter().count(), 3);
    assert_eq!(label(&one(r#"a{x="\q\\"} 1"#), "x"), r"\q\");
    assert_eq!(one("a{} 1").labels.iter().count(), 0);
    assert_eq!(one("a{x=\"Größe\"}1").value.to_bits(), 1.0_f64.to_bits());
}

#[test]
fn timestamps_and_exemplars() {
    assert_eq!(one("a 1 1700000000123").timestamp, Some(1_700_000_000_123.0));
    assert_eq!(one("a 1 1700000000.5").timestamp, Some(1_700_000_000.5));
    assert_eq!(one("a 1 # {trace=\"x\"} 0.5").timestamp, None);
    assert_eq!(
        one("a_bucket{le=\"1\"} 7 12 # {trace_id=\"a#b\"} 0.5 11.5").timestamp,
        Some(12.0)
    );
}

#[test]
fn comments_blank_lines_carriage_returns_and_a_missing_newline() {
    let text =
        "# HELP a Help with {braces} and \\n\r\n# TYPE a counter\r\n\r\n   \na 1\r\n#\n\tb 2 \r\n# EOF\nc 3";
    let read: Vec<_> = samples(text.as_bytes())
        .map(|sample| sample.map(|sample| (sample.name, sample.value)))
        .collect();
    assert_eq!(read, [Ok((&b"a"[..], 1.0)), Ok((b"b", 2.0)), Ok((b"c", 3.0))]);
    assert!(samples(b"").next().is_none());
    assert!(samples(b"\n\n").next().is_none());
}

#[test]
fn lines_that_are_none_say_why_and_do_not_end_the_text() {
    for (line, why) in [
        ("<html>", Malformed::Name),
        ("[{\"iter\": 3}]", Malformed::Name),
        ("1a 2", Malformed::Name),
        ("a-b 2", Malformed::Name),
        ("{\"utf8.name\"} 2", Malformed::Name),
        ("a", Malformed::Value),
        ("a ", Malformed::Value),
        ("a one", Malformed::Value),
        ("a 0x10", Malformed::Value),
        ("a{x=\"1\" 2", Malformed::Labels),
        ("a{x=\"1\\\"} 2", Malformed::Labels),
        ("a{x=1} 2", Malformed::Labels),
        ("a{,} 2", Malformed::Labels),
        ("a{x=\"1\" y=\"2\"} 2", Malformed::Labels),
        ("a{x=\"1\"}", Malformed::Value),
        ("a 1 2 3", Malformed::Trailing),
        ("a 1 now", Malformed::Trailing),
        ("a 1 # no exemplar", Malformed::Trailing),
        ("a 1 # {x=\"1\"}", Malformed::Trailing),
    ] {
        assert_eq!(wrong(line), why, "{line}");
        let text = format!("{line}\nok 1");
        assert_eq!(samples(text.as_bytes()).nth(1).unwrap().unwrap().name, b"ok");
    }
}

#[test]
fn a_line_is_read_up_to_its_bound_and_a_comment_at_any_length() {
    let line = |len: usize| format!("a{{x=\"{}\"}} 1", "y".repeat(len - "a{x=\"\"} 1".len()));
    assert!(samples(line(MAX_LINE).as_bytes()).next().unwrap().is_ok());
    assert_eq!(wrong(&line(MAX_LINE + 1)), Malformed::Long);
    let comment = format!("# HELP a {}\na 1", "z".repeat(MAX_LINE * 2));
    assert_eq!(samples(comment.as_bytes()).count(), 1);
}

fn escaped(value: &str) -> String {
    value
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

proptest! {
    #[test]
    fn any_bytes_are_read_to_the_end(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
        let lines = bytes.split(|byte| *byte == b'\n').count();
        prop_assert!(samples(&bytes).count() <= lines);
    }

    #[test]
    fn nearly_right_lines_are_read_to_the_end(text in "([a{}\"=\\\\, #1e.+I\n]|x=\"|\"\\} )*") {
        for sample in samples(text.as_bytes()).flatten() {
            for label in sample.labels.iter() {
                prop_assert!(label.value.bytes().count() <= label.value.raw().len());
            }
        }
    }

    #[test]
    fn what_is_written_is_read_back(
        written in proptest::collection::vec((
            "[a-zA-Z_:][a-zA-Z0-9_:]{0,20}",
            proptest::collection::vec(("[a-zA-Z_][a-zA-Z0-9_]{0,8}", any::<String>()), 0..4),
            any::<f64>(),
            proptest::option::of(any::<i64>()),
        ), 0..8),
        ending in prop_oneof![Just("\n"), Just("\r\n"), Just("\n# TYPE x gauge\n\n")],
    ) {
        let mut text = String::new();
        for (name, labels, value, stamp) in &written {
            let labels: Vec<String> = labels
                .iter()
                .map(|(name, value)| format!("{name}=\"{}\"", escaped(value)))
                .collect();
            let stamp = stamp.map(|stamp| format!(" {stamp}")).unwrap_or_default();
            write!(text, "{name}{{{}}} {value:e}{stamp}{ending}", labels.join(",")).unwrap();
        }
        let read: Vec<_> = samples(text.as_bytes()).collect();
        prop_assert_eq!(read.len(), written.len());
        for (sample, (name, labels, value, stamp)) in read.iter().zip(&written) {
            let sample = sample.as_ref().unwrap();
            prop_assert_eq!(sample.name, name.as_bytes());
            prop_assert!(sample.value.to_bits() == value.to_bits() || value.is_nan() && sample.value.is_nan());
            #[expect(clippy::cast_precision_loss, reason = "as the parser does")]
            let stamp = stamp.map(|stamp| stamp as f64);
            prop_assert_eq!(sample.timestamp, stamp);
            let back: Vec<(String, String)> = sample
                .labels
                .iter()
                .map(|label| {
                    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
                    (text(label.name.to_vec()), text(label.value.bytes().collect()))
                })
                .collect();
            prop_assert_eq!(&back, labels);
        }
    }

    #[test]
    fn garbage_between_lines_costs_only_itself(garbage in "[^\n]{0,60}") {
        let text = format!("before 1\n{garbage}\nafter 2");
        let named = |name: &[u8]| samples(text.as_bytes()).flatten().any(|sample| sample.name == name);
        prop_assert!(named(b"before") && named(b"after"));
    }
}
