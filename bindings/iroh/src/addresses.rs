//! Addresses as people and peers write them: JSON, ticket, `iroh://id@relay`, id.

use iroh::{EndpointAddr, EndpointId, RelayUrl, TransportAddr};
use iroh_tickets::Ticket;
use iroh_tickets::endpoint::EndpointTicket;
use serde_json::{Map, Value};

use crate::abi;
use crate::errors::{Result, bad_argument, failure};

const SCHEME: &str = "iroh://";

fn bad<T>(text: impl std::fmt::Display) -> Result<T> {
    Err(failure(abi::BAD_ADDRESS, text.to_string()))
}

/// Only the 64 digits: of the other texts that stand for a key each has several.
fn parse_id(text: &str) -> Result<EndpointId> {
    if text.len() != 64 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return bad("an endpoint id has 64 hexadecimal digits");
    }
    text.parse().or_else(|_| bad("this id is no public key"))
}

/// A relay's URL. What is in front of a host could be a secret, and is in no log then.
pub fn parse_relay(text: &str) -> Result<RelayUrl> {
    let Ok(url) = text.parse::<RelayUrl>() else {
        return bad("the relay is no URL");
    };
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none_or(str::is_empty) {
        return bad("a relay's URL begins with https:// or http:// and names a host");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return bad("a relay's URL has no user and no password");
    }
    Ok(url)
}

fn parse_uri(text: &str) -> Result<EndpointAddr> {
    let (id, relay) = match text.split_once('@') {
        None => (text, None),
        Some((id, relay)) if relay.contains("://") => (id, Some(relay.to_string())),
        Some((id, relay)) => (id, Some(format!("https://{relay}"))),
    };
    let mut address = EndpointAddr::new(parse_id(id)?);
    if let Some(relay) = relay {
        address = address.with_relay_url(parse_relay(&relay)?);
    }
    Ok(address)
}

fn add_direct(mut address: EndpointAddr, list: &Value) -> Result<EndpointAddr> {
    let Value::Array(list) = list else {
        return bad("direct_addresses is a list");
    };
    for one in list {
        match one.as_str().map(str::parse) {
            Some(Ok(at)) => address = address.with_ip_addr(at),
            _ => return bad("a direct address is \"IP:port\""),
        }
    }
    Ok(address)
}

fn add_relays(mut address: EndpointAddr, relays: &Value) -> Result<EndpointAddr> {
    let relays = match relays {
        Value::Null => &[][..],
        Value::Array(list) => list,
        one => std::slice::from_ref(one),
    };
    for relay in relays {
        let Some(text) = relay.as_str() else {
            return bad("relay_url is a text");
        };
        address = address.with_relay_url(parse_relay(text)?);
    }
    Ok(address)
}

fn parse_json(text: &str) -> Result<EndpointAddr> {
    let Ok(Value::Object(members)) = serde_json::from_str(text) else {
        return bad("the address is no JSON object");
    };
    let Some(Value::String(id)) = members.get("node_id") else {
        return bad("the address has no node_id");
    };
    let mut address = EndpointAddr::new(parse_id(id)?);
    if let Some(list) = members.get("direct_addresses") {
        address = add_direct(address, list)?;
    }
    add_relays(address, members.get("relay_url").unwrap_or(&Value::Null))
}

fn parse_ticket(text: &str) -> Result<EndpointAddr> {
    let Ok(ticket) = EndpointTicket::decode_string(text) else {
        return bad("the ticket is damaged");
    };
    // What follows a whole ticket is not looked at when it is decoded.
    if ticket.encode_string().len() != text.len() {
        return bad("the ticket is damaged");
    }
    let address = ticket.endpoint_addr();
    for relay in address.relay_urls() {
        parse_relay(relay.as_str())?;
    }
    Ok(address.clone())
}

/// Reads any form.
pub fn parse(text: &str) -> Result<EndpointAddr> {
    if text.len() > abi::MAX_ADDRESS {
        return bad(format!("an address has {} bytes at most", abi::MAX_ADDRESS));
    }
    let address = if text.starts_with('{') {
        parse_json(text)?
    } else if let Some(rest) = text.strip_prefix(SCHEME) {
        parse_uri(rest)?
    } else if text.starts_with(EndpointTicket::KIND) {
        parse_ticket(text)?
    } else {
        EndpointAddr::new(parse_id(text)?)
    };
    if address.addrs.len() > abi::MAX_DIRECT {
        return bad(format!("an address has {} ways at most", abi::MAX_DIRECT));
    }
    Ok(address)
}

fn format_json(address: &EndpointAddr) -> String {
    let mut members = Map::new();
    members.insert("node_id".into(), address.id.to_string().into());
    let direct: Vec<Value> = address.ip_addrs().map(|at| at.to_string().into()).collect();
    members.insert("direct_addresses".into(), direct.into());
    let mut relays: Vec<Value> = address.relay_urls().map(|url| url.to_string().into()).collect();
    match relays.len() {
        0 => None,
        1 => members.insert("relay_url".into(), relays.remove(0)),
        _ => members.insert("relay_url".into(), relays.into()),
    };
    Value::Object(members).to_string()
}

