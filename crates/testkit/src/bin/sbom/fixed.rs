//! What comes into the image from the images that it is built in, and no package manager of ours lists.

use std::path::PathBuf;

use super::component::Component;

/// Name, program, licence.
const ALL: [(&str, &str, &str); 3] = [
    ("rust-std", "llm-operator", "MIT OR Apache-2.0"),
    ("glibc", "llm-operator", "LGPL-2.1-or-later"),
    ("ca-certificates", "image", "MPL-2.0 AND MIT"),
];

/// Not in the list of allowed licences, and shipped all the same: name, licence, why.
const EXCEPTIONS: [(&str, &str, &str); 1] = [(
    "glibc",
    "LGPL-2.1-or-later",
    "linked statically; whoever wants another one builds the image anew: all that it takes is in this repository",
)];

/// All of them; their versions are those of the build images that the Dockerfile names.
pub fn components() -> Vec<Component> {
    let component = |(name, program, licence): (&str, &'static str, &str)| Component {
        program,
        ecosystem: "generic",
        name: name.to_owned(),
        version: "of-the-build-image".to_owned(),
        licence: Some(licence.to_owned()),
        sha256: None,
        directory: PathBuf::new(),
    };
    ALL.map(component).to_vec()
}

/// Why a component under this licence is shipped although it is not allowed in general.
pub fn exception(component: &Component) -> Option<&'static str> {
    let same = |(name, licence, _): &&(&str, &str, &str)| {
        component.ecosystem == "generic"
            && component.name == *name
            && component.licence.as_deref() == Some(*licence)
    };
    EXCEPTIONS.iter().find(same).map(|(.., reason)| *reason)
}
