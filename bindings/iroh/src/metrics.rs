//! Iroh's own figures as text. The registry is made for each call, so nothing is global.

use iroh_metrics::{MetricsSource, Registry};

use crate::abi;
use crate::errors::{Result, failure};

pub fn text(endpoint: &iroh::Endpoint) -> Result<String> {
    let mut registry = Registry::default();
    registry.register_all(endpoint.metrics());
    registry
        .encode_openmetrics_to_string()
        .map_err(|error| failure(abi::LIMIT, format!("the figures do not become text: {error}")))
}
