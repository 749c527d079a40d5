//! Small caches fed by one watch per resource (and namespace).
//!
//! In: a client and a [`CacheSpec`] per resource. Out: lookups without a request, and keys to reconcile.
//! Every watch runs in its own task with its own back-off: one that fails delays no other. Objects are reduced to the
//! facts that somebody asks for as soon as they arrive; nothing here keeps a whole object.

mod child;
mod echo;
mod followers;
mod index;
mod raw;
mod served;
mod spec;
mod store;
mod watch;
mod watches;
mod writing;

pub use child::{Child, ChildHead, ChildView, OwnerHead};
pub use followers::{Followed, Followers};
pub use raw::RawObject;
pub use spec::{CacheSpec, Change};
pub use store::WatchCache;
pub use watch::WatchState;
pub use watches::{Namespaces, Part, Watches};
pub use writing::{WriteEnd, WriteSink, Writing};
