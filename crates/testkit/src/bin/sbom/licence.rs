//! Which licences may be shipped. Pure.
//!
//! In: an SPDX expression, or the text of a licence. Out: yes or no, or the expression.

/// Licences that ask for no more than that their text goes along, and MPL-2.0, which asks for the source of files that we change, of
/// which there are none. Whatever is not in this list is refused, GPL and its kin first of all.
const ALLOWED: [&str; 15] = [
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "MIT-0",
    "MPL-2.0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// A sentence of each licence, for texts.
const SENTENCES: [(&str, &str); 13] = [
    ("GNU AFFERO GENERAL PUBLIC LICENSE", "AGPL-3.0-only"),
    ("GNU LESSER GENERAL PUBLIC LICENSE", "LGPL-3.0-only"),
    ("GNU GENERAL PUBLIC LICENSE", "GPL-3.0-only"),
    ("Server Side Public License", "SSPL-1.0"),
    ("Business Source License", "BUSL-1.1"),
    ("Apache License Version 2.0", "Apache-2.0"),
    ("Apache License, Version 2.0", "Apache-2.0"),
    ("Mozilla Public License Version 2.0", "MPL-2.0"),
    ("Mozilla Public License, version 2.0", "MPL-2.0"),
    (
        "Permission is hereby granted, free of charge, to any person obtaining a copy",
        "MIT",
    ),
    (
        "Permission to use, copy, modify, and distribute this software for any purpose",
        "ISC",
    ),
    (
        "Permission to use, copy, modify, and/or distribute this software for any",
        "ISC",
    ),
    ("This is free and unencumbered software", "Unlicense"),
];

/// Whether something under this expression may be shipped.
pub fn is_allowed(expression: &str) -> bool {
    // An older way of writing OR.
    let spaced = expression
        .replace('/', " OR ")
        .replace('(', " ( ")
        .replace(')', " ) ");
    let mut words: Vec<&str> = spaced.split_whitespace().rev().collect();
    any(&mut words).is_some_and(|allowed| allowed && words.is_empty())
}

/// `a OR b`; words are taken from the end.
fn any(words: &mut Vec<&str>) -> Option<bool> {
    let mut allowed = all(words)?;
    while words.last() == Some(&"OR") {
        words.pop();
        allowed |= all(words)?;
    }
    Some(allowed)
}

/// `a AND b`.
fn all(words: &mut Vec<&str>) -> Option<bool> {
    let mut allowed = one(words)?;
    while words.last() == Some(&"AND") {
        words.pop();
        allowed &= one(words)?;
    }
    Some(allowed)
}

/// A licence, maybe `WITH` an exception, or something in parentheses.
fn one(words: &mut Vec<&str>) -> Option<bool> {
    let word = words.pop()?;
    if word == "(" {
        let allowed = any(words)?;
        return (words.pop()? == ")").then_some(allowed);
    }
    if words.last() == Some(&"WITH") {
        words.pop();
        let name = format!("{word} WITH {}", words.pop()?);
        return Some(ALLOWED.contains(&name.as_str()));
    }
    Some(ALLOWED.contains(&word))
}

/// The expression of all licences that a text holds; `None` when there is none that is known.
pub fn recognise(text: &str) -> Option<String> {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut found: Vec<&str> = Vec::new();
    for (sentence, name) in SENTENCES {
        if text.contains(sentence) && !found.contains(&name) {
            found.push(name);
        }
    }
    if text.contains("Redistribution and use in source and binary forms") {
        let three = text.contains("Neither the name") || text.contains("names of its contributors");
        found.push(if three { "BSD-3-Clause" } else { "BSD-2-Clause" });
    }
    (!found.is_empty()).then(|| found.join(" AND "))
}

#[cfg(test)]
mod tests {
    use super::{is_allowed, recognise};

    #[test]
    fn expressions() {
        for allowed in [
            "MIT",
            "MIT OR Apache-2.0",
            "MIT/Apache-2.0",
            "Apache-2.0 WITH LLVM-exception OR Apache-2.0 OR MIT",
            "(MIT OR Apache-2.0) AND Unicode-3.0",
            "MIT OR Apache-2.0 OR LGPL-2.1-or-later",
            "MIT AND BSD-3-Clause",
        ] {
            assert!(is_allowed(allowed), "{allowed}");
        }
        for refused in [
            "",
            "GPL-3.0-only",
            "AGPL-3.0-or-later",
            "LGPL-2.1-or-later",
            "MIT AND GPL-2.0-only",
            "GPL-2.0-only AND MIT",
            "(MIT OR Apache-2.0) AND GPL-3.0-only",
            "GPL-2.0-only WITH Classpath-exception-2.0",
            "BUSL-1.1",
            "Proprietary",
            "(MIT",
            "MIT OR",
            "MIT Apache-2.0",
        ] {
            assert!(!is_allowed(refused), "{refused}");
        }
    }

    #[test]
    fn texts() {
        for (text, expected) in [
            ("Apache License\n   Version 2.0, January 2004", Some("Apache-2.0")),
            (
                "Licensed under the Apache License, Version 2.0 (the",
                Some("Apache-2.0"),
            ),
            (
                "Redistribution and use in source and\nbinary forms ... Neither the name of Google",
                Some("BSD-3-Clause"),
            ),
            (
                "Redistribution and use in source and binary forms, with",
                Some("BSD-2-Clause"),
            ),
            (
                "Permission is hereby granted, free of charge, to any person obtaining a copy ... Apache License Version 2.0",
                Some("Apache-2.0 AND MIT"),
            ),
            ("GNU GENERAL PUBLIC LICENSE Version 3", Some("GPL-3.0-only")),
            ("All rights reserved.", None),
        ] {
            assert_eq!(recognise(text).as_deref(), expected, "{text}");
        }
    }
}
