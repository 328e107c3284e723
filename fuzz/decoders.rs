//! Tries one property with whatever libFuzzer makes of its corpus: `KEEPER_FUZZ=log_entry`. `make fuzz` starts it.
#![no_main]

#[path = "bounds.rs"]
mod bounds;

use std::process::abort;
use std::sync::LazyLock;

use bounds::Property;
use libfuzzer_sys::fuzz_target;

static CHOSEN: LazyLock<(&'static str, Property)> = LazyLock::new(|| {
    let wanted = std::env::var("KEEPER_FUZZ").unwrap_or_default();
    let all = || keeper::fuzz::PROPERTIES.iter().chain(keeper_client_sdk::fuzz::PROPERTIES).flat_map(|area| *area);
    match all().find(|(name, _)| *name == wanted) {
        Some(chosen) => *chosen,
        None => {
            let names: Vec<_> = all().map(|(name, _)| *name).collect();
            eprintln!("KEEPER_FUZZ={wanted} names no target; there are: {}", names.join(" "));
            abort()
        }
    }
});

fuzz_target!(|input: &[u8]| {
    let (name, property) = *CHOSEN;
    bounds::hold(name, property, input);
});
