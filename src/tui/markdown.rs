//! Markdown into lines, while it is still being written.
//!
//! Lines that [`Stream`] hands out are final: whatever follows and however the text was split into chunks, they are
//! the lines that the whole text gives (tested as a property). So a block is read line by line by our own rules,
//! which are `CommonMark`'s without those that reach back (setext headings, link definitions), and its inline part
//! by pulldown-cmark. Line breaks inside a paragraph stay.

mod blocks;
mod inline;
mod stream;
mod table;

pub(crate) use stream::{Look, Stream};

#[cfg(test)]
mod tests;
