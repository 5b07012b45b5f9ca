//! Databases, stores and keys.

use crate::node::{id, text, Failure, Node, Outcome};
use crate::value;
use eidetica::auth::types::{AuthKey, Permission, SigKey};
use eidetica::crdt::Doc;
use eidetica::store::{DocStore, Table};
use eidetica::{Database, Transaction};
use serde_json::{json, Value as Json};

/// `read`, `write:10`, `admin:0`.
pub fn permission(text: &str) -> Result<Permission, Failure> {
    let (kind, priority) = text.split_once(':').unwrap_or((text, "0"));
    let priority = priority.parse()?;
    match kind {
        "read" => Ok(Permission::Read),
        "write" => Ok(Permission::Write(priority)),
        "admin" => Ok(Permission::Admin(priority)),
        _ => Err(format!("no permission: {text}").into()),
    }
}

fn write_doc(tx: &Transaction, store: &str, with: &Json) -> Result<(), Failure> {
    let store = tx.get_store::<DocStore>(store)?;
    for (path, json) in with["set"].as_object().into_iter().flatten() {
        store.set(path.as_str(), value::from_json(json))?;
    }
    for key in with["delete"].as_array().into_iter().flatten() {
        store.delete(key.as_str().unwrap_or(""))?;
    }
    for (key, items) in with["push"].as_object().into_iter().flatten() {
        let mut list = store.get_list(key)?;
        for item in items.as_array().into_iter().flatten() {
            list.push(value::from_json(item));
        }
        store.set_list(key.as_str(), list)?;
    }
    for (key, index) in with["remove"].as_object().into_iter().flatten() {
        let mut list = store.get_list(key)?;
        list.remove(index.as_u64().unwrap_or_default() as usize);
        store.set_list(key.as_str(), list)?;
    }
    Ok(())
}

fn write_rows(tx: &Transaction, store: &str, with: &Json) -> Result<(), Failure> {
    let table = tx.get_store::<Table<Json>>(store)?;
    for (key, row) in with["rows"].as_object().into_iter().flatten() {
        table.set(key, row.clone())?;
    }
    for key in with["drop"].as_array().into_iter().flatten() {
        table.delete(key.as_str().unwrap_or(""))?;
    }
    Ok(())
}

fn settings(db: &Database, name: &str, key: AuthKey) -> Result<(), Failure> {
    let tx = db.new_transaction()?;
    tx.get_settings()?.set_auth_key(name, key)?;
    tx.commit()?;
    Ok(())
}

impl Node {
    /// `public`: the permission of everybody.
    pub fn create(&mut self, with: &Json) -> Outcome {
        let mut doc = Doc::new();
        doc.set_string("name", text(with, "name")?);
        let key = self.key.clone();
        let db = self.user.create_database(doc, &key)?;
        if let Some(everybody) = with["public"].as_str() {
            settings(&db, "*", AuthKey::active("*", permission(everybody)?)?)?;
        }
        Ok(json!(db.root_id().as_str()))
    }

    /// From now on our key signs there, under the name that its settings have for it.
    pub fn adopt(&mut self, with: &Json) -> Outcome {
        let id = id(with)?;
        let public = self.user.get_public_key(&self.key)?;
        let found = Database::find_sigkeys(&self.instance, &id, &public)?;
        let name = found.iter().find_map(|(sigkey, _)| match sigkey {
            SigKey::Direct(name) => Some(name.clone()),
            _ => None,
        });
        let name = name.ok_or("no record of that database names our key")?;
        let key = self.key.clone();
        self.user.map_key(&key, &id, &name)?;
        Ok(json!(name))
    }

    pub fn grant(&mut self, with: &Json) -> Outcome {
        let key = AuthKey::active(text(with, "key")?, permission(text(with, "permission")?)?)?;
        settings(&self.database(with)?, text(with, "name")?, key)?;
        Ok(Json::Null)
    }

    pub fn revoke(&mut self, with: &Json) -> Outcome {
        let tx = self.database(with)?.new_transaction()?;
        tx.get_settings()?.revoke_auth_key(text(with, "name")?)?;
        Ok(json!(tx.commit()?.as_str()))
    }

    /// One commit: `set`, `delete`, `push`, `remove` of documents, `rows`, `drop` of tables.
    pub fn write(&mut self, with: &Json) -> Outcome {
        let tx = self.database(with)?.new_transaction()?;
        let store = text(with, "store")?;
        if with["rows"].is_object() || with["drop"].is_array() {
            write_rows(&tx, store, with)?;
        } else {
            write_doc(&tx, store, with)?;
        }
        Ok(json!(tx.commit()?.as_str()))
    }

    /// `count` commits of `bytes` bytes each, under the keys `PREFIX1` and so on.
    pub fn many(&mut self, with: &Json) -> Outcome {
        let db = self.database(with)?;
        let filling = "x".repeat(with["bytes"].as_u64().unwrap_or(1) as usize);
        for i in 1..=with["count"].as_u64().ok_or("count is missing")? {
            let tx = db.new_transaction()?;
            let key = format!("{}{i}", with["prefix"].as_str().unwrap_or("k"));
            tx.get_store::<DocStore>(text(with, "store")?)?.set(key, filling.as_str())?;
            tx.commit()?;
        }
        Ok(Json::Null)
    }

    pub fn state(&mut self, with: &Json) -> Outcome {
        let db = self.database(with)?;
        let store = db.get_store_viewer::<DocStore>(text(with, "store")?)?;
        Ok(value::doc_to_json(&store.get_all()?))
    }

    pub fn rows(&mut self, with: &Json) -> Outcome {
        let db = self.database(with)?;
        let table = db.get_store_viewer::<Table<Json>>(text(with, "store")?)?;
        Ok(Json::Object(table.search(|_| true)?.into_iter().collect()))
    }

    pub fn tips(&mut self, with: &Json) -> Outcome {
        let tips = self.database(with)?.get_tips()?;
        Ok(tips.iter().map(|id| Json::from(id.as_str())).collect())
    }

    /// Entries held; 0 for a database that is not.
    pub fn count(&mut self, with: &Json) -> Outcome {
        match self.database(with).and_then(|db| Ok(db.get_all_entries()?)) {
            Ok(entries) => Ok(json!(entries.len())),
            Err(_) => Ok(json!(0)),
        }
    }
}
