//! LocalAI, as of v2.15: a command line and an environment in, a serving process or kong's refusal out.
//! Models are fetched before the port opens and read into memory by the first request, as the real one does; a model that
//! cannot be found is logged and the server serves without it.

mod args;
mod config;
mod download;
mod flags;
mod journal;
mod library;
mod runner;
mod serve;
mod weights;

use std::path::{Path, PathBuf};

use self::args::{Args, ArgsError};
use self::config::{Configs, ModelConfig};
use self::download::Content;
use self::journal::Journal;
use crate::process::{Context, Exit};

pub(crate) const VERSION: &str = "v2.15.0";
const USAGE: &str = "Usage: local-ai run [<models> ...] [flags]";
/// Where the image's entry point goes before it starts the program.
const WORKING_DIR: &str = "/build";
/// The server itself.
const SERVER: u64 = 150 << 20;

/// Runs what `argv` says.
pub(crate) async fn run(context: Context) -> Exit {
    let words = context.spec.argv.clone();
    let program = words.first().map_or("", String::as_str);
    let name = program.rsplit('/').next().unwrap_or(program);
    if !matches!(name, "entrypoint.sh" | "local-ai" | "localai") {
        return Exit::cannot_start(program);
    }
    let args = match args::parse(&words[1..], &context.spec.env) {
        Ok(args) => args,
        Err(ArgsError::Help) => {
            context.log.out(USAGE);
            return Exit::success();
        }
        Err(error) => {
            if matches!(error, ArgsError::Usage(_)) {
                context.log.out(USAGE);
            }
            return fatal(&context, &error.to_string());
        }
    };
    tokio::select! {
        biased;
        // Go's default for SIGTERM, also while it downloads.
        () = context.stop.cancelled() => Exit::exited(143, ""),
        exit = lifetime(&context, &args) => exit.unwrap_or_else(|error| match error {
            Failure::Fatal(message) => fatal(&context, &message),
            Failure::Ended(exit) => exit,
        }),
    }
}

/// Why it ends before it serves.
enum Failure {
    Fatal(String),
    Ended(Exit),
}

async fn lifetime(context: &Context, args: &Args) -> Result<Exit, Failure> {
    if args.flag("version") {
        context.log.out(VERSION);
        return Ok(Exit::success());
    }
    context.use_memory(SERVER).map_err(Failure::Ended)?;
    let journal = Journal {
        log: context.log.clone(),
        debug: args.flag("debug") || matches!(args.text("log-level"), Some("debug" | "trace")),
    };
    let models = PathBuf::from(args.text("models-path").unwrap_or("models"));
    let models = Path::new(WORKING_DIR).join(models);
    journal.info(&format!(
        "Starting LocalAI using {} threads, with models path: {}",
        args.integer("threads").unwrap_or(4),
        models.display()
    ));
    journal.info(&format!("LocalAI version: {VERSION}"));
    folders(context, args, &models).map_err(Failure::Fatal)?;
    let named = args.list("models").into_iter().chain(args.models.iter().cloned());
    for word in named {
        resolve(context, &journal, &models, &word).await;
    }
    let folder = context.spec.files.resolve(&models);
    let mut configs = config::read_folder(&folder, &journal).unwrap_or_else(|error| {
        journal.error("error loading config files", &error.to_string());
        Configs::new()
    });
    journal.info(&format!("Preloading models from {}", models.display()));
    if let Err(error) = preload(context, &journal, &models, &mut configs).await {
        journal.error("error downloading models", &error);
    }
    serve::serve(context, args, configs, models, journal)
        .await
        .map_err(Failure::Fatal)
}

/// The folders that it needs; one that cannot be made ends it.
fn folders(context: &Context, args: &Args, models: &Path) -> Result<(), String> {
    let files = &context.spec.files;
    let others = [
        ("image-path", "/tmp/generated/images", "ImageDir"),
        ("audio-path", "/tmp/generated/audio", "AudioDir"),
        ("upload-path", "/tmp/localai/upload", "UploadDir"),
    ];
    let others =
        others.map(|(option, default, what)| (Path::new(args.text(option).unwrap_or(default)), what));
    for (dir, what) in [(models, "ModelPath")].into_iter().chain(others) {
        files.make_dir(dir).map_err(|error| {
            let reason = error.to_string().to_lowercase();
            let reason = reason.split(": '").next().unwrap_or_default().to_owned();
            format!("unable to create {what}: \"mkdir {}: {reason}\"", dir.display())
        })?;
    }
    Ok(())
}

/// Turns a word of the command line into a configuration file among the models.
async fn resolve(context: &Context, journal: &Journal, models: &Path, word: &str) {
    let files = &context.spec.files;
    let to = models.join(format!("{}.yaml", download::file_name(word)));
    let definition = if let Some(text) = library::definition(word) {
        journal.debug(&format!("[startup] resolved embedded model: {word}"));
        text
    } else if download::is_address(word) {
        journal.debug(&format!("[startup] resolved model to download: {word}"));
        if let Err(error) = download::fetch(context, word, &to, Content::Configuration).await {
            journal.error("error downloading model", &error);
        }
        return;
    } else if let Ok(text) = std::fs::read_to_string(files.resolve(&Path::new(WORKING_DIR).join(word))) {
        journal.debug(&format!("[startup] resolved local model: {word}"));
        text
    } else {
        journal.warn(&format!("[startup] failed resolving model '{word}'"));
        return;
    };
    if let Err(error) = files.write(&to, definition.as_bytes()) {
        journal.error("error writing model definition", &error.to_string());
    }
}

/// Fetches what configurations name by address; the first failure ends the preloading, not the server.
async fn preload(
    context: &Context,
    journal: &Journal,
    models: &Path,
    configs: &mut Configs,
) -> Result<(), String> {
    for (name, config) in configs.iter_mut() {
        for file in config.downloads() {
            let climbs = Path::new(&file.filename)
                .components()
                .any(|part| !matches!(part, std::path::Component::Normal(_)));
            if climbs {
                return Err(format!("unsafe path joining: {}", file.filename));
            }
            download::fetch(context, &file.uri, &models.join(&file.filename), Content::Weights).await?;
        }
        if download::is_address(config.model()) {
            let file = download::file_name(config.model());
            download::fetch(context, config.model(), &models.join(&file), Content::Weights).await?;
            journal.debug(&format!("File {file:?} downloaded"));
            config.downloaded_as(&file);
        }
        context.log.out(format!("Model name: {name}"));
    }
    Ok(())
}

fn fatal(context: &Context, message: &str) -> Exit {
    let line = format!("local-ai: error: {message}");
    context.log.err(&line);
    Exit::exited(1, line)
}

/// The configuration that a request's model means.
fn wanted(configs: &Configs, folder: &Path, name: &str) -> ModelConfig {
    if let Some(config) = configs.get(name) {
        return config.clone();
    }
    // A file that came after the start is read when somebody asks for it.
    let later = std::fs::read_to_string(folder.join(format!("{name}.yaml"))).ok();
    let later = later.and_then(|text| ModelConfig::parse(&text).ok());
    later
        .filter(|config| config.name() == name)
        .unwrap_or_else(|| ModelConfig::of_file(name))
}
