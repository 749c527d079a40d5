//! The simulated nodes of a person's cluster.
//!
//! In: text such as `h100:8,l4:4,cpu`. Out: one specification per node, with names that are the same on every start.

use std::collections::BTreeMap;

use testkit::NodeSpec;

/// One node of the `--nodes` list: a kind of hardware and how many GPUs of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine {
    kind: Kind,
    gpus: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    H100,
    A100,
    L4,
    Cpu,
}

impl Kind {
    const ALL: [Self; 4] = [Self::H100, Self::A100, Self::L4, Self::Cpu];

    fn word(self) -> &'static str {
        match self {
            Self::H100 => "h100",
            Self::A100 => "a100",
            Self::L4 => "l4",
            Self::Cpu => "cpu",
        }
    }
}

/// Reads one entry; for the command line's parser.
pub fn machine(text: &str) -> Result<Machine, String> {
    let (word, count) = text
        .split_once(':')
        .map_or((text, None), |(word, count)| (word, Some(count)));
    let kind = Kind::ALL.into_iter().find(|kind| kind.word() == word);
    let kind = kind.ok_or_else(|| format!("unknown hardware {word:?}: use h100, a100, l4 or cpu"))?;
    let gpus = match (kind, count) {
        (Kind::Cpu, None) => 0,
        (Kind::Cpu, Some(_)) => return Err("a cpu node has no GPUs: write `cpu` alone".to_owned()),
        (_, None) => 8,
        (_, Some(count)) => count
            .parse()
            .ok()
            .filter(|count| (1..=16).contains(count))
            .ok_or_else(|| format!("{count:?} is not a number of GPUs from 1 to 16"))?,
    };
    Ok(Machine { kind, gpus })
}

/// The text that [`machine`] reads, for the background process.
pub fn text(machines: &[Machine]) -> String {
    let entries: Vec<String> = machines
        .iter()
        .map(|machine| match machine.kind {
            Kind::Cpu => "cpu".to_owned(),
            kind => format!("{}:{}", kind.word(), machine.gpus),
        })
        .collect();
    entries.join(",")
}

/// The nodes, named `<kind>-<number>`.
pub fn nodes(machines: &[Machine]) -> Vec<NodeSpec> {
    let mut numbers: BTreeMap<Kind, u32> = BTreeMap::new();
    let mut specs = Vec::new();
    for Machine { kind, gpus } in machines {
        let number = numbers.entry(*kind).or_default();
        *number += 1;
        let name = format!("{}-{number}", kind.word());
        specs.push(match kind {
            Kind::H100 => NodeSpec::h100(name, *gpus),
            Kind::A100 => NodeSpec::a100_80(name, *gpus),
            Kind::L4 => NodeSpec::l4(name, *gpus),
            Kind::Cpu => NodeSpec::cpu(name),
        });
    }
    specs
}

#[cfg(test)]
mod tests {
    use super::{machine, nodes, text};

    #[test]
    fn lists_are_read_and_written() {
        let list: Vec<_> = ["h100:8", "cpu", "h100", "l4:2"]
            .map(|entry| machine(entry).unwrap())
            .into();
        assert_eq!(text(&list), "h100:8,cpu,h100:8,l4:2");
        let names: Vec<String> = nodes(&list).into_iter().map(|node| node.name).collect();
        assert_eq!(names, ["h100-1", "cpu-1", "h100-2", "l4-1"]);
    }

    #[test]
    fn what_cannot_be_simulated_is_refused() {
        assert!(machine("b200").unwrap_err().contains("use h100, a100, l4 or cpu"));
        assert!(machine("h100:0").is_err() && machine("h100:x").is_err() && machine("cpu:1").is_err());
    }
}
