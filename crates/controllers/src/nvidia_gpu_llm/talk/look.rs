//! One look at a server: is the model there, how far is it, is it in memory.
//!
//! In: the server. Out: what is heard, as it comes. A model that is missing although the Pod has pulled it was removed by
//! somebody, and is pulled again.

use std::time::{Duration, Instant};

use ollama_client::{Error, Ollama, Progress, has_model, same_model};
use parking_lot::Mutex;
use reconcile::ObjectKey;
use tokio::sync::Notify;

use super::{Heard, Stage, Subject, Talks};

/// So often is the progress of a pull told; the first time only when the Pod's own pull has begun.
const TELL: Duration = Duration::from_secs(3);
/// Reading a large model from a slow volume takes this long at most; Ollama's own limit is shorter and decides.
const LOAD: Duration = Duration::from_hours(6);

pub(super) async fn look(talks: &Talks, key: &ObjectKey, subject: &Subject) {
    let server = Ollama::new(subject.address);
    match subject.stage {
        Stage::Pulling => join_pull(talks, key, subject, &server).await,
        Stage::Serving => {
            let heard = serve(talks, key, subject, &server).await;
            talks.hear(key, subject, heard);
        }
    }
}

/// What a server with the model in memory says; what is missing is brought about.
async fn serve(talks: &Talks, key: &ObjectKey, subject: &Subject, server: &Ollama) -> Heard {
    let model = subject.model.as_str();
    match server.models().await {
        Err(error) if error.is_unreachable() => return Heard::Unreachable(error.to_string()),
        Err(error) => return Heard::Unwell(error.to_string()),
        Ok(models) if has_model(&models, model) => {}
        Ok(_) => {
            if let Err(error) = server.pull(model, teller(talks, key, subject)).await {
                return Heard::NotPulled(words(&error));
            }
        }
    }
    if let Some(loaded) = loaded(server, model).await {
        return loaded;
    }
    talks.hear(key, subject, Heard::Loading);
    if let Err(error) = server.load(model, LOAD).await {
        return if error.is_unreachable() {
            Heard::Unreachable(error.to_string())
        } else {
            Heard::NotLoaded(words(&error))
        };
    }
    // What it says of its memory is no condition for serving.
    loaded(server, model)
        .await
        .unwrap_or(Heard::Loaded { bytes: 0, on_gpus: 0 })
}

async fn loaded(server: &Ollama, model: &str) -> Option<Heard> {
    let loaded = server.loaded().await.ok()?;
    let this = loaded.iter().find(|one| same_model(&one.name, model))?;
    Some(Heard::Loaded {
        bytes: this.size_bytes,
        on_gpus: this.gpu_bytes,
    })
}

/// Joins the pull that the Pod does by itself now and then, to hear how far it is, and leaves it in the middle of a layer:
/// who leaves while the size of one is being asked for makes the others wait for ever (seen with Ollama 0.17.4). What the pull
/// ends with is told by the container.
async fn join_pull(talks: &Talks, key: &ObjectKey, subject: &Subject, server: &Ollama) {
    loop {
        tokio::time::sleep(TELL).await;
        match server.models().await {
            // Asking for one that is there would fetch what its library has changed since.
            Ok(models) if has_model(&models, &subject.model) => return,
            Ok(_) => {}
            Err(_) => continue,
        }
        let (in_a_layer, heard) = (Notify::new(), Mutex::new(None));
        let pull = server.pull(&subject.model, |progress| {
            if progress.mid_layer {
                *heard.lock() = Some(how_far(&progress));
                in_a_layer.notify_one();
            }
        });
        tokio::select! {
            biased;
            () = in_a_layer.notified() => {}
            _ = pull => {}
        }
        let heard = heard.into_inner();
        if let Some(how_far) = heard {
            talks.hear(key, subject, Heard::Pulling(how_far));
        }
    }
}

/// Tells progress now and then.
fn teller<'a>(
    talks: &'a Talks,
    key: &'a ObjectKey,
    subject: &'a Subject,
) -> impl FnMut(Progress) + Send + 'a {
    let mut told: Option<Instant> = None;
    move |progress| {
        if told.is_none_or(|told| told.elapsed() >= TELL) {
            told = Some(Instant::now());
            talks.hear(key, subject, Heard::Pulling(how_far(&progress)));
        }
    }
}

/// `43 % of 3.8 GB`, or the step without bytes.
fn how_far(progress: &Progress) -> String {
    if progress.total == 0 {
        return progress.status.clone();
    }
    format!("{} % of {}", progress.percent, gigabytes(progress.total))
}

/// Decimal, as Ollama's library has it.
pub(in crate::nvidia_gpu_llm) fn gigabytes(bytes: u64) -> String {
    if bytes < 1_000_000_000 {
        return format!("{} MB", bytes.div_ceil(1_000_000));
    }
    let tenths = bytes / 100_000_000;
    format!("{}.{} GB", tenths / 10, tenths % 10)
}

/// The server's own words, else ours.
fn words(error: &Error) -> String {
    error
        .server_words()
        .map_or_else(|| error.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_is_told_in_percent_when_the_size_is_known() {
        let progress = |total, percent| Progress {
            status: "pulling manifest".into(),
            completed: 0,
            total,
            percent,
            mid_layer: false,
        };
        assert_eq!(how_far(&progress(0, 0)), "pulling manifest");
        assert_eq!(how_far(&progress(3_826_793_677, 43)), "43 % of 3.8 GB");
        assert_eq!(how_far(&progress(637_699_456, 9)), "9 % of 638 MB");
    }
}
