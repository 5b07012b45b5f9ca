//! Values of documents as plain JSON, both ways: tombstones do not show, keys are literal.

use eidetica::crdt::doc::{List, Value};
use eidetica::crdt::Doc;
use serde_json::Value as Json;

pub fn to_json(value: &Value) -> Json {
    match value {
        Value::Null | Value::Deleted => Json::Null,
        Value::Bool(b) => (*b).into(),
        Value::Int(n) => (*n).into(),
        Value::Text(text) => text.as_str().into(),
        Value::Doc(doc) => doc_to_json(doc),
        Value::List(list) => list.iter().map(to_json).collect(),
    }
}

pub fn doc_to_json(doc: &Doc) -> Json {
    let visible = doc.as_hashmap().iter().filter(|(_, value)| !value.is_deleted());
    Json::Object(visible.map(|(key, value)| (key.clone(), to_json(value))).collect())
}

pub fn from_json(json: &Json) -> Value {
    match json {
        Json::Null => Value::Null,
        Json::Bool(b) => Value::Bool(*b),
        Json::Number(n) => Value::Int(n.as_i64().unwrap_or_default()),
        Json::String(text) => Value::Text(text.clone()),
        Json::Array(items) => {
            let mut list = List::new();
            for item in items {
                list.push(from_json(item));
            }
            Value::List(list)
        }
        Json::Object(members) => {
            let mut doc = Doc::new();
            for (key, member) in members {
                doc.as_hashmap_mut().insert(key.clone(), from_json(member));
            }
            Value::Doc(doc)
        }
    }
}
