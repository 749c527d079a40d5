//! `AutoNodeLabeler`: labels on the nodes that an expression matches.
//!
//! Two reconcilers share one pure plan. That of a Node brings one node to what all labelers together ask for, by one
//! apply. That of an `AutoNodeLabeler` keeps its finalizer, and its status from what the plan says of every node.

pub mod board;
pub mod fights;
pub mod labeler;
pub mod labelling;
pub mod manager;
pub mod node;
pub mod node_reconcile;
pub mod plan;
pub mod reasons;
pub mod reconcile;
pub mod rule;
pub mod status;
pub mod survey;
pub mod terminate;
pub mod view;
pub mod watch;

use crate::finalizers::AUTO_NODE_LABELER as FINALIZER;
