//! `DynamoGraphDeployment`: the same in the words of NVIDIA Dynamo.
//!
//! All steps are those of every serving kind ([`crate::serving_kind`]); the model is found and sized by [`crate::catalogued`].

mod kind;
