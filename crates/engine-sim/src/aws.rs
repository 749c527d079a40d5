//! `aws s3 sync` and `aws s3 cp --recursive`: a bucket's prefix in, a model's files below a folder of the container out.
//! Every bucket holds the model that its prefix names, unless the name says that there is none.

use std::path::Path;

use crate::latency;
use crate::models::Model;
use crate::process::{Context, Exit};

/// Runs what `argv` says.
pub(crate) async fn run(context: Context) -> Exit {
    let argv = context.spec.argv.clone();
    let plain: Vec<&str> = argv
        .iter()
        .skip(1)
        .map(String::as_str)
        .filter(|word| !word.starts_with("--"))
        .collect();
    match plain.as_slice() {
        ["s3", "sync" | "cp", from, to] if from.starts_with("s3://") => {
            tokio::select! {
                biased;
                () = context.stop.cancelled() => Exit::exited(143, ""),
                done = load(&context, from, Path::new(to)) => done.unwrap_or_else(|exit| exit),
            }
        }
        _ => fail(
            &context,
            252,
            "usage: aws s3 sync|cp s3://BUCKET/PREFIX DIRECTORY",
        ),
    }
}

async fn load(context: &Context, from: &str, to: &Path) -> Result<Exit, Exit> {
    let files = &context.spec.files;
    let bucket = from
        .trim_start_matches("s3://")
        .split('/')
        .next()
        .unwrap_or_default();
    if ["does-not-exist", "no-such", "nonexistent"]
        .iter()
        .any(|mark| from.contains(mark))
    {
        let words = "An error occurred (NoSuchBucket) when calling the ListObjectsV2 operation: The specified bucket does not exist";
        return Err(fail(context, 1, &format!("fatal error: {words}: {bucket}")));
    }
    let shape = Model::by_name(from);
    let (config, weights) = (to.join("config.json"), to.join("model.safetensors"));
    let there =
        std::fs::metadata(files.resolve(&weights)).is_ok_and(|found| found.len() == shape.weight_bytes());
    if there && files.resolve(&config).is_file() {
        return Ok(Exit::success());
    }
    let refused = |error: crate::FileError| {
        fail(
            context,
            1,
            &format!(
                "download failed: {from} to {} [Errno {}] {error}",
                to.display(),
                error.errno()
            ),
        )
    };
    files.make_dir(to).map_err(refused)?;
    context
        .faults
        .load_for(
            context
                .spec
                .speed
                .load_time(latency::download(shape.weight_bytes())),
        )
        .await;
    files
        .write_sparse(&weights, shape.weight_bytes())
        .map_err(refused)?;
    files
        .write(&config, shape.config_json().as_bytes())
        .map_err(refused)?;
    Ok(Exit::success())
}

fn fail(context: &Context, code: i32, message: &str) -> Exit {
    context.log.err(message);
    Exit::exited(code, message)
}
