//! The pages of `docs/plugins`, and what the README shows, so that `cargo test --doc` compiles and runs every example of
//! theirs. A page with an example that is not named here fails a test of the repository.

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
    Lifecycle: "hooks/lifecycle.md",
    Authenticate: "hooks/authenticate.md",
    AuthenticateEnhanced: "hooks/authenticate-enhanced.md",
    Authorize: "hooks/authorize.md",
    OnSubscribe: "hooks/on-subscribe.md",
    OnPublish: "hooks/on-publish.md",
    Route: "hooks/route.md",
    Deliver: "hooks/deliver.md",
    OnWill: "hooks/on-will.md",
    Events: "hooks/events.md",
    Control: "hooks/control.md",
}