fn format_uri(address: &EndpointAddr) -> String {
    let mut text = format!("{SCHEME}{}", address.id);
    if let Some(relay) = address.relay_urls().next() {
        let relay = relay.as_str();
        text = text + "@" + relay.strip_prefix("https://").unwrap_or(relay);
    }
    text
}

/// What iroh of another version may have put into a ticket stays out: nobody here could dial it.
fn known(address: &EndpointAddr) -> EndpointAddr {
    let ways = address.addrs.iter().filter(|way| way.is_ip() || way.is_relay()).cloned();
    EndpointAddr::from_parts(address.id, ways.collect::<Vec<TransportAddr>>())
}

pub fn format(address: &EndpointAddr, form: u32) -> Result<String> {
    Ok(match form {
        abi::FORM_JSON => format_json(address),
        abi::FORM_TICKET => EndpointTicket::new(known(address)).encode_string(),
        abi::FORM_URI => format_uri(address),
        abi::FORM_ID => address.id.to_string(),
        _ => return Err(bad_argument("this form of an address is not known")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use iroh::SecretKey;

    fn id() -> EndpointId {
        SecretKey::from_bytes(&[7; 32]).public()
    }

    fn full() -> EndpointAddr {
        EndpointAddr::new(id())
            .with_ip_addr("127.0.0.1:5000".parse().unwrap())
            .with_ip_addr("[2001:db8::1]:5001".parse().unwrap())
            .with_relay_url("https://relay.example.org/".parse().unwrap())
    }

    #[test]
    fn what_is_written_is_read_again() {
        for form in [abi::FORM_JSON, abi::FORM_TICKET] {
            let text = format(&full(), form).unwrap();
            assert_eq!(parse(&text).unwrap(), full(), "{text}");
        }
        for relay in
            ["https://relay.example.org/", "http://198.51.100.9:3340/", "https://r.org/a/b"]
        {
            let address = EndpointAddr::new(id()).with_relay_url(relay.parse().unwrap());
            let text = format(&address, abi::FORM_URI).unwrap();
            assert_eq!(parse(&text).unwrap(), address, "{text}");
        }
        let two = full().with_relay_url("https://other.example.org/".parse().unwrap());
        assert_eq!(parse(&format(&two, abi::FORM_JSON).unwrap()).unwrap(), two);
        let bare = EndpointAddr::new(id());
        for form in 0..4 {
            assert_eq!(parse(&format(&bare, form).unwrap()).unwrap(), bare);
        }
        assert_eq!(format(&bare, 4).unwrap_err().code, abi::BAD_ARGUMENT);
    }

    #[test]
    fn a_host_alone_is_a_relay_with_tls() {
        let address = parse(&format!("iroh://{}@relay.example.org", id())).unwrap();
        assert_eq!(address.relay_urls().next().unwrap().as_str(), "https://relay.example.org/");
    }

    #[test]
    fn others_json_is_read() {
        let text =
            format!(r#"{{"node_id":"{}","direct_addresses":["10.0.0.1:1"],"more":1}}"#, id());
        assert_eq!(parse(&text).unwrap().ip_addrs().count(), 1);
        let text = format!(r#"{{"node_id":"{}","relay_url":null}}"#, id());
        assert_eq!(parse(&text).unwrap(), EndpointAddr::new(id()));
    }

    #[test]
    fn an_id_is_a_public_key() {
        let codes = (0..10).map(|digit| parse(&digit.to_string().repeat(64)).map_err(|it| it.code));
        // About half of all numbers are none.
        assert!(codes.into_iter().any(|code| code == Err(abi::BAD_ADDRESS)));
    }

    #[test]
    fn damaged_ones_are_refused() {
        let id = id().to_string();
        let ticket = format(&full(), abi::FORM_TICKET).unwrap();
        let mut texts = vec![
            String::new(),
            "endpoint".into(),
            ticket[..ticket.len() - 5].into(),
            ticket.clone() + "aaaa",
            ticket.replacen("endpoint", "endpoimt", 1),
            id[1..].into(),
            id.clone() + "0",
            "g".repeat(64),
            format!("iroh://{id}@"),
            format!("iroh://{id}@ftp://relay.example.org"),
            format!("iroh://{id}@https://user:word@relay.example.org"),
            format!("iroh://{id}@two words"),
            "{}".into(),
            "{".into(),
            format!(r#"{{"node_id":"{id}","direct_addresses":"10.0.0.1:1"}}"#),
            format!(r#"{{"node_id":"{id}","direct_addresses":["10.0.0.1"]}}"#),
            format!(r#"{{"node_id":"{id}","direct_addresses":[1]}}"#),
            format!(r#"{{"node_id":"{id}","relay_url":1}}"#),
            format!(r#"{{"node_id":1}}"#),
            "x".repeat(abi::MAX_ADDRESS + 1),
        ];
        let many: Vec<String> =
            (0..=abi::MAX_DIRECT).map(|i| format!("\"10.0.0.{i}:1\"")).collect();
        texts.push(format!(r#"{{"node_id":"{id}","direct_addresses":[{}]}}"#, many.join(",")));
        for text in texts {
            assert_eq!(parse(&text).map_err(|it| it.code), Err(abi::BAD_ADDRESS), "{text}");
        }
    }
}
