//! Ollama.
//!
//! The model is pulled by an init container before the server starts, once per volume; the server then never unloads it. Clients
//! may ask for it by its own name and by `modelName`. uid 1000 with `HOME` on its volume. Ready: `GET /api/version`.
//!
//! While the model is pulled, a server listens on the same port: who asks it for the same model is told how far it is.
//! A Pod that is to end does so when its server has a model of the name [`finished_marker`]: the one message that Ollama's own
//! interface can carry to it.

use super::{
    EnginePlan, Input, env,
    loader::init_container,
    probe::{Question, probes},
    vllm::home,
};
use crate::{
    field_error::FieldError,
    plan::{ContainerPlan, security::User, weights::Weights},
    source::ModelSource,
};

/// Name of the init container.
pub const PULL_CONTAINER: &str = "pull-model";

/// `$1` model, `$2` the name that clients use, or nothing. Ends at once when both are there. The server's log stays apart, so that
/// the last words of a failure are its cause; a shell that waits, unlike one with a command in front, ends when its Pod is deleted.
/// A pull that brings nothing for five minutes, and longer by what is to be verified (20 MB/s, without a word), is ended, and the
/// next start of the container goes on from what is there: Ollama waits for ever for a layer whose first reader went away (seen
/// with 0.17.4).
const PULL: &str = r#"set -eu
log=${TMPDIR:-/tmp}/ollama-serve-$HOSTNAME.log
ollama serve >"$log" 2>&1 &
server=$!
watcher=
trap 'kill "$server" $watcher 2>/dev/null || true; rm -f "$log"' EXIT
trap 'exit 143' TERM
until ollama list >/dev/null 2>&1; do
  kill -0 "$server" 2>/dev/null || { echo "ollama serve ended before it answered" >&2; tail -n 5 "$log" >&2; exit 1; }
  sleep 1
done
watch() {
  seen='' still=0
  while sleep 10 >/dev/null 2>&1; do
    now=$(du -sk "$OLLAMA_MODELS" 2>/dev/null || true)
    now=${now%%[!0-9]*}
    [ -n "$now" ] || continue
    if [ "$now" = "$seen" ]; then still=$((still + 10)); else seen=$now still=0; fi
    if [ "$still" -ge $((300 + now / 20000)) ]; then echo "the pull of $1 stands still; it goes on at the next start" >&2; kill "$2"; exit; fi
  done
}
if ollama show "$1" >/dev/null 2>&1; then
  echo "$1 is there"
else
  ollama pull "$1" &
  pull=$!
  watch "$1" "$pull" &
  watcher=$!
  wait "$pull"
fi
if [ -n "${2:-}" ] && ! ollama show "$2" >/dev/null 2>&1; then ollama cp "$1" "$2"; fi
"#;

/// `$1` the marker. The server is a child, since nothing else could end it with success. A shell that waits ends when its Pod
/// is deleted.
const SERVE_UNTIL_FINISHED: &str = r#"set -eu
ollama serve &
server=$!
trap 'kill "$server" 2>/dev/null || true; wait "$server" || true; exit 143' TERM INT
while kill -0 "$server" 2>/dev/null; do
  if ollama show "$1" >/dev/null 2>&1; then
    ollama rm "$1" >/dev/null 2>&1 || true
    kill "$server" 2>/dev/null || true
    wait "$server" || true
    exit 0
  fi
  sleep 1 &
  wait "$!"
done
wait "$server"
"#;

/// The variable with the Pod's uid.
const POD_UID: &str = "POD_UID";

/// The name of a model that does not exist until the Pod with this uid is to end. Nobody else's requests have it by chance.
pub fn finished_marker(pod_uid: &str) -> String {
    format!("llm-operator/finished:{pod_uid}")
}

