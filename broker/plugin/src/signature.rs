//! The types of functions for people: as the contract has them, and as a component has them.

use wasmtime::Engine;
use wasmtime::component::Component;
use wasmtime::component::types::{ComponentFunc, ComponentInstance, ComponentItem, Type};

use crate::contract::InterfaceName;

/// The contract as it was written.
const WIT: [&str; 12] = [
    include_str!("../../../wit/authenticate.wit"),
    include_str!("../../../wit/authorize.wit"),
    include_str!("../../../wit/control.wit"),
    include_str!("../../../wit/deliver.wit"),
    include_str!("../../../wit/events.wit"),
    include_str!("../../../wit/host.wit"),
    include_str!("../../../wit/http.wit"),
    include_str!("../../../wit/lifecycle.wit"),
    include_str!("../../../wit/on-publish.wit"),
    include_str!("../../../wit/on-subscribe.wit"),
    include_str!("../../../wit/on-will.wit"),
    include_str!("../../../wit/route.wit"),
];

/// How deep types are spelled out: a message within a list within a result is deep enough to see what is wrong.
const DEPTH_MAX: usize = 3;

/// What a component's version of an exported or imported interface is beside the contract's: a line for each function that
/// is missing or has other parameters; for all functions where that does not tell them apart.
pub(crate) fn differences(component: &Component, engine: &Engine, interface: &str) -> Vec<String> {
    let Some(instance) = find(component, engine, interface) else {
        return Vec::new();
    };
    let functions = expected(interface);
    let line = |(name, signature): &(&str, &str)| {
        let found = match instance.get_export(engine, name).map(|item| item.ty) {
            Some(ComponentItem::ComponentFunc(function)) => spell_function(&function),
            _ => "nothing".to_owned(),
        };
        format!("{name}: expected `{signature}`, found `{found}`")
    };
    let (odd, rest): (Vec<_>, Vec<_>) = functions
        .iter()
        .partition(|(name, signature)| is_odd(&instance, engine, name, signature));
    let told = if odd.is_empty() { rest } else { odd };
    told.iter().map(line).collect()
}

fn find(component: &Component, engine: &Engine, interface: &str) -> Option<ComponentInstance> {
    let ty = component.component_type();
    let export = ty.get_export(engine, interface).map(|item| item.ty);
    let item = export.or_else(|| ty.get_import(engine, interface).map(|item| item.ty));
    match item? {
        ComponentItem::ComponentInstance(instance) => Some(instance),
        _ => None,
    }
}

/// Whether a function is missing, or its parameters have other names.
fn is_odd(instance: &ComponentInstance, engine: &Engine, name: &str, signature: &str) -> bool {
    match instance.get_export(engine, name).map(|item| item.ty) {
        Some(ComponentItem::ComponentFunc(function)) => {
            let found: Vec<_> = function.params().map(|(name, _)| name.to_owned()).collect();
            found != parameters(signature) || (function.results().len() > 0) != signature.contains("->")
        }
        _ => true,
    }
}

/// Name and type of each function of an interface, as the contract has them.
fn expected(interface: &str) -> Vec<(&'static str, &'static str)> {
    let Some(interface) = InterfaceName::parse(interface) else {
        return Vec::new();
    };
    let head = format!("interface {} {{", interface.interface);
    let body = WIT
        .iter()
        .find_map(|file| file.split_once(&head))
        .map(|(_, body)| body);
    // What stands in an interface is indented; its end is not.
    let lines = body
        .unwrap_or_default()
        .lines()
        .take_while(|line| !line.starts_with('}'));
    lines
        .filter_map(|line| {
            let (name, signature) = line.trim().split_once(": ")?;
            let is_function = signature.starts_with("func(") && !name.starts_with("//");
            is_function.then(|| (name, signature.trim_end_matches(';')))
        })
        .collect()
}

