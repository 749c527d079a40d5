//! From a name to a plan: look up, size, check the token, serve like any other model.
//!
//! In: an [`Asked`] and what may be looked up. Out: a [`ServingPlan`] or a [`Rejection`]. It writes nothing.

use api::shared::Engine;
use serving::{
    catalogue::{Catalogue, Precision},
    field_error::FieldError,
    plan::ServingPlan,
    request::Identity,
    sizing::{Ask, NodeGpus, Sizing, SizingError, Standing, size, size_source},
    source::ModelSource,
};

use super::{
    asked::Asked,
    request::request,
    token::{KEY, SECRET, Token},
};
use crate::{
    lookup::Lookup, parsing::Errors, reason::Reason, referents::claim_modes,
    serving_kind::rejection::Rejection,
};

/// Looks up, sizes and plans.
///
/// # Errors
/// The model is not known or does not fit, its token is missing, or fields cannot be used.
pub fn accept(asked: &Asked<'_>, known: &dyn Lookup) -> Result<ServingPlan, Rejection> {
    let parsed = parse(asked).map_err(|errors| invalid(asked, errors))?;
    let catalogue = known.catalogue();
    let nodes = known.gpu_nodes();
    let Identity { namespace, name, .. } = &asked.identity;
    let serves = known.serves(&asked.identity.kind_label(), namespace, name);
    let sizing = sized(asked, &catalogue, &parsed, (nodes.as_deref(), serves))?;
    check_token(asked, &sizing, known)?;
    let namespace = &asked.identity.namespace;
    let claims = claim_modes(asked.claims(), |claim| known.claim(namespace, claim));
    request(asked, sizing, claims, known.operator_namespace())
        .and_then(ServingPlan::new)
        .map_err(|errors| {
            invalid(
                asked,
                errors.into_iter().map(|error| placed(asked, error)).collect(),
            )
        })
}

/// What has to be read before anything can be sized.
struct Parsed {
    gpus: Option<u32>,
    quantization: Option<Precision>,
    source: Option<ModelSource>,
    context: Option<u64>,
    concurrency: Option<u32>,
}

fn parse(asked: &Asked<'_>) -> Result<Parsed, Vec<FieldError>> {
    let options = asked.options;
    let mut errors = Errors::default();
    let gpus = errors.keep(asked.gpu_count()).flatten();
    let quantization = options.quantization.as_deref().and_then(|text| {
        let parsed = text.parse::<Precision>();
        errors.keep(parsed.map_err(|error| FieldError::new("serving.quantization", error.to_string())))
    });
    let source = options.source.as_deref().and_then(|text| {
        let parsed = text.parse::<ModelSource>();
        errors.keep(parsed.map_err(|error| FieldError::new("serving.source", error.to_string())))
    });
    errors.finish(Parsed {
        gpus,
        quantization,
        source,
        context: options
            .context_length
            .and_then(|tokens| u64::try_from(tokens).ok()),
        concurrency: options
            .concurrency
            .and_then(|sequences| u32::try_from(sequences).ok()),
    })
}

fn sized(
    asked: &Asked<'_>,
    catalogue: &Catalogue,
    parsed: &Parsed,
    (nodes, serves): (Option<&[NodeGpus]>, bool),
) -> Result<Sizing, Rejection> {
    let standing = asked.standing.and_then(|standing| {
        Some(Standing {
            asked: standing.asked.as_deref()?,
            gpu_product: standing.gpu_type.as_deref()?,
            gpus: u32::try_from(standing.gpus?).ok()?,
            serves,
        })
    });
    let ask = Ask {
        gpu_type: asked.gpu_type,
        gpus: parsed.gpus,
        context: parsed.context,
        concurrency: parsed.concurrency,
        quantization: parsed.quantization,
        engine: asked.options.engine,
        image: asked.options.image.as_deref(),
        source: parsed.source.as_ref(),
        nodes,
        standing,
    };
    let sized = match (catalogue.find(asked.model), &parsed.source) {
        (Ok(entry), _) => size(entry, &ask),
        // A source of one's own may be weights that nobody has described.
        (Err(_), Some(source)) => size_source(catalogue, asked.model, source, &ask),
        (Err(unknown), None) => {
            let sentence = format!("spec.{}: {unknown}", asked.model_field);
            return Err(Rejection::referent(Reason::UnknownModel, sentence));
        }
    };
    sized.map_err(|error| refused(asked, &error))
}

/// Whose fault it is: a field's, the GPUs' or the cluster's.
fn refused(asked: &Asked<'_>, error: &SizingError) -> Rejection {
    let field = match error {
        SizingError::DoesNotFit { .. } => {
            return Rejection::referent(Reason::DoesNotFit, error.to_string());
        }
        SizingError::NoSuchNode { .. } => {
            return Rejection::referent(Reason::NoSuchNode, error.to_string());
        }
        SizingError::UnknownGpu { .. } | SizingError::GpuNeeded { .. } => asked.gpu_type_field,
        SizingError::CannotSplit { .. } => asked.gpus_field,
        SizingError::NoSuchQuantization { .. } => "serving.quantization",
        SizingError::ContextTooLong { .. } => "serving.contextLength",
        SizingError::EngineTooOld { .. } => "serving.image",
        SizingError::Engine { .. } => "serving.engine",
    };
    invalid(asked, vec![FieldError::new(field, error.to_string())])
}

/// A gated model's token, before a GPU is taken.
fn check_token(asked: &Asked<'_>, sizing: &Sizing, known: &dyn Lookup) -> Result<(), Rejection> {
    let namespace = &asked.identity.namespace;
    let env = asked.options.env.iter().flatten();
    // A token of one's own, a mirror, or weights that are there already.
    let brought = env.into_iter().any(|variable| {
        [super::request::TOKEN_VARIABLE, "HF_ENDPOINT", "HF_HUB_OFFLINE"].contains(&variable.name.as_str())
    });
    // Of a Secret with another name the operator sees nothing; the Pod's own status will tell.
    let ours = asked.token_secret() == SECRET;
    let needed = sizing.gated && sizing.engine == Engine::Vllm && !brought && ours;
    if needed && known.token(namespace) == Token::Missing {
        return Err(Rejection::referent(
            Reason::TokenMissing,
            format!(
                "{} is gated: accept its licence at its hub, then `kubectl create secret generic {SECRET} \
                 --namespace {namespace} --from-literal={KEY}=<your token>`; or name a model that needs no token (`llm-operator models` tells)",
                sizing.model,
            ),
        ));
    }
    Ok(())
}

/// Fields below `spec.serving` that have the names of an `LLMModel`'s or an `LLMDeployment`'s.
const OPTIONS: [&str; 16] = [
    "access",
    "args",
    "disruptionBudget",
    "engine",
    "env",
    "image",
    "imagePullSecrets",
    "nodeSelector",
    "port",
    "priorityClassName",
    "resources",
    "runtimeClassName",
    "source",
    "storage",
    "terminationGracePeriodSeconds",
    "tolerations",
];

/// The error at the field of this kind.
fn placed(asked: &Asked<'_>, error: FieldError) -> FieldError {
    match error.root() {
        "modelName" => FieldError::new(asked.model_field, error.message),
        "gpu" => FieldError::new(asked.gpus_field, error.message),
        root if OPTIONS.contains(&root) => error.under("serving"),
        _ => error,
    }
}

fn invalid(asked: &Asked<'_>, errors: Vec<FieldError>) -> Rejection {
    let owner = format!("{} {}", asked.identity.kind, asked.identity.name);
    Rejection::invalid(errors, |_| owner.clone())
}
