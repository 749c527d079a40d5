//! The executable that the tests of this crate hand to `CliHelm`: the two subcommands of `helm::tool` and nothing else.
//! The operator's own executable has both as hidden subcommands; this one must not ship.

use std::{ffi::OsString, path::Path, process::ExitCode};

fn main() -> ExitCode {
    let args: Vec<OsString> = std::env::args_os().skip(1).collect();
    match args.split_first() {
        Some((name, command)) if name == helm::tool::GUARD => helm::tool::guard(command),
        Some((name, [options])) if name == helm::tool::POST_RENDER => {
            helm::tool::post_render(Path::new(options))
        }
        _ => {
            eprintln!("usage: helm-tool helm-guard COMMAND... | helm-tool post-render OPTIONS");
            ExitCode::FAILURE
        }
    }
}
