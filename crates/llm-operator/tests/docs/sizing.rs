//! `docs/sizing.md`: each line of its table is what `llm-operator fit` says.

use std::process::Command;

use crate::read;

/// The value of one line of what was printed.
fn value<'a>(said: &'a str, key: &str) -> &'a str {
    let line = said.lines().find_map(|line| line.strip_prefix(key));
    line.unwrap_or_else(|| panic!("no {key}: {said}")).trim()
}

/// The first number of a text, without the commas of thousands.
fn number(text: &str) -> u64 {
    let text = text.replace(',', "");
    let start = text.find(|c: char| c.is_ascii_digit()).unwrap();
    let digits = text[start..].split(|c: char| !c.is_ascii_digit()).next().unwrap();
    digits.parse().unwrap()
}

#[test]
fn the_table_is_what_fit_says() {
    let page = read("docs/sizing.md");
    let rows = page.lines().filter(|line| line.starts_with("| `"));
    let mut count = 0;
    for row in rows {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let [model, gpu, gpus, context, at_once, memory, claim, start] = cells[..] else {
            panic!("eight cells: {row}")
        };
        let output = Command::new(env!("CARGO_BIN_EXE_llm-operator"))
            .args(["fit", model.trim_matches('`'), "--gpu", gpu])
            .output()
            .unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{row}");
        let sequences = value(&said, "sequences");
        let (once, of) = sequences.split_once(" at once, of ").unwrap();
        let host = value(&said, "host");
        let memory_said = host.split(", ").nth(1).unwrap();
        for (written, found) in [
            (gpus, value(&said, "GPUs")),
            (context, of),
            (at_once, once),
            (memory, memory_said),
            (claim, value(&said, "claim")),
            (start, value(&said, "start-up")),
        ] {
            assert_eq!(number(written), number(found), "{row}\n{said}");
        }
        count += 1;
    }
    assert!(count >= 10, "{count}");
    let refused = Command::new(env!("CARGO_BIN_EXE_llm-operator"))
        .args(["fit", "deepseek-r1", "--gpu", "H100"])
        .output()
        .unwrap();
    assert_eq!(
        refused.status.code(),
        Some(1),
        "the page says that it does not fit"
    );
}
