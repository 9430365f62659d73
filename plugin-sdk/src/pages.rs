//! The pages of `docs/plugins` (those about hooks are named beside the hooks), and what the README shows, so that `cargo test --doc` compiles and runs every example of theirs. A page with an example
//! that is not named here fails a test of the repository.

macro_rules! pages {
    ($($name:ident: $page:literal,)*) => {
        $(
            #[doc = include_str!(concat!("../../docs/plugins/", $page))]
            pub struct $name;
        )*
    };
}

pages! {
    Writing: "writing.md",
    Testing: "testing.md",
    Readme: "../../README.md",
}
