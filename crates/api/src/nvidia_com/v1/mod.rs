//! Version `v1`.

pub mod dynamo_graph_deployment;

pub use dynamo_graph_deployment::{
    DynamoGraphDeployment, DynamoGraphDeploymentSpec, DynamoModel, DynamoSla, Placement,
};
