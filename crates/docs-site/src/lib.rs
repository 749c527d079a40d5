//! The documentation as a site: pages of Markdown in, a folder of HTML out. A link that leads nowhere is an error.
//!
//! In: the repository, and a table of contents as mdBook reads it. Out: one page of HTML per page of the contents, with the
//! contents beside it, and the files of the repository that they link. It must not know a page by name, nor need a network.

mod contents;
mod html;
mod page;
mod site;

pub use contents::{Contents, Entry};
pub use page::{Page, target};
pub use site::{Fault, build, check};
