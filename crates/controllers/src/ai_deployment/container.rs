//! The container of engine `generic`: the template's first one, with the resource's variables and ports.
//!
//! In: the template's first container, the endpoints. Out: the container and its ports, or what is wrong. Pure.

use api::premlabs_io::v1alpha1::Endpoint;
use k8s_openapi::{
    api::core::v1::{Container, Probe},
    apimachinery::pkg::util::intstr::IntOrString,
};
use serving::field_error::FieldError;

use super::engine::Generic;

const CONTAINER: &str = "deployment.template.spec.containers[0]";
/// The port when neither an endpoint nor a probe tells one.
const PORT: u16 = 8000;

/// A container that may serve.
///
/// # Errors
/// There is none, or it says what belongs elsewhere.
pub(super) fn generic(
    container: Option<Container>,
    endpoints: &[Endpoint],
) -> Result<Generic, Vec<FieldError>> {
    let Some(mut container) = container else {
        let message = "engine generic requires a pod template with a container; its first one serves";
        return Err(vec![FieldError::new("deployment.template", message)]);
    };
    let mut errors = Vec::new();
    if container.env.take().is_some_and(|env| !env.is_empty()) {
        let message =
            "Specify env vars for the first container in spec.env of the AIDeployment, not the container";
        errors.push(FieldError::new(format!("{CONTAINER}.env"), message));
    }
    if container.ports.take().is_some_and(|ports| !ports.is_empty()) {
        let message = "Specify ports in spec.endpoint of the AIDeployment, not the container";
        errors.push(FieldError::new(format!("{CONTAINER}.ports"), message));
    }
    if container.image.as_deref().unwrap_or_default().is_empty() {
        errors.push(FieldError::new(format!("{CONTAINER}.image"), "name an image"));
    }
    let ports = ports(endpoints, &mut errors);
    if errors.is_empty() {
        Ok(Generic { container, ports })
    } else {
        Err(errors)
    }
}

/// The ports of the endpoints, each once; 0 means that nothing is said.
fn ports(endpoints: &[Endpoint], errors: &mut Vec<FieldError>) -> Vec<u16> {
    let mut ports = Vec::new();
    for (index, endpoint) in endpoints.iter().enumerate() {
        match u16::try_from(endpoint.port.unwrap_or(0)) {
            Ok(0) => {}
            Ok(port) if ports.contains(&port) => {}
            Ok(port) => ports.push(port),
            Err(_) => errors.push(FieldError::new(
                format!("endpoint[{index}].port"),
                "is no port; choose one from 1 to 65535",
            )),
        }
    }
    ports
}

/// The port that clients are led to: the first endpoint's, else the one that a probe asks, else 8000.
pub(super) fn serving_port(generic: &Generic) -> u16 {
    let container = &generic.container;
    let probes = [
        &container.readiness_probe,
        &container.liveness_probe,
        &container.startup_probe,
    ];
    let asked = probes.into_iter().flatten().find_map(probed_port);
    generic.ports.first().copied().or(asked).unwrap_or(PORT)
}

/// Where nothing tells the port but a probe, that may ask another one than clients do: prem-operator's port is kept beside it.
pub(super) fn more_ports(generic: &Generic) -> Vec<u16> {
    let guessed = generic.ports.is_empty() && serving_port(generic) != PORT;
    guessed.then_some(PORT).into_iter().collect()
}

fn probed_port(probe: &Probe) -> Option<u16> {
    let http = probe.http_get.as_ref().map(|http| http.port.clone());
    let tcp = probe.tcp_socket.as_ref().map(|tcp| tcp.port.clone());
    let grpc = probe.grpc.as_ref().map(|grpc| IntOrString::Int(grpc.port));
    match http.or(tcp).or(grpc)? {
        IntOrString::Int(port) => u16::try_from(port).ok().filter(|port| *port > 0),
        IntOrString::String(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(container: &serde_json::Value, endpoints: &serde_json::Value) -> Result<Generic, Vec<FieldError>> {
        let endpoints: Vec<Endpoint> = serde_json::from_value(endpoints.clone()).unwrap();
        generic(serde_json::from_value(container.clone()).unwrap(), &endpoints)
    }

    /// Regression of prem-operator's bug 8: no container crashed it, port 0 was refused by the API server, and without an endpoint
    /// the Service led to a port on which nothing listens.
    #[test]
    fn the_port_is_the_endpoints_or_what_a_probe_asks() {
        let plain = json!({"name": "a", "image": "i"});
        let probed =
            json!({"name": "a", "image": "i", "livenessProbe": {"httpGet": {"path": "/", "port": 11434}}});
        for (container, endpoints, port, declared) in [
            (&plain, json!([{"domain": "d", "port": 8081}]), 8081, vec![8081]),
            (
                &plain,
                json!([{"domain": "d", "port": 1}, {"domain": "e", "port": 2}, {"domain": "f", "port": 1}]),
                1,
                vec![1, 2],
            ),
            (&plain, json!([{"domain": "d"}]), 8000, vec![]),
            (&probed, json!([{"domain": "d", "port": 0}]), 11434, vec![]),
            (&probed, json!([]), 11434, vec![]),
            (&plain, json!([]), 8000, vec![]),
        ] {
            let generic = of(container, &endpoints).unwrap();
            let kept = port == 11434;
            assert_eq!(!more_ports(&generic).is_empty(), kept, "{endpoints}");
            assert_eq!(
                (serving_port(&generic), generic.ports),
                (port, declared),
                "{endpoints}"
            );
        }
        let errors = of(&json!(null), &json!([])).err().unwrap();
        assert!(errors[0].message.contains("requires a pod template"));
    }

    #[test]
    fn what_belongs_elsewhere_is_told() {
        let container = json!({"name": "a", "env": [{"name": "A"}], "ports": [{"containerPort": 1}]});
        let errors = of(&container, &json!([{"domain": "d", "port": 70000}]))
            .err()
            .unwrap();
        let paths: Vec<&str> = errors.iter().map(|error| error.path.as_str()).collect();
        assert_eq!(
            paths,
            [
                "deployment.template.spec.containers[0].env",
                "deployment.template.spec.containers[0].ports",
                "deployment.template.spec.containers[0].image",
                "endpoint[0].port"
            ]
        );
    }
}