/// Names of the parameters in `func(a: string, b: list<u8>) -> …`.
fn parameters(signature: &str) -> Vec<String> {
    let inside = signature.split("->").next().unwrap_or_default();
    let inside = inside.trim().trim_start_matches("func(").trim_end_matches(')');
    let names = inside
        .split(',')
        .filter_map(|parameter| parameter.split_once(':'));
    names
        .map(|(name, _)| name.trim().trim_start_matches('%').to_owned())
        .collect()
}

fn spell_function(function: &ComponentFunc) -> String {
    let params: Vec<_> = function
        .params()
        .map(|(name, ty)| format!("{name}: {}", spell(&ty, 0)))
        .collect();
    let result = function.results().next();
    let result = result.map(|ty| format!(" -> {}", spell(&ty, 0)));
    format!("func({}){}", params.join(", "), result.unwrap_or_default())
}

/// A type with what it is made of: names of types are gone in a component.
fn spell(ty: &Type, depth: usize) -> String {
    if depth > DEPTH_MAX {
        return "…".to_owned();
    }
    let inner = |ty: &Type| spell(ty, depth + 1);
    let list = |kind: &str, parts: Vec<String>| format!("{kind} {{ {} }}", parts.join(", "));
    match ty {
        Type::Bool => "bool".to_owned(),
        Type::S8 => "s8".to_owned(),
        Type::U8 => "u8".to_owned(),
        Type::S16 => "s16".to_owned(),
        Type::U16 => "u16".to_owned(),
        Type::S32 => "s32".to_owned(),
        Type::U32 => "u32".to_owned(),
        Type::S64 => "s64".to_owned(),
        Type::U64 => "u64".to_owned(),
        Type::Float32 => "f32".to_owned(),
        Type::Float64 => "f64".to_owned(),
        Type::Char => "char".to_owned(),
        Type::String => "string".to_owned(),
        Type::List(items) => format!("list<{}>", inner(&items.ty())),
        Type::Option(option) => format!("option<{}>", inner(&option.ty())),
        Type::Result(result) => {
            let part = |ty: Option<Type>| ty.map_or_else(|| "_".to_owned(), |ty| inner(&ty));
            format!("result<{}, {}>", part(result.ok()), part(result.err()))
        }
        Type::Tuple(tuple) => {
            let parts: Vec<_> = tuple.types().map(|ty| inner(&ty)).collect();
            format!("tuple<{}>", parts.join(", "))
        }
        Type::Record(record) => {
            let fields = record.fields();
            let fields = fields.map(|field| format!("{}: {}", field.name, inner(&field.ty)));
            list("record", fields.collect())
        }
        Type::Variant(variant) => {
            let cases = variant.cases().map(|case| match case.ty {
                Some(ty) => format!("{}({})", case.name, inner(&ty)),
                None => case.name.to_owned(),
            });
            list("variant", cases.collect())
        }
        Type::Enum(names) => list("enum", names.names().map(str::to_owned).collect()),
        Type::Flags(flags) => list("flags", flags.names().map(str::to_owned).collect()),
        Type::Own(_) | Type::Borrow(_) => "resource".to_owned(),
        _ => "another type".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract;

    #[test]
    fn the_contract_says_what_is_expected() {
        let of = |interface: &str| {
            expected(&format!(
                "{}/{interface}@{}",
                contract::PACKAGE,
                contract::VERSION
            ))
        };
        assert_eq!(of("log"), [("log", "func(level: level, message: string)")]);
        let lifecycle: Vec<_> = of("lifecycle").into_iter().map(|(name, _)| name).collect();
        assert_eq!(lifecycle, ["configure", "health", "tick", "stop"]);
        for hook in contract::HOOKS {
            assert!(!of(hook).is_empty(), "{hook}");
        }
        assert_eq!(of("nonsense"), []);
    }

    #[test]
    fn parameters_are_told_by_their_names() {
        assert_eq!(parameters("func()"), Vec::<String>::new());
        assert_eq!(
            parameters("func(key: string, ttl-ms: option<u64>) -> result<_, error>"),
            ["key", "ttl-ms"]
        );
    }
}
