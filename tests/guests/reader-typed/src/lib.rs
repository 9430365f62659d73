//! Does what `reader` does, by the typed interface alone.

#[cfg(target_family = "wasm")]
mod component {
    #![allow(
        missing_docs,
        unsafe_code,
        unreachable_pub,
        elided_lifetimes_in_paths,
        unused_qualifications,
        clippy::allow_attributes_without_reason,
        reason = "generated from wit/"
    )]

    wit_bindgen::generate!({
        path: "../../../wit",
        world: "hookwire:plugin/publish-filter",
        generate_all,
    });

    use exports::hookwire::plugin::lifecycle::{
        AccessInterest, EventInterest, Interests, MessageInterest, Problem,
    };
    use exports::hookwire::plugin::{lifecycle, on_publish};
    use hookwire::plugin::types::{Message, PublishReason, Rejection, Source, Verdict};

    /// What gzip puts first.
    const COMPRESSED: &[u8] = &[0x1f, 0x8b];

    struct Reader;

    impl lifecycle::Guest for Reader {
        fn configure(_: String) -> Result<Interests, Vec<Problem>> {
            let nothing = MessageInterest {
                topics: Some(Vec::new()),
                payload: false,
                properties: false,
            };
            Ok(Interests {
                on_publish: MessageInterest {
                    topics: None,
                    payload: true,
                    properties: false,
                },
                route: nothing.clone(),
                deliver: nothing,
                authorize: AccessInterest::empty(),
                events: EventInterest::empty(),
                tick_ms: None,
            })
        }

        fn health() -> Result<(), String> {
            Ok(())
        }

        fn tick() {}

        fn stop() {}
    }

    impl on_publish::Guest for Reader {
        fn on_publish(_: Source, message: Message) -> Verdict {
            if message.topic.starts_with("forbidden/") || message.payload.starts_with(COMPRESSED) {
                return Verdict::Reject(Rejection {
                    reason: PublishReason::NotAuthorized,
                    text: Some("forbidden".to_owned()),
                });
            }
            Verdict::Pass
        }
    }

    hookwire_plugin::__stand_in_for_libc!();
    export!(Reader);
}
