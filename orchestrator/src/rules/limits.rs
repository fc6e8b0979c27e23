//! What a machine in Azure can be: how large its disks, how many, which name. Whatever does not fit is not protected.

use super::{Rule, rule};
use crate::catalogue::machine::AZURE_LIMITS;
use crate::facts::{Facts, VcenterFacts, VmFacts};
use crate::journal::Operation::EnableProtection;
use failback_wire::error::Report;

/// Rules of this topic, in check order.
pub(super) static RULES: &[Rule] =
    &[rule("C4", "the machine fits what Azure can run", &[EnableProtection], of_azure)];

/// Bytes of the disk it boots from, at most.
const OS_DISK: u64 = 2048 << 30;
/// Bytes of each other disk, at most.
const DATA_DISK: u64 = 8192 << 30;
/// Disks beside the one it boots from, at most.
const DATA_DISKS: usize = 64;
/// Characters of its name, at most.
const NAME: usize = 63;

fn fits(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
    (1..=NAME).contains(&name.len()) && name.chars().all(plain)
}

/// Bytes of the disks that are to be protected, in the machine's order.
fn sizes(f: &Facts, vcenter: &VcenterFacts, vm: &VmFacts) -> Vec<u64> {
    let included = |n: usize| {
        let id = format!("{}-disk{n}", f.item.name);
        f.request.include.as_ref().is_none_or(|include| include.iter().any(|disk| disk.as_str() == id))
    };
    let disks = vm.disks.iter().enumerate().filter(|(n, _)| included(*n));
    disks.map(|(_, uuid)| vcenter.sizes.get(uuid).copied().unwrap_or_default()).collect()
}

/// A machine that Azure could not run is not taken under protection.
fn of_azure(f: &Facts) -> Option<Report> {
    let name = f.request.azure_name.as_deref().unwrap_or(f.item.name.as_str());
    let report = |detail: String| Some(Report::new(&AZURE_LIMITS, f.item.name.as_str(), detail));
    if !fits(name) {
        return report(format!("{name:?} is no name for a machine in Azure"));
    }
    let vcenter = f.vcenter.known()?;
    let sizes = sizes(f, vcenter, vcenter.vm.as_ref()?);
    let (os, data) = sizes.split_first()?;
    if *os > OS_DISK || data.iter().any(|bytes| *bytes > DATA_DISK) {
        return report("a disk is too large".to_owned());
    }
    if data.len() > DATA_DISKS {
        return report(format!("it has {} data disks", data.len()));
    }
    None
}