pub(super) fn plan(input: &Input<'_>) -> Result<EnginePlan, Vec<FieldError>> {
    let wrong = port_in_env(input);
    if !wrong.is_empty() {
        return Err(wrong);
    }
    let startup_seconds = input.startup_seconds();
    let weights = input.weights.clone().or_scratch();
    let model = model(input)?;
    let (home, home_volume, home_mount) = home(&weights);
    let models = match input.source {
        Some(ModelSource::Claim { path, .. }) => weights.path(path),
        _ => weights.path("ollama"),
    };
    let common = vec![
        env::value("HOME", &home),
        env::value("OLLAMA_MODELS", &models),
        // Pods share the volume: none may remove what another one is pulling.
        env::value("OLLAMA_NOPRUNE", "1"),
        env::value("OLLAMA_HOST", &format!("0.0.0.0:{}", input.port)),
    ];
    let mut env = common.clone();
    env.extend([
        env::value("OLLAMA_KEEP_ALIVE", "-1"),
        env::value("OLLAMA_LOAD_TIMEOUT", &format!("{startup_seconds}s")),
    ]);
    let init = match model {
        None => Vec::new(),
        Some(model) => {
            let wrong = weights.check_writable("the model");
            if !wrong.is_empty() {
                return Err(wrong);
            }
            vec![pull(input, &weights, &model, common)]
        }
    };
    let (command, args) = if input.request.ends() {
        env.push(env::field(POD_UID, "metadata.uid"));
        let script = env::literal(SERVE_UNTIL_FINISHED);
        let marker = finished_marker(&format!("$({POD_UID})"));
        (words(&["sh", "-c", &script, "serve", &marker]), Vec::new())
    } else {
        (words(&["ollama"]), words(&["serve"]))
    };
    Ok(EnginePlan {
        command,
        args,
        env,
        env_from: Vec::new(),
        probes: probes(
            Question::Http("/api/version"),
            Some(Question::Http("/")),
            startup_seconds,
        ),
        init,
        volumes: home_volume.into_iter().collect(),
        mounts: home_mount.into_iter().collect(),
        user: User::Fixed,
        extras: super::prem::Extras::default(),
        weights,
    })
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// What is pulled; `None` when a claim holds it already.
fn model(input: &Input<'_>) -> Result<Option<String>, Vec<FieldError>> {
    match input.source {
        Some(ModelSource::Ollama { model }) => Ok(Some(model.clone())),
        Some(ModelSource::HuggingFace {
            repository,
            revision: None,
        }) if repository.contains('/') => Ok(Some(format!("hf.co/{repository}"))),
        Some(ModelSource::Claim { .. }) => Ok(None),
        Some(other) => {
            let message = format!(
                "engine ollama cannot load {other}; use ollama://model, hf://org/name (a GGUF repository, no revision) or pvc://claim/path (a directory that Ollama has filled)"
            );
            Err(vec![FieldError::new("source.uri", message)])
        }
        None => {
            let name = &input.request.model.name;
            let Ok(ModelSource::Ollama { model }) = format!("ollama://{name}").parse() else {
                let message = format!(
                    "engine ollama needs to know what to pull, and {name:?} is no name of its library; set source.uri, for example ollama://llama3.1:8b"
                );
                return Err(vec![FieldError::new("source", message)]);
            };
            Ok(Some(model))
        }
    }
}

fn pull(
    input: &Input<'_>,
    weights: &Weights,
    model: &str,
    env: Vec<k8s_openapi::api::core::v1::EnvVar>,
) -> ContainerPlan {
    let name = &input.request.model.name;
    let valid = format!("ollama://{name}").parse::<ModelSource>().is_ok();
    let alias = if valid && name != model { name.as_str() } else { "" };
    let command = ["sh", "-c", PULL, PULL_CONTAINER, model, alias];
    ContainerPlan {
        command: command.iter().map(|word| env::literal(word)).collect(),
        pull_policy: input.request.container.pull_policy,
        ..init_container(PULL_CONTAINER, &input.request.container.image, env, weights)
    }
}

/// Probes, Service and NetworkPolicy go by the port that we know of.
fn port_in_env(input: &Input<'_>) -> Vec<FieldError> {
    let position = input
        .request
        .container
        .env
        .iter()
        .position(|variable| variable.name == "OLLAMA_HOST");
    position
        .map(|index| {
            FieldError::new(
                format!("env[{index}]"),
                "OLLAMA_HOST is set by the operator; set port instead",
            )
        })
        .into_iter()
        .collect()
}
