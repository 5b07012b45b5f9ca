//! The node: an instance in memory with one user, whose default key signs.

use eidetica::backend::database::InMemory;
use eidetica::entry::ID;
use eidetica::sync::Sync;
use eidetica::user::User;
use eidetica::{Database, Instance};
use serde_json::{json, Value as Json};
use std::sync::Arc;

pub type Failure = Box<dyn std::error::Error>;
pub type Outcome = Result<Json, Failure>;

pub struct Node {
    pub instance: Instance,
    pub user: User,
    pub key: String,
    pub sync: Arc<Sync>,
}

impl Node {
    pub fn open() -> Result<Node, Failure> {
        let instance = Instance::open(Box::new(InMemory::new()))?;
        instance.create_user("user", None)?;
        let user = instance.login_user("user", None)?;
        instance.enable_sync()?;
        let sync = instance.sync().ok_or("no sync after enable_sync")?;
        sync.enable_http_transport()?;
        let key = user.get_default_key()?;
        Ok(Node { instance, user, key, sync })
    }

    /// Ours when one of our keys is known to open it, else for reading.
    pub fn database(&self, with: &Json) -> Result<Database, Failure> {
        let id = id(with)?;
        match self.user.find_key(&id)? {
            Some(_) => Ok(self.user.open_database(&id)?),
            None => Ok(Database::open_readonly(id, &self.instance)?),
        }
    }

    pub async fn run(&mut self, verb: &str, with: &Json) -> Outcome {
        match verb {
            "me" => Ok(json!({
                "device": self.sync.get_device_public_key()?,
                "key": self.user.get_public_key(&self.key)?,
            })),
            "create" => self.create(with),
            "adopt" => self.adopt(with),
            "grant" => self.grant(with),
            "revoke" => self.revoke(with),
            "write" => self.write(with),
            "many" => self.many(with),
            "state" => self.state(with),
            "rows" => self.rows(with),
            "tips" => self.tips(with),
            "count" => self.count(with),
            "share" => self.share(with),
            "serve" => self.serve().await,
            "stop" => Ok(json!(self.sync.stop_server_async().await?)),
            "connect" => self.connect(with).await,
            "register" => self.register(with),
            "relate" => Ok(json!(self.sync.add_tree_sync(text(with, "key")?, text(with, "db")?)?)),
            "sync" => self.sync_with(with).await,
            "sync_peer" => self.sync_peer(with).await,
            "ask" => self.ask(with).await,
            "requests" => self.requests(),
            "approve" => self.approve(with),
            "reject" => self.reject(with),
            "peers" => self.peers(with),
            "questions" => Ok(json!(self.sync.sync_tree().get_all_entries()?.len())),
            _ => Err(format!("unknown verb {verb:?}").into()),
        }
    }
}

// --- arguments ---

pub fn text<'a>(with: &'a Json, name: &str) -> Result<&'a str, Failure> {
    with[name].as_str().ok_or_else(|| format!("{name} is missing").into())
}

pub fn id(with: &Json) -> Result<ID, Failure> {
    Ok(ID::parse(text(with, "db")?).map_err(|error| format!("db: {error}"))?)
}
