mod deployments;
mod fixture;
mod others;
