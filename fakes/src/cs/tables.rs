//! The configuration server's database: tables, and what is asked of them.

use failback_wire::clock::VirtualMs;
use failback_wire::ids::{MachineCopy, MachineName, Site};
use failback_wire::proto::cs::{
    AgentBeat, Component, Heartbeat, MachineRow, Protection, Registration, RegistrationRow, ServerBeat,
    ServerRow,
};
use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension, Result, Row, params};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Idempotent DDL. Heartbeats lie in a table of their own: they change all the time, the rest rarely.
pub(super) const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS meta (
        key TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS servers (
        component TEXT NOT NULL, id TEXT NOT NULL, address TEXT NOT NULL, version TEXT NOT NULL,
        os TEXT NOT NULL, facts TEXT NOT NULL, PRIMARY KEY (component, id)) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS policies (
        name TEXT PRIMARY KEY, kind TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS machines (
        machine TEXT PRIMARY KEY, os TEXT NOT NULL, vm_uuid TEXT NOT NULL, direction TEXT NOT NULL,
        policy TEXT NOT NULL REFERENCES policies (name)) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS registrations (
        host_id TEXT PRIMARY KEY, machine TEXT NOT NULL, site TEXT NOT NULL, address TEXT NOT NULL,
        os TEXT NOT NULL, version TEXT NOT NULL, registered_at INTEGER NOT NULL) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS heartbeats (
        component TEXT NOT NULL, id TEXT NOT NULL, at INTEGER NOT NULL,
        PRIMARY KEY (component, id)) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS agent_facts (
        host_id TEXT PRIMARY KEY, facts TEXT NOT NULL) WITHOUT ROWID;
    CREATE INDEX IF NOT EXISTS registrations_of_machine ON registrations (machine, site);
";

/// Rows a table may have: more machines than any configuration server is sized for.
const MAX_ROWS: i64 = 10_000;

/// The word our wire uses for a value of one of its enums.
fn word(value: &impl Serialize) -> Result<String> {
    match serde_json::to_value(value) {
        Ok(Value::String(word)) => Ok(word),
        Ok(other) => Err(rusqlite::Error::ToSqlConversionFailure(format!("{other} is no word").into())),
        Err(e) => Err(rusqlite::Error::ToSqlConversionFailure(e.into())),
    }
}

/// The value that the word in this column stands for.
fn parse<T: DeserializeOwned>(row: &Row<'_>, column: usize) -> Result<T> {
    serde_json::from_value(Value::String(row.get(column)?))
        .map_err(|e| rusqlite::Error::FromSqlConversionFailure(column, Type::Text, e.into()))
}

fn ms(at: VirtualMs) -> i64 {
    i64::try_from(at.0).unwrap_or(i64::MAX)
}

fn time(row: &Row<'_>, column: usize) -> Result<VirtualMs> {
    Ok(VirtualMs(row.get::<_, i64>(column)?.unsigned_abs()))
}

/// Says which generation this database is of.
pub(super) fn set_generation(db: &Connection, generation: u64) -> Result<()> {
    let mut sql = db.prepare_cached("INSERT OR REPLACE INTO meta (key, value) VALUES ('generation', ?1)")?;
    sql.execute([i64::try_from(generation).unwrap_or(i64::MAX)])?;
    Ok(())
}

/// True when this table takes another row.
pub(super) fn has_room(db: &Connection, table: Table) -> Result<bool> {
    let sql = match table {
        Table::Servers => "SELECT COUNT(*) FROM servers ORDER BY 1",
        Table::Machines => "SELECT COUNT(*) FROM machines ORDER BY 1",
        Table::Registrations => "SELECT COUNT(*) FROM registrations ORDER BY 1",
    };
    Ok(db.prepare_cached(sql)?.query_row([], |row| row.get::<_, i64>(0))? < MAX_ROWS)
}

/// A table that callers can make grow.
#[derive(Clone, Copy)]
pub(super) enum Table {
    Servers,
    Machines,
    Registrations,
}

/// Notes a sign of life.
fn beat(db: &Connection, component: Component, id: &str, now: VirtualMs) -> Result<()> {
    let mut sql =
        db.prepare_cached("INSERT OR REPLACE INTO heartbeats (component, id, at) VALUES (?1, ?2, ?3)")?;
    sql.execute(params![word(&component)?, id, ms(now)])?;
    Ok(())
}

/// An agent's row, new or renewed; registering is a sign of life.
pub(super) fn register(db: &Connection, new: &Registration, now: VirtualMs) -> Result<()> {
    let mut sql = db.prepare_cached(
        "INSERT OR REPLACE INTO registrations (host_id, machine, site, address, os, version, registered_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?;
    sql.execute(params![
        new.host_id,
        new.machine.as_str(),
        word(&new.site)?,
        new.address,
        word(&new.os)?,
        new.version,
        ms(now)
    ])?;
    beat(db, Component::Agent, &new.host_id, now)
}

/// A sign of life of a registered agent, with what it tells; false when it has no row.
pub(super) fn agent_beat(db: &Connection, sign: &Heartbeat, now: VirtualMs) -> Result<bool> {
    let host_id = sign.id.as_str();
    tell(db, host_id, &sign.facts)?;
    let mut sql = db.prepare_cached(
        "UPDATE heartbeats SET at = ?2 WHERE component = 'agent' AND id = ?1
         AND EXISTS (SELECT 1 FROM registrations WHERE host_id = ?1)",
    )?;
    Ok(sql.execute(params![host_id, ms(now)])? > 0)
}

/// Keeps what an agent tells until it tells something else. Nearly all have nothing to tell.
fn tell(db: &Connection, host_id: &str, facts: &BTreeMap<String, String>) -> Result<()> {
    if facts.is_empty() {
        let mut sql = db.prepare_cached("DELETE FROM agent_facts WHERE host_id = ?1")?;
        return sql.execute([host_id]).map(drop);
    }
    let facts = serde_json::to_string(facts);
    let facts = facts.map_err(|e| rusqlite::Error::ToSqlConversionFailure(e.into()))?;
    let mut sql = db.prepare_cached("INSERT OR REPLACE INTO agent_facts (host_id, facts) VALUES (?1, ?2)")?;
    sql.execute([host_id, facts.as_str()]).map(drop)
}

/// The facts in this column, if it holds any.
fn facts(row: &Row<'_>, column: usize) -> Result<BTreeMap<String, String>> {
    let text: Option<String> = row.get(column)?;
    let parsed = text.map_or(Ok(BTreeMap::new()), |text| serde_json::from_str(&text));
    parsed.map_err(|e| rusqlite::Error::FromSqlConversionFailure(column, Type::Text, e.into()))
}

/// A sign of life of a server, which also is how a server gets its row; false when there is no room for one.
/// Nearly all say what the last one said, and only the time is written.
pub(super) fn server_beat(db: &Connection, sign: &Heartbeat, now: VirtualMs) -> Result<bool> {
    let facts =
        serde_json::to_string(&sign.facts).map_err(|e| rusqlite::Error::ToSqlConversionFailure(e.into()))?;
    let (component, os) = (word(&sign.component)?, word(&sign.os)?);
    let mut again = db.prepare_cached(
        "UPDATE heartbeats SET at = ?7 WHERE component = ?1 AND id = ?2
         AND EXISTS (SELECT 1 FROM servers WHERE component = ?1 AND id = ?2
                     AND address = ?3 AND version = ?4 AND os = ?5 AND facts = ?6)",
    )?;
    let told = params![component, sign.id, sign.address, sign.version, os, facts, ms(now)];
    if again.execute(told)? > 0 {
        return Ok(true);
    }
    if !has_room(db, Table::Servers)? {
        return Ok(false);
    }
    let mut sql = db.prepare_cached(
        "INSERT OR REPLACE INTO servers (component, id, address, version, os, facts)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?;
    sql.execute(params![component, sign.id, sign.address, sign.version, os, facts])?;
    beat(db, sign.component, &sign.id, now)?;
    Ok(true)
}

/// Protects a machine, or updates its row. The failback policy comes with the forward one (P10).
pub(super) fn protect(db: &Connection, machine: &MachineName, row: &Protection) -> Result<()> {
    let mut policy = db.prepare_cached("INSERT OR IGNORE INTO policies (name, kind) VALUES (?1, ?2)")?;
    policy.execute([row.policy.as_str(), "replication"])?;
    policy.execute([format!("{}-failback", row.policy).as_str(), "failback"])?;
    let mut sql = db.prepare_cached(
        "INSERT OR REPLACE INTO machines (machine, os, vm_uuid, direction, policy)
         VALUES (?1, ?2, ?3, ?4, ?5)",
    )?;
    sql.execute(params![machine.as_str(), word(&row.os)?, row.vm_uuid, row.direction, row.policy])?;
    Ok(())
}

/// Forgets a protected machine; false when it had no row. Its agents' registrations stay.
pub(super) fn forget(db: &Connection, machine: &MachineName) -> Result<bool> {
    let mut sql = db.prepare_cached("DELETE FROM machines WHERE machine = ?1")?;
    Ok(sql.execute([machine.as_str()])? > 0)
}

/// Takes each registration of the machine for that of its other copy; answers how many there are (C14).
pub(super) fn confuse(db: &Connection, machine: &MachineName) -> Result<usize> {
    let mut sql = db.prepare_cached(
        "UPDATE registrations SET site = CASE site WHEN ?2 THEN ?3 ELSE ?2 END WHERE machine = ?1",
    )?;
    sql.execute(params![machine.as_str(), word(&Site::OnPremises)?, word(&Site::Azure)?])
}

/// A second registration of this copy, by another host at another address; answers how many there are (P40).
pub(super) fn register_clone(db: &Connection, copy: &MachineCopy, now: VirtualMs) -> Result<usize> {
    let mut sql = db.prepare_cached(
        "INSERT OR REPLACE INTO registrations (host_id, machine, site, address, os, version, registered_at)
         SELECT 'clone-of-' || host_id, machine, site, 'clone-of-' || address, os, version, ?3
         FROM registrations WHERE machine = ?1 AND site = ?2",
    )?;
    sql.execute(params![copy.machine.as_str(), word(&copy.site)?, ms(now)])
}

/// Forgets all registrations of the machine; answers how many there were.
pub(super) fn unregister(db: &Connection, machine: &MachineName) -> Result<usize> {
    db.prepare_cached("DELETE FROM registrations WHERE machine = ?1")?.execute([machine.as_str()])
}

/// A protected machine's row with the registrations of its copies.
pub(super) fn machine(db: &Connection, machine: &MachineName) -> Result<Option<MachineRow>> {
    let mut sql = db.prepare_cached(
        "SELECT os, vm_uuid, direction, policy FROM machines WHERE machine = ?1 ORDER BY machine",
    )?;
    let protection = sql.query_row([machine.as_str()], |row| {
        Ok(Protection {
            os: parse(row, 0)?,
            vm_uuid: row.get(1)?,
            direction: row.get(2)?,
            policy: row.get(3)?,
        })
    });
    let Some(protection) = protection.optional()? else { return Ok(None) };
    let mut sql = db.prepare_cached(
        "SELECT host_id, site, address, registered_at, COALESCE(at, registered_at), version
         FROM registrations LEFT JOIN heartbeats ON component = 'agent' AND id = host_id
         WHERE machine = ?1 ORDER BY host_id",
    )?;
    let rows = sql.query_map([machine.as_str()], |row| {
        Ok(RegistrationRow {
            host_id: row.get(0)?,
            site: parse(row, 1)?,
            address: row.get(2)?,
            registered_at: time(row, 3)?,
            last_heartbeat: time(row, 4)?,
            version: row.get(5)?,
        })
    })?;
    let registrations = rows.collect::<Result<_>>()?;
    Ok(Some(MachineRow { machine: machine.clone(), protection, registrations }))
}

/// Process servers and master targets.
pub(super) fn servers(db: &Connection) -> Result<Vec<ServerRow>> {
    let mut sql = db.prepare_cached(
        "SELECT s.component, s.id, address, version, os, COALESCE(at, 0), facts
         FROM servers s LEFT JOIN heartbeats h ON h.component = s.component AND h.id = s.id
         ORDER BY s.component, s.id",
    )?;
    let rows = sql.query_map([], |row| {
        let facts: String = row.get(6)?;
        Ok(ServerRow {
            component: parse(row, 0)?,
            id: row.get(1)?,
            address: row.get(2)?,
            version: row.get(3)?,
            os: parse(row, 4)?,
            last_heartbeat: time(row, 5)?,
            facts: serde_json::from_str(&facts)
                .map_err(|e| rusqlite::Error::FromSqlConversionFailure(6, Type::Text, e.into()))?,
        })
    })?;
    rows.collect()
}

/// Component versions of the process servers.
pub(super) fn process_server_versions(db: &Connection) -> Result<Vec<String>> {
    let mut sql = db.prepare_cached("SELECT version FROM servers WHERE component = ?1 ORDER BY id")?;
    let rows = sql.query_map([word(&Component::ProcessServer)?], |row| row.get(0))?;
    rows.collect()
}

/// The last sign of life of each server.
pub(super) fn server_beats(db: &Connection) -> Result<Vec<ServerBeat>> {
    let mut sql = db.prepare_cached(
        "SELECT s.component, s.id, COALESCE(at, 0), s.facts, s.version
         FROM servers s LEFT JOIN heartbeats h ON h.component = s.component AND h.id = s.id
         ORDER BY s.component, s.id",
    )?;
    let rows = sql.query_map([], |row| {
        let facts: String = row.get(3)?;
        Ok(ServerBeat {
            component: parse(row, 0)?,
            id: row.get(1)?,
            last_heartbeat: time(row, 2)?,
            version: row.get(4)?,
            facts: serde_json::from_str(&facts).unwrap_or_default(),
        })
    })?;
    rows.collect()
}

/// The newest sign of life of the agent of each copy of a protected machine, and what it told. SQLite takes the other
/// columns from the row that has the maximum.
pub(super) fn agents(db: &Connection) -> Result<Vec<AgentBeat>> {
    let mut sql = db.prepare_cached(
        "SELECT r.machine, site, MAX(COALESCE(at, registered_at)), facts
         FROM registrations r JOIN machines m ON m.machine = r.machine
         LEFT JOIN heartbeats ON component = 'agent' AND id = r.host_id
         LEFT JOIN agent_facts f ON f.host_id = r.host_id
         GROUP BY r.machine, site ORDER BY r.machine, site",
    )?;
    let rows = sql.query_map([], |row| {
        let machine: String = row.get(0)?;
        let (site, last_heartbeat) = (parse(row, 1)?, time(row, 2)?);
        Ok(AgentBeat { machine: machine.into(), site, last_heartbeat, facts: facts(row, 3)? })
    })?;
    rows.collect()
}

/// Every row of every table but the heartbeats, in a fixed order.
pub(super) fn dump(db: &Connection) -> Result<Value> {
    let tables = [
        ("machines", "SELECT * FROM machines ORDER BY machine"),
        ("meta", "SELECT * FROM meta ORDER BY key"),
        ("policies", "SELECT * FROM policies ORDER BY name"),
        ("registrations", "SELECT * FROM registrations ORDER BY host_id"),
        ("servers", "SELECT * FROM servers ORDER BY component, id"),
    ];
    let mut all = serde_json::Map::new();
    for (name, sql) in tables {
        let mut sql = db.prepare_cached(sql)?;
        let columns: Vec<String> = sql.column_names().map(str::to_owned).collect();
        let rows = sql.query_map([], |row| {
            let mut out = serde_json::Map::new();
            for (at, column) in columns.iter().enumerate() {
                let value = match row.get_ref(at)?.as_i64() {
                    Ok(number) => json!(number),
                    Err(_) => json!(row.get::<_, String>(at)?),
                };
                out.insert(column.clone(), value);
            }
            Ok(Value::Object(out))
        })?;
        all.insert(name.to_owned(), rows.collect::<Result<Vec<_>>>()?.into());
    }
    Ok(all.into())
}
