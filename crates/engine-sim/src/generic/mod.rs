//! Any HTTP model server: options of a test and a container's environment in, an OpenAI-compatible server out.
//! It must not know engines' flags: of the command line only port, host and an interpreter's script are looked at.

mod options;
mod serve;

pub use options::{End, GenericOptions, LogLine, Site, Write};

use std::time::Duration;

use crate::process::{Context, Exit};

/// Runs the server.
pub(crate) async fn run(context: Context, options: GenericOptions) -> Exit {
    match lifetime(&context, &options).await {
        Ok(exit) | Err(exit) => exit,
    }
}

async fn lifetime(context: &Context, options: &GenericOptions) -> Result<Exit, Exit> {
    for line in &options.log {
        match line {
            LogLine::Out(text) => context.log.out(text),
            LogLine::Err(text) => context.log.err(text),
        }
    }
    context.use_memory(options.memory)?;
    for write in &options.writes {
        let done = context.spec.files.write(&write.path, write.content.as_bytes());
        done.map_err(|error| fail(context, format!("cannot write: {error}")))?;
    }
    let load = context.faults.load_for(
        context
            .spec
            .speed
            .load_time(Duration::from_secs_f64(options.load_seconds.max(0.0))),
    );
    tokio::select! {
        () = context.stop.cancelled() => return Ok(Exit::exited(143, "")),
        () = load => {}
    }
    if let Some(folder) = options.site.as_ref().and_then(|site| site.script_in.as_ref()) {
        script(context, folder)?;
    }
    if options.terminal {
        context.stop.cancelled().await;
        return Ok(Exit::exited(143, ""));
    }
    let server = serve::serve(context, options);
    match &options.exit_after {
        None => server.await,
        Some(end) => {
            let time = context
                .spec
                .speed
                .load_time(Duration::from_secs_f64(end.seconds.max(0.0)));
            tokio::select! {
                exit = server => exit,
                () = tokio::time::sleep(time) => {
                    context.log.err(&end.message);
                    Ok(Exit::exited(end.code, end.message.clone()))
                }
            }
        }
    }
}

/// Whether the script is there that an interpreter is to run.
fn script(context: &Context, folder: &std::path::Path) -> Result<(), Exit> {
    let is_script = |word: &&String| {
        let end = word.rsplit('.').next().unwrap_or_default();
        matches!(end, "js" | "mjs" | "ts") && word.contains('.')
    };
    let named = context.spec.argv.iter().rfind(is_script);
    let Some(named) = named else {
        return Err(fail(context, "error: no script to run".to_owned()));
    };
    if context.spec.files.resolve(&folder.join(named)).is_file() {
        return Ok(());
    }
    Err(fail(context, format!("error: Module not found \"{named}\"")))
}

fn fail(context: &Context, message: String) -> Exit {
    context.log.err(&message);
    Exit::exited(1, message)
}
