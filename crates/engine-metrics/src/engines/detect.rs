//! Which engine a text comes from, told by the names of its samples.

use super::{Engine, source::same_name};
use crate::text::samples;

/// The engine that exports this text; `None` when no engine's name occurs. An engine that has served nothing yet may export
/// nothing, so that `None` need not be the last word.
pub fn detect(text: &[u8]) -> Option<Engine> {
    let mut found = None;
    for sample in samples(text).flatten() {
        let engine = Engine::ALL
            .into_iter()
            .find(|engine| is_own(*engine, sample.name));
        // Triton passes its backend's metrics on, so it wins over what was found before.
        if engine == Some(Engine::Triton) {
            return engine;
        }
        found = found.or(engine);
    }
    found
}

/// Whether it is a name of the engine's own that its table asks for.
fn is_own(engine: Engine, name: &[u8]) -> bool {
    let Some(prefix) = engine.prefix() else {
        return false;
    };
    let begins = |name: &[u8]| {
        name.get(..prefix.len())
            .is_some_and(|start| same_name(start, prefix.as_bytes()))
    };
    begins(name)
        && engine
            .sources()
            .iter()
            .any(|source| begins(source.name.as_bytes()) && source.role(name).is_some())
}
