//! Servers of the way home that do their work, but are not as they should be: a small master target (P28), a process
//! server behind a VPN (P12). What replicates through them is not quite well, as long as it does and they are.

use super::{Health, Services};
use crate::catalogue::warning::{MT_SMALL, PS_BEHIND_VPN};
use crate::journal::{Item, ServerRef};
use crate::workflow::Finding;
use failback_wire::error::Report;
use failback_wire::proto::cs::{Component, ServerBeat};

/// A figure of a Linux master target that must not be lower (P28).
struct Least {
    /// The fact of its heartbeat; what nobody tells is enough.
    fact: &'static str,
    least: u64,
    /// Written as so many of these.
    unit: u64,
    of: &'static str,
}

/// What a Linux master target should have at least.
static LINUX_SIZE: [Least; 4] = [
    Least { fact: "memory_mb", least: 6 << 10, unit: 1, of: "MiB of memory" },
    Least { fact: "cores", least: 4, unit: 1, of: "cores" },
    Least { fact: "system_disk", least: 100 << 30, unit: 1 << 30, of: "GiB for its system" },
    Least { fact: "retention_capacity", least: 1 << 40, unit: 1 << 30, of: "GiB of retention" },
];

fn warning(report: Report) -> Finding {
    Finding { report, health: Health::Warning, since: None, at_once: true }
}

/// Findings about the servers that an item replicates home through, from their last heartbeats.
pub(super) fn findings(
    services: &Services,
    servers: &[ServerBeat],
    item: &Item,
) -> impl Iterator<Item = Finding> {
    let env = services.ctx.env;
    let row = |component, server: &Option<ServerRef>| {
        let id = &server.as_ref()?.id;
        servers.iter().find(|row| row.component == component && row.id == *id)
    };
    let target = row(Component::MasterTarget, &item.master_target).filter(|_| env.holds("P28"));
    let relay = row(Component::ProcessServer, &item.process_server).filter(|_| env.holds("P12"));
    let small = target.and_then(small);
    let far = relay.and_then(|relay| far(relay, services.config.expressroute));
    small.into_iter().chain(far)
}

/// A warning is ours: the pages only say what it should have. Only a Linux one tells of the disk of its system.
fn small(target: &ServerBeat) -> Option<Finding> {
    target.facts.get("system_disk")?;
    let lacking = LINUX_SIZE.iter().filter_map(|wanted| {
        let has: u64 = target.facts.get(wanted.fact)?.parse().ok()?;
        (has < wanted.least).then(|| format!("{} {}", has / wanted.unit, wanted.of))
    });
    let lacking: Vec<String> = lacking.collect();
    (!lacking.is_empty()).then(|| warning(Report::new(&MT_SMALL, &target.id, lacking.join(", "))))
}

/// A process server on-premises is for ExpressRoute; over a VPN it is discouraged.
fn far(relay: &ServerBeat, expressroute: bool) -> Option<Finding> {
    let on_premises = relay.facts.get("location").is_some_and(|location| location == "on-premises");
    let far = on_premises && !expressroute;
    far.then(|| warning(Report::new(&PS_BEHIND_VPN, &relay.id, relay.id.as_str())))
}

#[cfg(test)]
mod tests {
    use super::small;
    use failback_wire::clock::VirtualMs;
    use failback_wire::proto::cs::{Component, ServerBeat};

    fn beat(facts: &[(&str, u64)]) -> ServerBeat {
        ServerBeat {
            component: Component::MasterTarget,
            id: "mt".into(),
            facts: facts.iter().map(|(name, value)| ((*name).to_owned(), value.to_string())).collect(),
            last_heartbeat: VirtualMs(0),
            version: "9.62".into(),
        }
    }

    #[test]
    fn each_figure_counts_from_its_limit_on() {
        let least = [
            ("memory_mb", 6 << 10),
            ("cores", 4),
            ("system_disk", 100 << 30),
            ("retention_capacity", 1 << 40),
        ];
        assert!(small(&beat(&least)).is_none());
        for (n, (fact, value)) in least.into_iter().enumerate() {
            let mut one_less = least;
            one_less[n].1 = value - 1;
            assert!(small(&beat(&one_less)).is_some(), "{fact}");
        }
        assert!(small(&beat(&[("retention_capacity", 600 << 30)])).is_none(), "a Windows one");
    }
}
