//! Our post-renderer as a program.
//!
//! In: the path of a file with [`PostRenderOptions`] as JSON, the objects on standard input. Out: the objects on standard
//! output. Helm shows nothing that a post-renderer says: why it failed goes to the file [`error_file`].

use std::{
    fs,
    io::{Read, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

use crate::post_render::{PostRenderOptions, post_render as change};

/// The file into which a failure is written: beside the options.
pub fn error_file(options: &Path) -> PathBuf {
    options.with_extension("error")
}

/// Changes what comes in. Returns what this process should exit with.
pub fn post_render(options: &Path) -> ExitCode {
    match run(options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            let _ = fs::write(error_file(options), message);
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Path) -> Result<(), String> {
    let text = fs::read_to_string(options).map_err(|error| format!("{}: {error}", options.display()))?;
    let options: PostRenderOptions = serde_json::from_str(&text).map_err(|error| error.to_string())?;
    let mut manifest = String::new();
    std::io::stdin()
        .lock()
        .read_to_string(&mut manifest)
        .map_err(|error| error.to_string())?;
    let changed = change(&manifest, &options).map_err(|error| error.to_string())?;
    std::io::stdout()
        .lock()
        .write_all(changed.as_bytes())
        .map_err(|error| error.to_string())
}
