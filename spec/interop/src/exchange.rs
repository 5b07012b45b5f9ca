//! Synchronisation: serving, exchanges, peers, requests for access.

use crate::data::permission;
use crate::node::{id, text, Node, Outcome};
use eidetica::sync::Address;
use eidetica::user::types::{DatabasePreferences, SyncSettings};
use serde_json::{json, Value as Json};

impl Node {
    /// Serves the database, and sends commits when `on_commit` says so.
    pub fn share(&mut self, with: &Json) -> Outcome {
        let prefs = DatabasePreferences {
            database_id: id(with)?,
            key_id: self.key.clone(),
            sync_settings: SyncSettings {
                sync_enabled: true,
                sync_on_commit: with["on_commit"].as_bool().unwrap_or(false),
                interval_seconds: with["interval"].as_u64(),
                properties: Default::default(),
            },
        };
        Ok(json!(self.user.add_database(prefs)?))
    }

    pub async fn serve(&mut self) -> Outcome {
        self.sync.start_server_async("127.0.0.1:0").await?;
        Ok(json!(self.sync.get_server_address_async().await?))
    }

    pub async fn connect(&mut self, with: &Json) -> Outcome {
        let address = Address::http(text(with, "address")?);
        let key = self.sync.connect_to_peer(&address).await?;
        self.sync.add_peer_address(&key, address)?;
        Ok(json!(key))
    }

    pub fn register(&mut self, with: &Json) -> Outcome {
        let key = text(with, "key")?;
        self.sync.register_peer(key, None)?;
        Ok(json!(self.sync.add_peer_address(key, Address::http(text(with, "address")?))?))
    }

    pub async fn sync_with(&mut self, with: &Json) -> Outcome {
        self.sync.sync_with_peer(text(with, "address")?, Some(&id(with)?)).await?;
        Ok(Json::Null)
    }

    pub async fn sync_peer(&mut self, with: &Json) -> Outcome {
        self.sync.sync_tree_with_peer(text(with, "key")?, &id(with)?).await?;
        Ok(Json::Null)
    }

    /// Asks for access for our key under `name`; the error of 0.2.0 when it waits or is refused.
    pub async fn ask(&mut self, with: &Json) -> Outcome {
        let public = self.user.get_public_key(&self.key)?;
        let wanted = permission(text(with, "permission")?)?;
        let (address, name) = (text(with, "address")?, text(with, "name")?);
        self.sync
            .sync_with_peer_for_bootstrap_with_key(address, &id(with)?, &public, name, wanted)
            .await?;
        Ok(Json::Null)
    }

    /// Those that wait for a decision of ours.
    pub fn requests(&mut self) -> Outcome {
        let pending = self.user.pending_bootstrap_requests(&self.sync)?;
        Ok(pending
            .into_iter()
            .map(|(id, request)| {
                json!({
                    "id": id,
                    "db": request.tree_id.as_str(),
                    "key": request.requesting_pubkey,
                    "name": request.requesting_key_name,
                })
            })
            .collect())
    }

    pub fn approve(&mut self, with: &Json) -> Outcome {
        let request = text(with, "id")?;
        Ok(json!(self.user.approve_bootstrap_request(&self.sync, request, &self.key)?))
    }

    pub fn reject(&mut self, with: &Json) -> Outcome {
        let request = text(with, "id")?;
        Ok(json!(self.user.reject_bootstrap_request(&self.sync, request, &self.key)?))
    }

    /// Keys with which the database is kept in step.
    pub fn peers(&mut self, with: &Json) -> Outcome {
        Ok(json!(self.sync.get_tree_peers(text(with, "db")?)?))
    }
}
